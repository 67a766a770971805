//! A thread that waits, as a waker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::selector::SelectorWaker;

/// A thread that parks until it is woken. Only its waker ends the wait: whatever else unparks the
/// thread does not.
pub(crate) struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
    /// Ends the wait of the thread at a selector, while the thread drives.
    selector: Mutex<Option<Arc<OnceLock<SelectorWaker>>>>,
}

thread_local! {
    /// One for each thread, however often it waits. Waits do not nest: a future of this crate runs
    /// nothing foreign when it is polled.
    static SLEEPER: Arc<Sleeper> = Arc::new(Sleeper::new());
}

impl Sleeper {
    fn new() -> Self {
        Self { thread: thread::current(), woken: AtomicBool::new(false), selector: Mutex::new(None) }
    }

    /// That of this thread.
    pub(crate) fn of_this_thread() -> Arc<Self> {
        // A value that is dropped at the end of its thread may wait after the thread-local values
        // are gone.
        SLEEPER.try_with(Arc::clone).unwrap_or_else(|_| Arc::new(Self::new()))
    }

    /// What wakes it.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Whether it was woken, and has not noticed.
    pub(super) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// The thread is about to look: what wakes it from here on is new.
    pub(super) fn clear(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// From here on the thread waits at this selector instead of parking; with `None`, it parks
    /// again.
    pub(super) fn waits_at(&self, selector: Option<Arc<OnceLock<SelectorWaker>>>) {
        *self.selector.lock().unwrap_or_else(PoisonError::into_inner) = selector;
    }

    /// Parks the thread until it is woken. Returns `false` where that did not happen until `until`.
    pub(crate) fn sleep(&self, until: Option<Instant>) -> bool {
        while !self.woken.swap(false, Ordering::Acquire) {
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return false,
                Some(left) => thread::park_timeout(left),
            }
        }
        true
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.swap(true, Ordering::Release) || self.thread.id() == thread::current().id() {
            return;
        }
        self.thread.unpark();
        let selector = self.selector.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = selector.as_ref().and_then(|selector| selector.get()) {
            waker.wake();
        }
    }
}
