//! The state that a reactor, its tasks and its streams share.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use super::alarm::ReactorAlarm;
use super::apart::{Apart, ask, elsewhere};
use super::run_queue::{Named, RunQueue};
use super::source::{Change, Source, Token};
use crate::config::{CredentialsProvider, Provided, ProviderError};
use crate::driver::runtime::Runtime;
use crate::link::Clock;

/// The shared state of a reactor. Clones share one state, and do not keep the connections alive.
#[derive(Clone)]
pub(crate) struct Core(Arc<Inner>);

struct Inner {
    clock: Clock,
    queue: Arc<RunQueue<usize>>,
    state: Mutex<State>,
    /// Held during a turn, so that there is one turn at a time.
    turning: Mutex<()>,
    /// The buffer that bytes are read into first. All sources share it, which saves memory.
    scratch: Mutex<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct State {
    /// The last name that was given. Names are never used twice.
    last_name: usize,
    /// The tasks, except the one that is being polled.
    tasks: BTreeMap<usize, Task>,
    /// The number of tasks, including the one that is being polled.
    count: usize,
    pub(super) sources: BTreeMap<usize, Source>,
    pub(super) reports: Reports,
    /// Sources for which a change may be due.
    touched: Vec<usize>,
    changes: VecDeque<Change>,
    /// The wakers that the next turn calls.
    woken: Vec<Waker>,
    /// The alarms, by their times and names.
    pub(super) alarms: BTreeMap<(Instant, usize), Waker>,
    /// When the last turn began.
    pub(super) turned_at: Option<Instant>,
    /// The reactor was dropped: there are no more turns.
    is_closed: bool,
    pub(super) edge_triggered: bool,
}

/// The numbers of reports of readiness. They order reports and attempts: an attempt that found
/// nothing counts only against the reports that were made before it.
#[derive(Default)]
pub(super) struct Reports {
    last: u64,
    /// The last report that was about all sources.
    all: u64,
}

/// A future that opens or drives a connection, and its waker.
struct Task {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    waker: Arc<Named<usize>>,
}

impl Core {
    pub(super) fn new(clock: Clock, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (turning, scratch) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { clock, queue: RunQueue::new(wake), state: Mutex::default(), turning, scratch }))
    }

    /// Locks the state. Nothing panics while it is locked, and no code of the application runs: the
    /// wakers in it are those of the reactor's own tasks.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn scratch(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the clock that alarms use.
    pub(crate) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// The function that wakes the loop.
    pub(crate) fn wake(&self) -> Arc<dyn Fn() + Send + Sync> {
        self.0.queue.wake()
    }

    /// Wakes the loop, because there is something to do.
    pub(super) fn wake_owner(&self) {
        self.0.queue.wake_owner();
    }

    /// Adds a task, which runs from the next turn on.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.state();
        if state.is_closed {
            // The future is dropped unpolled, and what waits for it gets an error.
            drop(state);
            return;
        }
        let name = state.name();
        let waker = self.0.queue.named(name);
        state.tasks.insert(name, Task { future: Box::pin(future), waker: Arc::clone(&waker) });
        state.count += 1;
        drop(state);
        waker.wake();
    }

    pub(crate) fn connections(&self) -> usize {
        self.state().count
    }

    pub(super) fn poll_change(&self) -> Option<Change> {
        self.state().changes.pop_front()
    }

    /// Collects the wakers, and leaves it to the next turn to call them: the loop itself makes this
    /// call, so nothing has to wake it. Any thread may report a stream without a descriptor, so
    /// that wakes the loop.
    pub(super) fn handle_ready(&self, token: Token, readable: bool, writable: bool) {
        let mut state = self.state();
        let report = state.reports.next();
        let Some(source) = state.sources.get_mut(&token.0) else { return };
        let woken = source.handle_ready(readable, writable, report);
        let is_anywhere = !source.has_descriptor();
        state.woken.extend(woken.into_iter().flatten());
        state.touched.push(token.0);
        drop(state);
        if is_anywhere {
            self.wake_owner();
        }
    }

    /// The other side has ended the stream of a source: what can be read does not run dry.
    pub(crate) fn handle_hang_up(&self, token: Token) {
        if let Some(source) = self.state().sources.get_mut(&token.0) {
            source.handle_hang_up();
        }
    }

    /// The loop reports each edge, and each end of a stream as a hang-up. So a read that returns
    /// fewer bytes than it could take has read everything.
    pub(crate) fn set_edge_triggered(&self) {
        self.state().edge_triggered = true;
    }

    /// Nobody takes turns from here on until somebody is woken.
    pub(crate) fn set_waiting(&self) {
        self.0.queue.set_waiting();
    }

    /// Returns `true` if a task is to be run.
    pub(crate) fn is_runnable(&self) -> bool {
        self.0.queue.len() > 0
    }

    /// Handles that the loop cannot wait for a source.
    pub(super) fn handle_failed(&self, token: Token, error: io::Error) {
        let mut state = self.state();
        let report = state.reports.next();
        let Some(source) = state.sources.get_mut(&token.0) else { return };
        let woken = source.handle_failed(error, report);
        state.woken.extend(woken.into_iter().flatten());
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        // Before the state is read: what becomes due after that has to wake the owner, which is
        // about to wait. In the reverse order, what becomes due in between would wake nothing.
        self.0.queue.set_waiting();
        let (is_due, next) = {
            let state = self.state();
            (!state.woken.is_empty(), state.alarms.keys().next().map(|(at, _)| *at))
        };
        if is_due || self.0.queue.len() > 0 { Some(self.now()) } else { next }
    }

    pub(super) fn turn(&self) {
        let _turning = match self.0.turning.try_lock() {
            Ok(turning) => turning,
            Err(TryLockError::Poisoned(turning)) => turning.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.0.queue.set_awake();
        let now = self.now();
        let woken = self.state().begin_turn(now);
        woken.into_iter().for_each(Waker::wake);
        for _ in 0..self.0.queue.len() {
            let Some(name) = self.0.queue.pop() else { break };
            self.run(name);
        }
        self.state().publish_changes();
    }

    fn run(&self, name: usize) {
        let Some(mut task) = self.state().tasks.remove(&name) else { return };
        task.waker.set_running();
        let waker = Waker::from(Arc::clone(&task.waker));
        let ended = CountsAsEnded { core: self };
        let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            return;
        }
        let mut state = self.state();
        if !state.is_closed {
            std::mem::forget(ended);
            state.tasks.insert(name, task);
        }
    }

    /// Ends all tasks. There are no more reports, so every stream is marked as possibly ready: what
    /// the tasks write as they end is tried.
    pub(super) fn close(&self, for_good: bool) {
        let tasks = {
            let mut state = self.state();
            state.reports.retry_all();
            state.is_closed |= for_good;
            state.count -= state.tasks.len();
            std::mem::take(&mut state.tasks)
        };
        drop(tasks);
    }
}

/// A guard that counts a task as ended, unless it is forgotten after the poll: a panic during the
/// poll, which is one of the application's code, ends the task too.
struct CountsAsEnded<'a> {
    core: &'a Core,
}

impl Drop for CountsAsEnded<'_> {
    fn drop(&mut self) {
        self.core.state().count -= 1;
    }
}

impl State {
    pub(super) fn name(&mut self) -> usize {
        self.last_name += 1;
        self.last_name
    }

    /// Begins a turn. Returns the wakers of what was reported as ready, and of the alarms that
    /// fire.
    fn begin_turn(&mut self, now: Instant) -> Vec<Waker> {
        self.turned_at = Some(now);
        let later = self.alarms.split_off(&(now, usize::MAX));
        let mut woken = std::mem::take(&mut self.woken);
        woken.extend(std::mem::replace(&mut self.alarms, later).into_values());
        woken
    }

    /// Marks a source that is new or is polled: its interest may change.
    pub(super) fn touch(&mut self, token: Token) {
        if self.touched.last() != Some(&token.0) {
            self.touched.push(token.0);
        }
    }

    /// Queues the changes of what to wait for.
    fn publish_changes(&mut self) {
        for name in self.touched.drain(..) {
            let source = self.sources.get_mut(&name);
            self.changes.extend(source.and_then(|source| source.poll_change(Token(name))));
        }
    }

    /// Removes a source whose stream was dropped. Returns whether the loop has its descriptor, so
    /// that a change is due.
    pub(super) fn remove(&mut self, token: Token) -> bool {
        let is_announced = self.sources.remove(&token.0).is_some_and(|source| source.is_announced());
        if is_announced {
            self.changes.push_back(Change::Remove(token));
        }
        is_announced
    }
}

impl Reports {
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Makes every source be tried again, although an attempt found nothing.
    pub(super) fn retry_all(&mut self) {
        self.all = self.next();
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn all(&self) -> u64 {
        self.all
    }
}

impl Runtime for Core {
    type Alarm = ReactorAlarm;
    type Apart = Apart;

    fn clock(&self) -> Clock {
        self.0.clock.clone()
    }

    fn alarm(&self) -> ReactorAlarm {
        ReactorAlarm::new(self)
    }

    fn elsewhere<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> impl Future<Output = io::Result<R>> + Send + 'static {
        elsewhere(work)
    }

    /// A provider that blocks does so on a thread of its own, because the loop drives other
    /// connections and measures the time that the provider may take.
    fn provide(
        &self,
        provider: Arc<dyn CredentialsProvider>,
    ) -> impl Future<Output = Result<Provided, ProviderError>> + Send {
        ask(provider)
    }

    /// Tasks need no other limit: each is polled once a turn.
    fn poll_share(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn reads_what_is_there(&self) -> bool {
        true
    }

    fn apart(&self, work: impl Future<Output = ()> + Send + 'static) -> Apart {
        Apart::new(work)
    }
}
