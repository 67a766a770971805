//! Handles of a loop, for handlers and for other threads.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::tasks::{Each, Once, Task, Tasks};
use super::timers::{Timer, Timers};
use crate::driver::readiness::Core;

/// A handler that is called once.
type Handler<S> = Box<dyn FnOnce(&mut S, &Handle<S>)>;

/// A handler that another thread passed to the loop.
type Job<S> = Box<dyn FnOnce(&mut S, &Handle<S>) + Send>;

/// A handle of an [`EventLoop`](super::EventLoop) or of [`Handlers`](super::Handlers): for
/// handlers, and for the code that sets up the loop. It stays on the thread of the loop;
/// [`Handle::remote`] returns one for other threads.
///
/// After the loop has been dropped, the methods have no effect.
pub struct Handle<S> {
    inner: Rc<Inner<S>>,
}

struct Inner<S> {
    reactor: Core,
    tasks: Tasks<S>,
    timers: Timers<Handler<S>>,
    remote: Arc<Jobs<S>>,
    /// A handler of the present pass has stopped the loop: the pass calls no other one.
    stops: Cell<bool>,
    /// The loop has been dropped, or is being dropped.
    closed: Cell<bool>,
}

/// What other threads pass to the loop.
struct Jobs<S> {
    jobs: Mutex<Inbox<S>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

struct Inbox<S> {
    jobs: VecDeque<Job<S>>,
    stops: bool,
    closed: bool,
}

impl<S: 'static> Handle<S> {
    /// Creates the handle that the loop itself uses.
    pub(super) fn new(reactor: Core) -> Self {
        let (wake, wakes) = (reactor.wake(), reactor.wake());
        let inbox = Mutex::new(Inbox { jobs: VecDeque::new(), stops: false, closed: false });
        let remote = Arc::new(Jobs { jobs: inbox, wake });
        let inner = Inner {
            reactor,
            tasks: Tasks::new(move || wakes()),
            timers: Timers::new(),
            remote,
            stops: Cell::new(false),
            closed: Cell::new(false),
        };
        Self { inner: Rc::new(inner) }
    }

    /// Stops the loop: makes [`run`](super::EventLoop::run) return when the present handler has
    /// returned, or makes the next run return at once. Handlers that were due after the present one
    /// are called when the loop runs again.
    pub fn stop(&self) {
        self.inner.stops.set(true);
        self.remote().stop();
    }

    /// Calls a handler once after a delay, by a later pass of the loop even if the delay is zero.
    /// [`cancel`](Handle::cancel) prevents the call, even from another handler of the pass in which
    /// it is due.
    #[doc(alias = "add_timeout")]
    pub fn call_later(&self, delay: Duration, handler: impl FnOnce(&mut S, &Self) + 'static) -> Timer {
        let now = self.now();
        // A time that `Instant` cannot represent is never reached.
        let at = now.checked_add(delay).unwrap_or_else(|| now + NEVER);
        let timer = self.inner.timers.name(at);
        if !self.is_closed() {
            self.inner.timers.set(timer, Box::new(handler));
            self.inner.tasks.wake_owner();
        }
        timer
    }

    /// Prevents the call of a handler that [`call_later`](Handle::call_later) set. Returns `true`
    /// if it was not called before.
    #[doc(alias = "remove_timeout")]
    pub fn cancel(&self, timer: Timer) -> bool {
        self.inner.timers.remove(timer).is_some()
    }

    /// Returns a handle for other threads.
    pub fn remote(&self) -> Remote<S> {
        Remote { jobs: Arc::clone(&self.inner.remote) }
    }

    pub(super) fn reactor(&self) -> &Core {
        &self.inner.reactor
    }

    fn now(&self) -> Instant {
        self.inner.reactor.now()
    }

    /// Calls `handler` with the output of a future. The future is polled once now, so that its
    /// request is queued now.
    pub(super) fn once<F>(&self, future: F, handler: impl FnOnce(&mut S, F::Output) + 'static)
    where
        F: Future + 'static,
    {
        self.add(Box::new(Once::new(future, handler)));
    }

    /// Calls `handler` with each item that `poll` returns, until it returns `None`.
    pub(super) fn each<T: 'static>(
        &self,
        poll: impl FnMut(&mut Context<'_>) -> Poll<Option<T>> + 'static,
        handler: impl FnMut(&mut S, T) + 'static,
    ) {
        self.add(Box::new(Each::new(poll, handler)));
    }

    /// Polls a future now, and later if it is pending, and calls no handler. Returns the output if
    /// the future is ready now.
    pub(super) fn begin<F>(&self, mut future: F) -> Option<F::Output>
    where
        F: Future + Unpin + 'static,
    {
        match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => {
                self.once(future, |_, _| {});
                None
            }
        }
    }

    pub(super) fn add(&self, task: Box<dyn Task<S>>) {
        if !self.is_closed() {
            self.inner.tasks.add(task);
        }
    }

    /// Runs one pass: calls the handlers of timers, those of other threads, then the tasks that
    /// were woken. What is due is determined before the first call, so that what handlers add is
    /// left for a later pass and cannot occupy the loop.
    pub(super) fn pass(&self, state: &mut S) {
        let Inner { tasks, timers, remote, stops, .. } = &*self.inner;
        self.set_awake();
        stops.set(false);
        let (due, jobs, woken) = (timers.due(self.now()), remote.waiting(), tasks.runnable());
        for timer in due {
            // A handler may cancel another timer of the same pass, until that one is called.
            let Some(handler) = timers.remove(timer) else { continue };
            handler(state, self);
            if stops.get() {
                return;
            }
        }
        for _ in 0..jobs {
            let Some(job) = remote.take() else { break };
            job(state, self);
            if stops.get() {
                return;
            }
        }
        tasks.pass(state, woken, stops);
    }

    /// Returns when a pass is due: the present time if one is due now.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.inner.tasks.runnable() > 0 || self.inner.remote.waiting() > 0 {
            return Some(self.now());
        }
        self.inner.timers.next()
    }

    /// The loop does not wait any more, so that nothing has to wake it.
    pub(super) fn set_awake(&self) {
        self.inner.tasks.set_awake();
    }

    /// The loop is about to wait.
    pub(super) fn set_waiting(&self) {
        self.inner.tasks.set_waiting();
    }

    /// Whether the loop was stopped since the last call.
    pub(super) fn takes_stop(&self) -> bool {
        std::mem::take(&mut self.inner.remote.inbox().stops)
    }

    /// Whether no handler can be called any more.
    pub(super) fn is_idle(&self) -> bool {
        let Inner { reactor, tasks, timers, remote, .. } = &*self.inner;
        reactor.connections() == 0 && tasks.len() == 0 && timers.is_empty() && remote.waiting() == 0
    }

    /// The loop has been dropped, or is being dropped.
    pub(super) fn is_closed(&self) -> bool {
        self.inner.closed.get()
    }

    /// Drops everything that waits. What is dropped may call this handle again, so no lock is held
    /// meanwhile, and nothing can be added any more.
    pub(super) fn close(&self) {
        self.inner.closed.set(true);
        let jobs = {
            let mut inbox = self.inner.remote.inbox();
            inbox.closed = true;
            std::mem::take(&mut inbox.jobs)
        };
        drop(jobs);
        self.inner.timers.clear();
        self.inner.tasks.clear();
    }
}

/// A delay that no program outlives, and that any `Instant` can represent.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<S> fmt::Debug for Handle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// A handle of an [`EventLoop`](super::EventLoop) for other threads: returned by
/// [`Handle::remote`]. Other threads reach the loop by it, or by handles of the async API, such as
/// a delivery that is [settled](super::Delivery::into_async) on another thread.
pub struct Remote<S> {
    jobs: Arc<Jobs<S>>,
}

impl<S> Remote<S> {
    /// Makes the loop call a handler in its next pass. Returns `false`, and drops the handler, if
    /// the loop has been dropped.
    #[doc(alias = "add_callback_threadsafe")]
    pub fn call(&self, handler: impl FnOnce(&mut S, &Handle<S>) + Send + 'static) -> bool {
        let mut inbox = self.jobs.inbox();
        if inbox.closed {
            return false;
        }
        inbox.jobs.push_back(Box::new(handler));
        drop(inbox);
        (self.jobs.wake)();
        true
    }

    /// Stops the loop, as [`Handle::stop`] does.
    pub fn stop(&self) {
        self.jobs.inbox().stops = true;
        (self.jobs.wake)();
    }
}

impl<S> Jobs<S> {
    /// Locks the inbox. Nothing panics while it is locked, and no code of the application runs.
    fn inbox(&self) -> std::sync::MutexGuard<'_, Inbox<S>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Job<S>> {
        self.inbox().jobs.pop_front()
    }

    /// How many handlers wait.
    fn waiting(&self) -> usize {
        self.inbox().jobs.len()
    }
}

impl<S> Clone for Remote<S> {
    fn clone(&self) -> Self {
        Self { jobs: Arc::clone(&self.jobs) }
    }
}

impl<S> fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}
