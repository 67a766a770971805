//! Streams of what happens to a connection or a channel, and the future of its end.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::engine::{ChannelKey, ChannelNotice, ConnectionNotice, Engine, Interest};
use crate::error::Error;
use crate::link::{Shared, Standing, Topic};

pub use crate::error::{ChannelEvent, ConnectionEvent};

/// A stream of what happens to a connection after the stream was made: returned by
/// [`Connection::events`](super::Connection::events).
///
/// It keeps up to 1024 events that were not taken. When there are more, the oldest are dropped, and
/// [`lost`](Self::lost) counts them.
pub struct ConnectionEvents {
    standing: Standing,
    ended: bool,
}

impl ConnectionEvents {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { standing: Standing::new(shared, Topic::Connection), ended: false }
    }

    /// Waits for the next event. Returns `None` after [`ConnectionEvent::Closed`]. If the future is
    /// dropped before it resolves, no event is lost.
    pub async fn next(&mut self) -> Option<ConnectionEvent> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// Returns the number of events that were dropped because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.standing.lost()
    }

    pub(crate) fn poll_event(&mut self, context: &Context<'_>) -> Poll<Option<ConnectionEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let take = |engine: &mut Engine, id| engine.take_connection_notice(id).map_or(Poll::Pending, Poll::Ready);
        self.standing.poll(context, take).map(|notice| {
            self.ended = matches!(notice, ConnectionNotice::Closed(_));
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

/// A stream of what happens to a channel after the stream was made: returned by
/// [`Channel::events`](super::Channel::events).
///
/// It keeps up to 1024 events that were not taken. When there are more, the oldest are dropped, and
/// [`lost`](Self::lost) counts them.
pub struct ChannelEvents {
    standing: Standing,
    key: ChannelKey,
    ended: bool,
}

impl ChannelEvents {
    pub(super) fn new(shared: &Arc<Shared>, key: ChannelKey) -> Self {
        Self { standing: Standing::new(shared, Topic::Channel(key)), key, ended: false }
    }

    /// Waits for the next event. Returns `None` after [`ChannelEvent::Closed`]. If the future is
    /// dropped before it resolves, no event is lost.
    pub async fn next(&mut self) -> Option<ChannelEvent> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// Returns the number of events that were dropped because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.standing.lost()
    }

    pub(crate) fn poll_event(&mut self, context: &Context<'_>) -> Poll<Option<ChannelEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let key = self.key;
        let take = |engine: &mut Engine, id| engine.take_channel_notice(key, id).map_or(Poll::Pending, Poll::Ready);
        self.standing.poll(context, take).map(|notice| {
            self.ended = matches!(notice, ChannelNotice::Closed(_));
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

/// A future that waits until a connection or channel ends, and resolves to the reason.
///
/// If it is dropped before it resolves, nothing changes.
#[must_use = "it waits when it is awaited"]
pub struct Closed {
    standing: Standing,
    /// Kept, so that a later poll gives the same.
    why: Option<Error>,
}

impl Closed {
    pub(crate) fn new(shared: &Arc<Shared>, topic: Topic) -> Self {
        Self { standing: Standing::observing(shared, topic, Interest::End), why: None }
    }
}

impl Future for Closed {
    type Output = Error;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Error> {
        if let Some(why) = &self.why {
            return Poll::Ready(why.clone());
        }
        let topic = self.standing.topic();
        let taken = self.standing.poll(context, |engine, id| {
            let closure = match topic {
                Topic::Channel(key) => engine.take_channel_notice(key, id).and_then(|notice| match notice {
                    ChannelNotice::Closed(closure) => Some(closure),
                    _ => None,
                }),
                _ => engine.take_connection_notice(id).and_then(|notice| match notice {
                    ConnectionNotice::Closed(closure) => Some(closure),
                    _ => None,
                }),
            };
            closure.map_or(Poll::Pending, Poll::Ready)
        });
        taken.map(|closure| self.why.insert(closure.into()).clone())
    }
}

impl fmt::Debug for ConnectionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionEvents").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl fmt::Debug for ChannelEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelEvents")
            .field("channel", &self.key.number)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("why", &self.why).finish_non_exhaustive()
    }
}
