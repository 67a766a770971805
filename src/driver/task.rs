//! The driver: one task per connection that reads, writes and keeps time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;

use super::leaving::leave;
use super::pump::{Life, Pump, Rest};
use super::renewal::Asking;
use super::runtime::Runtime;
use super::timer::Timer;
use crate::link::Shared;
use crate::transport::{Stream, Transport};

/// Drives one connection until it is finished. Dropping it, with its runtime for instance, loses
/// the connection; what waits still goes out, see [`leave`].
pub(crate) struct Driver<S: Stream, R: Runtime> {
    transport: Transport<S>,
    link: Arc<Shared>,
    pump: Pump,
    timer: Timer<R::Alarm>,
    /// Whom to ask for a new secret.
    provider: Option<Asking<R>>,
    /// Bytes were written that the transport may hold back until it is flushed.
    unflushed: bool,
    /// How the transport ended, where bytes came before that are handed in first: what they say may
    /// be answered.
    ended: Option<io::Result<()>>,
}

/// Turns before the task lets others run.
const BUDGET: usize = 32;

/// What an attempt to move bytes came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moved {
    /// Some, and there may be more.
    Some,
    /// Nothing more, until the transport wakes the task or there is something new.
    Nothing,
    Lost,
}

impl<S: Stream, R: Runtime> Driver<S, R> {
    /// A driver for `transport`, with what was read after the handshake.
    pub(super) fn new(
        transport: Transport<S>,
        link: Arc<Shared>,
        input: BytesMut,
        provider: Option<Asking<R>>,
        alarm: R::Alarm,
    ) -> Self {
        let now = link.now();
        let mut driver = Self {
            transport,
            link,
            pump: Pump::new(input, now),
            timer: Timer::new(alarm, now),
            provider,
            unflushed: false,
            ended: None,
        };
        // What came with the handshake is handed in before anybody asks for anything.
        driver.pump.turn(&driver.link, now, now, None);
        driver
    }

    /// Writes what waits, as much as the transport takes at once.
    fn poll_write(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        if !self.pump.is_writing() {
            return self.poll_flush(context, now);
        }
        match self.pump.poll_write(&mut self.transport, context) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(())) => {
                self.unflushed = true;
                if self.pump.is_writing() { Moved::Some } else { self.poll_flush(context, now) }
            }
            Poll::Ready(Err(error)) => self.write_failed(&error, context, now),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        if !self.unflushed {
            return Moved::Nothing;
        }
        match self.transport.poll_flush(context) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(())) => {
                self.unflushed = false;
                Moved::Nothing
            }
            Poll::Ready(Err(error)) => self.write_failed(&error, context, now),
        }
    }

    /// The broker may have said why before it went: what has come is read first.
    fn write_failed(&mut self, error: &io::Error, context: &mut Context<'_>, now: Instant) -> Moved {
        while self.poll_read(context, now) == Moved::Some {
            self.pump.turn(&self.link, now, self.timer.drained(), None);
        }
        self.pump.lost(&self.link, Some(error), now);
        Moved::Lost
    }

    /// Reads what has come, until there is nothing or it is enough for one hold of the lock.
    fn poll_read(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        if let Some(ended) = self.ended.take() {
            return self.end(&ended, now);
        }
        while let Some(mut room) = self.pump.room() {
            match self.transport.poll_fill(context, &mut room) {
                Poll::Pending => return Moved::Nothing,
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.pump.read(now);
                    // TLS may have something to say to that.
                    self.unflushed = true;
                }
                Poll::Ready(ended) if self.pump.has_arrived() => {
                    self.ended = Some(ended.map(drop));
                    return Moved::Some;
                }
                Poll::Ready(ended) => return self.end(&ended.map(drop), now),
            }
        }
        Moved::Some
    }

    fn end(&mut self, ended: &io::Result<()>, now: Instant) -> Moved {
        self.pump.lost(&self.link, ended.as_ref().err(), now);
        Moved::Lost
    }

    /// The same, for the time up to which everything was read. A pause says nothing about that.
    fn poll_read_noted(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        let read = self.poll_read(context, now);
        self.timer.note_read(read != Moved::Nothing);
        read
    }

    /// Sets the timer to when something is due. Whether that is now.
    fn poll_time(&mut self, context: &mut Context<'_>, now: Instant, due: Option<Instant>) -> bool {
        let mut idle = self.pump.idle_at();
        if idle.is_some_and(|idle| idle <= now) {
            self.pump.give_back(&self.link);
            idle = None;
        }
        let Some(next) = due.into_iter().chain(idle).min() else {
            self.timer.disarm();
            return false;
        };
        self.timer.arm(next, now);
        self.timer.poll_fired(context, now)
    }

    /// The last byte is written: ends the transport, whatever it says. Whether that is done.
    fn poll_shut(&mut self, context: &mut Context<'_>) -> bool {
        self.transport.poll_shutdown(context).is_ready()
    }

    /// Bytes of memory held for input and output.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.pump.held()
    }
}

impl<S: Stream, R: Runtime> Future for Driver<S, R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let now = this.link.now();
        // It is awake: nothing is known to rest before it was tried.
        let mut rests = None;
        for _ in 0..BUDGET {
            let rest = rests.map(|looked| Rest { waker: context.waker().clone(), looked });
            let turn = this.pump.turn(&this.link, now, this.timer.drained(), rest);
            if let Some(provider) = this.provider.as_mut().filter(|_| turn.wants_secret) {
                provider.ask(&this.link);
            }
            match turn.state {
                Life::Lost => return Poll::Ready(()),
                Life::Finished if this.poll_shut(context) => return Poll::Ready(()),
                Life::Finished if this.poll_time(context, now, turn.due) => continue,
                Life::Finished => return Poll::Pending,
                Life::Runs => {}
            }
            let fired = this.poll_time(context, now, turn.due);
            if turn.asleep && !fired {
                return Poll::Pending;
            }
            let wrote = this.poll_write(context, now);
            if wrote == Moved::Lost {
                return Poll::Ready(());
            }
            let read = if turn.reads { this.poll_read_noted(context, now) } else { Moved::Nothing };
            if read == Moved::Lost {
                return Poll::Ready(());
            }
            rests = (wrote == Moved::Nothing && read == Moved::Nothing && !fired).then_some(turn.reads);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: Stream, R: Runtime> Drop for Driver<S, R> {
    fn drop(&mut self) {
        if let Some((waiting, something_waits)) = self.pump.leave(&self.link) {
            leave(&mut self.transport, waiting, something_waits);
        }
    }
}
