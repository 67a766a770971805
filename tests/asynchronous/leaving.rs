//! A runtime that is dropped with messages queued: they still reach the broker, and are not
//! reported as not sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;

use leveret::frame::FrameKind;
use leveret::protocol::{Method, basic, connection};
use leveret::{Confirm, Connection, ConnectionParameters, ErrorKind};
use leveret_test_support::{Peer, tune};
use tokio::runtime::{Builder, Runtime};

use super::client::{Connect as _, parameters};
use super::host::Line;

/// Messages that are more than sockets on loopback hold.
const MESSAGES: usize = 10_000;
const SIZE: usize = 2048;

/// What a peer of real sockets has read.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    bodies: usize,
    closed: bool,
    /// The stream was ended behind a whole frame, and not reset or cut.
    ended: bool,
}

/// A broker on a thread. It reads no message before it is let.
struct Host {
    port: u16,
    go: mpsc::Sender<()>,
    thread: JoinHandle<Heard>,
}

impl Host {
    /// `secure` makes of a socket what is spoken on.
    fn new<S: Read + Write>(secure: impl FnOnce(TcpStream) -> S + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (go, wait) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let ender = socket.try_clone().unwrap();
            let heard = converse(secure(socket), &wait);
            drop(ender.shutdown(Shutdown::Both));
            heard
        });
        Self { port, go, thread }
    }

    fn plain() -> Self {
        Self::new(|socket| socket)
    }

    /// What it has heard in the end, the runtime of the client being dropped.
    fn hear(self, runtime: Runtime) -> Heard {
        self.go.send(()).unwrap();
        drop(runtime);
        self.thread.join().unwrap()
    }
}

/// Reads to the end of the stream, and waits to be let behind the first message.
fn converse<S: Read + Write>(stream: S, wait: &mpsc::Receiver<()>) -> Heard {
    let mut line = Line::begin(stream);
    let (mut heard, mut published) = (Heard::default(), 0);
    loop {
        let frame = match line.receive() {
            Ok(Some(frame)) => frame,
            Ok(None) => return Heard { ended: true, ..heard },
            Err(_) => return heard,
        };
        heard.bodies += usize::from(frame.kind == FrameKind::Body);
        if line.oblige(&frame, &tune()) {
            continue;
        }
        match frame.method {
            Some(Method::BasicPublish(_)) => {
                published += 1;
                // Nobody reads these any more.
                line.send(frame.channel, &basic::Ack::default().delivery_tag(published));
                if published == 1 {
                    wait.recv().unwrap();
                }
            }
            Some(Method::ConnectionClose(_)) => {
                heard.closed = true;
                line.send(0, &connection::CloseOk::default());
            }
            _ => {}
        }
    }
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Publishes everything on a connection that does not wait.
async fn publish(parameters: ConnectionParameters) -> (Connection, Vec<Confirm>) {
    let connection = Connection::open(parameters.write_high_water(1 << 30)).await.unwrap();
    let publisher = connection.open_channel().await.unwrap().confirm_select().await.unwrap();
    let mut confirms = Vec::new();
    for _ in 0..MESSAGES {
        confirms.push(publisher.publish("", "q", vec![7; SIZE]).await.unwrap());
    }
    (connection, confirms)
}

fn all() -> Heard {
    Heard { bodies: MESSAGES, closed: true, ended: true }
}

#[test]
fn what_is_queued_when_a_runtime_is_dropped_reaches_the_broker_with_a_close() {
    for runtime in [current_thread(), multi_thread()] {
        let host = Host::plain();
        let parameters = parameters().host("127.0.0.1").port(host.port);
        let (connection, confirms) = runtime.block_on(publish(parameters));
        assert_eq!(host.hear(runtime), all());
        let hearing = current_thread();
        for confirm in confirms {
            if let Err(error) = hearing.block_on(confirm) {
                assert!(error.is_unknown(), "{error}");
            }
        }
        assert_eq!(connection.queued(), 0);
    }
}

#[test]
fn a_program_that_drops_its_handles_and_ends_loses_nothing() {
    for runtime in [current_thread(), multi_thread()] {
        let host = Host::plain();
        let parameters = parameters().host("127.0.0.1").port(host.port);
        drop(runtime.block_on(publish(parameters)));
        assert_eq!(host.hear(runtime), all());
    }
}

#[cfg(feature = "tls")]
#[test]
fn what_is_queued_when_a_runtime_is_dropped_reaches_the_broker_over_tls_too() {
    use rustls::{ServerConnection, StreamOwned};

    let identity = super::secure::Identity::new();
    for runtime in [current_thread(), multi_thread()] {
        let config = std::sync::Arc::clone(identity.acceptor.config());
        let host = Host::new(move |socket| StreamOwned::new(ServerConnection::new(config).unwrap(), socket));
        let parameters = parameters().host("127.0.0.1").port(host.port).tls(identity.settings());
        drop(runtime.block_on(publish(parameters)));
        assert_eq!(host.hear(runtime), all(), "the end of TLS is announced");
    }
}

#[test]
fn a_peer_that_reads_nothing_does_not_keep_a_runtime_from_ending() {
    let runtime = current_thread();
    let host = Host::plain();
    let (_connection, confirms) = runtime.block_on(publish(parameters().host("127.0.0.1").port(host.port)));
    // It ends: that is the test. The peer reads on after that, to where the stream was broken off.
    drop(runtime);
    host.go.send(()).unwrap();
    let heard = host.thread.join().unwrap();
    assert!((1..MESSAGES).contains(&heard.bodies) && !heard.closed, "{heard:?}");
    let hearing = current_thread();
    let outcomes: Vec<_> = confirms.into_iter().map(|confirm| hearing.block_on(confirm)).collect();
    // What it read before it stopped it has confirmed, the one in the middle of whose body it
    // stopped included.
    let failed: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(failed.len() >= MESSAGES - heard.bodies - 1, "{} failed, {heard:?}", failed.len());
    assert!(failed.iter().all(leveret::Error::is_unknown));
}

#[test]
fn a_transport_in_memory_takes_what_it_holds_when_its_runtime_is_dropped() {
    let runtime = || Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let first = runtime();
    let (connection, channel, mut peer) = first.block_on(Peer::connect_channel(64 * 1024, parameters()));
    first.block_on(async { channel.publish("", "q", "last words").await.unwrap() });
    drop(first);
    runtime().block_on(async {
        assert_eq!(peer.expect_publish(1).await.body, b"last words");
        peer.expect::<connection::Close>(0).await;
        peer.expect_end().await;
        let error = channel.publish("", "q", "too late").await.unwrap_err();
        assert!(error.is_not_sent() && error.kind() == ErrorKind::ConnectionClosed, "{error}");
    });
    assert_eq!(connection.queued(), 0);
}
