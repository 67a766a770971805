//! What handles and connection tasks share under one lock: the broker's state, and the wakers of
//! those that wait for a change.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::thread::{self, ThreadId};
use std::time::Instant;

use super::lock::{Inspection, Lock, Locked};
use crate::broker::{ConnectionId, Event, State, Transport};
use crate::frame::Outbound;

/// The lock of a broker.
///
/// It is held for one short step, and never during I/O. Wakers are woken and dropped after it is
/// released.
pub(super) struct Shared {
    lock: Lock<Held>,
    /// What was dropped on a thread that inspects, and is handled when that inspection ends.
    left: Mutex<Vec<(ThreadId, Left)>>,
}

/// What was dropped. A drop may happen anywhere, also during an inspection or a panic.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// The task of a connection, with its transport, at this time. `sound` is `false` if a step of
    /// the state panicked in it.
    Connection { id: ConnectionId, sound: bool, at: Instant },
    /// A watcher of changes.
    Watcher(u64),
    /// The last handle. All connections end.
    Handle,
}

/// What the lock protects.
pub(super) struct Held {
    pub(super) state: State,
    tasks: BTreeMap<ConnectionId, Task>,
    /// The watchers of changes. Each change removes and wakes them all; a watcher that still waits
    /// registers again.
    watchers: BTreeMap<u64, Waker>,
    next_watcher: u64,
    /// Whether the last handle was dropped.
    vanished: bool,
}

/// What other tasks know of the task of a connection.
#[derive(Default)]
struct Task {
    /// Its waker, unless it was woken since it last ran.
    waker: Option<Waker>,
    /// Whether the state has something for it.
    ready: bool,
    /// The time to which its timer is set.
    armed: Option<Instant>,
}

/// What the task of a connection has to know before it moves bytes.
pub(super) struct Look {
    /// What is to be done with the transport.
    pub(super) transport: Transport,
    /// Whether the state takes input.
    pub(super) wants_input: bool,
    /// Whether the state had an event for this connection: it may now take input that it left
    /// before.
    pub(super) ready: bool,
    /// What is to be written.
    pub(super) outbound: Option<Outbound>,
    /// The time to which the timer is to be set, if that is earlier than before.
    pub(super) arm: Option<Instant>,
}

/// Tasks that are woken when this is dropped.
#[derive(Default)]
pub(super) struct Wakes(Vec<Waker>);

impl Wakes {
    pub(super) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        let held = Held { state, tasks: BTreeMap::new(), watchers: BTreeMap::new(), next_watcher: 0, vanished: false };
        Self { lock: Lock::new(held), left: Mutex::default() }
    }

    /// Runs a step under the lock, for the connection `own` if there is one. Then wakes the tasks
    /// that it concerns.
    pub(super) fn step<R>(&self, own: Option<ConnectionId>, step: impl FnOnce(&mut State) -> R) -> R {
        let mut held = self.lock();
        let result = step(&mut held.state);
        let wakes = held.settle(own);
        drop(held);
        drop(wakes);
        result
    }

    /// The lock, for steps of other modules, which call [`Held::settle`] themselves.
    ///
    /// # Panics
    ///
    /// Panics if this thread inspects the state, because it would wait for itself.
    pub(super) fn lock(&self) -> Locked<'_, Held> {
        self.lock.lock()
    }

    /// Access to the state for a test. To be followed by [`Shared::inspected`].
    pub(super) fn inspect(&self, prepare: impl FnOnce(&mut Held)) -> Inspection<'_, Held> {
        self.lock.inspect(prepare)
    }

    /// Does what had to wait for the end of an inspection.
    pub(super) fn inspected(&self) {
        if !self.lock.is_inspected_here() {
            let me = thread::current().id();
            let left: Vec<_> = self.left().extract_if(.., |&mut (thread, _)| thread == me).collect();
            left.into_iter().for_each(|(_, left)| self.take_leave(left));
        }
    }

    /// Handles the drop of a task, a watcher or the last handle: now, or when this thread's
    /// inspection ends. It never panics, because it is called by destructors.
    pub(super) fn leave(&self, left: Left) {
        if self.lock.is_inspected_here() {
            self.left().push((thread::current().id(), left));
        } else {
            self.take_leave(left);
        }
    }

    fn left(&self) -> MutexGuard<'_, Vec<(ThreadId, Left)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_leave(&self, left: Left) {
        match left {
            Left::Connection { id, sound, at } => self.disconnect(id, sound, at),
            Left::Watcher(watcher) => self.unwatch(watcher),
            Left::Handle => self.vanish(),
        }
    }

    /// Adds a connection.
    pub(super) fn connect(&self, now: Instant) -> ConnectionId {
        let mut held = self.lock();
        let id = held.state.handle_connect(now);
        held.tasks.insert(id, Task::default());
        let wakes = held.settle(Some(id));
        drop(held);
        drop(wakes);
        id
    }

    /// Registers the running task of a connection: what happens from now on wakes it again. Returns
    /// `false` if the broker has ended.
    pub(super) fn running(&self, id: ConnectionId, context: &Context<'_>) -> bool {
        // Cloned and dropped outside the lock, because that may run code outside this crate.
        let waker = context.waker().clone();
        let mut held = self.lock();
        let vanished = held.vanished;
        let replaced = held.tasks.get_mut(&id).and_then(|task| task.waker.replace(waker));
        drop(held);
        drop(replaced);
        !vanished
    }

    /// Returns what there is to do for a connection. If `takes` is set, takes what is to be
    /// written.
    pub(super) fn look(&self, id: ConnectionId, takes: bool, now: Instant) -> Look {
        let mut held = self.lock();
        let (outbound, wakes) = if takes { held.take(id, now) } else { (None, Wakes::default()) };
        let deadline = held.state.poll_deadline();
        let transport = held.state.transport(id);
        let wants_input = held.state.wants_input(id);
        let mut look = Look { transport, wants_input, ready: false, outbound, arm: None };
        if let Some(task) = held.tasks.get_mut(&id) {
            look.ready = std::mem::take(&mut task.ready);
            look.arm = deadline.filter(|&deadline| task.armed.is_none_or(|armed| deadline < armed));
            task.armed = look.arm.or(task.armed);
        }
        drop(held);
        drop(wakes);
        look
    }

    /// Reports that the timer of a connection's task has fired.
    pub(super) fn timed_out(&self, id: ConnectionId, now: Instant) {
        let mut held = self.lock();
        if let Some(task) = held.tasks.get_mut(&id) {
            task.armed = None;
        }
        let wakes = if held.catch_up(now) { held.settle(Some(id)) } else { Wakes::default() };
        drop(held);
        drop(wakes);
    }

    fn disconnect(&self, id: ConnectionId, sound: bool, now: Instant) {
        let mut held = self.lock();
        let task = held.tasks.remove(&id);
        if sound {
            held.state.handle_transport_lost(id, now);
        }
        let wakes = held.settle_time();
        drop(held);
        drop((task, wakes));
    }

    fn vanish(&self) {
        let mut held = self.lock();
        held.vanished = true;
        let wakes = Wakes(held.tasks.values_mut().filter_map(|task| task.waker.take()).collect());
        drop(held);
        drop(wakes);
    }

    /// The number for a new watcher of changes.
    pub(super) fn watcher(&self) -> u64 {
        let mut held = self.lock();
        held.next_watcher += 1;
        held.next_watcher
    }

    /// Registers a waker that the next change wakes.
    pub(super) fn watch(&self, watcher: u64, waker: Waker) {
        let replaced = self.lock().watchers.insert(watcher, waker);
        // Dropped outside the lock, because that may run code outside this crate.
        drop(replaced);
    }

    fn unwatch(&self, watcher: u64) {
        let waker = self.lock().watchers.remove(&watcher);
        drop(waker);
    }
}

impl Held {
    /// Does what is due. Returns `true` if anything was.
    pub(super) fn catch_up(&mut self, now: Instant) -> bool {
        let due = self.state.poll_deadline().is_some_and(|deadline| deadline <= now);
        self.state.handle_timeout(now);
        due
    }

    /// Takes what is to be written to a connection's transport. That alone changes nothing that a
    /// watcher could see. If it makes room for something or ends something, the state also emits an
    /// event, and the watchers are woken.
    fn take(&mut self, id: ConnectionId, now: Instant) -> (Option<Outbound>, Wakes) {
        let outbound = self.state.poll_transmit(id, now);
        let (mut wakes, notified) = self.notify(Some(id));
        if notified {
            wakes.append(self.wake_watchers());
        }
        (outbound, wakes)
    }

    /// Collects the tasks that are to be woken after a step. The task of `own` is running, and sees
    /// the change by itself.
    pub(super) fn settle(&mut self, own: Option<ConnectionId>) -> Wakes {
        let (mut wakes, _) = self.notify(own);
        wakes.append(self.wake_watchers());
        wakes
    }

    fn wake_watchers(&mut self) -> Wakes {
        Wakes(std::mem::take(&mut self.watchers).into_values().collect())
    }

    /// The same after a step that may have moved the deadline: tasks whose timers are set too late
    /// are woken to set them again.
    pub(super) fn settle_time(&mut self) -> Wakes {
        let mut wakes = self.settle(None);
        if let Some(deadline) = self.state.poll_deadline() {
            let late = self.tasks.values_mut().filter(|task| task.armed.is_none_or(|armed| deadline < armed));
            wakes.0.extend(late.filter_map(|task| task.waker.take()));
        }
        wakes
    }

    /// Hands the state's events to the tasks. Also returns whether there were any.
    fn notify(&mut self, own: Option<ConnectionId>) -> (Wakes, bool) {
        let mut wakes = Wakes::default();
        let mut notified = false;
        while let Some(Event::Ready(id)) = self.state.poll_event() {
            notified = true;
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            task.ready = true;
            if Some(id) != own {
                wakes.0.extend(task.waker.take());
            }
        }
        (wakes, notified)
    }
}

#[cfg(test)]
mod tests;
