//! Handlers that are called at a time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Instant;

/// A handler that is called at some time: see [`Handle::call_later`](super::Handle::call_later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    at: Instant,
    number: u64,
}

/// All that are set on one loop. Of two that are due at one time, the one that was set first is
/// called first.
pub(super) struct Timers<H> {
    set: RefCell<BTreeMap<Timer, H>>,
    last: Cell<u64>,
}

impl<H> Timers<H> {
    pub(super) fn new() -> Self {
        Self { set: RefCell::default(), last: Cell::new(0) }
    }

    /// A name for one that may be set.
    pub(super) fn name(&self, at: Instant) -> Timer {
        let number = self.last.get() + 1;
        self.last.set(number);
        Timer { at, number }
    }

    pub(super) fn set(&self, timer: Timer, handler: H) {
        self.set.borrow_mut().insert(timer, handler);
    }

    /// The handler of one that was not called so far.
    pub(super) fn remove(&self, timer: Timer) -> Option<H> {
        self.set.borrow_mut().remove(&timer)
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.borrow().keys().next().map(|timer| timer.at)
    }

    /// Those that are due at `now`: each is still there when its turn comes, unless another one of
    /// them has removed it.
    pub(super) fn due(&self, now: Instant) -> Vec<Timer> {
        self.set.borrow().keys().take_while(|timer| timer.at <= now).copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.borrow().is_empty()
    }

    pub(super) fn clear(&self) {
        while !self.is_empty() {
            let set = std::mem::take(&mut *self.set.borrow_mut());
            drop(set);
        }
    }
}
