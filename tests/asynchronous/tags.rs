//! One consumer has a tag at a time, whoever asks for it and when.

use std::pin::pin;
use std::time::Duration;

use leveret::ErrorKind;
use leveret::protocol::basic;
use leveret_test_support::Peer;

use super::client::{Connect as _, parameters};
use super::steps::{consumer, deliver, next, poll_once};

const CAPACITY: usize = 64 * 1024;

#[tokio::test(start_paused = true)]
async fn a_consumer_on_its_way_is_taken_by_whoever_asked_for_it_and_by_nobody_else() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut consuming = pin!(channel.consume("q").consumer_tag("c").into_future());
    assert!(poll_once(consuming.as_mut()).await.is_none());
    assert!(channel.consumer("c").is_none(), "it is on its way");
    peer.expect::<basic::Consume>(1).await;
    deliver(&mut peer, "c", 1, b"early").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(channel.consumer("c").is_none(), "it has a delivery");
    peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(channel.consumer("c").is_none(), "it has started, and its future was not polled");
    let mut consumer = poll_once(consuming.as_mut()).await.expect("it has started").unwrap();
    assert!(channel.consumer("c").is_none());
    deliver(&mut peer, "c", 2, b"in time").await;
    assert_eq!(next(&mut consumer).await, Some((1, b"early".to_vec())));
    assert_eq!(next(&mut consumer).await, Some((2, b"in time".to_vec())));
    drop(peer);
    assert_eq!(consumer.try_next().await.unwrap_err().kind(), ErrorKind::ConnectionClosed);
}

#[tokio::test(start_paused = true)]
async fn what_still_comes_for_a_dropped_consumer_never_reaches_one_that_takes_its_tag_without_waiting() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    // It consumes from `q`.
    drop(consumer(&channel, &mut peer).await);
    peer.expect::<basic::Cancel>(1).await;
    let invoices = || basic::Consume::default().queue("invoices").consumer_tag("c").no_wait(true);
    let refused = channel.send(invoices()).await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Usage && refused.is_not_sent(), "{refused}");
    assert!(channel.consumer("c").is_none());
    deliver(&mut peer, "c", 1, b"order").await;
    peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    assert_eq!(peer.expect::<basic::Nack>(1).await, basic::Nack::default().delivery_tag(1).requeue(true));

    channel.send(invoices()).await.unwrap();
    let mut consumer = channel.consumer("c").unwrap();
    assert_eq!(peer.expect::<basic::Consume>(1).await.queue, "invoices");
    deliver(&mut peer, "c", 2, b"invoice").await;
    assert_eq!(next(&mut consumer).await, Some((2, b"invoice".to_vec())));
}
