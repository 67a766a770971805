//! Messages that came back.

use std::time::{Duration, Instant};

use super::wait::wait_until;
use crate::asynchronous;
use crate::engine::Returned;
use crate::error::Result;

/// The messages that come back on a channel (`basic.return`) and belong to no confirm that somebody
/// waits for, from [`Channel::returns`](super::Channel::returns). An iterator that waits for the
/// next one; it ends with the channel, or when a later one takes over.
///
/// It keeps up to 4096 messages that nobody has taken, of up to 16 MiB together; beyond that the
/// oldest go, and [`Returns::lost`] counts them.
#[derive(Debug)]
pub struct Returns {
    inner: asynchronous::Returns,
}

impl Returns {
    /// The same messages, for tasks.
    pub fn into_async(self) -> asynchronous::Returns {
        self.inner
    }

    /// Waits for the next message for at most `limit`: `Ok(None)` where none has come by then, or
    /// none comes any more.
    ///
    /// # Errors
    ///
    /// This is the thread that drives a connection.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<Returned>> {
        let until = Instant::now().checked_add(limit);
        let driving = self.inner.driving().cloned();
        Ok(wait_until(driving.as_ref(), until, |context| self.inner.poll_returned(context))?.flatten())
    }

    /// How many messages were dropped because they were not taken in time.
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
