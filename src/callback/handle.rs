//! What handlers have of their loop.

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

/// A handler that another thread hands in.
type Job<S> = Box<dyn FnOnce(&mut S, &Handle<S>) + Send>;

/// A handle of an [`EventLoop`](super::EventLoop), for handlers and for whoever sets the loop up.
/// It stays on its thread; [`Handle::remote`] gives one that does not.
///
/// When the loop is gone, nothing that is asked of it is done any more.
pub struct Handle<S> {
    inner: Rc<Inner<S>>,
}

struct Inner<S> {
    reactor: Core,
    tasks: Tasks<S>,
    timers: Timers<Handler<S>>,
    remote: Arc<Jobs<S>>,
    /// A handler of the present pass has asked to stop: no other one of it is called.
    stops: Cell<bool>,
    /// The loop is gone, or goes.
    over: Cell<bool>,
}

/// What other threads hand in.
struct Jobs<S> {
    jobs: Mutex<Inbox<S>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

struct Inbox<S> {
    jobs: VecDeque<Job<S>>,
    stops: bool,
    over: bool,
}

impl<S: 'static> Handle<S> {
    /// What a loop has, and runs.
    pub(super) fn new(reactor: Core) -> Self {
        let (wake, wakes) = (reactor.wake(), reactor.wake());
        let inbox = Mutex::new(Inbox { jobs: VecDeque::new(), stops: false, over: false });
        let remote = Arc::new(Jobs { jobs: inbox, wake });
        let inner = Inner {
            reactor,
            tasks: Tasks::new(move || wakes()),
            timers: Timers::new(),
            remote,
            stops: Cell::new(false),
            over: Cell::new(false),
        };
        Self { inner: Rc::new(inner) }
    }

    /// Makes [`run`](super::EventLoop::run) return when the present handler has, or the next one to
    /// begin return at once. What was due after that handler is called when the loop runs again.
    pub fn stop(&self) {
        self.inner.stops.set(true);
        self.remote().stop();
    }

    /// Calls a handler after a time: in a later pass of the loop than this, whatever the time.
    /// [`cancel`](Handle::cancel) takes it back, from another handler of the same pass too.
    #[doc(alias = "add_timeout")]
    pub fn call_later(&self, delay: Duration, handler: impl FnOnce(&mut S, &Self) + 'static) -> Timer {
        let now = self.now();
        // A time that is out of reach never comes.
        let at = now.checked_add(delay).unwrap_or_else(|| now + NEVER);
        let timer = self.inner.timers.name(at);
        if !self.is_over() {
            self.inner.timers.set(timer, Box::new(handler));
            self.inner.tasks.wake_owner();
        }
        timer
    }

    /// Takes a handler back. Whether it was not called before.
    #[doc(alias = "remove_timeout")]
    pub fn cancel(&self, timer: Timer) -> bool {
        self.inner.timers.remove(timer).is_some()
    }

    /// A handle for other threads.
    pub fn remote(&self) -> Remote<S> {
        Remote { jobs: Arc::clone(&self.inner.remote) }
    }

    pub(super) fn reactor(&self) -> &Core {
        &self.inner.reactor
    }

    fn now(&self) -> Instant {
        self.inner.reactor.now()
    }

    /// Waits for a future; calls `handler` with what it gives. What the future asks for is asked
    /// now.
    pub(super) fn once<F>(&self, future: F, handler: impl FnOnce(&mut S, F::Output) + 'static)
    where
        F: Future + 'static,
    {
        self.add(Box::new(Once::new(future, handler)));
    }

    /// Calls `handler` with each thing that `poll` gives, until that is none.
    pub(super) fn each<T: 'static>(
        &self,
        poll: impl FnMut(&mut Context<'_>) -> Poll<Option<T>> + 'static,
        handler: impl FnMut(&mut S, T) + 'static,
    ) {
        self.add(Box::new(Each::new(poll, handler)));
    }

    /// Does what can be done at once, or when it can be, and calls nobody. What it came to, if that
    /// is known.
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
        if !self.is_over() {
            self.inner.tasks.add(task);
        }
    }

    /// One pass of what is to be called: timers, what other threads handed in, what waited. It is
    /// known before the first of them is called, so that what they add is for a later pass.
    pub(super) fn pass(&self, state: &mut S) {
        let Inner { tasks, timers, remote, stops, .. } = &*self.inner;
        self.set_awake();
        stops.set(false);
        let (due, jobs, woken) = (timers.due(self.now()), remote.waiting(), tasks.runnable());
        for timer in due {
            // Each is cancelled by others of the same pass until it is called.
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

    /// When a pass is due: a time that has come where one is due now.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.inner.tasks.runnable() > 0 || self.inner.remote.waiting() > 0 {
            return Some(self.now());
        }
        self.inner.timers.next()
    }

    /// The loop waits no more: nothing has to wake it.
    pub(super) fn set_awake(&self) {
        self.inner.tasks.set_awake();
    }

    /// The loop is about to wait.
    pub(super) fn set_waiting(&self) {
        self.inner.tasks.set_waiting();
    }

    /// A stop was asked for since this was last asked.
    pub(super) fn takes_stop(&self) -> bool {
        std::mem::take(&mut self.inner.remote.inbox().stops)
    }

    /// There is nothing that a loop could still bring about.
    pub(super) fn is_idle(&self) -> bool {
        let Inner { reactor, tasks, timers, remote, .. } = &*self.inner;
        reactor.connections() == 0 && tasks.len() == 0 && timers.is_empty() && remote.waiting() == 0
    }

    /// The loop is gone, or goes.
    pub(super) fn is_over(&self) -> bool {
        self.inner.over.get()
    }

    /// The loop goes: everything that waits is dropped.
    pub(super) fn close(&self) {
        self.inner.over.set(true);
        let jobs = {
            let mut inbox = self.inner.remote.inbox();
            inbox.over = true;
            std::mem::take(&mut inbox.jobs)
        };
        drop(jobs);
        self.inner.timers.clear();
        self.inner.tasks.clear();
    }
}

/// A time that is not lived to see.
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

/// A handle of an [`EventLoop`](super::EventLoop) for other threads, from [`Handle::remote`]: the
/// one way in from there, but for what stays thread-safe, such as a delivery that is
/// [acknowledged](super::Delivery::into_async) elsewhere.
pub struct Remote<S> {
    jobs: Arc<Jobs<S>>,
}

impl<S> Remote<S> {
    /// Has the loop call a handler, soon. Whether there is a loop any more; if not, the handler is
    /// dropped.
    #[doc(alias = "add_callback_threadsafe")]
    pub fn call(&self, handler: impl FnOnce(&mut S, &Handle<S>) + Send + 'static) -> bool {
        let mut inbox = self.jobs.inbox();
        if inbox.over {
            return false;
        }
        inbox.jobs.push_back(Box::new(handler));
        drop(inbox);
        (self.jobs.wake)();
        true
    }

    /// As [`Handle::stop`].
    pub fn stop(&self) {
        self.jobs.inbox().stops = true;
        (self.jobs.wake)();
    }
}

impl<S> Jobs<S> {
    /// Nothing panics under this lock, and nothing foreign runs there.
    fn inbox(&self) -> std::sync::MutexGuard<'_, Inbox<S>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Job<S>> {
        self.inbox().jobs.pop_front()
    }

    /// How many wait.
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
