//! What handles and driver share: the engine, its waiters, and how to wake the driver, behind one
//! lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Waker};
use std::time::Instant;

use super::waiters::Resolved;
use super::{Clock, Polled, Waiters};
use crate::engine::{Discarded, Engine, Event, WaiterId, WaitsFor};

/// The lock around a connection.
///
/// Its rules: it is held for one short step, never across I/O; nothing foreign runs under it, so
/// wakers and shared bodies are collected into [`AfterLock`] and used or dropped outside; a
/// poisoned lock fails the connection and never panics.
#[derive(Debug)]
pub(crate) struct Shared {
    clock: Clock,
    state: Mutex<State>,
}

/// What is behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    /// The connection.
    pub(crate) engine: Engine,
    /// Who waits for it.
    pub(crate) waiters: Waiters,
    /// The driver, while it sleeps.
    sleeping: Option<Sleep>,
}

/// How a driver sleeps, and what it sleeps through.
#[derive(Debug)]
pub(crate) struct Sleep {
    pub(crate) waker: Waker,
    /// The socket takes no more, and wakes the driver when it does: more to write is no reason to.
    pub(crate) stalled: bool,
    /// When its timer wakes it, or an earlier time.
    pub(crate) armed: Option<Instant>,
    /// It does not read, and no input wakes it.
    pub(crate) paused: bool,
}

/// What a step leaves to be done when the lock is free.
#[derive(Debug, Default)]
struct AfterLock {
    wake: Vec<Waker>,
    driver: Option<Waker>,
    /// Only dropped.
    _discarded: Discarded,
    /// There are more events than one hold of the lock is good for.
    more: bool,
}

/// Events handled under one hold of the lock.
const BATCH: usize = 1024;

/// Incarnations of channels that each connection has for itself.
const INCARNATIONS: u64 = 1 << 32;

/// Where the next connection of the process counts the incarnations of its channels from: so far
/// from all others that a handle which outlives its connection names nothing of another one.
fn channels_from() -> u64 {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
    CONNECTIONS.fetch_add(1, Ordering::Relaxed).wrapping_mul(INCARNATIONS)
}

impl Shared {
    /// Shares an engine on which no channel was opened so far.
    pub(crate) fn new(mut engine: Engine, clock: Clock) -> Self {
        engine.count_channels_from(channels_from());
        Self { clock, state: Mutex::new(State { engine, waiters: Waiters::default(), sleeping: None }) }
    }

    /// The present time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Takes one step under the lock; then, the lock being free, wakes whom it concerns.
    #[inline]
    pub(crate) fn with<R>(&self, step: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = step(&mut state);
        let after = state.settle();
        drop(state);
        if after.run() {
            self.settle_rest();
        }
        result
    }

    /// Goes on where one hold of the lock was not enough, as when a connection with much in flight
    /// is lost.
    #[cold]
    fn settle_rest(&self) {
        loop {
            let after = self.lock().settle();
            if !after.run() {
                return;
            }
        }
    }

    /// A poisoned lock (a panic in here is a bug) loses the connection rather than the process.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            state.engine.handle_driver_gone();
            state
        })
    }

    /// Looks for a completion. What the waiter's waker displaces is dropped outside the lock.
    pub(crate) fn poll(&self, id: WaiterId, context: &Context<'_>) -> Polled {
        // Cloned out here, where foreign code may run.
        let mut waker = Some(context.waker().clone());
        let polled = self.with(|state| state.waiters.poll(id, &mut waker));
        drop(waker);
        match polled {
            Polled::Pending(old) => {
                drop(old);
                Polled::Pending(None)
            }
            polled => polled,
        }
    }

    /// Somebody stops waiting. What had come for it is put right.
    pub(crate) fn forget(&self, id: WaiterId, waits_for: WaitsFor) {
        let waker = self.with(|state| state.forget(id, waits_for));
        drop(waker);
    }

    /// A turn of the driver, which is awake from here on: a step under the lock. Where the step
    /// gives a way to sleep, and there is nothing to do after all, the driver sleeps when this
    /// returns true, and whoever gives it something to do wakes it.
    #[inline]
    pub(crate) fn turn<R>(&self, step: impl FnOnce(&mut Engine) -> (R, Option<Sleep>)) -> (R, bool) {
        let mut state = self.lock();
        let before = state.sleeping.take();
        let (result, sleep) = step(&mut state.engine);
        let after = state.settle();
        let (asleep, refused) = match sleep {
            Some(sleep) if !state.wants_driver(&sleep) => {
                state.sleeping = Some(sleep);
                (true, None)
            }
            refused => (false, refused),
        };
        drop(state);
        // Wakers, of which one may be the last.
        drop((before, refused));
        if after.run() {
            self.settle_rest();
        }
        (result, asleep)
    }

    /// What is held once the connection is over, and how many wait; none before.
    pub(crate) fn leftovers(&self) -> Option<(crate::engine::Leftovers, usize)> {
        self.with(|state| state.engine.is_finished().then(|| (state.engine.leftovers(), state.waiters.in_use())))
    }

    /// The lock is free right now.
    #[cfg(test)]
    pub(crate) fn is_unlocked(&self) -> bool {
        self.state.try_lock().is_ok()
    }
}

impl State {
    /// Hands the engine's events to their waiters, and collects what has to be done outside.
    #[inline]
    fn settle(&mut self) -> AfterLock {
        let mut after = AfterLock::default();
        for handled in 0.. {
            if handled == BATCH {
                after.more = true;
                break;
            }
            let Some(event) = self.engine.poll_event() else { break };
            self.handle_event(event, &mut after.wake);
        }
        after._discarded = self.engine.take_discarded();
        if let Some(sleep) = self.sleeping.take() {
            match self.wants_driver(&sleep) {
                true => after.driver = Some(sleep.waker),
                false => self.sleeping = Some(sleep),
            }
        }
        after
    }

    /// There is something that a driver sleeping like this does not know of.
    fn wants_driver(&mut self, sleep: &Sleep) -> bool {
        let Sleep { stalled, armed, paused, .. } = *sleep;
        if self.engine.is_lost() || (!stalled && (self.engine.untaken() > 0 || self.engine.is_finished())) {
            return true;
        }
        if paused && self.engine.may_read() {
            return true;
        }
        let deadline = self.engine.poll_deadline();
        deadline.is_some_and(|deadline| armed.is_none_or(|armed| deadline < armed))
    }

    fn handle_event(&mut self, event: Event, wake: &mut Vec<Waker>) {
        match event {
            Event::Completed(id, completion) => match self.waiters.resolve(id, completion) {
                Resolved::Kept(waker) => wake.extend(waker),
                Resolved::Abandoned(completion) => self.engine.handle_abandoned(completion),
            },
            Event::Readable(id) => wake.extend(self.waiters.notify(id)),
        }
    }

    /// Frees a waiter's slot; gives its waker, to be dropped outside.
    pub(crate) fn forget(&mut self, id: WaiterId, waits_for: WaitsFor) -> Option<Waker> {
        let (completion, waker) = self.waiters.remove(id);
        self.engine.forget(id, waits_for);
        if let Some(completion) = completion {
            self.engine.handle_abandoned(completion);
        }
        waker
    }
}

impl AfterLock {
    /// Does it, and tells whether there is more to settle.
    #[inline]
    fn run(self) -> bool {
        for waker in self.wake {
            waker.wake();
        }
        if let Some(driver) = self.driver {
            driver.wake();
        }
        self.more
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::time::Duration;

    use bytes::BytesMut;

    use super::*;
    use crate::engine::steps::steps_of;
    use crate::engine::{ChannelKey, Completion, Negotiated, Settings};
    use crate::protocol::{Method, Request, queue};
    use crate::wire::FieldTable;

    fn shared() -> Shared {
        let now = Instant::now();
        let negotiated =
            Negotiated { channel_max: 0, frame_max: 4096, heartbeat: 0, server_properties: FieldTable::new() };
        // With deadlines, which have to be ended too.
        let settings = Settings { call_timeout: Some(Duration::from_secs(60)), ..Settings::default() };
        Shared::new(Engine::new(negotiated, settings, now), Clock::new(Instant::now))
    }

    /// Opens channel 1, the broker agreeing.
    fn channel(shared: &Shared, now: Instant) -> ChannelKey {
        let (id, key) = shared.with(|state| {
            let id = state.waiters.insert();
            let key = state.engine.open_channel(id, now).unwrap();
            let mut open_ok = BytesMut::from(&[1, 0, 1, 0, 0, 0, 8, 0, 20, 0, 11, 0, 0, 0, 0, 0xCE][..]);
            state.engine.handle_bytes(&mut open_ok, now);
            (id, key)
        });
        let opened = shared.with(|state| state.waiters.poll(id, &mut None));
        assert!(matches!(opened, Polled::Ready(Completion::Opened(_))), "{opened:?}");
        key
    }

    #[test]
    fn no_two_connections_share_an_incarnation_however_many_channels_they_open() {
        let now = Instant::now();
        let mut firsts: Vec<u64> = (0..10).map(|_| channel(&shared(), now).incarnation).collect();
        firsts.sort_unstable();
        assert!(firsts.iter().all(|first| first % INCARNATIONS == 0), "{firsts:?}");
        firsts.dedup();
        assert_eq!(firsts.len(), 10);
    }

    #[test]
    fn what_is_in_flight_resolves_in_steps_between_which_the_lock_is_free() {
        const COUNT: usize = 100_000;
        let (shared, now) = (shared(), Instant::now());
        let key = channel(&shared, now);
        let request = Method::from(queue::Declare::default());
        let calls: Vec<WaiterId> = shared.with(|state| {
            let call = |_| {
                let id = state.waiters.insert();
                state.engine.call(key, &request, queue::Declare::REPLIES, id, now).unwrap();
                assert!(matches!(state.waiters.poll(id, &mut Some(Waker::noop().clone())), Polled::Pending(None)));
                id
            };
            (0..COUNT).map(call).collect()
        });
        let (steps, holds) = steps_of(|| {
            shared.lock().engine.handle_transport_lost(None);
            let mut holds = 0;
            loop {
                let after = shared.lock().settle();
                holds += 1;
                assert!(after.wake.len() <= BATCH);
                if !after.run() {
                    break holds;
                }
            }
        });
        assert_eq!((steps, holds), (COUNT as u64, COUNT / BATCH + 1));
        let mut state = shared.lock();
        let resolved = calls.iter().filter(|id| matches!(state.waiters.poll(**id, &mut None), Polled::Ready(_)));
        assert_eq!(resolved.count(), COUNT);
        assert_eq!(state.waiters.in_use(), 0);
        assert!(state.waiters.allocated() <= 64);
    }
}
