//! Brokers that send more than consumers take: TCP holds them back, and whoever takes nothing ends
//! alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use leveret::protocol::{basic, queue};
use leveret::{Channel, ChannelEvent, ConnectionEvent, ConnectionParameters, Consumer, ErrorKind};
use leveret_test_support::{Peer, Received};

use super::client::{Connect as _, parameters};
use super::steps::{deliver, started};

const CAPACITY: usize = 64 * 1024;

const LIMIT: usize = 100_000;

/// Bytes of a body.
const LEN: usize = 1000;

fn limited() -> ConnectionParameters {
    parameters().read_limit(LIMIT)
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_holds_the_broker_back_and_loses_nothing() {
    const MESSAGES: u64 = 1000;
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, limited()).await;
    let mut consumer = started(channel.consume("q").prefetch(0).no_ack(true), &mut peer).await;
    let mut events = connection.events();
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let flooding = tokio::spawn(async move {
        for tag in 1..=MESSAGES {
            deliver(&mut peer, "c", tag, &[0; LEN]).await;
            count.store(tag, Ordering::Relaxed);
        }
        peer
    });
    for tag in 1..=MESSAGES {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(consumer.next().await.unwrap().unwrap().delivery_tag(), tag);
        // What waits, a part that was taken, what was read at once, and the pipe.
        let ahead = (sent.load(Ordering::Relaxed) - tag) * LEN as u64;
        assert!(ahead < (LIMIT + 4 * CAPACITY) as u64, "{ahead} bytes ahead");
    }
    let _peer = flooding.await.unwrap();
    assert!(matches!(events.next().await, Some(ConnectionEvent::ReadingPaused { .. })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::ReadingResumed)));
    assert!(connection.is_open());
}

/// More messages than may wait, and fewer than may wait and fit the pipe.
const MORE: u64 = 150;

/// A consumer that takes nothing, and that more waits for than may.
async fn overflowing(no_ack: bool, parameters: ConnectionParameters) -> (leveret::Connection, Channel, Consumer, Peer) {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters).await;
    let consumer = started(channel.consume("q").prefetch(0).no_ack(no_ack), &mut peer).await;
    for tag in 1..=MORE {
        deliver(&mut peer, "c", tag, &[0; LEN]).await;
    }
    (connection, channel, consumer, peer)
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_takes_nothing_ends_after_the_grace_time_and_the_connection_goes_on() {
    let (connection, channel, mut consumer, mut peer) = overflowing(false, limited()).await;
    let (mut events, mut channel_events) = (connection.events(), channel.events());
    let before = tokio::time::Instant::now();
    assert_eq!(peer.expect::<basic::Cancel>(1).await.consumer_tag, "c");
    let passed = before.elapsed();
    assert!(passed > Duration::from_secs(14) && passed < Duration::from_secs(16), "{passed:?}");
    peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    let back = peer.expect::<basic::Nack>(1).await;
    assert_eq!((back.delivery_tag, back.multiple, back.requeue), (MORE, true, true));

    let error = consumer.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsumerOverflowed, "{error}");
    assert!(error.is_retryable() && error.to_string().contains("read_limit"), "{error}");
    assert!(error.hint().unwrap().contains("prefetch"), "{error:?}");
    assert!(consumer.next().await.is_none());
    assert!(matches!(channel_events.next().await, Some(ChannelEvent::ConsumerOverflowed(tag)) if tag == "c"));
    let event = events.next().await.unwrap();
    assert!(matches!(event, ConnectionEvent::ReadingPaused { .. } | ConnectionEvent::ReadingResumed), "{event}");

    let script = async {
        peer.expect::<queue::Declare>(1).await;
        peer.send(1, queue::DeclareOk::default()).await;
    };
    tokio::join!(channel.queue_declare("q").into_future(), script).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_acknowledgements_what_waited_is_handed_out_before_the_error() {
    let (_connection, _channel, mut consumer, mut peer) = overflowing(true, limited()).await;
    peer.expect::<basic::Cancel>(1).await;
    peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    let mut taken = 0;
    let error = loop {
        match consumer.next().await.unwrap() {
            Ok(delivery) => {
                taken += 1;
                assert_eq!(delivery.delivery_tag(), taken);
            }
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConsumerOverflowed, "{error}");
    assert!(taken * LEN as u64 > LIMIT as u64 / 2 && taken <= MORE, "{taken} messages");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_answered_in_the_middle_of_a_pause() {
    let (_connection, channel, _consumer, mut peer) = overflowing(false, limited()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let script = async {
        peer.expect::<queue::Declare>(1).await;
        peer.send(1, queue::DeclareOk::default()).await;
    };
    let before = tokio::time::Instant::now();
    tokio::join!(channel.queue_declare("q").into_future(), script).0.unwrap();
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_no_silence_and_heartbeats_go_out_in_it() {
    let patient = limited().heartbeat(2).overflow_timeout(Duration::from_secs(1000));
    let (connection, _channel, _consumer, mut peer) = overflowing(false, patient).await;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer.send_heartbeat().await;
    }
    assert!(connection.is_open(), "{:?}", connection.closed_by());
    for _ in 0..50 {
        assert_eq!(peer.receive().await, Some(Received::Heartbeat));
    }
    // Silence is silence in a pause too.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(connection.closed_by().unwrap().is_heartbeat_missed());
}
