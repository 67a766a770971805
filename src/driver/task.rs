//! The driver: one task per connection, which reads, writes, and watches the deadlines.

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

/// Drives one connection until it is finished. Dropping it, for instance with its runtime, ends the
/// connection; what waits is still written, see [`leave`].
pub(crate) struct Driver<S: Stream, R: Runtime> {
    transport: Transport<S>,
    link: Arc<Shared>,
    pump: Pump,
    timer: Timer<R::Alarm>,
    runtime: R,
    /// The fetching of new secrets, if they expire.
    provider: Option<Asking<R>>,
    /// Whether bytes were written or read since the transport was flushed. It may buffer some: TLS
    /// may answer what was read.
    unflushed: bool,
    /// How the transport ended, if bytes arrived before the end. They are handed in first, because
    /// they may be the broker's reason.
    ended: Option<io::Result<()>>,
}

/// The number of turns after which the task lets others run.
const BUDGET: usize = 32;

/// The result of an attempt to move bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moved {
    /// Some moved, and there may be more.
    Some,
    /// Nothing more moves until the transport wakes the task or there is more to write.
    Nothing,
    Lost,
}

impl<S: Stream, R: Runtime> Driver<S, R> {
    /// Creates a driver for `transport`, with what was read after the handshake.
    pub(super) fn new(
        transport: Transport<S>,
        link: Arc<Shared>,
        input: BytesMut,
        provider: Option<Asking<R>>,
        runtime: R,
    ) -> Self {
        let now = link.now();
        let mut driver = Self {
            transport,
            link,
            pump: Pump::new(input, now),
            timer: Timer::new(runtime.alarm(), now),
            runtime,
            provider,
            unflushed: false,
            ended: None,
        };
        // What arrived with the handshake is handed in before the application can make a request.
        driver.pump.hand_in(&driver.link, now);
        driver
    }

    /// Writes what waits, as much as the transport accepts at once.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Moved {
        if !self.pump.is_writing() {
            return self.poll_flush(context);
        }
        match self.pump.poll_write(&mut self.transport, context) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(())) => {
                self.unflushed = true;
                if self.pump.is_writing() { Moved::Some } else { self.poll_flush(context) }
            }
            Poll::Ready(Err(error)) => self.write_failed(error),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Moved {
        if !self.unflushed || self.pump.is_broken() {
            return Moved::Nothing;
        }
        match self.transport.poll_flush(context) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(())) => {
                self.unflushed = false;
                Moved::Nothing
            }
            Poll::Ready(Err(error)) => self.write_failed(error),
        }
    }

    /// Notes that a write failed. Nothing more is written, and what has arrived is read before the
    /// connection ends: the broker may have sent its reason before it closed the transport. A read
    /// that finds nothing now does not prove that there is nothing, because a stream may not try
    /// before the runtime has checked its readiness again.
    fn write_failed(&mut self, error: io::Error) -> Moved {
        self.pump.write_failed(&self.link, error);
        Moved::Some
    }

    /// Reads what has arrived, until nothing is left or it is enough for one hold of the lock.
    fn poll_read(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        if let Some(ended) = self.ended.take() {
            return self.end(&ended, now);
        }
        while let Some(mut room) = self.pump.room() {
            match self.transport.poll_fill(context, &mut room) {
                Poll::Pending => return Moved::Nothing,
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.pump.read(now);
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

    /// Reads, and records the time up to which everything was read. A pause proves nothing about
    /// that. Nor does a runtime that lets every read wait when a task has used its share of time,
    /// whatever has arrived.
    fn poll_read_noted(&mut self, context: &mut Context<'_>, now: Instant) -> Moved {
        let read = self.poll_read(context, now);
        if read != Moved::Nothing || self.runtime.reads_what_is_there() {
            self.timer.note_read(read != Moved::Nothing);
        } else if self.pump.has_arrived() {
            self.timer.note_read(true);
        }
        read
    }

    /// Writes, and reads if `reads` is set, what moves at once. If nothing moves any more, the
    /// transport is flushed too: TLS may have an answer to what was read last.
    fn poll_move(&mut self, context: &mut Context<'_>, now: Instant, reads: bool) -> Moved {
        let wrote = self.poll_write(context);
        match if reads { self.poll_read_noted(context, now) } else { Moved::Nothing } {
            Moved::Nothing if wrote == Moved::Nothing => self.poll_flush(context),
            Moved::Nothing => Moved::Some,
            read => read,
        }
    }

    /// Sets the timer to when something is due. Returns `true` if it has fired.
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

    /// Ends the transport after the last byte was written, even if that fails. Returns `true` when
    /// it is done.
    fn poll_shut(&mut self, context: &mut Context<'_>) -> bool {
        self.transport.poll_shutdown(context).is_ready()
    }

    /// The number of bytes of memory for input and output.
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
        // The task was woken, and nothing is known about the transport before both directions were
        // tried. So the first turn never lets it sleep.
        let mut rests = None;
        for _ in 0..BUDGET {
            // The waker is passed to a turn only after a round in which nothing moved. Its turn may
            // then let the driver sleep, under the same hold of the lock in which it looks for
            // work: nothing can be queued between the look and the sleep.
            let rest = rests.map(|looked| Rest { waker: context.waker().clone(), looked });
            let turn = this.pump.turn(&this.link, now, this.timer.drained(), rest);
            if let Some(provider) = &mut this.provider {
                provider.follow(turn.secret, &this.link);
            }
            match turn.state {
                Life::Lost => return Poll::Ready(()),
                // While the shutdown is pending, the timer still runs, so that a transport that
                // does not end is given up at the flush deadline, by another turn that finds the
                // connection lost.
                Life::Finished if this.poll_shut(context) => return Poll::Ready(()),
                Life::Finished if this.poll_time(context, now, turn.due) => continue,
                Life::Finished => return Poll::Pending,
                Life::Runs => {}
            }
            // Also before sleeping: the timer has to be registered with this task. If it has fired
            // already, the sleep is cancelled by the next turn, which takes it back.
            let fired = this.poll_time(context, now, turn.due);
            if turn.asleep && !fired {
                return Poll::Pending;
            }
            let moved = this.poll_move(context, now, turn.reads);
            if moved == Moved::Lost {
                return Poll::Ready(());
            }
            // A timer that fired asks for another turn at once, with the time up to which input was
            // read.
            rests = (moved == Moved::Nothing && !fired).then_some(turn.reads);
        }
        // The budget is used up, and more may move. The task is scheduled again after the others.
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

#[cfg(all(test, feature = "tokio"))]
#[allow(clippy::panic, reason = "a test may panic")]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
    use tokio::task::{coop, yield_now};
    use tokio::time::{advance, timeout};

    use super::*;
    use crate::config::ConnectionParameters;
    use leveret_test_support::Peer;

    use crate::driver::tests::parameters;
    use crate::driver::tokio::{OnTokioRuntime, agree as open_on, drive};

    /// A transport that has an answer of its own to whatever it reads, as TLS has at times.
    struct Answering {
        stream: DuplexStream,
        unsaid: Arc<AtomicBool>,
    }

    impl AsyncRead for Answering {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let before = buffer.filled().len();
            let read = Pin::new(&mut self.stream).poll_read(context, buffer);
            self.unsaid.fetch_or(buffer.filled().len() > before, Ordering::Relaxed);
            read
        }
    }

    impl AsyncWrite for Answering {
        fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.stream).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.unsaid.store(false, Ordering::Relaxed);
            Pin::new(&mut self.stream).poll_flush(context)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(context)
        }
    }

    /// A driver, what it shares, its peer, and whether its transport has something to say.
    async fn driven(
        parameters: &ConnectionParameters,
    ) -> (Driver<impl Stream, OnTokioRuntime>, Arc<Shared>, Peer, Arc<AtomicBool>) {
        let (stream, mut peer) = Peer::new(64 * 1024);
        let unsaid = Arc::new(AtomicBool::new(false));
        let transport = Answering { stream, unsaid: Arc::clone(&unsaid) };
        let (agreed, ()) = tokio::join!(open_on(transport, parameters), peer.shake_hands());
        let Ok(agreed) = agreed else { panic!("the handshake fails") };
        let (shared, driver) = drive(agreed);
        (driver, shared, peer, unsaid)
    }

    async fn poll_once(driver: &mut (impl Future<Output = ()> + Unpin)) -> Poll<()> {
        poll_fn(|context| Poll::Ready(Pin::new(&mut *driver).poll(context))).await
    }

    /// Polls once, with so much left of what tokio lets a task do at a time.
    async fn poll_with_budget(driver: &mut (impl Future<Output = ()> + Unpin), left: usize) -> Poll<()> {
        // A task that was away has all of it.
        yield_now().await;
        let all = poll_fn(|context| Poll::Ready(spend(context, usize::MAX))).await;
        yield_now().await;
        poll_fn(|context| {
            spend(context, all - left);
            Poll::Ready(Pin::new(&mut *driver).poll(context))
        })
        .await
    }

    /// Uses up so much of the task's budget, or all of it. How much that was.
    fn spend(context: &mut Context<'_>, most: usize) -> usize {
        let spends = |_: &usize| coop::has_budget_remaining() && pin!(coop::consume_budget()).poll(context).is_ready();
        (0..most).take_while(spends).count()
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_transport_has_to_say_to_a_read_is_flushed_before_the_driver_sleeps() {
        let (mut driver, _shared, mut peer, unsaid) = driven(&parameters()).await;
        assert!(poll_once(&mut driver).await.is_pending());
        peer.send_heartbeat().await;
        assert!(poll_once(&mut driver).await.is_pending());
        assert!(!unsaid.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_is_not_given_up_while_tokio_lets_the_driver_read_nothing() {
        let (mut driver, shared, mut peer, _) = driven(&parameters().heartbeat(10)).await;
        assert!(timeout(Duration::from_secs(19), &mut driver).await.is_err());
        peer.send_heartbeat().await;
        // Two intervals without a read: enough is left for the timer, and nothing for what has
        // come.
        advance(Duration::from_millis(1010)).await;
        assert!(poll_with_budget(&mut driver, 1).await.is_pending());
        assert_eq!(shared.with(|state| state.engine.closure().cloned()), None);
        // The next read finds the heartbeat.
        assert!(timeout(Duration::from_secs(15), &mut driver).await.is_err());
        assert_eq!(shared.with(|state| state.engine.closure().cloned()), None);
    }
}
