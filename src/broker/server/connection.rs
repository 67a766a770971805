//! The task of a connection: moves octets and time between the broker's state and a transport.

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

/// Serves one client until it or the broker ends the connection. Dropping it, with its runtime for
/// instance, drops the transport.
pub(super) struct Connection<T> {
    id: ConnectionId,
    transport: T,
    shared: Arc<Shared>,
    /// Read, and not taken by the state yet.
    input: BytesMut,
    /// Taken from the state, and not taken by the transport yet. While there is some, no more is
    /// taken: what a client does not read stays bounded.
    writing: Outbound,
    timer: Pin<Box<Sleep>>,
    armed: bool,
    /// The time that the transport has to end in, from when the state has given it up.
    ending: Option<Pin<Box<Sleep>>>,
    /// The last octet is written, and the client told so.
    shut: bool,
    /// A step is being taken: a panic in it leaves this set. One that tells that this thread holds
    /// a guard comes before.
    stepping: bool,
}

/// Room for one read, and so octets handed in under one hold of the lock.
const READ_CHUNK: usize = 16 * 1024;

/// Writes or reads before the task lets others run.
const BUDGET: usize = 32;

/// How long a client may take to read the last words, and to end its side.
const LINGER: Duration = Duration::from_secs(5);

/// What one attempt to move octets came to.
#[derive(PartialEq)]
enum Moved {
    Some,
    Nothing,
    Lost,
}

impl<T: Stream> Connection<T> {
    /// Sets off the task that serves the client at the other end of `transport`.
    pub(super) fn start(shared: &Arc<Shared>, transport: T) {
        // First, as it panics where there is no runtime with a clock: nobody has come then.
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let connection = Self {
            id: shared.connect(now()),
            transport,
            shared: Arc::clone(shared),
            input: BytesMut::new(),
            writing: Outbound::new(),
            timer,
            armed: false,
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
            if wrote == Moved::Lost && look.wants_input {
                // It may have said something before it went.
                while self.poll_read(context) == Moved::Some {}
            }
            match (wrote, read, timed) {
                (Moved::Lost, ..) | (_, Moved::Lost, _) | (.., Moved::Lost) => return Poll::Ready(()),
                (Moved::Nothing, Moved::Nothing, Moved::Nothing) if !look.ready => return Poll::Pending,
                _ => {}
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what waits, as much as the transport takes.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Moved {
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

    /// Hands in what was left lying, where that may be taken by now, or what the transport has.
    fn poll_input(&mut self, context: &mut Context<'_>, ready: bool) -> Moved {
        if ready && !self.input.is_empty() {
            self.hand_in();
        }
        self.poll_read(context)
    }

    /// Reads what has come, at most a chunk of it.
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

    /// The state has let go of the connection and its last octet is written: says so, and waits for
    /// the client to do the same. A socket that is closed before all is read would take the last
    /// words back.
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
