//! A runtime that was blocked while input arrived: what lies in the socket is read before anything
//! is given up for the lack of it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use leveret::Connection;
use leveret::protocol::{connection, queue};
use leveret_test_support::Peer;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::Instant;

use super::client::parameters;

/// A transport of which the reactor reports nothing as long as its thread is blocked.
struct Watched {
    stream: DuplexStream,
    reactor: Arc<Mutex<Reactor>>,
}

#[derive(Default)]
struct Reactor {
    /// It looks again after this.
    blocked_until: Option<Instant>,
    reader: Option<Waker>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut reactor = self.reactor.lock().unwrap();
        if reactor.blocked_until.is_some_and(|until| Instant::now() <= until) {
            reactor.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        drop(reactor);
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A client on a transport whose reactor can be blocked.
async fn connect(parameters: leveret::ConnectionParameters) -> (Connection, Peer, Arc<Mutex<Reactor>>) {
    let (stream, mut peer) = Peer::new(64 * 1024);
    let reactor = Arc::new(Mutex::new(Reactor::default()));
    let transport = Watched { stream, reactor: Arc::clone(&reactor) };
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters), peer.shake_hands());
    (opened.unwrap(), peer, reactor)
}

/// How long the thread is blocked: longer than anything that is waited for.
const BLOCKED: Duration = Duration::from_secs(100);

/// The thread is blocked, and something arrives meanwhile; the reactor looks after it.
async fn block(reactor: &Mutex<Reactor>, arrive: impl Future<Output = ()>) {
    reactor.lock().unwrap().blocked_until = Some(Instant::now() + BLOCKED);
    arrive.await;
    tokio::time::advance(BLOCKED).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let reader = reactor.lock().unwrap().reader.take();
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_lie_in_the_socket_of_a_blocked_thread_are_not_missed() {
    let (connection, mut peer, reactor) = connect(parameters().heartbeat(10)).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        block(&reactor, peer.send_heartbeat()).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(connection.is_open(), "{:?}", connection.closed_by());
    }
    // Silence is still silence.
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert!(connection.closed_by().unwrap().is_heartbeat_missed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lies_in_the_socket_of_a_blocked_thread_is_in_time() {
    let limit = Duration::from_secs(5);
    let (connection, mut peer, reactor) = connect(parameters().call_timeout(limit).close_timeout(limit)).await;
    let (channel, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
    let channel = channel.unwrap();
    let script = async {
        peer.expect::<queue::Declare>(1).await;
        block(&reactor, peer.send(1, queue::DeclareOk::default())).await;
        peer
    };
    let (declared, mut peer) = tokio::join!(channel.queue_declare("q").into_future(), script);
    declared.unwrap();
    let script = async {
        peer.expect::<connection::Close>(0).await;
        block(&reactor, peer.send(0, connection::CloseOk::default())).await;
    };
    let (closed, ()) = tokio::join!(connection.close(), script);
    closed.unwrap();
}
