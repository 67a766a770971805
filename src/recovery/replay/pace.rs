//! When a request that was refused is made again.

use std::time::Duration;

/// The delays of retries.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// The bound of the first delay. It doubles with each retry.
    pub(crate) base: Duration,
    /// The largest bound of a delay.
    pub(crate) max: Duration,
    /// How long another connection or consumer may hold a queue: three heartbeat intervals, after
    /// which the broker has found a lost connection lost.
    pub(crate) held: Duration,
    /// Determines the delays.
    pub(crate) seed: u64,
}

/// The delays, each between 0 and its bound: clients that were refused together do not come back
/// together.
#[derive(Debug)]
pub(super) struct Delays {
    base: Duration,
    max: Duration,
    random: fastrand::Rng,
}

impl Delays {
    pub(super) fn new(pace: &Pace) -> Self {
        Self { base: pace.base, max: pace.max, random: fastrand::Rng::with_seed(pace.seed) }
    }

    /// The delay before the retry that follows `retries` others.
    pub(super) fn before(&mut self, retries: u32) -> Duration {
        let factor = 1_u32.checked_shl(retries).unwrap_or(u32::MAX);
        let bound = self.base.saturating_mul(factor).min(self.max);
        bound.mul_f64(self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_below_a_bound_that_doubles_up_to_the_largest() {
        let [base, max] = [1, 30].map(Duration::from_secs);
        let mut delays = Delays::new(&Pace { base, max, held: max, seed: 1 });
        for retries in (0..40).chain([u32::MAX]) {
            let bound = Duration::from_secs(1 << retries.min(5)).min(max);
            let longest = (0..200).map(|_| delays.before(retries)).max();
            assert!(longest.is_some_and(|longest| longest < bound && longest > bound.mul_f64(0.9)), "{longest:?}");
        }
    }
}
