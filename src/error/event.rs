//! What happens to a connection or a channel.

use std::fmt;

use super::Error;
use crate::engine::{ChannelNotice, ConnectionNotice};
use crate::wire::{Escaped, ShortString};

/// Something that happened to a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The broker blocks publishes, for this reason (`connection.blocked`), which is as it came:
    /// [`Escaped`] makes it safe to show. They wait; everything else goes on.
    Blocked(String),
    /// It does so no more (`connection.unblocked`).
    Unblocked,
    /// The detector of Pika 0.x ([`backpressure_detection`]): a frame was queued while more waited
    /// than [`backpressure_multiplier`] average frames.
    ///
    /// [`backpressure_detection`]: crate::ConnectionParameters#structfield.backpressure_detection
    /// [`backpressure_multiplier`]: crate::ConnectionParameters#structfield.backpressure_multiplier
    Backpressure {
        /// Octets that waited with this frame.
        queued: u64,
        /// Octets of an average frame, rounded down.
        average: u64,
    },
    /// Nothing waits for the socket any more, after [`Backpressure`](Self::Backpressure).
    Relieved,
    /// More than [`read_limit`] bytes of messages wait for consumers. Until
    /// [`ReadingResumed`](Self::ReadingResumed), the connection is read only when they have taken
    /// some, and while something is awaited that only reading can bring. If that lasts for longer
    /// than [`overflow_timeout`], the consumer for which most waits ends.
    ///
    /// [`read_limit`]: crate::ConnectionParameters#structfield.read_limit
    /// [`overflow_timeout`]: crate::ConnectionParameters#structfield.overflow_timeout
    ReadingPaused {
        /// Bytes that wait.
        waiting: u64,
    },
    /// No more than half of [`read_limit`](crate::ConnectionParameters#structfield.read_limit)
    /// waits any more.
    ReadingResumed,
    /// The broker took a new secret: the provider's, or that of
    /// [`Connection::update_secret`](crate::Connection::update_secret).
    SecretUpdated,
    /// The provider had no new secret, or the broker did not take it: why. It is asked again.
    SecretNotUpdated(String),
    /// It is over, and why: the last event.
    Closed(Error),
}

/// Something that happened to a channel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// The broker asks for no more content (`channel.flow`): publishes wait.
    Stopped,
    /// Content may flow again.
    Resumed,
    /// The broker cancelled the consumer of this tag: its queue is gone or its node down, or a
    /// delivery was held longer than the consumer timeout (RabbitMQ 4.3).
    ConsumerCancelled(ShortString),
    /// The client cancelled the consumer of this tag, which did not keep up: see
    /// [`ErrorKind::ConsumerOverflowed`](crate::ErrorKind::ConsumerOverflowed).
    ConsumerOverflowed(ShortString),
    /// It is over, and why: the last event.
    Closed(Error),
}

impl fmt::Display for ConnectionEvent {
    /// What happened, in one line; the broker's words are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked(reason) => write!(f, "the broker blocks publishes: {}", Escaped(reason)),
            Self::Unblocked => f.write_str("the broker blocks publishes no more"),
            Self::Backpressure { queued, average } => {
                write!(f, "{queued} octets wait for the socket, with frames of {average} on average")
            }
            Self::Relieved => f.write_str("nothing waits for the socket any more"),
            Self::ReadingPaused { waiting } => {
                write!(f, "reading is paused: {waiting} bytes of messages wait for consumers")
            }
            Self::ReadingResumed => f.write_str("reading goes on: the consumers have caught up"),
            Self::SecretUpdated => f.write_str("the broker took a new secret"),
            Self::SecretNotUpdated(why) => write!(f, "the secret is not renewed: {}", Escaped(why)),
            Self::Closed(why) => write!(f, "{why}"),
        }
    }
}

impl fmt::Display for ChannelEvent {
    /// What happened, in one line; the broker's words are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the broker asks for no more content"),
            Self::Resumed => f.write_str("content may flow again"),
            Self::ConsumerCancelled(tag) => write!(f, "the broker cancelled the consumer {}", Escaped(tag)),
            Self::ConsumerOverflowed(tag) => {
                write!(f, "the consumer {} did not keep up and was cancelled", Escaped(tag))
            }
            Self::Closed(why) => write!(f, "{why}"),
        }
    }
}

impl From<ConnectionNotice> for ConnectionEvent {
    fn from(notice: ConnectionNotice) -> Self {
        match notice {
            ConnectionNotice::Blocked(reason) => Self::Blocked(reason),
            ConnectionNotice::Unblocked => Self::Unblocked,
            ConnectionNotice::Backpressure { queued, average } => Self::Backpressure { queued, average },
            ConnectionNotice::Relieved => Self::Relieved,
            ConnectionNotice::ReadingPaused { waiting } => Self::ReadingPaused { waiting },
            ConnectionNotice::ReadingResumed => Self::ReadingResumed,
            ConnectionNotice::SecretUpdated => Self::SecretUpdated,
            ConnectionNotice::SecretNotUpdated(why) => Self::SecretNotUpdated(why),
            ConnectionNotice::Closed(closure) => Self::Closed(closure.into()),
        }
    }
}

impl From<ChannelNotice> for ChannelEvent {
    fn from(notice: ChannelNotice) -> Self {
        match notice {
            ChannelNotice::Stopped => Self::Stopped,
            ChannelNotice::Resumed => Self::Resumed,
            ChannelNotice::ConsumerCancelled(tag) => Self::ConsumerCancelled(tag),
            ChannelNotice::ConsumerOverflowed(tag) => Self::ConsumerOverflowed(tag),
            ChannelNotice::Closed(closure) => Self::Closed(closure.into()),
        }
    }
}
