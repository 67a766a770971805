//! What handles and driver share under one lock: the engine, its waiters, and how the driver is
//! woken.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Waker};
use std::time::Instant;

use super::waiters::Resolved;
use super::{Clock, Polled, Waiters};
use crate::engine::{ConnectionNotice, Discarded, Engine, Event, WaiterId, WaitsFor};
use crate::recovery::{Outcome, Topology};

/// The lock of a connection.
///
/// It is held for one short step, and never during I/O. No code outside this crate runs under it,
/// so wakers and shared bodies are collected in [`AfterLock`], and are used or dropped afterwards.
/// A poisoned lock fails the connection and never panics.
///
/// # Sleep and wake
///
/// The driver sleeps without a lock or a notification of its own: it stores a [`Sleep`] under the
/// lock, and every later step under the lock compares the engine with it. A wake-up cannot be lost,
/// for two reasons. The driver's last turn and the store are one hold of the lock, so whatever
/// happens before is seen by that turn, and whatever happens after sees the `Sleep`. And the
/// condition for a wake ([`State::wants_driver`]) is the one under which the driver refuses to
/// sleep.
///
/// A `Sleep` is taken when the driver is woken, so however many steps follow, it is woken once. It
/// then stays awake until it stores another one.
#[derive(Debug)]
pub(crate) struct Shared {
    clock: Clock,
    /// How many transports, and channels alone, were lost. Read without the lock by what holds
    /// deliveries: it may be old there for a moment, as if the loss came later.
    losses: AtomicU32,
    state: Mutex<State>,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct State {
    /// The connection.
    pub(crate) engine: Engine,
    /// The waiters of the engine.
    pub(crate) waiters: Waiters,
    /// What the connection has declared, if that is recorded.
    pub(crate) topology: Option<Topology>,
    /// How the driver is woken; `None` while it is awake.
    sleeping: Option<Sleep>,
}

/// How a sleeping driver is woken, and what need not wake it.
#[derive(Debug)]
pub(crate) struct Sleep {
    pub(crate) waker: Waker,
    /// Whether the socket accepts no more bytes. It wakes the driver when it does, so more bytes to
    /// write are no reason to.
    pub(crate) stalled: bool,
    /// When its timer wakes it, or an earlier time that is already handled.
    pub(crate) armed: Option<Instant>,
    /// Whether reading is paused, so that input does not wake it.
    pub(crate) paused: bool,
}

/// What remains to be done after a step, when the lock is released.
#[derive(Debug, Default)]
struct AfterLock {
    wake: Vec<Waker>,
    driver: Option<Waker>,
    /// Only dropped, after the lock. Most steps leave nothing.
    _discarded: Option<Discarded>,
    /// Whether there are more events than are handled under one hold of the lock.
    more: bool,
}

/// The largest number of events that are handled under one hold of the lock.
const BATCH: usize = 1024;

/// The size of the range of channel incarnations that each connection has.
const INCARNATIONS: u64 = 1 << 32;

/// The first incarnation of the channels of the next connection in this process. The ranges of
/// connections do not overlap, so a handle that is older than its connection identifies nothing in
/// another one.
fn channels_from() -> u64 {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
    CONNECTIONS.fetch_add(1, Ordering::Relaxed).wrapping_mul(INCARNATIONS)
}

impl Shared {
    /// Shares an engine on which no channel was opened.
    pub(crate) fn new(mut engine: Engine, clock: Clock) -> Self {
        engine.count_channels_from(channels_from());
        Self {
            clock,
            losses: AtomicU32::new(0),
            state: Mutex::new(State { engine, waiters: Waiters::default(), topology: None, sleeping: None }),
        }
    }

    /// How many transports, and channels alone, were lost.
    #[inline]
    pub(crate) fn losses(&self) -> u32 {
        self.losses.load(Ordering::Relaxed)
    }

    /// Follows an engine that survives losses.
    #[cold]
    fn follow(&self, state: &mut State) {
        self.losses.store(state.engine.generation(), Ordering::Relaxed);
        while let Some(change) = state.engine.poll_change() {
            let recorded = state.topology.as_mut().map(|topology| topology.apply(change));
            if recorded == Some(Outcome::LimitReached) {
                state.engine.tell_connection(&ConnectionNotice::RecordFull);
            }
        }
    }

    /// The present time.
    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Runs a step under the lock. After the lock is released, wakes the waiters whose events the
    /// step caused, and the driver if it has something to do.
    #[inline]
    pub(crate) fn with<R>(&self, step: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = step(&mut state);
        let after = state.settle();
        if state.engine.survives_loss() {
            self.follow(&mut state);
        }
        drop(state);
        if after.run() {
            self.settle_rest();
        }
        result
    }

    /// Handles the events that remain after one hold of the lock, for instance when a connection
    /// with many requests in flight is lost. The lock is released between batches, so that other
    /// threads are not held up.
    #[cold]
    fn settle_rest(&self) {
        loop {
            let after = self.lock().settle();
            if !after.run() {
                return;
            }
        }
    }

    /// Locks. A panic under the lock is a bug; the poisoned lock then ends the connection and not
    /// the process.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            state.engine.handle_driver_gone();
            state
        })
    }

    /// Polls a waiter. The waker that is replaced is dropped after the lock.
    pub(crate) fn poll(&self, id: WaiterId, context: &Context<'_>) -> Polled {
        // Cloned before the lock, because cloning may run code outside this crate.
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

    /// Removes a waiter. If it has already completed, the effect of its completion is undone.
    pub(crate) fn forget(&self, id: WaiterId, waits_for: WaitsFor) {
        let waker = self.with(|state| state.forget(id, waits_for));
        drop(waker);
    }

    /// Runs a turn of the driver under the lock; the driver counts as awake from here on. If the
    /// step returns a [`Sleep`] and the driver still has nothing to do, the `Sleep` is stored and
    /// this returns `true`: the driver then sleeps, and the next step that gives it something to do
    /// wakes it.
    #[inline]
    pub(crate) fn turn<R>(&self, step: impl FnOnce(&mut Engine) -> (R, Option<Sleep>)) -> (R, bool) {
        let mut state = self.lock();
        // Taken first: the driver is running, so no event of this step has to wake it.
        let before = state.sleeping.take();
        let (result, sleep) = step(&mut state.engine);
        let after = state.settle();
        if state.engine.survives_loss() {
            self.follow(&mut state);
        }
        // Asked after the events were handled, because taking back a completion may queue output or
        // end a pause. Nothing can be missed between this check and the next step: both need the
        // lock.
        let (asleep, refused) = match sleep {
            Some(sleep) if !state.wants_driver(&sleep) => {
                state.sleeping = Some(sleep);
                (true, None)
            }
            refused => (false, refused),
        };
        drop(state);
        // These hold wakers, and dropping the last clone of one may run code outside this crate.
        drop((before, refused));
        if after.run() {
            self.settle_rest();
        }
        (result, asleep)
    }

    /// What is held after the connection has ended, and the number of waiters; `None` before.
    pub(crate) fn leftovers(&self) -> Option<(crate::engine::Leftovers, usize)> {
        self.with(|state| state.engine.is_finished().then(|| (state.engine.leftovers(), state.waiters.in_use())))
    }

    /// Whether the lock is free at present.
    #[cfg(test)]
    pub(crate) fn is_unlocked(&self) -> bool {
        self.state.try_lock().is_ok()
    }
}

impl State {
    /// Hands the engine's events to their waiters, and collects what has to be done after the lock.
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
        // Taken, so that the driver is woken once however many steps follow before it runs.
        if let Some(sleep) = self.sleeping.take() {
            match self.wants_driver(&sleep) {
                true => after.driver = Some(sleep.waker),
                false => self.sleeping = Some(sleep),
            }
        }
        after
    }

    /// Whether a driver that sleeps like this has something to do that it does not know of.
    fn wants_driver(&mut self, sleep: &Sleep) -> bool {
        let Sleep { stalled, armed, paused, .. } = *sleep;
        // While the socket is stalled, more bytes to write and the end of a connection do not
        // concern the driver: the socket wakes it when it accepts bytes. A lost connection does,
        // because the driver no longer waits for the socket then.
        if self.engine.is_lost() || (!stalled && (self.engine.untaken() > 0 || self.engine.is_finished())) {
            return true;
        }
        if paused && self.engine.may_read() {
            return true;
        }
        // A deadline that is not earlier than the timer is left to the timer, so that traffic that
        // moves deadlines forward wakes nothing.
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

    /// Removes a waiter, and returns its waker, which is to be dropped after the lock.
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
    /// Wakes, and returns whether there are more events to handle.
    #[inline]
    fn run(self) -> bool {
        if !self.wake.is_empty() {
            self.wake.into_iter().for_each(Waker::wake);
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
