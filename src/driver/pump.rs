//! What moves between an engine and a transport, whoever does the I/O. Everything about it is
//! decided with one hold of the lock a turn.
//!
//! A driver repeats: take a turn; write what waits; read into the room that the pump gives, where
//! it reads, and say how much came. When neither moves any more, the next turn lets it sleep.

use std::io;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};

use crate::engine::{Engine, LentBody, Wanted};
use crate::frame::Outbound;
use crate::link::{Shared, Sleep};
use crate::transport::{Room, Stream, poll_send};

/// Bytes read at a time, and so handed in under one hold of the lock.
const READ_CHUNK: usize = 64 * 1024;

/// The same on a connection that has been quiet.
const QUIET_CHUNK: usize = 1024;

/// Above this capacity the buffer for input is given back as soon as it is empty: a large frame was
/// in it.
const MOST_KEPT: usize = 4 * READ_CHUNK;

/// How long buffers are kept for more to come.
const IDLE: Duration = Duration::from_secs(5);

/// The next tick of a runtime's clock, and so a look of its reactor that has not begun.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Both directions of one connection.
pub(super) struct Pump {
    input: BytesMut,
    /// Bytes that `input` must hold before the engine can go on.
    needed: usize,
    /// The buffer of the large body that is arriving: it is read into instead of `input`, which is
    /// empty.
    body: Option<LentBody>,
    /// Bytes came that were not handed in so far.
    arrived: bool,
    /// Nothing has come for a while: a small buffer will do.
    quiet: bool,
    /// Taken from the engine, and not yet accepted by the transport. It counts as queued.
    writing: Outbound,
    /// Bytes at the front of `writing` that a write was offered: it may have passed them on,
    /// whatever it said.
    offered: usize,
    /// Bytes that the transport accepted, and the engine does not know of.
    accepted: usize,
    /// When bytes last moved: buffers of a quiet connection are given back.
    last_active: Instant,
}

/// Neither direction moves, until the transport wakes the driver.
pub(super) struct Rest {
    pub(super) waker: Waker,
    /// Input was looked for, and there is none.
    pub(super) looked: bool,
}

/// What a turn came to.
pub(super) struct Turn {
    pub(super) state: Life,
    /// The transport is to be read.
    pub(super) reads: bool,
    /// Whether a new secret is to be fetched.
    pub(super) secret: Wanted,
    /// When the next turn is due.
    pub(super) due: Option<Instant>,
    /// The driver sleeps: whoever gives it something to do wakes it.
    pub(super) asleep: bool,
}

/// Where a connection is, as its driver sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Runs,
    /// Everything is written: the transport is to be shut.
    Finished,
    /// What became of everything is decided: nothing is written any more.
    Lost,
}

impl Pump {
    /// Begins with what was read after the handshake.
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
            last_active: now,
        }
    }

    /// Tells the engine what has moved, does what is due, and finds out what comes next. All that
    /// the transport had received by `drained` was read. Where the driver rests, it sleeps if there
    /// is nothing else to do.
    pub(super) fn turn(&mut self, link: &Shared, now: Instant, drained: Instant, rest: Option<Rest>) -> Turn {
        let (turn, asleep) = link.turn(|engine| {
            self.report(engine, now);
            let (due, judged, more) = pass_time(engine, now, drained);
            let took = engine.poll_transmit_into(&mut self.writing);
            let reads = engine.poll_reading(now);
            let secret = engine.poll_secret_wanted();
            let state = self.life(engine);
            let stays_awake = more || took || state != Life::Runs;
            let sleep = rest.filter(|rest| !stays_awake && (rest.looked || !reads)).map(|rest| Sleep {
                waker: rest.waker,
                stalled: !self.writing.is_empty(),
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

    /// Tells the engine what has moved, and no more: nothing is decided that a driver would have to
    /// act on.
    pub(super) fn hand_in(&mut self, link: &Shared, now: Instant) {
        link.with(|state| self.report(&mut state.engine, now));
    }

    /// What the transport accepted, and what it has brought.
    fn report(&mut self, engine: &mut Engine, now: Instant) {
        let accepted = std::mem::take(&mut self.accepted);
        if accepted > 0 {
            engine.handle_written(accepted, now);
        }
        if std::mem::take(&mut self.arrived) {
            match self.body.take() {
                Some(body) => engine.handle_body(body, now),
                None => engine.handle_bytes(&mut self.input, now),
            }
            self.body = if self.input.is_empty() { engine.lend_body() } else { None };
            self.needed = engine.needed();
        }
        if accepted > 0 {
            self.last_active = now;
        }
    }

    /// There is something to be written.
    pub(super) fn is_writing(&self) -> bool {
        !self.writing.is_empty()
    }

    /// Writes what waits, as much of it as the transport takes at once.
    #[inline]
    pub(super) fn poll_write<S: Stream>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let count = ready!(poll_send(stream, context, &mut self.writing, &mut self.offered))?;
        self.accepted += count;
        Poll::Ready(Ok(()))
    }

    /// Where to read to, at most a chunk; none where what has come is to be handed in first.
    ///
    /// It is room for a chunk, or for the rest of the next frame. Of one that is large and has to
    /// be there as a whole, as much is reserved as has arrived: its size is only what the peer
    /// declares.
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

    /// So many bytes came.
    pub(super) fn read(&mut self, now: Instant) {
        self.arrived = true;
        self.quiet = false;
        self.last_active = now;
    }

    /// Bytes came that are to be handed in.
    pub(super) fn has_arrived(&self) -> bool {
        self.arrived
    }

    /// The transport ended, or failed.
    pub(super) fn lost(&mut self, link: &Shared, error: Option<&io::Error>, now: Instant) {
        link.with(|state| {
            self.report(&mut state.engine, now);
            let withheld = self.writing.len().saturating_sub(self.offered) as u64;
            state.engine.handle_withheld(withheld);
            state.engine.handle_transport_lost(error);
        });
    }

    /// The driver has to stop. Gives what still waits, in order, if anything may go out, and
    /// whether anything but a close is in it.
    pub(super) fn leave(&mut self, link: &Shared) -> Option<([Outbound; 2], bool)> {
        let now = link.now();
        let left = link.with(|state| {
            self.report(&mut state.engine, now);
            let something_waits = state.engine.is_unwritten();
            state.engine.leave().map(|last| (last, something_waits))
        });
        left.map(|(last, something_waits)| ([std::mem::take(&mut self.writing), last], something_waits))
    }

    /// When buffers that nothing is in are to be given back.
    pub(super) fn idle_at(&self) -> Option<Instant> {
        let reading = self.input.is_empty() && !self.quiet;
        let writing = self.writing.is_empty() && self.writing.capacity() > 0;
        (reading || writing).then(|| self.last_active + IDLE)
    }

    /// A quiet connection keeps next to no buffers.
    pub(super) fn give_back(&mut self, link: &Shared) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.quiet = true;
        }
        self.writing.shrink();
        link.with(|state| state.engine.shrink());
    }

    /// Bytes of memory held for input and output.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.input.capacity() + self.writing.capacity()
    }
}

/// Does what is due. Gives when something is due next, which is later than now; the time that is
/// judged when whatever reports readiness has looked once more, where that is what is waited for;
/// and whether something was done.
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
