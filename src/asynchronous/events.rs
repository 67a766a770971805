//! What happens to a connection or a channel, as streams, and the future for its end.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::driver::{Observation, Shared};
use crate::engine::{ChannelKey, ChannelNotice, ConnectionNotice, Engine, Interest};
use crate::error::Error;
use crate::wire::{Escaped, ShortString};

/// Something that happened to a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The broker blocks publishes, for this reason (`connection.blocked`), which is as it came: [`Escaped`] makes it safe to
    /// show. They wait; everything else goes on.
    Blocked(String),
    /// It does so no more (`connection.unblocked`).
    Unblocked,
    /// The detector of Pika 0.x ([`backpressure_detection`]): a frame was queued while more waited than
    /// [`backpressure_multiplier`] average frames.
    ///
    /// [`backpressure_detection`]: crate::ConnectionParameters#structfield.backpressure_detection
    /// [`backpressure_multiplier`]: crate::ConnectionParameters#structfield.backpressure_multiplier
    Backpressure {
        /// Octets that waited with this frame.
        queued: u64,
        /// Octets of an average frame, rounded down.
        average: u64,
    },
    /// More than [`read_limit`] bytes of messages wait for consumers. Until [`ReadingResumed`](Self::ReadingResumed), the
    /// connection is read only when they have taken some, and while something is awaited that only reading can bring. If that
    /// lasts for longer than [`overflow_timeout`], the consumer for which most waits ends.
    ///
    /// [`read_limit`]: crate::ConnectionParameters#structfield.read_limit
    /// [`overflow_timeout`]: crate::ConnectionParameters#structfield.overflow_timeout
    ReadingPaused {
        /// Bytes that wait.
        waiting: u64,
    },
    /// No more than half of [`read_limit`](crate::ConnectionParameters#structfield.read_limit) waits any more.
    ReadingResumed,
    /// The broker took a new secret: the provider's, or that of [`Connection::update_secret`](super::Connection::update_secret).
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
    /// The broker cancelled the consumer of this tag: its queue is gone or its node down, or a delivery was held longer than the
    /// consumer timeout (RabbitMQ 4.3).
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

/// The stream of what happens to a connection, from when it was made on: [`Connection::events`](super::Connection::events).
///
/// It keeps up to 1024 events that nobody has taken; beyond that the oldest go, and [`lost`](Self::lost) counts them.
pub struct ConnectionEvents {
    observation: Observation,
    over: bool,
}

impl ConnectionEvents {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { observation: Observation::new(shared, None, Interest::Everything), over: false }
    }

    /// The next event; none behind [`ConnectionEvent::Closed`]. Dropped before it is done, no event is lost.
    pub async fn next(&mut self) -> Option<ConnectionEvent> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// How many events went by because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.observation.lost()
    }

    fn poll_event(&mut self, context: &Context<'_>) -> Poll<Option<ConnectionEvent>> {
        if self.over {
            return Poll::Ready(None);
        }
        self.observation.poll(context, Engine::take_connection_notice).map(|notice| {
            self.over = matches!(notice, ConnectionNotice::Closed(_));
            Some(notice.into())
        })
    }
}

impl Stream for ConnectionEvents {
    type Item = ConnectionEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ConnectionEvent>> {
        self.poll_event(context)
    }
}

/// The stream of what happens to a channel, from when it was made on: [`Channel::events`](super::Channel::events).
///
/// It keeps up to 1024 events that nobody has taken; beyond that the oldest go, and [`lost`](Self::lost) counts them.
pub struct ChannelEvents {
    observation: Observation,
    key: ChannelKey,
    over: bool,
}

impl ChannelEvents {
    pub(super) fn new(shared: &Arc<Shared>, key: ChannelKey) -> Self {
        Self { observation: Observation::new(shared, Some(key), Interest::Everything), key, over: false }
    }

    /// The next event; none behind [`ChannelEvent::Closed`]. Dropped before it is done, no event is lost.
    pub async fn next(&mut self) -> Option<ChannelEvent> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// How many events went by because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.observation.lost()
    }

    fn poll_event(&mut self, context: &Context<'_>) -> Poll<Option<ChannelEvent>> {
        if self.over {
            return Poll::Ready(None);
        }
        let key = self.key;
        self.observation.poll(context, |engine, waiter| engine.take_channel_notice(key, waiter)).map(|notice| {
            self.over = matches!(notice, ChannelNotice::Closed(_));
            Some(notice.into())
        })
    }
}

impl Stream for ChannelEvents {
    type Item = ChannelEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        self.poll_event(context)
    }
}

/// Waits until a connection or channel is over; gives why.
#[must_use = "it waits when it is awaited"]
pub struct Closed {
    observation: Observation,
    /// Known from the first time on.
    why: Option<Error>,
}

impl Closed {
    pub(super) fn new(shared: &Arc<Shared>, channel: Option<ChannelKey>) -> Self {
        Self { observation: Observation::new(shared, channel, Interest::End), why: None }
    }
}

impl Future for Closed {
    type Output = Error;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Error> {
        if let Some(why) = &self.why {
            return Poll::Ready(why.clone());
        }
        let channel = self.observation.channel();
        let taken = self.observation.poll(context, |engine, waiter| match channel {
            Some(key) => match engine.take_channel_notice(key, waiter)? {
                ChannelNotice::Closed(closure) => Some(closure),
                _ => None,
            },
            None => match engine.take_connection_notice(waiter)? {
                ConnectionNotice::Closed(closure) => Some(closure),
                _ => None,
            },
        });
        taken.map(|closure| self.why.insert(closure.into()).clone())
    }
}

impl fmt::Debug for ConnectionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionEvents").field("over", &self.over).finish_non_exhaustive()
    }
}

impl fmt::Debug for ChannelEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelEvents")
            .field("channel", &self.key.number)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("why", &self.why).finish_non_exhaustive()
    }
}
