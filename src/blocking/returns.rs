//! Messages that came back.

use std::time::{Duration, Instant};

use super::wait::wait_until;
use crate::asynchronous;
use crate::engine::Returned;
use crate::error::Result;

/// An iterator of the messages that are returned on a channel (`basic.return`) and that do not
/// clearly belong to one [`Confirm`](super::Confirm), which waits for the next one: returned by
/// [`Channel::returns`](super::Channel::returns). It ends with the channel, or when a later
/// iterator replaces it.
///
/// It keeps up to 4096 messages that were not taken, of at most 16 MiB together (the latest is kept
/// whatever its size). When there are more, the oldest are dropped, and [`Returns::lost`] counts
/// them.
#[derive(Debug)]
pub struct Returns {
    inner: asynchronous::Returns,
}

impl Returns {
    /// The same messages, for tasks.
    pub fn into_async(self) -> asynchronous::Returns {
        self.inner
    }

    /// Waits for the next message, for at most `limit`. Returns `Ok(None)` if none has been
    /// returned by then, or if there are no more.
    ///
    /// # Errors
    ///
    /// Returns an error if it would have to wait on the thread that drives a connection.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<Returned>> {
        let until = Instant::now().checked_add(limit);
        let driving = self.inner.driving().cloned();
        Ok(wait_until(driving.as_ref(), until, |context| self.inner.poll_returned(context))?.flatten())
    }

    /// Returns the number of messages that were dropped because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.inner.lost()
    }
}

impl Iterator for Returns {
    type Item = Returned;

    fn next(&mut self) -> Option<Returned> {
        let driving = self.inner.driving().cloned();
        wait_until(driving.as_ref(), None, |context| self.inner.poll_returned(context)).ok().flatten().flatten()
    }
}

impl From<asynchronous::Returns> for Returns {
    fn from(inner: asynchronous::Returns) -> Self {
        Self { inner }
    }
}
