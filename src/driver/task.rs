//! The tokio driver: one task per connection that reads, writes and keeps time.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::leaving::leave;
use super::timer::{TICK, Timer};
use crate::engine::LentBody;
use crate::frame::Outbound;
use crate::link::Shared;

/// Drives one connection until it is finished. Dropping it, with its runtime for instance, loses the connection; what waits still
/// goes out, see [`leave`].
pub(crate) struct Driver<T: AsyncRead + AsyncWrite + Unpin + 'static> {
    transport: T,
    shared: Arc<Shared>,
    input: BytesMut,
    /// Octets that `input` must hold before the engine can go on.
    needed: usize,
    /// The buffer of the large body that is arriving: it is read into instead of `input`, which is empty.
    body: Option<LentBody>,
    /// Nothing has come for a while: a small buffer will do.
    quiet: bool,
    /// Taken from the engine, and not yet accepted by the transport. It counts as queued.
    writing: Outbound,
    /// Bytes at the front of `writing` that a write was offered: it may have passed them on, whatever it said.
    offered: usize,
    timer: Timer,
    /// The deadline that is judged when the reactor has looked once more: nobody has to wake the driver for it.
    judged: Option<Instant>,
    /// When octets last moved: buffers of a quiet connection are given back.
    last_active: Instant,
}

/// Octets read at a time, and so handed in under one hold of the lock.
const READ_CHUNK: usize = 64 * 1024;

/// The same on a connection that has been quiet.
const QUIET_CHUNK: usize = 1024;

/// Above this capacity the buffer for input is given back as soon as it is empty: a large frame was in it.
const MOST_KEPT: usize = 4 * READ_CHUNK;

/// Slices in one vectored write.
const SLICES: usize = 64;

/// Writes or reads before the task lets others run.
const BUDGET: usize = 32;

/// How long buffers are kept for more to come.
const IDLE: Duration = Duration::from_secs(5);

/// What one attempt to move octets came to.
enum Moved {
    Some,
    Nothing,
    Lost,
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Driver<T> {
    /// A driver for `transport`, with what was read after the handshake.
    pub(crate) fn new(transport: T, shared: Arc<Shared>, input: BytesMut) -> Self {
        let now = shared.now();
        let mut driver = Self {
            transport,
            shared,
            input,
            needed: 0,
            body: None,
            quiet: false,
            writing: Outbound::new(),
            offered: 0,
            timer: Timer::new(now),
            judged: None,
            last_active: now,
        };
        driver.hand_in(now);
        driver
    }

    fn hand_in(&mut self, now: Instant) {
        let (input, body) = (&mut self.input, &mut self.body);
        self.needed = self.shared.with(|state| {
            match body.take() {
                Some(body) => state.engine.handle_body(body, now),
                None => state.engine.handle_bytes(input, now),
            }
            *body = if input.is_empty() { state.engine.lend_body() } else { None };
            state.engine.needed()
        });
    }

    /// Writes what waits, as much as the transport takes.
    fn poll_write(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        if self.writing.is_empty() {
            let writing = &mut self.writing;
            if !self.shared.with(|state| state.engine.poll_transmit_into(writing)) {
                return self.poll_flush(context, now);
            }
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.writing.slices(&mut slices);
        let slices = slices.get(..filled).unwrap_or_default();
        self.offered = self.offered.max(slices.iter().map(|slice| slice.len()).sum());
        match Pin::new(&mut self.transport).poll_write_vectored(context, slices) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(0)) => self.write_failed(&io::ErrorKind::WriteZero.into(), context, now),
            Poll::Ready(Ok(count)) => {
                self.writing.advance(count);
                self.offered = self.offered.saturating_sub(count);
                self.shared.with(|state| state.engine.handle_written(count, now));
                Moved::Some
            }
            Poll::Ready(Err(error)) => self.write_failed(&error, context, now),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        match Pin::new(&mut self.transport).poll_flush(context) {
            Poll::Ready(Err(error)) => self.write_failed(&error, context, now),
            Poll::Ready(Ok(())) | Poll::Pending => Moved::Nothing,
        }
    }

    /// The broker may have said why before it went: what has come is read first.
    fn write_failed(&mut self, error: &io::Error, context: &mut Context<'_>, now: Instant) -> Moved {
        while let Moved::Some = self.poll_read(context, now) {}
        self.lost(Some(error))
    }

    /// Reads what has come, at most a chunk of it.
    fn poll_read(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        let read = match &mut self.body {
            Some(body) => {
                let mut room = body.room();
                pin!(self.transport.read_buf(&mut room)).poll(context)
            }
            None => {
                self.make_room();
                pin!(self.transport.read_buf(&mut self.input)).poll(context)
            }
        };
        match read {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(0)) => self.lost(None),
            Poll::Ready(Ok(_)) => {
                self.quiet = false;
                self.hand_in(now);
                Moved::Some
            }
            Poll::Ready(Err(error)) => self.lost(Some(&error)),
        }
    }

    /// The same, for the time up to which everything was read. A pause says nothing about that.
    fn poll_read_noted(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        let read = self.poll_read(context, now);
        self.timer.note_read(!matches!(read, Moved::Nothing));
        read
    }

    /// Room for one read: for a chunk, or for the rest of the next frame. Of one that is large and has to be there as a whole,
    /// as much is reserved as has arrived: its size is only what the peer declares.
    fn make_room(&mut self) {
        if self.input.is_empty() && self.input.capacity() > MOST_KEPT {
            self.input = BytesMut::new();
        }
        let missing = self.needed.saturating_sub(self.input.len()).min(self.input.len().max(READ_CHUNK));
        let (least, wanted) = if self.quiet { (1, QUIET_CHUNK) } else { (READ_CHUNK / 4, READ_CHUNK) };
        if self.input.capacity() - self.input.len() < missing.max(least) {
            self.input.reserve(missing.max(wanted));
        }
    }

    fn lost(&self, error: Option<&io::Error>) -> Moved {
        let withheld = self.writing.len().saturating_sub(self.offered) as u64;
        self.shared.with(|state| {
            state.engine.handle_withheld(withheld);
            state.engine.handle_transport_lost(error);
        });
        Moved::Lost
    }

    /// Does what is due, and sets the timer to whatever comes next.
    fn poll_time(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        let mut deadline = self.shared.with(|state| state.engine.poll_deadline());
        self.judged = None;
        if deadline.is_some_and(|deadline| deadline <= now) {
            let drained = self.timer.drained();
            let next = self.shared.with(|state| {
                state.engine.handle_timeout(now, drained);
                state.engine.poll_deadline()
            });
            if next != deadline {
                return Moved::Some;
            }
            // It is about input, and is judged when the reactor has looked once more.
            self.judged = deadline;
            deadline = Some(now + TICK);
        }
        let idle = self.holds_spare_memory().then(|| self.last_active + IDLE);
        let Some(next) = deadline.into_iter().chain(idle).min() else {
            self.timer.disarm();
            return Moved::Nothing;
        };
        self.timer.arm(next);
        if !self.timer.poll_fired(context, now) {
            return Moved::Nothing;
        }
        if idle.is_some_and(|idle| idle <= now) {
            self.give_back();
        }
        Moved::Some
    }

    /// Octets of memory held for input and output.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.input.capacity() + self.writing.capacity()
    }

    /// Buffers are held that nothing is in.
    fn holds_spare_memory(&self) -> bool {
        let reading = self.input.is_empty() && !self.quiet;
        let writing = self.writing.is_empty() && self.writing.capacity() > 0;
        reading || writing
    }

    /// A quiet connection keeps next to no buffers.
    fn give_back(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.quiet = true;
        }
        self.writing.shrink();
        self.shared.with(|state| state.engine.shrink());
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Future for Driver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.awake();
        let now = this.shared.now();
        for _ in 0..BUDGET {
            let (lost, finished, reads) = this
                .shared
                .with(|state| (state.engine.is_lost(), state.engine.is_finished(), state.engine.poll_reading(now)));
            // What became of everything is decided then: nothing is written after it.
            if lost {
                return Poll::Ready(());
            }
            if finished && this.writing.is_empty() {
                match this.poll_shut(context, now) {
                    Moved::Nothing => return Poll::Pending,
                    Moved::Some => continue,
                    Moved::Lost => return Poll::Ready(()),
                }
            }
            let wrote = this.poll_write(context, now);
            let read = if reads { this.poll_read_noted(context, now) } else { Moved::Nothing };
            if !matches!((&wrote, &read), (Moved::Nothing, Moved::Nothing)) {
                this.last_active = now;
            }
            let timed = this.poll_time(context, now);
            match (wrote, read, timed) {
                (Moved::Lost, ..) | (_, Moved::Lost, _) => return Poll::Ready(()),
                (Moved::Nothing, Moved::Nothing, Moved::Nothing) => {
                    let (stalled, armed) = (!this.writing.is_empty(), this.judged.or(this.timer.armed()));
                    if this.shared.sleep(context.waker().clone(), stalled, armed, !reads) {
                        return Poll::Pending;
                    }
                }
                _ => {}
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Driver<T> {
    /// The last octet is written: end the transport, whatever it says, until the time for that is over too.
    fn poll_shut(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        match Pin::new(&mut self.transport).poll_shutdown(context) {
            Poll::Ready(_) => Moved::Lost,
            Poll::Pending => self.poll_time(context, now),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Drop for Driver<T> {
    fn drop(&mut self) {
        let left = self.shared.with(|state| {
            let something_waits = state.engine.is_unwritten();
            state.engine.leave().map(|last| (last, something_waits))
        });
        if let Some((last, something_waits)) = left {
            leave(&mut self.transport, std::mem::take(&mut self.writing), last, something_waits);
        }
    }
}
