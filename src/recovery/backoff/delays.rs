//! The pauses between cycles of attempts.

use std::time::Duration;

use crate::config::RecoverySettings;

/// Random pauses whose limit doubles.
///
/// A pause is uniform between zero and its limit ("full jitter"), from the first on, because a
/// broker that restarts disconnects all its clients at the same time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delays {
    base: Duration,
    longest: Duration,
}

impl Delays {
    pub(crate) fn new(settings: &RecoverySettings) -> Self {
        Self { base: settings.delay, longest: settings.max_delay }
    }

    /// The pause after `earlier` others: at least zero and less than `base` · 2^`earlier`, or less
    /// than the longest delay if that is shorter. `random` is any number, and determines it.
    pub(crate) fn after(self, earlier: u32, random: u64) -> Duration {
        // The base has fewer than 64 bits, and so has the result, whose limit is a year.
        let doubled = self.base.as_nanos() << earlier.min(63);
        below(doubled.min(self.longest.as_nanos()), random)
    }

    /// The pause whose limit is the longest delay.
    pub(crate) fn longest(self, random: u64) -> Duration {
        below(self.longest.as_nanos(), random)
    }
}

/// Scales a random number of 64 bits to less than `limit` nanoseconds. All results are equally
/// likely, up to a bias of `limit` / 2^64.
fn below(limit: u128, random: u64) -> Duration {
    let scaled = limit.saturating_mul(random.into()) >> 64;
    Duration::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
}
