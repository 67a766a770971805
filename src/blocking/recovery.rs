//! What a connection that survives losses shows of its recovery.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::Connection;
use super::wait::{wait, wait_until};
use crate::error::Result;
use crate::recovery::RecordedTopology;
use crate::wire::ShortString;

/// Recovery: see the chapter `leveret::recovering`.
impl Connection {
    /// Returns `true` while the connection is lost and is being recovered. Requests wait or fail
    /// then, as [`while_down`](crate::ConnectionParameters#structfield.while_down) says.
    pub fn is_recovering(&self) -> bool {
        self.inner.is_recovering()
    }

    /// Waits until the connection is recovered. Returns at once if it is open.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is closed, or ends before it is recovered.
    pub fn recovered(&self) -> Result<()> {
        wait(self.driving(), self.inner.recovered())
    }

    /// Waits as [`recovered`](Self::recovered) does, for at most `limit`. Returns `Ok(None)` if the
    /// connection is still being recovered then.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`recovered`](Self::recovered).
    pub fn recovered_timeout(&self, limit: Duration) -> Result<Option<()>> {
        let until = Instant::now().checked_add(limit);
        let mut recovered = pin!(self.inner.recovered());
        wait_until(self.driving(), until, |context| recovered.as_mut().poll(context))?.transpose()
    }

    /// Returns how often the connection, or a channel of it alone, was lost.
    pub fn generation(&self) -> u32 {
        self.inner.generation()
    }

    /// Returns what the connection has declared, bound and consumes, in the order of first
    /// declaration: what comes back after a loss. It is empty without
    /// [`Recovery::Topology`](crate::Recovery::Topology).
    pub fn topology(&self) -> RecordedTopology {
        self.inner.topology()
    }

    /// Forgets a queue with its bindings and consumers, so that they do not come back after a loss.
    /// The broker keeps them. Returns `false` if the queue is not recorded.
    pub fn forget_queue(&self, name: impl Into<ShortString>) -> bool {
        self.inner.forget_queue(name)
    }

    /// Forgets an exchange with its bindings, so that they do not come back after a loss. The
    /// broker keeps them. Returns `false` if the exchange is not recorded.
    pub fn forget_exchange(&self, name: impl Into<ShortString>) -> bool {
        self.inner.forget_exchange(name)
    }
}
