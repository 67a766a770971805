//! What was tried, what is being tried, and what is to be forgotten afterwards.

use super::race::Target;
use crate::config::{Credentials, Secret};
use crate::error::{Attempt, ConnectCause, ConnectError, Progress};

/// Everything that an open has tried. It outlives the futures that try, so that a deadline over all
/// of them can report them.
#[derive(Default)]
pub(super) struct Attempts {
    pub(super) record: Record,
    /// The one that has connected and goes on.
    pub(super) turn: Option<Progress>,
    pub(super) used: Used,
}

/// Attempts that failed, in the order in which they did, and those under way.
#[derive(Default)]
pub(super) struct Record {
    failed: Vec<Attempt>,
    /// How many went before those.
    forgotten: u64,
    /// One of this cycle's may well succeed a little later.
    may_heal: bool,
    /// In the order in which they were started.
    under_way: Vec<(Target, Progress)>,
}

impl Attempts {
    /// The time for all of it is over: what is under way came to nothing.
    pub(super) fn fail_all(&mut self, cause: impl Fn() -> ConnectCause) {
        let under_way = std::mem::take(&mut self.record.under_way).into_iter().map(|(_, progress)| progress);
        for progress in under_way.chain(self.turn.take()) {
            self.record.fail(progress, cause());
        }
    }

    pub(super) fn into_error(self, out_of_time: Option<ConnectCause>) -> ConnectError {
        ConnectError::new(self.record.failed, self.record.forgotten, out_of_time)
    }
}

impl Record {
    /// Failures that are kept, the last ones: who tries for ever, with as many attempts as there
    /// are, fills no memory.
    const KEPT: usize = 1024;

    /// An attempt starts.
    pub(super) fn begin(&mut self, target: Target, progress: Progress) {
        self.under_way.push((target, progress));
    }

    /// An attempt is under way no more, which need not be a failure.
    pub(super) fn end(&mut self, target: Target) -> Option<Progress> {
        let index = self.under_way.iter().position(|(other, _)| *other == target)?;
        Some(self.under_way.remove(index).1)
    }

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
}

/// Passwords that were used and that are to be forgotten after use: once this is dropped, which
/// happens however an open ends, be it over in time, cut off by a deadline or dropped itself.
#[derive(Default)]
pub(super) struct Used(Vec<Secret>);

impl Used {
    /// A response of these credentials is about to be sent.
    pub(super) fn note(&mut self, credentials: &Credentials) {
        if credentials.erases_on_connect() {
            self.0.push(credentials.password().clone());
        }
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        self.0.iter().for_each(Secret::erase);
    }
}
