//! Connections and channels that end, and what everything in flight hears of it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use leveret::protocol::{basic, channel, connection, queue};
use leveret::{Connection, Error, ErrorKind, Initiator, ReplyCode};
use leveret_test_support::frames::octets_of_method;
use leveret_test_support::{Peer, oblige, start, tune};

use super::client::{Connect as _, parameters};
use super::steps::{consumer, publisher};

const CAPACITY: usize = 64 * 1024;

/// How a connection is lost.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Cut,
    Forced,
    Silence,
    Violation,
}

impl Ending {
    async fn happen(self, peer: &mut Peer) {
        let forced = connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED).reply_text("maintenance");
        match self {
            Self::Cut => {
                peer.cut_after(0);
                peer.send_octets(&[]).await;
            }
            Self::Forced => peer.send(0, forced).await,
            Self::Silence => tokio::time::sleep(Duration::from_secs(21)).await,
            Self::Violation => peer.send(0, connection::OpenOk::default()).await,
        }
    }

    fn check(self, error: &Error) {
        let (kind, initiator) = match self {
            Self::Cut => (ErrorKind::ConnectionClosed, Initiator::Transport),
            Self::Forced => (ErrorKind::ConnectionClosed, Initiator::Broker),
            Self::Silence => (ErrorKind::ConnectionClosed, Initiator::Client),
            Self::Violation => (ErrorKind::Protocol, Initiator::Client),
        };
        assert_eq!((error.kind(), error.initiator()), (kind, Some(initiator)), "{self:?}: {error:?}");
        assert_ne!(error.is_not_sent(), error.is_unknown(), "{self:?}: {error:?}");
        let forced = self == Self::Forced;
        assert_eq!(error.reply_code() == Some(ReplyCode::CONNECTION_FORCED), forced, "{error:?}");
        assert_eq!(error.reply_text().as_deref() == Some("maintenance"), forced, "{error:?}");
        assert_eq!(error.is_retryable(), self != Self::Violation);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_in_flight_hears_of_the_end_and_whether_it_was_sent() {
    for ending in [Ending::Cut, Ending::Forced, Ending::Silence, Ending::Violation] {
        let parameters = parameters().heartbeat(10).write_high_water(4000);
        let (connection, channel, mut peer) = Peer::connect_channel(1000, parameters).await;
        let publisher = publisher(&channel, &mut peer).await;
        let mut consumer = consumer(&channel, &mut peer).await;
        let sent = publisher.publish("", "q", "sent").await.unwrap();
        let call_sent = tokio::spawn({
            let channel = channel.clone();
            async move { channel.queue_declare("sent").await.map(drop) }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        // The pipe is full with this one, and what follows stays here.
        let half_sent = publisher.publish("", "q", vec![0; 5000]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        channel.send(basic::Ack::default().delivery_tag(1)).await.unwrap();
        let call_unsent = channel.queue_declare("not sent").into_future();
        let at_the_gate = publisher.publish("", "q", "not sent").into_future();
        let settled = publisher.wait_for_confirms();
        let opening = connection.open_channel();
        let end = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            ending.happen(&mut peer).await;
        };
        let (call_unsent, at_the_gate, settled, opening, ()) =
            tokio::join!(call_unsent, at_the_gate, settled, opening, end);
        let unknown = [sent.await.err(), half_sent.await.err(), call_sent.await.unwrap().err(), settled.err()];
        let not_sent = [at_the_gate.err(), channel.get("q").await.err()];
        for error in [call_unsent.err(), opening.err()].into_iter().map(Option::unwrap) {
            ending.check(&error);
            // What is queued goes out ahead of a close of our own.
            assert_eq!(error.is_unknown(), ending == Ending::Violation, "{ending:?}: {error:?}");
        }
        for error in unknown.into_iter().map(Option::unwrap) {
            ending.check(&error);
            assert!(error.is_unknown(), "{ending:?}: {error:?}");
        }
        for error in not_sent.into_iter().map(Option::unwrap) {
            ending.check(&error);
            assert!(error.is_not_sent(), "{ending:?}: {error:?}");
        }
        ending.check(&consumer.next().await.unwrap().unwrap_err());
        assert!(consumer.next().await.is_none());
        assert_eq!((connection.unconfirmed(), connection.is_open(), channel.is_open()), (0, false, false));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_after_any_octet_ends_every_wait() {
    let cut = |octets: usize| async move {
        let (transport, mut peer) = Peer::new(CAPACITY);
        peer.cut_after(octets);
        let opening = Connection::open_on(transport, parameters());
        let (opened, ()) = tokio::join!(opening, peer.shake_hands_as_far_as_it_goes());
        let connection = opened?;
        oblige(peer);
        use_everything(&connection).await.map_err(|error| {
            assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error:?}");
            assert_eq!(error.initiator(), Some(Initiator::Transport), "{error:?}");
            assert!(error.is_unknown() || error.is_not_sent());
            error
        })
    };
    let steps = [start("PLAIN").len(), tune().len(), connection::OpenOk::default().len()];
    for octets in 1.. {
        let done = tokio::time::timeout(Duration::from_secs(3600), cut(octets)).await.expect("no wait is for ever");
        let Err(error) = done else {
            assert!(octets > steps.iter().sum(), "it cannot be done with {octets} octets");
            return;
        };
        let handshake = match octets {
            octets if octets <= steps[0] => Some(ErrorKind::Protocol),
            octets if octets <= steps[0] + steps[1] => Some(ErrorKind::Authentication),
            octets if octets < steps.iter().sum() => Some(ErrorKind::AccessRefused),
            _ => None,
        };
        let io_is_possible = error.kind() == ErrorKind::Io;
        assert!(io_is_possible || handshake.is_none_or(|kind| kind == error.kind()), "{octets}: {error:?}");
    }
}

/// How long a method is as a frame.
trait Length {
    fn len(&self) -> usize;
}

impl<M: leveret::protocol::ProtocolMethod> Length for M {
    fn len(&self) -> usize {
        octets_of_method(0, self).len()
    }
}

async fn use_everything(connection: &Connection) -> leveret::Result<()> {
    let channel = connection.open_channel().await?;
    channel.queue_declare("q").await?;
    let publisher = channel.confirm_select().await?;
    publisher.publish("", "q", "body").confirmed().await?;
    let mut consumer = channel.consume("q").await?;
    while let Some(delivery) = consumer.try_next().await? {
        let last = delivery.delivery_tag() == 2;
        delivery.ack().await?;
        if last {
            consumer.cancel().await?;
        }
    }
    channel.get("q").await?.expect("a message").ack().await?;
    channel.close().await?;
    connection.close().await
}

#[test]
fn a_runtime_that_is_dropped_ends_everything_that_waits_for_it() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let first = runtime();
    let (connection, channel, _peer) = first.block_on(Peer::connect_channel(CAPACITY, parameters()));
    let mut waiting = pin!(channel.queue_declare("q").into_future());
    first.block_on(async {
        assert!(poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await.is_pending());
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
    drop(first);
    runtime().block_on(async {
        let error = waiting.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
        assert!(error.is_unknown());
        assert!(channel.queue_declare("q").await.unwrap_err().is_not_sent());
        assert!(connection.open_channel().await.unwrap_err().is_not_sent());
        assert!(connection.close().await.is_err());
    });
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_too_late_confuses_nobody() {
    let limit = Duration::from_secs(5);
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters().call_timeout(limit)).await;
    let error = channel.queue_declare("late").await.unwrap_err();
    assert!(error.is_timeout() && error.is_unknown());
    let script = async {
        peer.expect::<queue::Declare>(1).await;
        peer.expect::<queue::Declare>(1).await;
        peer.send(1, queue::DeclareOk::default().queue("late")).await;
        peer.send(1, queue::DeclareOk::default().queue("next")).await;
    };
    let (declared, ()) = tokio::join!(channel.queue_declare("next").into_future(), script);
    assert_eq!(declared.unwrap().queue, "next");
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_late_is_undone() {
    let limit = Duration::from_secs(5);
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters().call_timeout(limit)).await;
    assert!(connection.open_channel().await.unwrap_err().is_timeout());
    assert!(channel.get("q").await.unwrap_err().is_timeout());
    assert!(channel.consume("q").await.unwrap_err().is_timeout());
    peer.expect::<channel::Open>(2).await;
    peer.expect::<basic::Get>(1).await;
    peer.expect::<basic::Consume>(1).await;
    peer.send(2, channel::OpenOk::default()).await;
    peer.expect::<channel::Close>(2).await;
    peer.send_content(1, basic::GetOk::default().delivery_tag(1), b"x").await;
    assert_eq!(peer.expect::<basic::Nack>(1).await, basic::Nack::default().delivery_tag(1).requeue(true));
    peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
    assert_eq!(peer.expect::<basic::Cancel>(1).await.consumer_tag, "c");
    peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(2), b"x").await;
    peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    assert_eq!(peer.expect::<basic::Nack>(1).await, basic::Nack::default().delivery_tag(2).requeue(true));
}

#[tokio::test(start_paused = true)]
async fn what_went_wrong_is_told_to_the_next_who_asks_when_the_one_who_asked_is_gone() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let publisher = publisher(&channel, &mut peer).await;
    let forgotten = publisher.publish("", "q", "refused").await.unwrap();
    drop(forgotten);
    let asked = tokio::time::timeout(Duration::from_secs(1), publisher.wait_for_confirms()).await;
    assert!(asked.is_err());
    peer.send(1, basic::Nack::default().delivery_tag(1)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(publisher.settled().await.unwrap().nacked, 1);
}
