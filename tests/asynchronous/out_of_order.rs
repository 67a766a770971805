//! Answers that come late, as RabbitMQ sends consume-ok and cancel-ok, and deliveries that come
//! early or late.

use std::time::Duration;

use leveret::protocol::{basic, queue};
use leveret::{Channel, Connection, ErrorKind};
use leveret_test_support::{Heard, Peer, broker};

use super::client::{Connect as _, parameters};
use super::steps::{consumer, deliver, next};

const CAPACITY: usize = 64 * 1024;

/// A channel of a broker that answers consume and cancel after whatever arrives with them.
async fn late() -> (Connection, Channel, Heard) {
    let (connection, peer) = Peer::connect(CAPACITY, parameters()).await;
    let heard = broker::oblige_late(peer);
    let channel = connection.open_channel().await.unwrap();
    (connection, channel, heard)
}

#[tokio::test(start_paused = true)]
async fn calls_after_the_drop_of_a_consumer_are_answered_before_its_cancel_and_all_goes_on() {
    let (_connection, channel, heard) = late().await;
    drop(channel.consume("q").await.unwrap());
    let got = channel.get("q").await.unwrap().unwrap();
    assert_eq!((got.body(), got.delivery_tag()), (&b"got"[..], 3));
    got.ack().await.unwrap();
    drop(channel.consume("q").await.unwrap());
    assert_eq!(channel.queue_declare("other").await.unwrap().queue, "other");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (consume, cancel) = ("basic.consume", "basic.cancel");
    let answered = ["channel.open", consume, "basic.get", cancel, consume, "queue.declare", cancel];
    assert_eq!(heard.answered(), answered);
    assert_eq!(heard.requeued_of(&[3]), [1, 2, 4, 5], "what nobody saw");
    assert!(channel.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_consumer_starts_beside_another_call_that_is_answered_first() {
    let (_connection, channel, heard) = late().await;
    let limiting = channel.basic_qos().prefetch_count(7).into_future();
    let (consumer, limited) = tokio::join!(channel.consume("q").into_future(), limiting);
    limited.unwrap();
    let mut first = consumer.unwrap();
    assert_eq!(next(&mut first).await, Some((1, b"pushed".to_vec())));

    let consuming = channel.consume("q").consumer_tag("second").into_future();
    let (consumer, got) = tokio::join!(consuming, channel.get("q").into_future());
    assert_eq!(got.unwrap().unwrap().delivery_tag(), 3);
    let mut second = consumer.unwrap();
    assert_eq!(second.consumer_tag(), "second");
    assert_eq!(next(&mut second).await, Some((4, b"pushed".to_vec())));
    assert_eq!(next(&mut first).await, Some((2, b"pushed".to_vec())));
    let answered = ["channel.open", "basic.qos", "basic.consume", "basic.get", "basic.consume"];
    assert_eq!(heard.answered(), answered);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_cancelled_beside_a_call_that_is_answered_first() {
    let (_connection, channel, heard) = late().await;
    let mut consumer = channel.consume("q").await.unwrap();
    let (cancelled, declared) = tokio::join!(consumer.cancel(), channel.queue_declare("other").into_future());
    cancelled.unwrap();
    assert_eq!(declared.unwrap().queue, "other");
    assert_eq!(heard.answered(), ["channel.open", "basic.consume", "queue.declare", "basic.cancel"]);
    for tag in [1, 2] {
        assert_eq!(next(&mut consumer).await, Some((tag, b"pushed".to_vec())));
    }
    assert_eq!(next(&mut consumer).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_the_broker_cancelled_is_cancelled() {
    for agreed_before in [false, true] {
        let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
        let mut consumer = consumer(&channel, &mut peer).await;
        peer.send(1, basic::Cancel::default().consumer_tag("c").no_wait(true)).await;
        // RabbitMQ 4.3 keeps a consumer that timed out until this.
        peer.expect::<basic::Cancel>(1).await;
        if agreed_before {
            peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        consumer.cancel().await.unwrap();
        assert_eq!(consumer.try_next().await.unwrap_err().kind(), ErrorKind::ConsumerCancelled);
        assert!(consumer.try_next().await.unwrap().is_none());
        consumer.cancel().await.unwrap();
        peer.expect_silence().await;
        if !agreed_before {
            peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
        }
        let script = async {
            peer.expect::<queue::Declare>(1).await;
            peer.send(1, queue::DeclareOk::default().queue("q")).await;
        };
        assert_eq!(tokio::join!(channel.queue_declare("q").into_future(), script).0.unwrap().queue, "q");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_after_cancel_ok_goes_back_and_nothing_ends() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    let script = async {
        peer.expect::<basic::Cancel>(1).await;
        peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    };
    tokio::join!(consumer.cancel(), script).0.unwrap();
    deliver(&mut peer, "c", 1, b"late").await;
    assert_eq!(peer.expect::<basic::Nack>(1).await, basic::Nack::default().delivery_tag(1).requeue(true));
    assert_eq!(next(&mut consumer).await, None);
    drop(consumer);
    deliver(&mut peer, "c", 2, b"later").await;
    assert_eq!(peer.expect::<basic::Nack>(1).await, basic::Nack::default().delivery_tag(2).requeue(true));
    peer.expect_silence().await;
    assert!(connection.is_open() && channel.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_delivery_before_consume_ok_is_handed_to_the_consumer_that_starts() {
    for (asked, given) in [("mine", "mine"), ("", "amq.ctag-1")] {
        let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
        let script = async {
            assert_eq!(peer.expect::<basic::Consume>(1).await.consumer_tag, asked);
            deliver(&mut peer, given, 1, b"early").await;
            deliver(&mut peer, given, 2, b"too").await;
            peer.expect_silence().await;
            peer.send(1, basic::ConsumeOk::default().consumer_tag(given)).await;
            deliver(&mut peer, given, 3, b"in time").await;
        };
        let (consumer, ()) = tokio::join!(channel.consume("q").consumer_tag(asked).into_future(), script);
        let mut consumer = consumer.unwrap();
        assert_eq!(consumer.consumer_tag(), given);
        for (tag, body) in [(1, "early"), (2, "too"), (3, "in time")] {
            assert_eq!(next(&mut consumer).await, Some((tag, body.into())), "{given}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_before_the_consume_ok_of_a_consumer_that_is_given_up_goes_back() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let given_up = tokio::time::timeout(Duration::from_secs(1), channel.consume("q").into_future()).await;
    assert!(given_up.is_err());
    peer.expect::<basic::Consume>(1).await;
    deliver(&mut peer, "made-up", 1, b"early").await;
    peer.send(1, basic::ConsumeOk::default().consumer_tag("made-up")).await;
    assert_eq!(peer.expect::<basic::Cancel>(1).await.consumer_tag, "made-up");
    peer.send(1, basic::CancelOk::default().consumer_tag("made-up")).await;
    assert_eq!(peer.expect::<basic::Nack>(1).await, basic::Nack::default().delivery_tag(1).requeue(true));
}
