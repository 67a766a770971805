//! A connection of which a test sees each transport, and what is written to it.

use std::future::ready as now;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use leveret::broker::{Broker, Stream};
use leveret::protocol::MethodId;
use leveret::{Connection, ConnectionParameters};
use leveret_test_support::endings;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::World;
use crate::soon;

/// The size of the protocol header, with which a client begins.
const HEADER: usize = 8;

/// What becomes of the first transport in one of its directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It works.
    Works,
    /// It is stuck.
    Hangs,
    /// It fails at its next use.
    Fails,
}

/// What was written to a transport.
#[derive(Debug, Default)]
struct Written {
    /// What is no whole frame yet.
    rest: Vec<u8>,
    /// The methods, with their channels.
    methods: Vec<(u16, MethodId)>,
}

/// What all transports of a connection have in common.
#[derive(Debug, Default)]
pub(super) struct Tap {
    /// How many were made.
    made: AtomicUsize,
    /// How many exist.
    alive: AtomicUsize,
    /// The largest number that existed at one time.
    most: AtomicUsize,
    /// What was written to each.
    written: Mutex<Vec<Written>>,
    /// What becomes of reads and writes of the first one.
    ways: Mutex<Option<(Way, Way)>>,
}

impl Tap {
    pub(super) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    pub(super) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// The methods that were written to a transport, with their channels, in order.
    pub(super) fn methods(&self, transport: usize) -> Vec<(u16, MethodId)> {
        self.written.lock().unwrap().get(transport).map(|it| it.methods.clone()).unwrap_or_default()
    }

    /// How often a method was written to a transport.
    pub(super) fn count(&self, transport: usize, method: MethodId) -> usize {
        self.methods(transport).iter().filter(|(_, written)| *written == method).count()
    }

    /// Decides what becomes of reads and writes of the first transport from now on.
    pub(super) fn disturb(&self, reads: Way, writes: Way) {
        *self.ways.lock().unwrap() = Some((reads, writes));
    }

    fn ways(&self, transport: usize) -> (Way, Way) {
        self.ways.lock().unwrap().filter(|_| transport == 0).unwrap_or((Way::Works, Way::Works))
    }

    fn connect(self: &Arc<Self>, inner: Stream) -> Tapped {
        self.written.lock().unwrap().push(Written::default());
        let alive = self.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(alive, Ordering::SeqCst);
        Tapped { number: self.made.fetch_add(1, Ordering::SeqCst), inner, tap: Arc::clone(self) }
    }

    fn note(&self, transport: usize, octets: &[u8]) {
        let mut written = self.written.lock().unwrap();
        let Written { rest: buffer, methods } = &mut written[transport];
        let begins = buffer.is_empty() && methods.is_empty();
        buffer.extend_from_slice(octets);
        if begins && buffer.starts_with(b"AMQP") {
            buffer.drain(..HEADER);
        }
        let number = |octets: &[u8]| octets.iter().fold(0, |sum, octet| (sum << 8) | usize::from(*octet));
        while buffer.len() >= 7 {
            let end = 7 + number(&buffer[3..7]) + 1;
            if buffer.len() < end {
                break;
            }
            let id = |at: usize| u16::try_from(number(&buffer[at..at + 2])).unwrap();
            if buffer[0] == 1 {
                methods.push((id(1), MethodId::new(id(7), id(9))));
            }
            buffer.drain(..end);
        }
    }
}

/// A transport to the embedded broker.
pub(super) struct Tapped {
    number: usize,
    inner: Stream,
    tap: Arc<Tap>,
}

impl Drop for Tapped {
    fn drop(&mut self) {
        self.tap.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl AsyncRead for Tapped {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.tap.ways(self.number).0 {
            Way::Works => Pin::new(&mut self.inner).poll_read(context, into),
            Way::Hangs => Poll::Pending,
            Way::Fails => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.tap.ways(self.number).1 {
            Way::Works => {}
            Way::Hangs => return Poll::Pending,
            Way::Fails => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
        let written = Pin::new(&mut self.inner).poll_write(context, octets);
        if let Poll::Ready(Ok(count)) = &written {
            self.tap.note(self.number, &octets[..*count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl World {
    /// A world of which each transport is seen.
    pub(super) async fn tapped(parameters: ConnectionParameters) -> (Self, Arc<Tap>) {
        let (broker, reachable, tap) = (Broker::new(), Arc::new(AtomicBool::new(true)), Arc::new(Tap::default()));
        let dial = {
            let (broker, reachable, tap) = (broker.clone(), Arc::clone(&reachable), Arc::clone(&tap));
            move || {
                let open = reachable.load(Ordering::Relaxed);
                let stream = open.then(|| tap.connect(broker.connect()));
                now(stream.ok_or_else(|| io::ErrorKind::ConnectionRefused.into()))
            }
        };
        let connection = soon(Connection::open_with(dial, parameters)).await.unwrap();
        endings::watch(connection.leftovers());
        let channel = soon(connection.open_channel()).await.unwrap();
        (Self { broker, connection, channel, reachable }, tap)
    }
}
