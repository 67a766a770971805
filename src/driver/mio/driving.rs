//! Which thread drives a connection of the blocking API: the thread that belongs to it, or one that
//! waits for the connection anyway.
//!
//! A call that waits for an answer would cost two switches of threads if the driver's thread did
//! all the work: one to write the request, one to hand over the answer. So a thread that has to
//! wait *leads* where it can: it writes the request and waits for the socket itself. Meanwhile, and
//! for a moment after each such call, the driver's thread dozes.
//!
//! ```text
//!            a waiting thread leads                  it has its answer, and nobody else waits
//!  Nobody ───────────────────────────▶ Caller ───────────────────────────────────────────────▶ Nobody
//!    │  ▲                                 │ it has its answer, and others wait
//!    │  ╰──────────────╮                  ▼
//!    ╰────────────▶ Thread ◀──────────────╯
//!  nobody led for a moment,    the last thread that waited has its answer: Thread ──▶ Nobody
//!  or something is to be sent
//! ```
//!
//! The thread that drives holds the selector. What is to be done is in the reactor's queue: whoever
//! stops driving looks there once more after it has said so, so that nothing is left until the
//! driver's thread looks by itself.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::selector::{Selector, SelectorWaker};
use super::sleeper::Sleeper;
use crate::driver::readiness::Core;

/// What threads share that may drive a connection. A handle: clones are of the same.
#[derive(Clone)]
pub(crate) struct Driving(Arc<Inner>);

struct Inner {
    core: Core,
    waker: Arc<OnceLock<SelectorWaker>>,
    /// Locked by the thread that drives. It is gone when there is nothing to be driven any more:
    /// its sockets are closed then, although handles of the connection are still there.
    selector: Mutex<Option<Selector>>,
    seat: Mutex<Seat>,
    /// The driver's own.
    thread: OnceLock<Thread>,
}

/// Which thread drives, and which others wait.
struct Seat {
    taken_by: TakenBy,
    /// Threads that wait while another one drives.
    followers: Vec<Arc<Sleeper>>,
    /// When a waiting thread began or ended to drive last.
    led: Option<Instant>,
    /// The driver's thread sleeps until it is woken, and not for a moment.
    sleeps_long: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TakenBy {
    Nobody,
    /// The driver's own thread.
    Thread,
    /// One that waits.
    Caller,
}

/// How long the driver's thread dozes after another one drove. What arrives or is queued in that
/// time, while no thread waits, moves so much later.
const MOMENT: Duration = Duration::from_micros(250);

thread_local! {
    /// This thread drives a connection.
    static DRIVES: Cell<bool> = const { Cell::new(false) };
    /// This thread is in a call that may wait: what it queues is written by whoever drives next,
    /// which is this thread where it has to wait.
    static CALLS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread drives a connection, which cannot go on while the thread waits.
pub(crate) fn is_driver() -> bool {
    DRIVES.get()
}

impl Driving {
    /// A selector, and a reactor that is driven with it.
    ///
    /// # Errors
    ///
    /// The system's.
    pub(super) fn new() -> io::Result<Self> {
        let waker = Arc::new(OnceLock::new());
        let driving: Arc<OnceLock<Weak<Inner>>> = Arc::default();
        let (wakers, wakes) = (Arc::clone(&waker), Arc::clone(&driving));
        let selector = Selector::woken_by(move |selector_waker| {
            // It is set once.
            let _ = wakers.set(selector_waker);
            move || {
                if let Some(inner) = wakes.get().and_then(Weak::upgrade) {
                    inner.wake();
                }
            }
        })?;
        let seat = Seat { taken_by: TakenBy::Thread, followers: Vec::new(), led: None, sleeps_long: false };
        let inner = Arc::new(Inner {
            core: selector.reactor().core().clone(),
            waker,
            selector: Mutex::new(Some(selector)),
            seat: Mutex::new(seat),
            thread: OnceLock::new(),
        });
        // It is set once. Until then there is nothing to wake a thread for.
        let _ = driving.set(Arc::downgrade(&inner));
        Ok(Self(inner))
    }

    pub(super) fn core(&self) -> &Core {
        &self.0.core
    }

    /// Waits until `poll` is ready, at most until `until`, and drives meanwhile if no other thread
    /// does. Returns `None` if the time ended first.
    #[inline]
    pub(crate) fn wait<T>(
        &self,
        until: Option<Instant>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        CALLS.set(true);
        let polled = poll(&mut Context::from_waker(Waker::noop()));
        CALLS.set(false);
        match polled {
            Poll::Ready(result) => Some(result),
            Poll::Pending => self.lead_or_follow(until, poll),
        }
    }

    fn lead_or_follow<T>(
        &self,
        until: Option<Instant>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        let sleeper = Sleeper::of_this_thread();
        let waker = sleeper.waker();
        let mut context = Context::from_waker(&waker);
        loop {
            if self.0.take_seat(&sleeper) {
                match (Lead::new(&self.0, &sleeper)).drive(until, || poll(&mut context)) {
                    Led::Done(result) => return Some(result),
                    Led::OutOfTime => return None,
                    Led::CannotDrive => self.0.follow(&sleeper),
                }
            }
            if let Poll::Ready(result) = poll(&mut context) {
                self.0.leave_line(&sleeper);
                return Some(result);
            }
            if !sleeper.sleep(until) {
                self.0.leave_line(&sleeper);
                return None;
            }
        }
    }

    /// What the driver's own thread does, until there is nothing to be driven any more.
    pub(super) fn run(&self) {
        // It is set once: there is one such thread.
        let _ = self.0.thread.set(thread::current());
        while self.core().connections() > 0 {
            if self.0.doze() && !self.0.drive() {
                break;
            }
        }
        // From here on nobody drives, and there is nothing to wait for.
        self.0.seat().taken_by = TakenBy::Thread;
        let selector = self.0.selector().take();
        drop(selector);
    }
}

impl fmt::Debug for Driving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driving").finish_non_exhaustive()
    }
}

impl Inner {
    /// Nothing panics under this lock, and nothing foreign runs there.
    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic while the selector was locked was in some task, and not in the selector.
    fn selector(&self) -> MutexGuard<'_, Option<Selector>> {
        self.selector.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is something to be done.
    fn wake(&self) {
        let mut seat = self.seat();
        if seat.taken_by != TakenBy::Nobody {
            drop(seat);
            if let Some(waker) = self.waker.get() {
                waker.wake();
            }
        } else if !CALLS.get() {
            seat.led = None;
            drop(seat);
            self.unpark();
        }
    }

    fn unpark(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Takes the seat where nobody has it; else joins those who wait.
    fn take_seat(&self, sleeper: &Arc<Sleeper>) -> bool {
        let mut seat = self.seat();
        if seat.taken_by == TakenBy::Nobody && self.core.connections() > 0 {
            seat.taken_by = TakenBy::Caller;
            seat.led = Some(Instant::now());
            return true;
        }
        seat.join(sleeper);
        false
    }

    fn follow(&self, sleeper: &Arc<Sleeper>) {
        self.seat().join(sleeper);
    }

    fn leave_line(&self, sleeper: &Arc<Sleeper>) {
        self.seat().followers.retain(|other| !Arc::ptr_eq(other, sleeper));
    }

    /// Nobody drives from here on, unless somebody has to: others wait, or something is to be done.
    fn leave_seat(&self) {
        self.core.set_waiting();
        let mut seat = self.seat();
        seat.followers.retain(|sleeper| !sleeper.is_woken());
        let goes_on = !seat.followers.is_empty() || self.core.connections() == 0;
        seat.taken_by = if goes_on { TakenBy::Thread } else { TakenBy::Nobody };
        seat.led = Some(Instant::now());
        let wakes = goes_on || seat.sleeps_long;
        drop(seat);
        if wakes {
            self.unpark();
        }
        // What was queued meanwhile has woken the selector, at which nobody looks.
        if !goes_on && self.core.is_runnable() {
            self.wake();
        }
    }

    /// Sleeps while another thread drives, or did a moment ago. Returns whether this thread, the
    /// driver's, drives from here on.
    fn doze(&self) -> bool {
        let mut seat = self.seat();
        let since = seat.led.map_or(MOMENT, |led| led.elapsed());
        match seat.taken_by {
            TakenBy::Thread => return true,
            TakenBy::Nobody if since >= MOMENT => {
                seat.taken_by = TakenBy::Thread;
                return true;
            }
            TakenBy::Caller if since >= MOMENT => {
                seat.sleeps_long = true;
                drop(seat);
                thread::park();
                self.seat().sleeps_long = false;
            }
            TakenBy::Nobody | TakenBy::Caller => {
                drop(seat);
                thread::park_timeout(MOMENT.saturating_sub(since));
            }
        }
        false
    }

    /// Drives on the driver's own thread, until a thread that waited may go on by itself. Returns
    /// `false` where nothing can be waited for.
    fn drive(&self) -> bool {
        let mut locked = self.selector();
        let Some(selector) = locked.as_mut() else { return false };
        DRIVES.set(true);
        while self.core.connections() > 0 {
            if selector.wait(None).is_err() {
                return false;
            }
            selector.reactor().turn();
            if self.seat().was_left_alone() {
                break;
            }
        }
        DRIVES.set(false);
        drop(locked);
        self.leave_seat();
        true
    }
}

impl Seat {
    fn join(&mut self, sleeper: &Arc<Sleeper>) {
        if !self.followers.iter().any(|other| Arc::ptr_eq(other, sleeper)) {
            self.followers.push(Arc::clone(sleeper));
        }
    }

    /// Threads waited, and all of them have what they waited for.
    fn was_left_alone(&mut self) -> bool {
        let waited = !self.followers.is_empty();
        self.followers.retain(|sleeper| !sleeper.is_woken());
        waited && self.followers.is_empty()
    }
}

/// A thread that waits, and drives meanwhile. Dropped, it leaves the seat.
struct Lead<'a> {
    inner: &'a Inner,
    sleeper: &'a Sleeper,
}

/// How it ended.
enum Led<T> {
    Done(T),
    OutOfTime,
    CannotDrive,
}

impl<'a> Lead<'a> {
    fn new(inner: &'a Inner, sleeper: &'a Sleeper) -> Self {
        // What wakes the thread from here on ends its wait at the selector. What woke it before is
        // seen by the first poll.
        sleeper.waits_at(Some(Arc::clone(&inner.waker)));
        Self { inner, sleeper }
    }

    fn drive<T>(self, until: Option<Instant>, mut poll: impl FnMut() -> Poll<T>) -> Led<T> {
        let mut locked = self.inner.selector();
        let Some(selector) = locked.as_mut() else { return Led::CannotDrive };
        let _marked = Marked::new();
        loop {
            // The first turn writes what was queued; later ones handle what has arrived.
            selector.reactor().turn();
            self.sleeper.clear();
            if let Poll::Ready(result) = poll() {
                return Led::Done(result);
            }
            if self.inner.core.connections() == 0 {
                return Led::CannotDrive;
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Led::OutOfTime;
            }
            if selector.wait(until).is_err() {
                return Led::CannotDrive;
            }
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.sleeper.waits_at(None);
        self.inner.leave_seat();
    }
}

/// This thread drives as long as this is there.
struct Marked;

impl Marked {
    fn new() -> Self {
        DRIVES.set(true);
        Self
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        DRIVES.set(false);
    }
}
