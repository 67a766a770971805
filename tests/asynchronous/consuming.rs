//! Taking messages from a consumer.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use leveret::ErrorKind;
use leveret::protocol::basic;
use leveret_test_support::Peer;

use super::client::{Connect as _, parameters};
use super::steps::{consumer, deliver, next};

const CAPACITY: usize = 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn try_next_gives_the_messages_then_the_reason_of_the_end_once_and_then_none() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    deliver(&mut peer, "c", 1, b"x").await;
    peer.send(1, basic::Cancel::default().consumer_tag("c").no_wait(true)).await;
    let delivery = consumer.try_next().await.unwrap().unwrap();
    assert_eq!((delivery.body(), delivery.consumer_tag().as_bytes()), (&b"x"[..], &b"c"[..]));
    assert_eq!(consumer.try_next().await.unwrap_err().kind(), ErrorKind::ConsumerCancelled);
    assert!(consumer.try_next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_never_has_to_wait_lets_others_run_now_and_then() {
    const MESSAGES: u64 = 2000;
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    for tag in 1..=MESSAGES {
        deliver(&mut peer, "c", tag, b"x").await;
    }
    // All of them have arrived.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut taken, mut yields) = (0, 0);
    while taken < MESSAGES {
        let mut next = pin!(consumer.try_next());
        match poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await {
            Poll::Ready(delivery) => {
                taken += 1;
                assert_eq!(delivery.unwrap().unwrap().delivery_tag(), taken);
            }
            Poll::Pending => yields += 1,
        }
    }
    assert!((1..=MESSAGES / 256).contains(&yields), "{yields} times");
}

#[tokio::test(start_paused = true)]
async fn close_waits_until_what_was_not_handed_out_is_on_its_way_back() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    for tag in 1..=3 {
        deliver(&mut peer, "c", tag, b"x").await;
    }
    assert_eq!(next(&mut consumer).await, Some((1, b"x".to_vec())));
    let script = async {
        peer.expect::<basic::Cancel>(1).await;
        deliver(&mut peer, "c", 4, b"crosses").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
        let mut back = Vec::new();
        while back.len() < 3 {
            back.push(peer.expect::<basic::Nack>(1).await.delivery_tag);
        }
        back
    };
    // Delivery 1 is the application's, and is not among them: so they go back one by one.
    let before = tokio::time::Instant::now();
    let (closed, back) = tokio::join!(consumer.close(), script);
    closed.unwrap();
    assert_eq!(back, [2, 3, 4]);
    assert_eq!(before.elapsed(), Duration::from_secs(1), "it waited for cancel-ok");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_consumer_leaves_its_channel_in_step_for_the_next_call() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    drop(consumer(&channel, &mut peer).await);
    let script = async {
        peer.expect::<basic::Cancel>(1).await;
        peer.expect::<basic::Get>(1).await;
        // RabbitMQ answers in this order.
        peer.send(1, basic::GetEmpty::default()).await;
        peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    };
    let (got, ()) = tokio::join!(channel.get("q").into_future(), script);
    assert!(got.unwrap().is_none() && channel.is_open());
}

#[tokio::test(start_paused = true)]
async fn an_earlier_delivery_cannot_be_settled_after_a_multiple_settlement_of_a_later_one() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    for tag in 1..=2 {
        deliver(&mut peer, "c", tag, b"x").await;
    }
    let first = consumer.try_next().await.unwrap().unwrap();
    let second = consumer.try_next().await.unwrap().unwrap();
    second.ack_multiple().await.unwrap();
    let error = first.ack().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.is_not_sent(), "{error}");
    assert!(peer.expect::<basic::Ack>(1).await.multiple);
    peer.expect_silence().await;
    assert!(channel.is_open());
}
