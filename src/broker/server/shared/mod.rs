//! What handles and connection tasks share: the broker's state behind one lock, and whom to wake
//! when it changes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::thread::{self, ThreadId};
use std::time::Instant;

use super::lock::{Inspection, Lock, Locked};
use crate::broker::{ConnectionId, Event, State, Transport};
use crate::frame::Outbound;

/// The lock around a broker.
///
/// It is held for one short step, never across I/O. Wakers are woken and dropped when it is free.
pub(super) struct Shared {
    lock: Lock<Held>,
    /// Who left while this thread inspected, and so could not be taken leave of.
    left: Mutex<Vec<(ThreadId, Left)>>,
}

/// Who leaves, when it is dropped. That may be anywhere, in the middle of an inspection and of a
/// panic too.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// A connection's task, and its transport with it, at this time; `sound` unless the state
    /// failed under it.
    Connection { id: ConnectionId, sound: bool, at: Instant },
    /// Somebody who waits for changes.
    Watcher(u64),
    /// The last handle: all connections end.
    Handle,
}

/// What is behind the lock.
pub(super) struct Held {
    pub(super) state: State,
    tasks: BTreeMap<ConnectionId, Task>,
    /// Those who wait for a change. Each change takes them all: who still waits comes back.
    watchers: BTreeMap<u64, Waker>,
    next_watcher: u64,
    /// The last handle is gone.
    vanished: bool,
}

/// The task of a connection, as the others see it.
#[derive(Default)]
struct Task {
    /// Present unless it has been woken since it last ran.
    waker: Option<Waker>,
    /// The state has something for it.
    ready: bool,
    /// What its timer is set to.
    armed: Option<Instant>,
}

/// What a connection's task has to know before it moves octets.
pub(super) struct Look {
    /// What is to become of the transport.
    pub(super) transport: Transport,
    /// The state takes input.
    pub(super) wants_input: bool,
    /// The state had something new for this connection: input that it left lying may be taken now.
    pub(super) ready: bool,
    /// To be written.
    pub(super) outbound: Option<Outbound>,
    /// A timer that is to be set to an earlier time than before.
    pub(super) arm: Option<Instant>,
}

/// Tasks to be woken, when this is dropped.
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

    /// Takes one step under the lock, on behalf of the connection `own` where there is one; then
    /// wakes whom it concerns.
    pub(super) fn step<R>(&self, own: Option<ConnectionId>, step: impl FnOnce(&mut State) -> R) -> R {
        let mut held = self.lock();
        let result = step(&mut held.state);
        let wakes = held.settle(own);
        drop(held);
        drop(wakes);
        result
    }

    /// The lock, for steps of this module's neighbours, who settle what they change.
    ///
    /// # Panics
    ///
    /// This thread inspects the state, and would wait for itself.
    pub(super) fn lock(&self) -> Locked<'_, Held> {
        self.lock.lock()
    }

    /// The state for a test to look at. To be followed by [`Shared::inspected`].
    pub(super) fn inspect(&self, prepare: impl FnOnce(&mut Held)) -> Inspection<'_, Held> {
        self.lock.inspect(prepare)
    }

    /// An inspection ended: does what had to wait for it.
    pub(super) fn inspected(&self) {
        if !self.lock.is_inspected_here() {
            let me = thread::current().id();
            let left: Vec<_> = self.left().extract_if(.., |&mut (thread, _)| thread == me).collect();
            left.into_iter().for_each(|(_, left)| self.take_leave(left));
        }
    }

    /// Takes leave of a task, a watcher or the handles: now, or when this thread's inspection ends.
    /// It never panics, being for destructors.
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

    /// A transport came.
    pub(super) fn connect(&self, now: Instant) -> ConnectionId {
        let mut held = self.lock();
        let id = held.state.handle_connect(now);
        held.tasks.insert(id, Task::default());
        let wakes = held.settle(Some(id));
        drop(held);
        drop(wakes);
        id
    }

    /// The task of a connection runs: what happens from now on wakes it again. False when there is
    /// no broker any more.
    pub(super) fn running(&self, id: ConnectionId, context: &Context<'_>) -> bool {
        // Cloned and dropped outside the lock, being foreign.
        let waker = context.waker().clone();
        let mut held = self.lock();
        let vanished = held.vanished;
        let replaced = held.tasks.get_mut(&id).and_then(|task| task.waker.replace(waker));
        drop(held);
        drop(replaced);
        !vanished
    }

    /// Looks at what there is to do for a connection, and takes what is to be written where `takes`
    /// says so.
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

    /// The timer of a connection's task went off.
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

    /// A number for somebody who waits for changes.
    pub(super) fn watcher(&self) -> u64 {
        let mut held = self.lock();
        held.next_watcher += 1;
        held.next_watcher
    }

    /// Remembers whom the next change wakes.
    pub(super) fn watch(&self, watcher: u64, waker: Waker) {
        let replaced = self.lock().watchers.insert(watcher, waker);
        // It is foreign, and goes outside the lock.
        drop(replaced);
    }

    fn unwatch(&self, watcher: u64) {
        let waker = self.lock().watchers.remove(&watcher);
        drop(waker);
    }
}

impl Held {
    /// Does what is due; tells whether anything was.
    pub(super) fn catch_up(&mut self, now: Instant) -> bool {
        let due = self.state.poll_deadline().is_some_and(|deadline| deadline <= now);
        self.state.handle_timeout(now);
        due
    }

    /// Takes what is to be written to a connection's transport. That alone changes nothing that a
    /// watcher could see; what it makes room for, or ends, does, and comes with an event.
    fn take(&mut self, id: ConnectionId, now: Instant) -> (Option<Outbound>, Wakes) {
        let outbound = self.state.poll_transmit(id, now);
        let (mut wakes, notified) = self.notify(Some(id));
        if notified {
            wakes.append(self.wake_watchers());
        }
        (outbound, wakes)
    }

    /// Collects who is to be woken after a step. The task of `own` is awake, and finds out by
    /// itself.
    pub(super) fn settle(&mut self, own: Option<ConnectionId>) -> Wakes {
        let (mut wakes, _) = self.notify(own);
        wakes.append(self.wake_watchers());
        wakes
    }

    fn wake_watchers(&mut self) -> Wakes {
        Wakes(std::mem::take(&mut self.watchers).into_values().collect())
    }

    /// The same after a step that no task's timer may know of: the tasks whose timers are late set
    /// them anew.
    pub(super) fn settle_time(&mut self) -> Wakes {
        let mut wakes = self.settle(None);
        if let Some(deadline) = self.state.poll_deadline() {
            let late = self.tasks.values_mut().filter(|task| task.armed.is_none_or(|armed| deadline < armed));
            wakes.0.extend(late.filter_map(|task| task.waker.take()));
        }
        wakes
    }

    /// Hands the state's events to the tasks; tells whether there were any.
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
