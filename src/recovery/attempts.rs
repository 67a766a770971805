//! The failed attempts to connect.

use crate::error::{Attempt, ConnectCause, Progress};

/// The failed attempts, in the order in which they failed.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failed: Vec<Attempt>,
    /// How many earlier ones were dropped.
    forgotten: u64,
    /// Whether an attempt of this cycle may succeed if it is made again.
    may_succeed_later: bool,
}

impl Attempts {
    /// How many failures are kept: the latest. With unlimited cycles the list must not grow without
    /// end.
    const KEPT: usize = 1024;

    /// Adds a failed attempt.
    pub(super) fn fail(&mut self, progress: Progress, cause: ConnectCause) {
        if self.failed.len() == Self::KEPT {
            self.failed.remove(0);
            self.forgotten += 1;
        }
        let attempt = Attempt::new(progress, cause);
        self.may_succeed_later |= attempt.is_retryable();
        self.failed.push(attempt);
    }

    /// Begins another cycle.
    pub(super) fn begin_cycle(&mut self) {
        self.may_succeed_later = false;
    }

    /// Whether another cycle may succeed.
    pub(super) fn may_succeed_later(&self) -> bool {
        self.may_succeed_later
    }

    /// Takes the attempts, and the number of earlier ones that were dropped.
    pub(super) fn take(&mut self) -> (Vec<Attempt>, u64) {
        (std::mem::take(&mut self.failed), self.forgotten)
    }
}
