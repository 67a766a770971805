//! A broker that does not read, and messages of any size from one that does.

use std::time::Duration;

use leveret::protocol::{Method, basic, channel};
use leveret::{Delivery, ErrorKind, ReplyCode};
use leveret_test_support::{Peer, Received};

use super::client::{Connect as _, parameters};
use super::steps::consumer;

/// A pipe that holds some fifty acknowledgements.
const NARROW: usize = 1000;

/// What may wait for the socket besides publishes.
const LIMIT: usize = 2000;

/// Takes this many small messages.
async fn take(consumer: &mut leveret::Consumer, peer: &mut Peer, count: u64) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for delivery_tag in 1..=count {
        peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag), b"m").await;
        deliveries.push(consumer.next().await.unwrap().unwrap());
    }
    deliveries
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_wait_while_the_broker_does_not_read_and_none_is_lost() {
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters().write_limit(LIMIT)).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    let deliveries = take(&mut consumer, &mut peer, 500).await;
    let acknowledging = tokio::spawn(async move {
        for delivery in deliveries {
            delivery.ack().await.unwrap();
        }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!acknowledging.is_finished());
    assert!(connection.queued() < LIMIT as u64 + 30, "{} bytes", connection.queued());
    let refused = channel.get("q").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Backpressure, "{refused}");
    for delivery_tag in 1..=500 {
        assert_eq!(peer.expect::<basic::Ack>(1).await.delivery_tag, delivery_tag);
    }
    acknowledging.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_that_wait_hear_of_the_connections_end() {
    let (_connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters().write_limit(LIMIT)).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    let deliveries = take(&mut consumer, &mut peer, 500).await;
    let acknowledging = tokio::spawn(async move {
        for delivery in deliveries {
            delivery.ack().await?;
        }
        Ok::<(), leveret::Error>(())
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(peer);
    assert_eq!(acknowledging.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionClosed);
}

/// What a broker asks for without end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Asks {
    Flow,
    Cancel,
    Close,
    Reject,
}

impl Asks {
    async fn send(self, peer: &mut Peer, turn: u64) {
        match self {
            Self::Flow => peer.send(1, channel::Flow::default().active(turn.is_multiple_of(2))).await,
            Self::Cancel => peer.send(1, basic::Cancel::default().consumer_tag("nobody")).await,
            Self::Close => peer.send(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND)).await,
            Self::Reject => {
                let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(1 + turn);
                peer.send_content(1, deliver, b"larger than ten bytes").await;
            }
        }
    }

    fn answer(self, turn: u64) -> Method {
        match self {
            Self::Flow => channel::FlowOk::default().active(turn.is_multiple_of(2)).into(),
            Self::Cancel => basic::CancelOk::default().consumer_tag("nobody").into(),
            Self::Close => channel::CloseOk::default().into(),
            Self::Reject => basic::Reject::default().delivery_tag(1 + turn).requeue(false).into(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_asks_and_does_not_read_the_answers_is_asked_for_no_more() {
    for asks in [Asks::Flow, Asks::Cancel, Asks::Close, Asks::Reject] {
        let limited = parameters().write_limit(LIMIT).max_message_size(10).close_timeout(Duration::from_secs(3600));
        let (connection, channel, mut peer) = Peer::connect_channel(NARROW, limited).await;
        let consumer = consumer(&channel, &mut peer).await;
        // Each close is answered while the client waits for the answer to its own.
        let closing = (asks == Asks::Close).then(|| {
            let channel = channel.clone();
            tokio::spawn(async move { channel.close().await })
        });
        if closing.is_some() {
            peer.expect::<channel::Close>(1).await;
        }
        let flood = async {
            for turn in 0..10_000 {
                asks.send(&mut peer, turn).await;
            }
        };
        let flooded = tokio::time::timeout(Duration::from_secs(60), flood).await;
        assert!(flooded.is_err(), "{asks:?}: the flood has stopped");
        assert!(connection.queued() < 3 * LIMIT as u64, "{asks:?}: {} bytes", connection.queued());
        // It reads, and is read again.
        for turn in 0..200 {
            let answer = peer.receive().await.unwrap();
            assert_eq!(answer, Received::Method(1, asks.answer(turn)));
        }
        assert!(connection.is_open(), "{asks:?}: {:?}", connection.closed_by());
        drop((consumer, closing));
    }
}

#[tokio::test(start_paused = true)]
async fn large_messages_arrive_whole_whatever_the_transport_holds() {
    for capacity in [1000, 10_000, 70_000, 1_000_000] {
        let (_connection, channel, mut peer) = Peer::connect_channel(capacity, parameters()).await;
        let mut consumer = consumer(&channel, &mut peer).await;
        for (tag, len) in (1..).zip([0, 5000, 40_000, 131_064, 131_065, 700_000, 10]) {
            let body: Vec<u8> = (0..len).map(|index| u8::try_from(index % 251).unwrap()).collect();
            let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(tag);
            let (delivery, ()) = tokio::join!(consumer.next(), peer.send_content(1, deliver, &body));
            assert_eq!(delivery.unwrap().unwrap().body(), body, "{len} bytes through {capacity}");
        }
    }
}
