//! A runtime that is run by whoever waits for descriptors to become ready: the selector of this
//! crate, or anybody's loop.
//!
//! It has tasks, which are the futures that open and drive connections; sources, which are what
//! they read and write; and alarms. Whoever runs it repeats:
//!
//! 1. take the [changes](Reactor::poll_change) of what is to be waited for;
//! 2. wait until a source is ready, until [`Reactor::deadline`], or until it is woken;
//! 3. hand in which sources are [ready](Reactor::handle_ready), all that are;
//! 4. take a [`turn`](Reactor::turn).
//!
//! An alarm fires in a turn only if it was due when the turn before ended: between the two all
//! sources were looked at, so what had arrived by then is read before anything is judged by it.

mod apart;
mod network;
mod opening;
mod run_queue;
mod source;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use super::runtime::{Alarm, Runtime};
use crate::config::{CredentialsProvider, Provided, ProviderError};
use crate::link::Clock;
use apart::{Apart, ask, elsewhere};
use source::Source;

pub(crate) use network::Tcp;
pub(crate) use run_queue::{Named, RunQueue};
pub use source::{Change, Descriptor, Interest, Token};

/// What drives connections. A handle: clones are of the same.
#[derive(Clone)]
pub struct Reactor(Arc<Inner>);

struct Inner {
    clock: Clock,
    queue: Arc<RunQueue<usize>>,
    state: Mutex<State>,
    /// Where octets are read to first: one buffer for all sources.
    scratch: Mutex<Vec<u8>>,
}

#[derive(Default)]
struct State {
    /// Names are never used again.
    last_name: usize,
    /// A task that is being polled is not here.
    tasks: BTreeMap<usize, Task>,
    /// How many tasks there are, those that are polled included.
    count: usize,
    sources: BTreeMap<usize, Source>,
    changes: VecDeque<Change>,
    /// By when they fire, and their names.
    alarms: BTreeMap<(Instant, usize), Waker>,
    /// When the last turn ended: what is waited for has been looked at since then.
    looked: Option<Instant>,
}

/// A future that opens or drives a connection, and who wakes it.
struct Task {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    waker: Arc<Named<usize>>,
}

impl Reactor {
    /// A reactor whose owner `wake` wakes, from any thread: it ends the wait that the owner is in,
    /// or else the next one.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self::with_clock(Instant::now, wake)
    }

    /// The same with a clock of the caller's, which tests turn.
    pub fn with_clock(
        clock: impl Fn() -> Instant + Send + Sync + 'static,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (clock, state, scratch) = (Clock::new(clock), Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { clock, queue: RunQueue::new(wake), state, scratch }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    /// The time that alarms go by.
    pub(crate) fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// Runs a future from the next turn on.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.state();
        let name = state.name();
        let waker = self.0.queue.named(name);
        state.tasks.insert(name, Task { future: Box::pin(future), waker: Arc::clone(&waker) });
        state.count += 1;
        drop(state);
        waker.wake();
    }

    /// How many connections are being opened or driven.
    pub fn connections(&self) -> usize {
        self.state().count
    }

    /// Something else to wait for, or not to wait for any more, in this order.
    pub fn poll_change(&self) -> Option<Change> {
        self.state().changes.pop_front()
    }

    /// A source may be read or written. What is not true does no harm.
    pub fn handle_ready(&self, token: Token, readable: bool, writable: bool) {
        let mut woken = [None, None];
        if let Some(source) = self.state().sources.get_mut(&token.0) {
            woken = source.handle_ready(readable, writable);
        }
        woken.into_iter().flatten().for_each(Waker::wake);
    }

    /// A source cannot be waited for: what goes on on it fails with this error, and nothing else
    /// does.
    pub fn handle_failed(&self, token: Token, error: io::Error) {
        let mut woken = [None, None];
        if let Some(source) = self.state().sources.get_mut(&token.0) {
            woken = source.handle_failed(error);
        }
        woken.into_iter().flatten().for_each(Waker::wake);
    }

    /// When the next turn is due: a time that has come where one is due now.
    pub fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        let next = state.alarms.keys().next().map(|(at, _)| *at);
        if self.0.queue.len() == 0 { next } else { Some(self.0.clock.now()) }
    }

    /// Runs what can be run, once each.
    pub fn turn(&self) {
        self.0.queue.set_awake();
        let due = self.state().due();
        due.into_iter().for_each(Waker::wake);
        for _ in 0..self.0.queue.len() {
            let Some(name) = self.0.queue.pop() else { break };
            let Some(mut task) = self.state().tasks.remove(&name) else { continue };
            task.waker.set_running();
            let waker = Waker::from(Arc::clone(&task.waker));
            let gone = Gone { reactor: self };
            let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
            match polled {
                Poll::Ready(()) => drop(task),
                Poll::Pending => {
                    std::mem::forget(gone);
                    self.state().tasks.insert(name, task);
                }
            }
        }
        let now = self.0.clock.now();
        let mut state = self.state();
        state.publish_interests();
        state.looked = Some(now);
        drop(state);
        self.0.queue.set_waiting();
    }

    /// Ends all tasks: what waits to be written still goes out.
    pub fn close(&self) {
        let tasks = {
            let mut state = self.state();
            state.count -= state.tasks.len();
            std::mem::take(&mut state.tasks)
        };
        drop(tasks);
    }
}

/// A task that is polled is over, unless it says otherwise: a panic in it, which is some
/// application's, ends it too.
struct Gone<'a> {
    reactor: &'a Reactor,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.reactor.state().count -= 1;
    }
}

impl Inner {
    /// Nothing panics under this lock, and nothing foreign runs there: wakers in it are those of
    /// tasks of this reactor.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn name(&mut self) -> usize {
        self.last_name += 1;
        self.last_name
    }

    /// Alarms that were due when all sources were looked at last.
    fn due(&mut self) -> Vec<Waker> {
        let Some(looked) = self.looked else { return Vec::new() };
        let later = self.alarms.split_off(&(looked, usize::MAX));
        std::mem::replace(&mut self.alarms, later).into_values().collect()
    }

    fn publish_interests(&mut self) {
        let changed = self.sources.iter_mut().filter_map(|(name, source)| {
            source.changed_interest().map(|interest| Change::Modify(Token(*name), interest))
        });
        self.changes.extend(changed);
    }
}

impl Runtime for Reactor {
    type Alarm = ReactorAlarm;
    type Apart = Apart;

    fn clock(&self) -> Clock {
        self.0.clock.clone()
    }

    fn alarm(&self) -> ReactorAlarm {
        let name = self.state().name();
        ReactorAlarm { reactor: self.clone(), name, at: None }
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

/// An alarm of a reactor's.
pub(crate) struct ReactorAlarm {
    reactor: Reactor,
    name: usize,
    /// When it fires; none once it has.
    at: Option<Instant>,
}

impl ReactorAlarm {
    /// Not among those that fire any more.
    fn unset(&self, at: Instant) {
        self.reactor.state().alarms.remove(&(at, self.name));
    }
}

impl Alarm for ReactorAlarm {
    fn set(&mut self, at: Instant) {
        if let Some(before) = self.at.replace(at) {
            self.unset(before);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Ready(()) };
        let mut state = self.reactor.state();
        if state.looked.is_some_and(|looked| at <= looked) {
            state.alarms.remove(&(at, self.name));
            self.at = None;
            return Poll::Ready(());
        }
        state.alarms.insert((at, self.name), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for ReactorAlarm {
    fn drop(&mut self) {
        if let Some(at) = self.at {
            self.unset(at);
        }
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("connections", &self.connections()).finish_non_exhaustive()
    }
}
