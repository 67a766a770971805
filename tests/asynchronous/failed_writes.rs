//! Writes that fail while something has arrived that the runtime has not reported: it is read
//! before the connection is given up.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use leveret::protocol::{ReplyCode, basic, connection};
use leveret::{Connection, ConnectionParameters, Error, ErrorKind, Initiator, Publisher};
use leveret_test_support::attention::let_others_run_once;
use leveret_test_support::frames::octets_of_method;
use leveret_test_support::{Peer, endings};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::Instant;

use super::client::parameters;
use super::steps::publisher;

const CAPACITY: usize = 64 * 1024;

/// What fails, and how.
#[derive(Debug, Clone, Copy)]
enum Failing {
    Write(io::ErrorKind),
    /// Writes are buffered.
    Flush(io::ErrorKind),
}

/// The state of a socket, as its runtime sees it.
#[derive(Default)]
struct Seen {
    failing: Option<Failing>,
    /// The runtime has not checked whether there is something to read since something arrived.
    is_unchecked: bool,
    reader: Option<Waker>,
}

/// A socket.
struct Socket {
    stream: DuplexStream,
    seen: Arc<Mutex<Seen>>,
}

impl Socket {
    fn check(&self, is_failing: impl Fn(Failing) -> Option<io::ErrorKind>) -> io::Result<()> {
        let failing = self.seen.lock().unwrap().failing.and_then(is_failing);
        failing.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut seen = self.seen.lock().unwrap();
        if seen.is_unchecked {
            seen.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        drop(seen);
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.check(|failing| if let Failing::Write(kind) = failing { Some(kind) } else { None })?;
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.check(|failing| if let Failing::Flush(kind) = failing { Some(kind) } else { None }))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A connection over such a socket, and its peer.
struct World {
    connection: Connection,
    publisher: Publisher,
    peer: Option<Peer>,
    seen: Arc<Mutex<Seen>>,
}

impl World {
    async fn new(parameters: ConnectionParameters) -> Self {
        let (stream, mut peer) = Peer::new(CAPACITY);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let socket = Socket { stream, seen: Arc::clone(&seen) };
        let (opened, ()) = tokio::join!(Connection::open_on(socket, parameters), peer.shake_hands());
        let connection = opened.unwrap();
        endings::watch(connection.leftovers());
        let (channel, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
        let channel = channel.unwrap();
        let publisher = publisher(&channel, &mut peer).await;
        Self { connection, publisher, peer: Some(peer), seen }
    }

    /// Writes fail from here on, and what arrives is not reported.
    fn fails(&self, failing: Failing) {
        let mut seen = self.seen.lock().unwrap();
        seen.failing = Some(failing);
        seen.is_unchecked = true;
    }

    /// The broker sends its reason, and is gone.
    async fn broker_stops(&mut self) {
        let close = connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED).reply_text("shutdown");
        let mut peer = self.peer.take().unwrap();
        peer.send(0, close).await;
    }

    /// The runtime checks the socket.
    fn reports(&self) {
        let mut seen = self.seen.lock().unwrap();
        seen.is_unchecked = false;
        let reader = seen.reader.take();
        drop(seen);
        reader.expect("the driver waits for input").wake();
    }

    /// Publishes, which the driver tries to write; the runtime checks the socket after that.
    async fn publish(&self) -> Error {
        let publishing = tokio::spawn({
            let publisher = self.publisher.clone();
            async move { publisher.publish("", "q", "x").confirmed().await }
        });
        let_others_run_once().await;
        let_others_run_once().await;
        assert!(!publishing.is_finished(), "what has arrived may say why");
        self.reports();
        publishing.await.unwrap().unwrap_err()
    }
}

#[track_caller]
fn assert_forced(error: &Error, what: &str) {
    let about = (error.kind(), error.initiator(), error.reply_code());
    let forced = (ErrorKind::ConnectionClosed, Some(Initiator::Broker), Some(ReplyCode::CONNECTION_FORCED));
    assert_eq!(about, forced, "{what}: {error:?}");
    assert_eq!(error.reply_text().as_deref(), Some("shutdown"));
}

const KINDS: [io::ErrorKind; 3] = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut];

#[tokio::test(start_paused = true)]
async fn the_reason_that_lies_unreported_in_a_socket_is_read_when_a_write_fails() {
    for failing in KINDS.map(Failing::Write).into_iter().chain(KINDS.map(Failing::Flush)) {
        let mut world = World::new(parameters()).await;
        world.fails(failing);
        world.broker_stops().await;
        let error = world.publish().await;
        assert_forced(&error, &format!("{failing:?}"));
        assert_forced(&world.connection.open_channel().await.unwrap_err(), "later");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_write_failed_and_that_says_no_more_is_given_up_at_once() {
    for failing in KINDS.map(Failing::Write).into_iter().chain(KINDS.map(Failing::Flush)) {
        let world = World::new(parameters()).await;
        world.fails(failing);
        world.seen.lock().unwrap().is_unchecked = false;
        let before = Instant::now();
        let error = world.publisher.publish("", "q", "x").confirmed().await.unwrap_err();
        assert!(before.elapsed() < Duration::from_millis(10), "{:?}", before.elapsed());
        assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Transport)));
        let (Failing::Write(kind) | Failing::Flush(kind)) = failing;
        assert!(error.to_string().contains(&io::Error::from(kind).to_string()), "{error}");
        drop(world);
    }
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_write_is_the_cause_if_nothing_but_the_end_arrives() {
    for kind in KINDS {
        let mut world = World::new(parameters()).await;
        world.fails(Failing::Write(kind));
        drop(world.peer.take());
        let error = world.publish().await;
        assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Transport)));
        // A broken pipe says the same as the end of the stream, and less clearly.
        let says_so = error.to_string().contains(&io::Error::from(kind).to_string());
        assert_eq!(says_so, kind != io::ErrorKind::BrokenPipe, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_arrived_before_the_reason_counts_too() {
    let mut world = World::new(parameters()).await;
    let first = world.publisher.publish("", "q", "x").await.unwrap();
    let mut peer = world.peer.take().unwrap();
    peer.expect_publish(1).await;
    world.fails(Failing::Write(io::ErrorKind::ConnectionReset));
    peer.send_octets(&octets_of_method(1, &basic::Ack::default().delivery_tag(1))).await;
    world.peer = Some(peer);
    world.broker_stops().await;
    assert_forced(&world.publish().await, "the second");
    first.await.unwrap();
}
