//! What a reactor, its tasks and its streams share.

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

/// What drives connections. Clones are of the same; they do not keep what is driven alive.
#[derive(Clone)]
pub(crate) struct Core(Arc<Inner>);

struct Inner {
    clock: Clock,
    queue: Arc<RunQueue<usize>>,
    state: Mutex<State>,
    /// Held during a turn.
    turning: Mutex<()>,
    /// Where octets are read to first: one buffer for all sources.
    scratch: Mutex<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct State {
    /// Names are never used again.
    last_name: usize,
    /// A task that is being polled is not here.
    tasks: BTreeMap<usize, Task>,
    /// How many tasks there are, those that are polled included.
    count: usize,
    pub(super) sources: BTreeMap<usize, Source>,
    pub(super) reports: Reports,
    /// Sources of which the loop may have to be told something.
    touched: Vec<usize>,
    changes: VecDeque<Change>,
    /// Those that the next turn wakes.
    woken: Vec<Waker>,
    /// By when they fire, and their names.
    pub(super) alarms: BTreeMap<(Instant, usize), Waker>,
    /// When the last turn began.
    pub(super) turned_at: Option<Instant>,
    /// There will be no turn any more.
    is_closed: bool,
    pub(super) edge_triggered: bool,
}

/// Reports of readiness, by numbers.
#[derive(Default)]
pub(super) struct Reports {
    last: u64,
    /// The last one that was about all sources.
    all: u64,
}

/// A future that opens or drives a connection, and who wakes it.
struct Task {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    waker: Arc<Named<usize>>,
}

impl Core {
    pub(super) fn new(clock: Clock, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (turning, scratch) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { clock, queue: RunQueue::new(wake), state: Mutex::default(), turning, scratch }))
    }

    /// Nothing panics under this lock, and nothing foreign runs there: wakers in it are those of
    /// tasks of this reactor.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn scratch(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that alarms go by.
    pub(crate) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// What wakes whoever takes the turns.
    pub(crate) fn wake(&self) -> Arc<dyn Fn() + Send + Sync> {
        self.0.queue.wake()
    }

    /// There is something to do for whoever takes the turns.
    pub(super) fn wake_owner(&self) {
        self.0.queue.wake_owner();
    }

    /// Runs a future from the next turn on.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.state();
        if state.is_closed {
            // Nothing of it is done, and whoever waits for it hears of that.
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

    /// Whoever waits is woken by the next turn, so that nothing has to wake the loop, which hands
    /// this in. A stream without a descriptor may be reported from anywhere.
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

    /// A source that the loop cannot wait for.
    pub(super) fn handle_failed(&self, token: Token, error: io::Error) {
        let mut state = self.state();
        let report = state.reports.next();
        let Some(source) = state.sources.get_mut(&token.0) else { return };
        let woken = source.handle_failed(error, report);
        state.woken.extend(woken.into_iter().flatten());
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        // From here on whatever is to be done has to wake the owner, who is about to wait.
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
        let gone = Gone { core: self };
        let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            return;
        }
        let mut state = self.state();
        if !state.is_closed {
            std::mem::forget(gone);
            state.tasks.insert(name, task);
        }
    }

    /// Ends all tasks. Whatever streams are offered then is tried: nobody reports anything any
    /// more.
    pub(super) fn close(&self, for_good: bool) {
        let tasks = {
            let mut state = self.state();
            state.reports.all_again();
            state.is_closed |= for_good;
            state.count -= state.tasks.len();
            std::mem::take(&mut state.tasks)
        };
        drop(tasks);
    }
}

/// A task that is polled is over, unless it says otherwise: a panic in it, which is some
/// application's, ends it too.
struct Gone<'a> {
    core: &'a Core,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.core.state().count -= 1;
    }
}

impl State {
    pub(super) fn name(&mut self) -> usize {
        self.last_name += 1;
        self.last_name
    }

    /// Gives those that are woken by what was ready, and by alarms.
    fn begin_turn(&mut self, now: Instant) -> Vec<Waker> {
        self.turned_at = Some(now);
        let later = self.alarms.split_off(&(now, usize::MAX));
        let mut woken = std::mem::take(&mut self.woken);
        woken.extend(std::mem::replace(&mut self.alarms, later).into_values());
        woken
    }

    /// A source that is new or is polled: what it is waited for may change.
    pub(super) fn touch(&mut self, token: Token) {
        if self.touched.last() != Some(&token.0) {
            self.touched.push(token.0);
        }
    }

    /// Says what is to be waited for from now on.
    fn publish_changes(&mut self) {
        for name in self.touched.drain(..) {
            let source = self.sources.get_mut(&name);
            self.changes.extend(source.and_then(|source| source.poll_change(Token(name))));
        }
    }

    /// A source whose stream is gone. Whether the loop is to be told.
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

    /// Whatever was found to be exhausted is tried again.
    pub(super) fn all_again(&mut self) {
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

    /// Its loop drives other connections, and keeps the time that a provider may take: one that
    /// blocks does it on a thread of its own.
    fn provide(
        &self,
        provider: Arc<dyn CredentialsProvider>,
    ) -> impl Future<Output = Result<Provided, ProviderError>> + Send {
        ask(provider)
    }

    /// Each task is polled once a turn.
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
