//! Taking messages from a consumer.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use leveret::protocol::basic;
use leveret::{Channel, Consumer, ErrorKind};

use super::peer::{Peer, parameters};

const CAPACITY: usize = 1024 * 1024;

/// A consumer of the tag `c`, which nobody has sent anything.
async fn consumer(channel: &Channel, peer: &mut Peer) -> Consumer {
    let script = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
    };
    let (consumer, ()) = tokio::join!(channel.consume("q").into_future(), script);
    consumer.unwrap()
}

#[tokio::test(start_paused = true)]
async fn try_next_gives_the_messages_then_the_reason_of_the_end_once_and_then_none() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(1), b"x").await;
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
        peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(tag), b"x").await;
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
