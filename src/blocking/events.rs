//! What happens to a connection or a channel, as iterators.

use std::time::{Duration, Instant};

use super::wait::wait_until;
use crate::asynchronous;
use crate::error::{ChannelEvent, ConnectionEvent, Result};

/// An iterator of what happens to a connection after the iterator was made, which waits for the
/// next event: returned by [`Connection::events`](super::Connection::events). It ends after
/// [`ConnectionEvent::Closed`].
///
/// It keeps up to 1024 events that were not taken. When there are more, the oldest are dropped, and
/// [`lost`](Self::lost) counts them.
#[derive(Debug)]
pub struct ConnectionEvents {
    inner: asynchronous::ConnectionEvents,
}

impl ConnectionEvents {
    /// The same events, for tasks.
    pub fn into_async(self) -> asynchronous::ConnectionEvents {
        self.inner
    }

    /// Waits for the next event, for at most `limit`. Returns `Ok(None)` if no event has happened
    /// by then, or if there are no more.
    ///
    /// # Errors
    ///
    /// Returns an error if it would have to wait on the thread that drives a connection.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<ConnectionEvent>> {
        let until = Instant::now().checked_add(limit);
        Ok(wait_until(None, until, |context| self.inner.poll_event(context))?.flatten())
    }

    /// Returns the number of events that were dropped because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.inner.lost()
    }
}

impl Iterator for ConnectionEvents {
    type Item = ConnectionEvent;

    fn next(&mut self) -> Option<ConnectionEvent> {
        wait_until(None, None, |context| self.inner.poll_event(context)).ok().flatten().flatten()
    }
}

impl From<asynchronous::ConnectionEvents> for ConnectionEvents {
    fn from(inner: asynchronous::ConnectionEvents) -> Self {
        Self { inner }
    }
}

/// An iterator of what happens to a channel after the iterator was made, which waits for the next
/// event: returned by [`Channel::events`](super::Channel::events). It ends after
/// [`ChannelEvent::Closed`].
///
/// It keeps up to 1024 events that were not taken. When there are more, the oldest are dropped, and
/// [`lost`](Self::lost) counts them.
#[derive(Debug)]
pub struct ChannelEvents {
    inner: asynchronous::ChannelEvents,
}

impl ChannelEvents {
    /// The same events, for tasks.
    pub fn into_async(self) -> asynchronous::ChannelEvents {
        self.inner
    }

    /// Waits for the next event, for at most `limit`. Returns `Ok(None)` if no event has happened
    /// by then, or if there are no more.
    ///
    /// # Errors
    ///
    /// Returns an error if it would have to wait on the thread that drives a connection.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<ChannelEvent>> {
        let until = Instant::now().checked_add(limit);
        Ok(wait_until(None, until, |context| self.inner.poll_event(context))?.flatten())
    }

    /// Returns the number of events that were dropped because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.inner.lost()
    }
}

impl Iterator for ChannelEvents {
    type Item = ChannelEvent;

    fn next(&mut self) -> Option<ChannelEvent> {
        wait_until(None, None, |context| self.inner.poll_event(context)).ok().flatten().flatten()
    }
}

impl From<asynchronous::ChannelEvents> for ChannelEvents {
    fn from(inner: asynchronous::ChannelEvents) -> Self {
        Self { inner }
    }
}
