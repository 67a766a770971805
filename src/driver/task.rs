//! The tokio driver: one task per connection that reads, writes and keeps time.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::Sleep;

use super::Shared;
use crate::frame::Outbound;

/// Drives one connection until it is finished. Dropping it, with its runtime for instance, loses the connection.
pub(crate) struct Driver<T> {
    transport: T,
    shared: Arc<Shared>,
    input: BytesMut,
    /// Octets that `input` must hold before the engine can go on.
    needed: usize,
    /// Nothing has come for a while: a small buffer will do.
    quiet: bool,
    /// Taken from the engine, and not yet accepted by the transport. It counts as queued.
    writing: Outbound,
    /// The timer, and what it is set to.
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
    /// When octets last moved: buffers of a quiet connection are given back.
    last_active: Instant,
}

/// Octets read at a time, and so handed in under one hold of the lock.
const READ_CHUNK: usize = 64 * 1024;

/// The same on a connection that has been quiet.
const QUIET_CHUNK: usize = 1024;

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

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// A driver for `transport`, with what was read after the handshake.
    pub(crate) fn new(transport: T, shared: Arc<Shared>, input: BytesMut) -> Self {
        let now = now();
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut driver = Self {
            transport,
            shared,
            input,
            needed: 0,
            quiet: false,
            writing: Outbound::new(),
            timer,
            armed: None,
            last_active: now,
        };
        driver.hand_in(now);
        driver
    }

    fn hand_in(&mut self, now: Instant) {
        let input = &mut self.input;
        self.needed = self.shared.with(|state| {
            state.engine.handle_bytes(input, now);
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
        match Pin::new(&mut self.transport).poll_write_vectored(context, slices) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(0)) => self.write_failed(&io::ErrorKind::WriteZero.into(), context, now),
            Poll::Ready(Ok(count)) => {
                self.writing.advance(count);
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
        self.make_room();
        let read = pin!(self.transport.read_buf(&mut self.input)).poll(context);
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

    /// Room for one read: for the whole of the next frame, whose size is bounded by what was negotiated, or for a chunk.
    fn make_room(&mut self) {
        let missing = self.needed.saturating_sub(self.input.len());
        let (least, wanted) = if self.quiet { (1, QUIET_CHUNK) } else { (READ_CHUNK / 4, READ_CHUNK) };
        if self.input.capacity() - self.input.len() < missing.max(least) {
            self.input.reserve(missing.max(wanted));
        }
    }

    fn lost(&self, error: Option<&io::Error>) -> Moved {
        self.shared.with(|state| state.engine.handle_transport_lost(error));
        Moved::Lost
    }

    /// Sets the timer to whatever comes first, and does what is due.
    fn poll_time(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        let deadline = self.shared.with(|state| state.engine.poll_deadline());
        let idle = self.holds_spare_memory().then(|| self.last_active + IDLE);
        let Some(next) = deadline.into_iter().chain(idle).min() else {
            self.armed = None;
            return Moved::Nothing;
        };
        // A timer that is set too early costs a wake; setting it anew for every frame costs more.
        if self.armed.is_none_or(|armed| armed > next) {
            self.timer.as_mut().reset(next.into());
            self.armed = Some(next);
        }
        if self.timer.as_mut().poll(context).is_pending() {
            return Moved::Nothing;
        }
        self.armed = None;
        if deadline.is_some_and(|deadline| deadline <= now) {
            self.shared.with(|state| state.engine.handle_timeout(now));
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

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Driver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.awake();
        let now = now();
        for _ in 0..BUDGET {
            let wrote = this.poll_write(context, now);
            let (lost, finished) = this.shared.with(|state| (state.engine.is_lost(), state.engine.is_finished()));
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
            let read = this.poll_read(context, now);
            if !matches!((&wrote, &read), (Moved::Nothing, Moved::Nothing)) {
                this.last_active = now;
            }
            let timed = this.poll_time(context, now);
            match (wrote, read, timed) {
                (Moved::Lost, ..) | (_, Moved::Lost, _) => return Poll::Ready(()),
                (Moved::Nothing, Moved::Nothing, Moved::Nothing)
                    if this.shared.sleep(context.waker().clone(), !this.writing.is_empty(), this.armed) =>
                {
                    return Poll::Pending;
                }
                _ => {}
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// The last octet is written: end the transport, whatever it says, until the time for that is over too.
    fn poll_shut(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        match Pin::new(&mut self.transport).poll_shutdown(context) {
            Poll::Ready(_) => Moved::Lost,
            Poll::Pending => self.poll_time(context, now),
        }
    }
}

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.shared.with(|state| state.engine.handle_driver_gone());
    }
}

/// The runtime's clock, so that tests can turn it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
