//! The attempts that failed.

use crate::error::{Attempt, ConnectCause, Progress};

/// Attempts that failed, in the order in which they did.
#[derive(Debug, Default)]
pub(super) struct Record {
    failed: Vec<Attempt>,
    /// How many went before those.
    forgotten: u64,
    /// One of this cycle's may well succeed a little later.
    may_heal: bool,
}

impl Record {
    /// Failures that are kept, the last ones: who tries for ever, with as many attempts as there
    /// are, fills no memory.
    const KEPT: usize = 1024;

    /// An attempt came to nothing.
    pub(super) fn fail(&mut self, progress: Progress, cause: ConnectCause) {
        if self.failed.len() == Self::KEPT {
            self.failed.remove(0);
            self.forgotten += 1;
        }
        let attempt = Attempt::new(progress, cause);
        self.may_heal |= attempt.is_retryable();
        self.failed.push(attempt);
    }

    /// Another cycle begins.
    pub(super) fn begin_cycle(&mut self) {
        self.may_heal = false;
    }

    /// Whether another cycle may end otherwise.
    pub(super) fn may_heal(&self) -> bool {
        self.may_heal
    }

    /// The attempts, and how many went before them.
    pub(super) fn take(&mut self) -> (Vec<Attempt>, u64) {
        (std::mem::take(&mut self.failed), self.forgotten)
    }
}
