//! The time, as a value.

use std::time::Instant;

/// Where a connection reads the time: the clock of the system, or that of a runtime, which tests
/// turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(fn() -> Instant);

impl Clock {
    pub(crate) const fn new(now: fn() -> Instant) -> Self {
        Self(now)
    }

    pub(crate) fn now(self) -> Instant {
        (self.0)()
    }
}
