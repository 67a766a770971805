//! A runtime that is dropped with messages queued: they still reach the broker, and are not reported as not sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::{Buf, BytesMut};
use leveret::frame::{Decoded, Decoder, FrameKind, split_method};
use leveret::protocol::{Method, ProtocolMethod, basic, channel, confirm, connection};
use leveret::wire::Reader;
use leveret::{Confirm, Connection, ConnectionParameters, ErrorKind};
use tokio::runtime::{Builder, Runtime};

use super::peer::{FRAME_MAX, Peer, method_octets, parameters, start, tune};

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
            let heard = Conversation::new(secure(socket)).run(&wait);
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

struct Conversation<S> {
    stream: S,
    input: BytesMut,
    heard: Heard,
    published: u64,
}

impl<S: Read + Write> Conversation<S> {
    fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), heard: Heard::default(), published: 0 }
    }

    fn run(mut self, wait: &mpsc::Receiver<()>) -> Heard {
        let mut chunk = vec![0; 64 * 1024];
        let mut header = [0; 8];
        self.stream.read_exact(&mut header).unwrap();
        self.send(0, &start("PLAIN"));
        let mut waited = false;
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    self.heard.ended = self.input.is_empty();
                    return self.heard;
                }
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(_) => return self.heard,
            }
            while self.next() {}
            if self.published > 0 && !std::mem::replace(&mut waited, true) {
                wait.recv().unwrap();
            }
        }
    }

    /// Takes a frame, if a whole one is there.
    fn next(&mut self) -> bool {
        let Ok(Decoded::Frame(frame, taken)) = Decoder::new(FRAME_MAX).decode(&self.input) else { return false };
        let (kind, number) = (frame.kind, frame.channel);
        let method = (kind == FrameKind::Method).then(|| {
            let (id, arguments) = split_method(frame.payload).unwrap();
            Method::decode(id, &mut Reader::new(arguments)).unwrap()
        });
        self.input.advance(taken);
        self.heard.bodies += usize::from(kind == FrameKind::Body);
        if let Some(method) = method {
            self.answer(number, &method);
        }
        true
    }

    fn answer(&mut self, number: u16, method: &Method) {
        match method {
            Method::ConnectionStartOk(_) => self.send(0, &tune()),
            Method::ConnectionOpen(_) => self.send(0, &connection::OpenOk::default()),
            Method::ChannelOpen(_) => self.send(number, &channel::OpenOk::default()),
            Method::ConfirmSelect(_) => self.send(number, &confirm::SelectOk::default()),
            Method::BasicPublish(_) => {
                self.published += 1;
                // Nobody reads these any more.
                let delivery_tag = self.published;
                self.send(number, &basic::Ack::default().delivery_tag(delivery_tag));
            }
            Method::ConnectionClose(_) => {
                self.heard.closed = true;
                self.send(0, &connection::CloseOk::default());
            }
            _ => {}
        }
    }

    fn send<M: ProtocolMethod>(&mut self, channel: u16, method: &M) {
        // A client that is gone does not hear it.
        drop(self.stream.write_all(&method_octets(channel, method)));
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
    // What it read before it stopped it has confirmed, the one in the middle of whose body it stopped included.
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
