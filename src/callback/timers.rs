//! Handlers that are called at a certain time.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Instant;

/// The name of a handler that is called at a certain time: returned by
/// [`Handle::call_later`](super::Handle::call_later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    at: Instant,
    number: u64,
}

/// The timers of one loop. Of two that are due at the same time, the one that was set first is
/// called first.
pub(super) struct Timers<H> {
    set: RefCell<BTreeMap<Timer, H>>,
    last: Cell<u64>,
}

impl<H> Timers<H> {
    pub(super) fn new() -> Self {
        Self { set: RefCell::default(), last: Cell::new(0) }
    }

    /// Makes the name of a timer that may be set.
    pub(super) fn name(&self, at: Instant) -> Timer {
        let number = self.last.get() + 1;
        self.last.set(number);
        Timer { at, number }
    }

    pub(super) fn set(&self, timer: Timer, handler: H) {
        self.set.borrow_mut().insert(timer, handler);
    }

    /// Removes a timer, and returns its handler if it was not called so far.
    pub(super) fn remove(&self, timer: Timer) -> Option<H> {
        self.set.borrow_mut().remove(&timer)
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.borrow().keys().next().map(|timer| timer.at)
    }

    /// The timers that are due at `now`. Each is still set when it is to be called, unless the
    /// handler of another one has removed it.
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
