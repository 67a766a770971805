//! Writes that stall, publishers that wait, and everything that goes on meanwhile.

use std::time::Duration;

use bytes::Bytes;
use leveret::protocol::{basic, channel, connection, queue};
use leveret::{Channel, ErrorKind, Initiator};
use leveret_test_support::{Peer, Received};
use tokio::time::Instant;

use super::client::{Connect as _, connect_obliged, parameters};
use super::steps::{consumer, poll_once, publisher};

/// A pipe that is full with less than one of the messages here.
const NARROW: usize = 1000;

/// A message that fills the pipe, so that whatever follows is stalled.
async fn stall(channel: &Channel) {
    channel.publish("", "q", vec![0; 5000]).await.unwrap();
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn reading_goes_on_while_a_write_is_stalled() {
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters()).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    stall(&channel).await;
    assert!(connection.queued() > 0);
    for delivery_tag in 1..=100 {
        peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag), &[0; 200]).await;
        assert_eq!(consumer.next().await.unwrap().unwrap().delivery_tag(), delivery_tag);
    }
}

#[tokio::test(start_paused = true)]
async fn the_peers_heartbeats_count_while_a_write_is_stalled_and_their_absence_too() {
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters().heartbeat(10)).await;
    stall(&channel).await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        peer.send_heartbeat().await;
    }
    assert!(connection.is_open());
    tokio::time::sleep(Duration::from_secs(21)).await;
    let error = connection.closed_by().expect("two intervals of silence");
    assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Client)));
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_sent_however_quiet_the_application_is() {
    let (connection, mut peer) = Peer::connect(NARROW, parameters().heartbeat(10)).await;
    for _ in 0..20 {
        let before = Instant::now();
        assert_eq!(peer.receive().await, Some(Received::Heartbeat));
        assert!(before.elapsed() <= Duration::from_secs(6));
        peer.send_heartbeat().await;
    }
    assert!(connection.is_open());
}

#[tokio::test(start_paused = true)]
async fn octets_count_as_queued_until_the_transport_accepts_them() {
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters()).await;
    channel.publish("", "q", vec![0; 5000]).await.unwrap();
    let all = connection.queued();
    assert!(all > 5000);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(connection.queued(), all - NARROW as u64);
    let taken = peer.take_octets(100).await.len() + peer.unread();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(connection.queued(), all - (NARROW + taken) as u64, "the pipe is full again");
    peer.take_octets(usize::try_from(all).unwrap() - 100).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(connection.queued(), 0);
}

#[tokio::test(start_paused = true)]
async fn publishers_wait_their_turn_at_the_gate_and_everything_else_passes_it() {
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters().write_high_water(2000)).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(1), b"x").await;
    let delivery = consumer.next().await.unwrap().unwrap();
    stall(&channel).await;
    let mut publishers = Vec::new();
    for turn in 0..50_u8 {
        let channel = channel.clone();
        publishers.push(tokio::spawn(async move { channel.publish("", "q", vec![turn; 300]).await }));
        tokio::task::yield_now().await;
    }
    let refused = channel.publish("", "q", "out of turn").try_publish().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Backpressure);
    assert!(refused.is_not_sent() && refused.is_retryable());
    delivery.ack().await.unwrap();
    let script = async {
        assert_eq!(peer.expect_publish(1).await.body.len(), 5000);
        peer.expect::<basic::Ack>(1).await;
        peer.expect::<queue::Declare>(1).await;
        peer.send(1, queue::DeclareOk::default()).await;
        for turn in 0..50_u8 {
            assert_eq!(peer.expect_publish(1).await.body, vec![turn; 300]);
        }
        assert_eq!(peer.expect_publish(1).await.body, b"in turn");
        peer.agree_to_close().await;
    };
    let client = async {
        channel.queue_declare("passes").await.unwrap();
        for publisher in publishers {
            publisher.await.unwrap().unwrap();
        }
        channel.publish("", "q", "in turn").await.unwrap();
        connection.close().await.unwrap();
    };
    let script = async { tokio::time::timeout(Duration::from_secs(60), script).await.expect("no deadlock") };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn who_waits_at_the_gate_when_the_connection_closes_hears_that_nothing_was_sent() {
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters().write_high_water(2000)).await;
    stall(&channel).await;
    let script = async {
        peer.expect_publish(1).await;
        peer.agree_to_close().await;
    };
    let (waited, closed, ()) = tokio::join!(channel.publish("", "q", "x").into_future(), connection.close(), script);
    closed.unwrap();
    assert!(waited.unwrap_err().is_not_sent());
}

#[tokio::test(start_paused = true)]
async fn a_blocked_connection_publishes_nothing_and_does_everything_else() {
    let (connection, channel, mut peer) = Peer::connect_channel(64 * 1024, parameters()).await;
    peer.send(0, connection::Blocked::default().reason("low on memory")).await;
    let script = async {
        peer.expect::<queue::Declare>(1).await;
        peer.send(1, queue::DeclareOk::default()).await;
        peer.expect_silence().await;
        peer.send(0, connection::Unblocked::default()).await;
        peer.expect_publish(1).await;
    };
    tokio::task::yield_now().await;
    let client = async {
        tokio::task::yield_now().await;
        assert_eq!(connection.blocked().as_deref(), Some("low on memory"));
        let publish = channel.publish("", "q", "waits").into_future();
        let (published, declared) = tokio::join!(publish, channel.queue_declare("q").into_future());
        declared.unwrap();
        published.unwrap();
        assert_eq!(connection.blocked(), None);
    };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn a_channel_whose_flow_is_stopped_waits_alone() {
    let (connection, channel, mut peer) = Peer::connect_channel(64 * 1024, parameters()).await;
    let (other, ()) = tokio::join!(connection.open_channel(), peer.open_channel(2));
    let other = other.unwrap();
    peer.send(1, channel::Flow::default().active(false)).await;
    assert!(!peer.expect::<channel::FlowOk>(1).await.active);
    let script = async {
        assert_eq!(peer.expect_publish(2).await.body, b"passes");
        peer.expect_silence().await;
        peer.send(1, channel::Flow::default().active(true)).await;
        assert!(peer.expect::<channel::FlowOk>(1).await.active);
        assert_eq!(peer.expect_publish(1).await.body, b"waits");
    };
    let waiting = channel.publish("", "q", "waits").into_future();
    let passing = other.publish("", "q", "passes").into_future();
    let (waited, passed, ()) = tokio::join!(waiting, passing, script);
    waited.unwrap();
    passed.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_channel_publishes_now_while_a_publish_waits_on_another_whose_flow_is_stopped() {
    let (connection, channel, mut peer) = Peer::connect_channel(64 * 1024, parameters()).await;
    let (other, ()) = tokio::join!(connection.open_channel(), peer.open_channel(2));
    let other = other.unwrap();
    peer.send(1, channel::Flow::default().active(false)).await;
    peer.expect::<channel::FlowOk>(1).await;
    let mut waiting = Box::pin(channel.publish("", "q", "waits").into_future());
    assert!(poll_once(waiting.as_mut()).await.is_none());
    other.publish("", "q", "passes").try_publish().unwrap();
    assert_eq!(peer.expect_publish(2).await.body, b"passes");
    let refused = channel.publish("", "q", "out of turn").try_publish().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Backpressure);
    peer.send(1, channel::Flow::default().active(true)).await;
    peer.expect::<channel::FlowOk>(1).await;
    // Nobody polls it.
    assert_eq!(peer.expect_publish(1).await.body, b"waits");
    waiting.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn publishes_that_nobody_polls_again_hold_up_nobody() {
    let (connection, heard) = connect_obliged(64 * 1024, parameters().max_unconfirmed(1)).await;
    let publisher = connection.open_channel().await.unwrap().confirm_select().await.unwrap();
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut publish = Box::pin(publisher.publish("", "q", "kept").into_future());
        let passed = poll_once(publish.as_mut()).await.is_some();
        assert_eq!(passed, kept.is_empty(), "the first is in flight, and the others wait");
        kept.push(publish);
    }
    let others = async {
        for _ in 0..5 {
            publisher.publish("", "q", "passes").confirmed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(1), others).await.expect("they do not wait for those");
    assert_eq!((heard.count("basic.publish"), connection.unconfirmed()), (8, 0));
    for publish in kept.into_iter().skip(1) {
        publish.await.unwrap().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_goes_away_leaves_its_place_at_the_gate() {
    let (connection, channel, mut peer) = Peer::connect_channel(64 * 1024, parameters()).await;
    let (other, ()) = tokio::join!(connection.open_channel(), peer.open_channel(2));
    peer.send(1, channel::Flow::default().active(false)).await;
    peer.expect::<channel::FlowOk>(1).await;
    let waiting = channel.publish("", "q", "gone").into_future();
    assert!(tokio::time::timeout(Duration::from_secs(1), waiting).await.is_err());
    let other = other.unwrap();
    other.publish("", "q", "passes").try_publish().expect("nobody waits");
    assert_eq!(peer.expect_publish(2).await.body, b"passes");
    peer.send(1, channel::Flow::default().active(true)).await;
    peer.expect::<channel::FlowOk>(1).await;
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn the_limit_on_unconfirmed_publishes_holds_them_back_until_confirms_come() {
    let (connection, channel, mut peer) = Peer::connect_channel(64 * 1024, parameters().max_unconfirmed(2)).await;
    let publisher = publisher(&channel, &mut peer).await;
    let script = async {
        peer.expect_publish(1).await;
        peer.expect_publish(1).await;
        peer.expect_silence().await;
        peer.send(1, basic::Nack::default().delivery_tag(1)).await;
        peer.expect_publish(1).await;
        peer.expect_silence().await;
        peer.send(1, basic::Ack::default().delivery_tag(3).multiple(true)).await;
    };
    let client = async {
        let mut confirms = Vec::new();
        for _ in 0..3 {
            confirms.push(publisher.publish("", "q", "x").await.unwrap());
            assert!(connection.unconfirmed() <= 2);
        }
        let mut kinds = Vec::new();
        for confirm in confirms {
            kinds.push(confirm.await.err().map(|error| error.kind()));
        }
        assert_eq!(kinds, [Some(ErrorKind::Nacked), None, None]);
    };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_awaits_nothing_else_does_not_starve_the_driver() {
    let (connection, channel, mut peer) = Peer::connect_channel(1024 * 1024, parameters()).await;
    tokio::spawn(async move { while peer.receive().await.is_some() {} });
    let body = Bytes::from(vec![0; 1000]);
    let mut most = 0;
    for _ in 0..10_000 {
        channel.publish("", "q", &body).await.unwrap();
        most = most.max(connection.queued());
    }
    assert!(most < 200_000, "{most} octets were queued at a time: the gate alone stopped the publisher");
}
