//! Ends: each wait ends with an error when its connection or channel does, however that comes.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use leveret::blocking::{Channel, Connection, Publisher, Received};
use leveret::broker::{Fault, Target};
use leveret::protocol::{Method, basic, channel, confirm, connection};
use leveret::{ConnectionEvent, ConnectionParameters, Error, ErrorKind, Initiator, ReplyCode, Result};
use leveret_test_support::frames::octets_of_method;
use leveret_test_support::transport::{Blocking, run_blocking};
use leveret_test_support::{Peer, Received as Heard};

use super::client::{SocketPeer, connect, parameters};
use super::host::Host;
use super::within::{PATIENCE, in_time};

/// A broker that opens channels, starts consumers and closes, and answers nothing else.
struct Lazy {
    port: u16,
    /// The stream to its only client.
    stream: Receiver<TcpStream>,
    /// The names of what it has left unanswered.
    heard: Receiver<&'static str>,
    thread: JoinHandle<()>,
}

impl Lazy {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (streams, stream) = mpsc::channel();
        let (hears, heard) = mpsc::channel();
        let thread = thread::spawn(move || {
            let accepted = listener.accept().unwrap().0;
            streams.send(accepted.try_clone().unwrap()).unwrap();
            run_blocking(serve(Peer::on(Blocking(accepted)).patience(PATIENCE), hears));
        });
        Self { port, stream, heard, thread }
    }
}

async fn serve(mut peer: Peer<Blocking<TcpStream>>, hears: Sender<&'static str>) {
    peer.shake_hands().await;
    while let Some(received) = peer.receive().await {
        let Heard::Method(number, method) = received else { continue };
        match method {
            Method::ChannelOpen(_) if number == 1 => peer.send(1, channel::OpenOk::default()).await,
            Method::BasicConsume(_) => peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await,
            Method::ConfirmSelect(_) => peer.send(1, confirm::SelectOk::default()).await,
            Method::ChannelClose(_) => peer.send(1, channel::CloseOk::default()).await,
            Method::ConnectionClose(_) => peer.send(0, connection::CloseOk::default()).await,
            // Nobody may be left to hear of it.
            method => drop(hears.send(method.name())),
        }
    }
}

/// Something that waits for a broker that says nothing.
struct Waiting {
    name: &'static str,
    /// What the broker hears of it, where that is something.
    says: Option<&'static str>,
    waits: fn(&Connection, &Publisher) -> Result<()>,
}

/// Each kind of wait. What ends without an error is told as [`ended`].
static WAITS: [Waiting; 18] = [
    wait("a call", Some("queue.declare"), |_, publisher| publisher.channel().queue_declare("q").call().map(drop)),
    wait("a get", Some("basic.get"), |_, publisher| publisher.channel().get("q").call().map(drop)),
    wait("another channel", None, |connection, _| connection.open_channel().map(drop)),
    wait("another publisher", Some("tx.select"), |_, publisher| publisher.channel().tx_select().call().map(drop)),
    wait("a secret", Some("connection.update-secret"), |connection, _| connection.update_secret("s", "it is time")),
    wait("a confirmed publish", Some("basic.publish"), |_, publisher| publisher.publish("", "q", "x").confirmed()),
    wait("a confirm", Some("basic.publish"), |_, publisher| publisher.publish("", "q", "x").send()?.wait()),
    wait("a confirm with a time", Some("basic.publish"), |_, publisher| {
        publisher.publish("", "q", "x").send()?.wait_timeout(Duration::MAX).map(drop)
    }),
    wait("all confirms", Some("basic.publish"), |_, publisher| {
        drop(publisher.publish("", "q", "x").send()?);
        publisher.wait_for_confirms()
    }),
    wait("what is settled", Some("basic.publish"), |_, publisher| {
        drop(publisher.publish("", "q", "x").send()?);
        publisher.settled().map(drop)
    }),
    wait("a consumer", None, |_, publisher| {
        publisher.channel().consume("q").call()?.try_next()?;
        ended()
    }),
    wait("a consumer with a time", None, |_, publisher| {
        let next = publisher.channel().consume("q").call()?.next_timeout(Duration::MAX)?;
        assert!(matches!(next, Received::Ended), "{next:?}");
        ended()
    }),
    wait("a consumer that is cancelled", Some("basic.cancel"), |_, publisher| {
        publisher.channel().consume("q").call()?.cancel()
    }),
    wait("a consumer that is closed", Some("basic.cancel"), |_, publisher| {
        publisher.channel().consume("q").call()?.close()
    }),
    wait("returned messages", None, |_, publisher| {
        assert!(publisher.channel().returns().next().is_none());
        ended()
    }),
    wait("events of the channel", None, |_, publisher| {
        let channel = publisher.channel();
        let last = channel.events().last();
        // One that was made after the end hears of nothing.
        last.map_or_else(ended, |_| Err(channel.closed_by().unwrap()))
    }),
    wait("the end of the channel", None, |_, publisher| Err(publisher.channel().wait_closed())),
    wait("a publish at the gate", None, |_, publisher| {
        // Each message waits for the socket, so that some publish waits for the gate.
        loop {
            drop(publisher.publish("", "q", vec![0; 100_000]).send()?);
        }
    }),
];

const fn wait(
    name: &'static str,
    says: Option<&'static str>,
    waits: fn(&Connection, &Publisher) -> Result<()>,
) -> Waiting {
    Waiting { name, says, waits }
}

/// It has ended, and does not say why.
fn ended() -> Result<()> {
    Ok(())
}

/// How a connection, or its channel, ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    /// Another thread closes the channel.
    ClosesChannel,
    /// Another thread closes the connection.
    Closes,
    /// The broker closes the channel.
    ChannelRefused,
    /// The broker closes the connection.
    Forced,
    /// The transport is cut.
    Cut,
}

impl Ending {
    fn happen(self, connection: &Connection, channel: &Channel, mut stream: &TcpStream) {
        let say = |octets: Vec<u8>, stream: &mut &TcpStream| std::io::Write::write_all(stream, &octets).unwrap();
        match self {
            Self::ClosesChannel => channel.close().unwrap(),
            Self::Closes => connection.close().unwrap(),
            Self::ChannelRefused => {
                let close = channel::Close::default().reply_code(ReplyCode::PRECONDITION_FAILED);
                say(octets_of_method(1, &close), &mut stream);
            }
            Self::Forced => {
                let close = connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED);
                say(octets_of_method(0, &close), &mut stream);
            }
            Self::Cut => stream.shutdown(Shutdown::Both).unwrap(),
        }
    }

    fn check(self, name: &str, error: &Error) {
        let expected = match self {
            Self::ClosesChannel => (ErrorKind::ChannelClosed, Some(Initiator::Client)),
            Self::ChannelRefused => (ErrorKind::ChannelClosed, Some(Initiator::Broker)),
            Self::Closes => (ErrorKind::ConnectionClosed, Some(Initiator::Client)),
            Self::Forced => (ErrorKind::ConnectionClosed, Some(Initiator::Broker)),
            Self::Cut => (ErrorKind::ConnectionClosed, Some(Initiator::Transport)),
        };
        assert_eq!((error.kind(), error.initiator()), expected, "{name}: {self:?}: {error:?}");
    }
}

fn end_of(waiting: &Waiting, ending: Ending) {
    let broker = Lazy::new();
    let gate = parameters().write_high_water(50_000);
    let connection = Connection::open(gate.host("127.0.0.1").port(broker.port)).unwrap();
    let stream = broker.stream.recv().unwrap();
    let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
    let channel = publisher.channel();
    let waits = waiting.waits;
    let (of_connection, of_publisher) = (connection.clone(), publisher.clone());
    let waiter = thread::spawn(move || waits(&of_connection, &of_publisher));
    if let Some(says) = waiting.says {
        while broker.heard.recv_timeout(PATIENCE).unwrap() != says {}
    }
    ending.happen(&connection, &channel, &stream);
    let outcome = waiter.join().unwrap();
    if let Err(error) = outcome {
        ending.check(waiting.name, &error);
    } else {
        let says_nothing = ["consumer", "returned messages", "events"].iter().any(|kind| waiting.name.contains(kind));
        assert!(says_nothing, "{}: {ending:?}: it should fail", waiting.name);
    }
    drop((publisher, channel));
    drop(connection);
    let served = broker.thread.join();
    // A cut may come within a frame.
    assert!(served.is_ok() || ending == Ending::Cut);
}

fn every_wait_ends_with(endings: &[Ending]) {
    for ending in endings.iter().copied() {
        for waiting in &WAITS {
            // The connection goes on where its channel ends.
            let of_connection = ["another channel", "a secret"].contains(&waiting.name);
            if of_connection && matches!(ending, Ending::ClosesChannel | Ending::ChannelRefused) {
                continue;
            }
            in_time_named(waiting.name, ending, move || end_of(waiting, ending));
        }
    }
}

/// Says which it was that hung or failed.
fn in_time_named(name: &str, ending: Ending, doing: impl FnOnce() + Send + 'static) {
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| in_time(doing)));
    assert!(done.is_ok(), "{name}: {ending:?}: see above");
}

#[test]
fn every_wait_ends_when_another_thread_closes_the_connection() {
    every_wait_ends_with(&[Ending::Closes]);
}

#[test]
fn every_wait_ends_when_another_thread_closes_the_channel() {
    every_wait_ends_with(&[Ending::ClosesChannel]);
}

#[test]
fn every_wait_ends_when_the_broker_closes_the_channel_or_the_connection() {
    every_wait_ends_with(&[Ending::ChannelRefused, Ending::Forced]);
}

#[test]
fn every_wait_ends_when_the_transport_is_cut() {
    every_wait_ends_with(&[Ending::Cut]);
}

/// Uses everything once.
fn use_everything(connection: &Connection) -> Result<()> {
    let channel = connection.open_channel()?;
    let queue = channel.queue_declare("").exclusive(true).call()?.queue;
    let publisher = channel.confirm_select()?;
    publisher.publish("", &queue, "one").confirmed()?;
    let confirm = publisher.publish("", &queue, "two").send()?;
    channel.get(&queue).call()?.map_or(Ok(()), leveret::blocking::GetMessage::ack)?;
    confirm.wait()?;
    let mut consumer = channel.consume(queue).call()?;
    if let Some(delivery) = consumer.try_next()? {
        delivery.ack()?;
    }
    consumer.cancel()?;
    channel.close()?;
    connection.close()
}

#[test]
fn a_transport_that_is_cut_after_any_octet_ends_whatever_waits() {
    in_time(|| {
        let host = Host::new();
        for fault in [Fault::CutOutput, Fault::CutInput] {
            let mut octets = 0;
            loop {
                host.broker.state().inject(Target::Next, fault(octets));
                let outcome = Connection::open(host.url.as_str()).and_then(|connection| use_everything(&connection));
                let Err(error) = outcome else { break };
                assert!(error.is_unknown() || error.is_not_sent(), "{octets}: {error:?}");
                assert!(octets < 3000, "it is never enough");
                octets += 7;
            }
            assert!(octets > 500, "{octets} octets were enough");
        }
    });
}

#[test]
fn a_broker_that_vanishes_is_missed_by_its_heartbeats() {
    in_time(|| {
        let host = Host::new();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap().heartbeat(1);
        let connection = Connection::open(parameters).unwrap();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let mut consumer = channel.consume("q").call().unwrap();
        let mut events = connection.events();
        host.broker.state().inject(Target::All, Fault::Silence);
        let before = Instant::now();
        let calling = thread::spawn(move || channel.queue_declare("q").call());
        let error = consumer.try_next().unwrap_err();
        assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Client)));
        assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
        assert!(calling.join().unwrap().unwrap_err().is_unknown());
        assert!(matches!(events.next(), Some(ConnectionEvent::Closed(_))));
        assert!(connection.wait_closed().is_retryable());
    });
}

#[test]
fn a_close_that_nobody_answers_ends_at_its_deadline() {
    in_time(|| {
        let host = Host::new();
        let limit = Duration::from_millis(100);
        let parameters = ConnectionParameters::from_url(&host.url).unwrap().close_timeout(limit);
        let connection = Connection::open(parameters).unwrap();
        host.broker.state().inject(Target::All, Fault::Silence);
        let before = Instant::now();
        let error = connection.close().unwrap_err();
        assert!(before.elapsed() >= limit && error.is_timeout(), "{error}");
    });
}

#[test]
fn a_close_gives_back_what_was_not_settled_and_sends_what_was_queued() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        for number in 0..1000 {
            channel.publish("", "q", number.to_string()).send().unwrap();
        }
        let mut consumer = channel.consume("q").call().unwrap();
        let _kept: Vec<_> = consumer.by_ref().take(10).collect();
        connection.close().unwrap();
        assert_eq!(host.messages("q"), (1000, 0));
        let rest: Vec<_> = consumer.collect();
        assert!(rest.iter().all(Result::is_ok), "what had arrived is handed out");
    });
}

#[test]
fn two_threads_that_close_both_hear_of_it() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        thread::scope(|scope| {
            let closes: Vec<_> = (0..8).map(|_| scope.spawn(|| connection.close())).collect();
            closes.into_iter().for_each(|close| close.join().unwrap().unwrap());
        });
        host.until_left();
    });
}

#[test]
fn a_connection_that_is_lost_closes_its_socket_although_handles_are_kept() {
    in_time(|| {
        let (connection, script) = connect(
            |parameters| parameters.close_timeout(Duration::from_millis(50)),
            async |mut peer: SocketPeer| {
                // Not answered: the client gives the connection up.
                peer.expect::<connection::Close>(0).await;
                peer.expect_end().await;
            },
        );
        assert_eq!(connection.close().unwrap_err().kind(), ErrorKind::TimedOut);
        script.end();
        assert!(!connection.is_open());
    });
}
