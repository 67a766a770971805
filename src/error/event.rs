//! Events of a connection or a channel.

use std::fmt;

use super::Error;
use crate::engine::{ChannelNotice, ConnectionNotice};
use crate::wire::{Escaped, ShortString};

/// Something that happened to a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The broker blocks publishes (`connection.blocked`). Publishes wait; everything else
    /// continues. The reason is the broker's text, unchanged: [`Escaped`] makes it safe to show.
    Blocked(String),
    /// The broker no longer blocks publishes (`connection.unblocked`).
    Unblocked,
    /// The backpressure detector of Pika 0.x ([`backpressure_detection`]) reports that a frame was
    /// queued while more than [`backpressure_multiplier`] average frames waited.
    ///
    /// [`backpressure_detection`]: crate::ConnectionParameters#structfield.backpressure_detection
    /// [`backpressure_multiplier`]: crate::ConnectionParameters#structfield.backpressure_multiplier
    Backpressure {
        /// The bytes that waited for the socket, including this frame.
        queued: u64,
        /// The bytes of an average frame, rounded down.
        average: u64,
    },
    /// After [`Backpressure`](Self::Backpressure), nothing waits for the socket any more.
    Relieved,
    /// Reading is paused because more than [`read_limit`] bytes of messages wait for consumers.
    /// Until [`ReadingResumed`](Self::ReadingResumed), the client reads only after consumers have
    /// taken some, and while it awaits something that only reading can bring. If this lasts longer
    /// than [`overflow_timeout`], the consumer with the most bytes waiting ends.
    ///
    /// [`read_limit`]: crate::ConnectionParameters#structfield.read_limit
    /// [`overflow_timeout`]: crate::ConnectionParameters#structfield.overflow_timeout
    ReadingPaused {
        /// The bytes that wait.
        waiting: u64,
    },
    /// Reading resumes because no more than half of
    /// [`read_limit`](crate::ConnectionParameters#structfield.read_limit) waits.
    ReadingResumed,
    /// The broker accepted a new secret, from the provider or from
    /// [`Connection::update_secret`](crate::Connection::update_secret).
    SecretUpdated,
    /// The provider had no new secret, or the broker did not accept it, for this reason. The
    /// provider is asked again.
    SecretNotUpdated(String),
    /// The connection ended, for this reason. This is the last event.
    Closed(Error),
}

/// Something that happened to a channel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// The broker asked the client to send no content (`channel.flow`). Publishes on the channel
    /// wait.
    Stopped,
    /// The broker allows content again. Publishes continue.
    Resumed,
    /// The broker cancelled the consumer with this tag: its queue was deleted or its node is down,
    /// or a delivery stayed unsettled longer than the consumer timeout (RabbitMQ 4.3).
    ConsumerCancelled(ShortString),
    /// The client cancelled the consumer with this tag because it did not keep up: see
    /// [`ErrorKind::ConsumerOverflowed`](crate::ErrorKind::ConsumerOverflowed).
    ConsumerOverflowed(ShortString),
    /// The channel ended, for this reason. This is the last event.
    Closed(Error),
}

impl fmt::Display for ConnectionEvent {
    /// Prints what happened in one line, with the broker's text escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked(reason) => write!(f, "the broker blocks publishes: {}", Escaped(reason)),
            Self::Unblocked => f.write_str("the broker no longer blocks publishes"),
            Self::Backpressure { queued, average } => {
                write!(f, "{queued} bytes wait for the socket, with frames of {average} bytes on average")
            }
            Self::Relieved => f.write_str("nothing waits for the socket any more"),
            Self::ReadingPaused { waiting } => {
                write!(f, "reading is paused: {waiting} bytes of messages wait for consumers")
            }
            Self::ReadingResumed => f.write_str("reading resumes: the consumers have caught up"),
            Self::SecretUpdated => f.write_str("the broker accepted a new secret"),
            Self::SecretNotUpdated(why) => write!(f, "the secret is not renewed: {}", Escaped(why)),
            Self::Closed(why) => write!(f, "{why}"),
        }
    }
}

impl fmt::Display for ChannelEvent {
    /// Prints what happened in one line, with the broker's text escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the broker asked for no more content"),
            Self::Resumed => f.write_str("the broker allows content again"),
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
