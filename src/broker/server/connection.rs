//! The task of a connection, which moves bytes and time between the broker's state and a transport.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Sleep;

use super::now;
use super::shared::{Left, Shared};
use crate::broker::{ConnectionId, Transport};
use crate::frame::Outbound;
use crate::transport::{Stream, poll_read_more, poll_send};

/// Serves one client until it or the broker ends the connection. Dropping it, for instance with its
/// runtime, drops the transport.
pub(super) struct Connection<T> {
    id: ConnectionId,
    transport: T,
    shared: Arc<Shared>,
    /// What was read and not taken by the state yet.
    input: BytesMut,
    /// What was taken from the state and not accepted by the transport yet. While there is any, no
    /// more is taken, so that the output for a client that does not read is bounded.
    writing: Outbound,
    timer: Pin<Box<Sleep>>,
    armed: bool,
    /// Set when a write has failed, after which nothing more is written: when everything that the
    /// client sent before has been read.
    broken: Option<Pin<Box<Sleep>>>,
    /// The time limit for the end of the transport, set when the state has closed it.
    ending: Option<Pin<Box<Sleep>>>,
    /// Whether the last byte was written and the outgoing direction was shut down.
    shut: bool,
    /// Whether a step is running: a panic in it leaves this set. The panic that reports a guard
    /// held by this thread is raised before it is set.
    stepping: bool,
}

/// The number of bytes that are read at a time, and so handed in under one hold of the lock.
const READ_CHUNK: usize = 16 * 1024;

/// The number of writes or reads after which the task lets others run.
const BUDGET: usize = 32;

/// The resolution of timers. One that is set this much ahead fires after a check for readiness that
/// has not begun yet.
const TICK: Duration = Duration::from_millis(1);

/// How long a client may take to read the last bytes and to end its side.
const LINGER: Duration = Duration::from_secs(5);

/// The result of one attempt to move bytes.
#[derive(PartialEq)]
enum Moved {
    Some,
    Nothing,
    Lost,
}

impl<T: Stream> Connection<T> {
    /// Spawns the task that serves the client at the other end of `transport`.
    pub(super) fn start(shared: &Arc<Shared>, transport: T) {
        // First, because it panics if there is no runtime with timers. No connection exists then.
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let connection = Self {
            id: shared.connect(now()),
            transport,
            shared: Arc::clone(shared),
            input: BytesMut::new(),
            writing: Outbound::new(),
            timer,
            armed: false,
            broken: None,
            ending: None,
            shut: false,
            stepping: false,
        };
        tokio::spawn(connection);
    }

    /// Moves what can be moved.
    fn run(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.shared.running(self.id, context) {
            return Poll::Ready(());
        }
        self.stepping = true;
        for _ in 0..BUDGET {
            let look = self.shared.look(self.id, self.writing.is_empty(), now());
            if let Some(outbound) = look.outbound {
                self.writing = outbound;
            }
            if let Some(deadline) = look.arm {
                self.timer.as_mut().reset(deadline.into());
                self.armed = true;
            }
            if look.transport == Transport::Gone {
                return Poll::Ready(());
            }
            let wrote = self.poll_write(context);
            let read = match look.transport {
                Transport::Closing if self.writing.is_empty() => self.poll_shut(context),
                _ if look.wants_input => self.poll_input(context, look.ready),
                _ => Moved::Nothing,
            };
            let timed = self.poll_time(context, look.transport);
            match (wrote, read, timed) {
                (_, Moved::Lost, _) | (.., Moved::Lost) => return Poll::Ready(()),
                // The client may have sent something before its transport failed.
                (Moved::Lost, Moved::Nothing, _) if !look.wants_input || self.has_read_all(context) => {
                    return Poll::Ready(());
                }
                (Moved::Lost, Moved::Nothing, Moved::Nothing) if !look.ready => return Poll::Pending,
                (Moved::Nothing, Moved::Nothing, Moved::Nothing) if !look.ready => return Poll::Pending,
                _ => {}
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what waits, as much as the transport accepts.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Moved {
        if self.broken.is_some() {
            return Moved::Lost;
        }
        if self.writing.is_empty() {
            return match self.transport.poll_flush(context) {
                Poll::Ready(Err(_)) => Moved::Lost,
                Poll::Ready(Ok(())) | Poll::Pending => Moved::Nothing,
            };
        }
        match poll_send(&mut self.transport, context, &mut self.writing, &mut 0) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(_)) => Moved::Some,
            Poll::Ready(Err(_)) => Moved::Lost,
        }
    }

    /// After a failed write and a read that found nothing: whether nothing can be found any more. A
    /// read alone does not prove that, because the runtime does not try it before the transport is
    /// reported as readable.
    fn has_read_all(&mut self, context: &mut Context<'_>) -> bool {
        let broken = self.broken.get_or_insert_with(|| Box::pin(tokio::time::sleep(TICK)));
        broken.as_mut().poll(context).is_ready()
    }

    /// Hands in what the state has not taken yet, if it may take it by now, or what the transport
    /// has.
    fn poll_input(&mut self, context: &mut Context<'_>, ready: bool) -> Moved {
        if ready && !self.input.is_empty() {
            self.hand_in();
        }
        self.poll_read(context)
    }

    /// Reads what has arrived, at most a chunk.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Moved {
        match poll_read_more(&mut self.transport, context, &mut self.input, READ_CHUNK) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(count)) if count > 0 => {
                self.hand_in();
                Moved::Some
            }
            Poll::Ready(_) => Moved::Lost,
        }
    }

    fn hand_in(&mut self) {
        let Self { id, shared, input, .. } = self;
        shared.step(Some(*id), |state| state.handle_bytes(*id, input, now()));
    }

    /// Ends the outgoing direction after the state has closed the connection and the last byte was
    /// written, and waits for the client to do the same. A socket that is closed before everything
    /// is read is reset, and the client could lose the last bytes.
    fn poll_shut(&mut self, context: &mut Context<'_>) -> Moved {
        if !self.shut {
            match self.transport.poll_shutdown(context) {
                Poll::Pending => return Moved::Nothing,
                Poll::Ready(Err(_)) => return Moved::Lost,
                Poll::Ready(Ok(())) => self.shut = true,
            }
        }
        self.input.clear();
        match poll_read_more(&mut self.transport, context, &mut self.input, READ_CHUNK) {
            Poll::Pending => Moved::Nothing,
            Poll::Ready(Ok(count)) if count > 0 => Moved::Some,
            Poll::Ready(_) => Moved::Lost,
        }
    }

    /// Does what is due.
    fn poll_time(&mut self, context: &mut Context<'_>, transport: Transport) -> Moved {
        if transport == Transport::Closing {
            let ending = self.ending.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
            if ending.as_mut().poll(context).is_ready() {
                return Moved::Lost;
            }
        }
        if !self.armed || self.timer.as_mut().poll(context).is_pending() {
            return Moved::Nothing;
        }
        self.armed = false;
        self.shared.timed_out(self.id, now());
        Moved::Some
    }
}

impl<T: Stream> Future for Connection<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let done = this.run(context);
        this.stepping = false;
        done
    }
}

impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.shared.leave(Left::Connection { id: self.id, sound: !self.stepping, at: now() });
    }
}
