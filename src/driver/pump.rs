//! The bytes between an engine and a transport, independent of how the I/O is done. Every decision
//! about them is made under one hold of the lock per turn.
//!
//! A driver repeats: take a turn; write what waits; read into the room that the pump provides, if
//! it is to read, and report how much arrived. When neither direction moves any more, the next turn
//! lets the driver sleep.

use std::io;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};

use crate::engine::{Engine, LentBody, Wanted};
use crate::frame::Outbound;
use crate::link::{Shared, Sleep};
use crate::transport::{Room, Stream, poll_send};

/// The number of bytes that are read at a time, and so handed in under one hold of the lock.
const READ_CHUNK: usize = 64 * 1024;

/// The same on a connection that has been quiet.
const QUIET_CHUNK: usize = 1024;

/// The capacity above which the input buffer is freed as soon as it is empty: it held a large
/// frame.
const MOST_KEPT: usize = 4 * READ_CHUNK;

/// How long buffers are kept after bytes last moved.
const IDLE: Duration = Duration::from_secs(5);

/// The resolution of a runtime's timers. A timer that is set this much ahead fires only after a
/// check for readiness that has not begun yet.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Both directions of one connection.
pub(super) struct Pump {
    input: BytesMut,
    /// The number of bytes that `input` must hold before the engine can continue.
    needed: usize,
    /// The buffer of the large body that is arriving. It is read into instead of `input`, which is
    /// empty.
    body: Option<LentBody>,
    /// Whether bytes have arrived that were not handed in.
    arrived: bool,
    /// Whether nothing has arrived for a while, so that a small buffer is enough.
    quiet: bool,
    /// What was taken from the engine and not yet accepted by the transport. It counts as queued.
    writing: Outbound,
    /// The number of bytes at the front of `writing` that were offered to a write. The transport
    /// may have passed them on, even if it reported an error.
    offered: usize,
    /// The number of bytes that the transport accepted and that were not reported to the engine.
    accepted: usize,
    /// How the writing direction failed. Nothing more is taken or written then, and what has
    /// arrived is read to its end.
    broken: Option<Broken>,
    /// When bytes last moved. The buffers of a quiet connection are freed.
    last_active: Instant,
}

/// A write that failed.
struct Broken {
    error: io::Error,
    /// When input that had arrived before the failure has surely been read. The peer may have sent
    /// its reason before it closed the transport, and the readiness of the transport may not have
    /// been checked since then.
    until: Instant,
}

/// Given to a turn if neither direction moves until the transport wakes the driver.
pub(super) struct Rest {
    pub(super) waker: Waker,
    /// Whether a read was tried and found nothing.
    pub(super) looked: bool,
}

/// The result of a turn.
pub(super) struct Turn {
    pub(super) state: Life,
    /// Whether the transport is to be read.
    pub(super) reads: bool,
    /// Whether a new secret is to be fetched.
    pub(super) secret: Wanted,
    /// When the next turn is due.
    pub(super) due: Option<Instant>,
    /// Whether the driver sleeps: the next step that gives it something to do wakes it.
    pub(super) asleep: bool,
}

/// The state of a connection, as its driver sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Runs,
    /// Everything is written: the transport is to be shut down.
    Finished,
    /// The fate of everything is decided: nothing is written any more.
    Lost,
}

impl Pump {
    /// Creates a pump that begins with what was read after the handshake.
    pub(super) fn new(input: BytesMut, now: Instant) -> Self {
        Self {
            arrived: !input.is_empty(),
            input,
            needed: 0,
            body: None,
            quiet: false,
            writing: Outbound::new(),
            offered: 0,
            accepted: 0,
            broken: None,
            last_active: now,
        }
    }

    /// Reports to the engine what has moved, does what is due, and returns what is to be done next.
    /// All input that the transport had received by `drained` was read. If the driver rests and
    /// there is nothing else to do, it sleeps.
    pub(super) fn turn(&mut self, link: &Shared, now: Instant, drained: Instant, rest: Option<Rest>) -> Turn {
        let (turn, asleep) = link.turn(|engine| {
            // The order matters. What moved is reported before time passes, because it may be what
            // a deadline waits for. Time passes before output is taken, because it may queue a
            // heartbeat. Whether to read is asked last, because all of these may begin or end a
            // pause.
            self.report(engine, now);
            let (due, judged, more) = pass_time(engine, now, drained);
            let due = self.give_up(engine, due, drained);
            let took = self.broken.is_none() && engine.poll_transmit_into(&mut self.writing);
            let reads = engine.poll_reading(now) || self.broken.is_some();
            let secret = engine.poll_secret_wanted();
            let state = self.life(engine);
            let stays_awake = more || took || state != Life::Runs;
            // It may sleep only if the round before found both directions at rest: a read was tried
            // and found nothing, or reading is paused.
            let sleep = rest.filter(|rest| !stays_awake && (rest.looked || !reads)).map(|rest| Sleep {
                waker: rest.waker,
                stalled: !self.writing.is_empty() || self.broken.is_some(),
                armed: judged.or(due),
                paused: !reads,
            });
            (Turn { state, reads, secret, due, asleep: false }, sleep)
        });
        Turn { asleep, ..turn }
    }

    fn life(&self, engine: &Engine) -> Life {
        if engine.is_lost() {
            Life::Lost
        } else if engine.is_finished() && self.writing.is_empty() {
            Life::Finished
        } else {
            Life::Runs
        }
    }

    /// Reports to the engine what has moved, without a decision that a driver would have to act on.
    pub(super) fn hand_in(&mut self, link: &Shared, now: Instant) {
        link.with(|state| self.report(&mut state.engine, now));
    }

    /// Reports what the transport accepted, and what has arrived.
    fn report(&mut self, engine: &mut Engine, now: Instant) {
        self.report_accepted(engine, now);
        if std::mem::take(&mut self.arrived) {
            match self.body.take() {
                Some(body) => engine.handle_body(body, now),
                None => engine.handle_bytes(&mut self.input, now),
            }
            self.body = if self.input.is_empty() { engine.lend_body() } else { None };
            self.needed = engine.needed();
        }
    }

    fn report_accepted(&mut self, engine: &mut Engine, now: Instant) {
        let accepted = std::mem::take(&mut self.accepted);
        if accepted > 0 {
            engine.handle_written(accepted, now);
            self.last_active = now;
        }
    }

    /// Reports what was not written. Bytes that were offered to a write may have left even if it
    /// failed. The others certainly did not, and a request in them can be reported as not sent.
    fn withhold(&self, engine: &mut Engine) {
        engine.handle_withheld(self.writing.len().saturating_sub(self.offered) as u64);
    }

    /// Whether there is something to write.
    pub(super) fn is_writing(&self) -> bool {
        !self.writing.is_empty() && self.broken.is_none()
    }

    /// Whether a write has failed.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Reports that a write failed. The connection is not lost before all input that had arrived at
    /// that time is handed in.
    pub(super) fn write_failed(&mut self, link: &Shared, error: io::Error) {
        link.with(|state| {
            // What was accepted before and what was never offered is known now. The peer's close,
            // if it is read next, decides about both.
            self.report_accepted(&mut state.engine, link.now());
            self.withhold(&mut state.engine);
        });
        self.broken = Some(Broken { error, until: link.now() + TICK });
    }

    /// Ends the connection after a failed write, if all input from before was read. Returns when
    /// the next turn is due, which otherwise is at `due`.
    fn give_up(&self, engine: &mut Engine, due: Option<Instant>, drained: Instant) -> Option<Instant> {
        let Some(broken) = &self.broken else { return due };
        if drained >= broken.until {
            engine.handle_transport_lost(Some(&broken.error));
        }
        Some(due.map_or(broken.until, |due| due.min(broken.until)))
    }

    /// Writes what waits, as much as the transport accepts at once.
    #[inline]
    pub(super) fn poll_write<S: Stream>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let count = ready!(poll_send(stream, context, &mut self.writing, &mut self.offered))?;
        self.accepted += count;
        Poll::Ready(Ok(()))
    }

    /// Where to read to, at most a chunk. `None` if what has arrived is to be handed in first.
    ///
    /// It has room for a chunk, or for the rest of the next frame. For a large frame that has to be
    /// there as a whole, only as much is reserved as has arrived, because its size is only what the
    /// peer declares.
    pub(super) fn room(&mut self) -> Option<Room<'_>> {
        if let Some(body) = &mut self.body {
            let room = body.room();
            return room.has_remaining_mut().then_some(Room::Body(room));
        }
        if self.arrived && self.input.len() >= READ_CHUNK {
            return None;
        }
        if self.input.is_empty() && self.input.capacity() > MOST_KEPT {
            self.input = BytesMut::new();
        }
        let missing = self.needed.saturating_sub(self.input.len()).min(self.input.len().max(READ_CHUNK));
        let (least, wanted) = if self.quiet { (1, QUIET_CHUNK) } else { (READ_CHUNK / 4, READ_CHUNK) };
        if self.input.capacity() - self.input.len() < missing.max(least) {
            if self.arrived {
                return None;
            }
            self.input.reserve(missing.max(wanted));
        }
        Some(Room::Input(&mut self.input))
    }

    /// Records that bytes were read.
    pub(super) fn read(&mut self, now: Instant) {
        self.arrived = true;
        self.quiet = false;
        self.last_active = now;
    }

    /// Whether bytes have arrived that are to be handed in.
    pub(super) fn has_arrived(&self) -> bool {
        self.arrived
    }

    /// Reports that the transport ended or failed.
    pub(super) fn lost(&mut self, link: &Shared, error: Option<&io::Error>, now: Instant) {
        link.with(|state| {
            self.report(&mut state.engine, now);
            match &self.broken {
                // A broken pipe says that the peer has ended the stream, and the read says how. Any
                // other failure of a write is the cause, which the system reports once.
                Some(Broken { error, .. }) if error.kind() != io::ErrorKind::BrokenPipe => {
                    state.engine.handle_transport_lost(Some(error));
                }
                Some(_) => state.engine.handle_transport_lost(error),
                None => {
                    self.withhold(&mut state.engine);
                    state.engine.handle_transport_lost(error);
                }
            }
        });
    }

    /// Reports that the driver has to stop. Returns what still waits, in order, if anything may be
    /// written, and whether there is anything besides a close.
    pub(super) fn leave(&mut self, link: &Shared) -> Option<([Outbound; 2], bool)> {
        let now = link.now();
        let left = link.with(|state| {
            self.report(&mut state.engine, now);
            if let Some(broken) = &self.broken {
                state.engine.handle_transport_lost(Some(&broken.error));
            }
            let something_waits = state.engine.is_unwritten();
            state.engine.leave().map(|last| (last, something_waits))
        });
        left.map(|(last, something_waits)| ([std::mem::take(&mut self.writing), last], something_waits))
    }

    /// When empty buffers are to be freed.
    pub(super) fn idle_at(&self) -> Option<Instant> {
        let reading = self.input.is_empty() && !self.quiet;
        let writing = self.writing.is_empty() && self.writing.capacity() > 0;
        (reading || writing).then(|| self.last_active + IDLE)
    }

    /// Frees the buffers of a quiet connection.
    pub(super) fn give_back(&mut self, link: &Shared) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.quiet = true;
        }
        self.writing.shrink();
        link.with(|state| state.engine.shrink());
    }

    /// The number of bytes of memory for input and output.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.input.capacity() + self.writing.capacity()
    }
}

/// Does what is due. Returns when something is due next, which is later than `now`; the deadline
/// that waits for one more check for readiness, if there is one; and whether something was done.
fn pass_time(engine: &mut Engine, now: Instant, drained: Instant) -> (Option<Instant>, Option<Instant>, bool) {
    let mut done = false;
    loop {
        let deadline = engine.poll_deadline();
        if deadline.is_none_or(|deadline| deadline > now) {
            return (deadline, None, done);
        }
        engine.handle_timeout(now, drained);
        if engine.poll_deadline() == deadline {
            return (Some(now + TICK), deadline, done);
        }
        done = true;
    }
}
