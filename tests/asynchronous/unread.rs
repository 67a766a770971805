//! A broker that does not read, and messages of any size from one that does.

use std::time::Duration;

use leveret::protocol::{basic, channel};
use leveret::{Channel, Delivery, ErrorKind};

use super::peer::{Peer, Received, parameters};

/// A pipe that holds some fifty acknowledgements.
const NARROW: usize = 1000;

/// What may wait for the socket besides publishes.
const LIMIT: usize = 2000;

async fn consumer(channel: &Channel, peer: &mut Peer) -> leveret::Consumer {
    let script = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
    };
    let (consumer, ()) = tokio::join!(channel.consume("q").into_future(), script);
    consumer.unwrap()
}

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

#[tokio::test(start_paused = true)]
async fn a_broker_that_asks_and_does_not_read_the_answers_is_asked_for_no_more() {
    let (connection, _channel, mut peer) = Peer::connect_channel(NARROW, parameters().write_limit(LIMIT)).await;
    let flood = async {
        for count in 0..10_000 {
            peer.send(1, channel::Flow::default().active(count % 2 == 0)).await;
        }
    };
    let flooded = tokio::time::timeout(Duration::from_secs(60), flood).await;
    assert!(flooded.is_err(), "the flood has stopped");
    assert!(connection.queued() < 3 * LIMIT as u64, "{} bytes", connection.queued());
    // It reads, and is read again.
    for count in 0..200 {
        let answer = peer.receive().await.unwrap();
        let Received::Method(1, method) = answer else { panic!("{answer:?}") };
        assert_eq!(method, channel::FlowOk::default().active(count % 2 == 0).into());
    }
    assert!(connection.is_open());
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
