//! Counts the steps of loops whose cost must not grow with what only waits. Tests compare counts
//! and not times.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts a step of a loop. It does nothing outside tests.
#[inline(always)]
pub(crate) fn step() {
    #[cfg(test)]
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

/// Counts the steps of an operation that is not a loop of this crate.
#[inline(always)]
pub(crate) fn steps(count: usize) {
    #[cfg(test)]
    STEPS.with(|steps| steps.set(steps.get() + count as u64));
    #[cfg(not(test))]
    let _ = count;
}

/// Runs `work`, and returns how many steps it took.
#[cfg(test)]
pub(crate) fn steps_of<R>(work: impl FnOnce() -> R) -> (u64, R) {
    let before = STEPS.with(std::cell::Cell::get);
    let result = work();
    (STEPS.with(std::cell::Cell::get) - before, result)
}

/// `count` different numbers in no order; `2^31 - 1` is prime.
#[cfg(test)]
pub(crate) fn scattered(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|index| index * 1_103_515_245 % 2_147_483_647)
}

#[cfg(test)]
mod tests;
