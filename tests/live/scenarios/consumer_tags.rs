//! How consumers are named, started and ended, frame by frame.

use std::collections::BTreeMap;

use leveret::protocol::{Method, MethodId, basic, channel, queue};
use leveret_live_tests::raw::{Raw, Received};
use leveret_live_tests::unique;

const CONSUME: MethodId = MethodId::new(60, 20);

/// A peer with an exclusive queue.
async fn peer_with_queue() -> (Raw, String) {
    let mut peer = Raw::open_channel().await;
    let name = unique("queue");
    peer.call(1, queue::Declare::default().queue(&name).exclusive(true)).await;
    (peer, name)
}

fn consume(queue: &str, tag: &str) -> basic::Consume {
    basic::Consume::default().queue(queue).consumer_tag(tag).no_ack(true)
}

#[tokio::test]
async fn a_consumer_without_a_tag_gets_one() {
    let (mut peer, queue) = peer_with_queue().await;
    let first = peer.call(1, consume(&queue, "")).await.consumer_tag.to_string();
    let second = peer.call(1, consume(&queue, "")).await.consumer_tag.to_string();
    assert_ne!(first, second);
    for tag in [first, second] {
        let made_up = tag.strip_prefix("amq.ctag-").expect("the broker's prefix");
        assert_eq!(made_up.len(), 22, "128 bits in Base64: {tag}");
    }
    peer.close().await;
}

#[tokio::test]
async fn a_consumer_that_is_started_without_an_answer_gets_a_tag_too() {
    let (mut peer, queue) = peer_with_queue().await;
    peer.send(1, consume(&queue, "").no_wait(true)).await;
    peer.publish(1, "", &queue, "pushed").await;
    let (deliver, content) = peer.expect_delivery(1).await;
    assert!(deliver.consumer_tag.to_string().starts_with("amq.ctag-"), "{deliver:?}");
    assert_eq!(content.body, b"pushed");
    peer.close().await;
}

#[tokio::test]
async fn a_tag_is_one_consumers_on_its_channel() {
    let (mut peer, queue) = peer_with_queue().await;
    peer.call(1, consume(&queue, "mine")).await;
    peer.call(2, channel::Open::default()).await;
    peer.call(2, consume(&queue, "mine")).await;
    peer.send(1, consume(&queue, "mine")).await;
    peer.expect_connection_close(530, "NOT_ALLOWED - attempt to reuse consumer tag 'mine'", CONSUME).await;
}

#[tokio::test]
async fn a_tag_is_free_again_when_its_consumer_is_cancelled() {
    let (mut peer, queue) = peer_with_queue().await;
    for _ in 0..2 {
        assert_eq!(peer.call(1, consume(&queue, "mine")).await.consumer_tag, "mine");
        assert_eq!(peer.call(1, basic::Cancel::default().consumer_tag("mine")).await.consumer_tag, "mine");
    }
    peer.publish(1, "", &queue, "unread").await;
    assert_eq!(peer.call(1, queue::Purge::default().queue(&queue)).await.message_count, 1);
    peer.close().await;
}

#[tokio::test]
async fn cancelling_a_consumer_that_is_not_there_is_fine() {
    let (mut peer, _queue) = peer_with_queue().await;
    let cancelled = peer.call(1, basic::Cancel::default().consumer_tag("nobody")).await;
    assert_eq!(cancelled.consumer_tag, "nobody");
    peer.close().await;
}

#[tokio::test]
async fn cancelling_without_an_answer_gets_none() {
    let (mut peer, queue) = peer_with_queue().await;
    peer.call(1, consume(&queue, "mine")).await;
    peer.send(1, basic::Cancel::default().consumer_tag("mine").no_wait(true)).await;
    let declared = peer.call(1, queue::Declare::default().queue(&queue).exclusive(true)).await;
    assert_eq!(declared.consumer_count, 0);
    peer.close().await;
}

#[tokio::test]
async fn consumers_of_all_channels_are_told_when_their_queue_is_deleted() {
    let (mut peer, queue) = peer_with_queue().await;
    peer.call(1, consume(&queue, "deleter's own")).await;
    peer.call(2, channel::Open::default()).await;
    peer.call(2, consume(&queue, "neighbour's")).await;
    peer.send(1, queue::Delete::default().queue(&queue)).await;

    // The channels are told independently of each other.
    let mut told: BTreeMap<u16, Vec<Method>> = BTreeMap::new();
    for _ in 0..3 {
        match peer.receive().await {
            Some(Received::Method(channel, method)) => told.entry(channel).or_default().push(method),
            other => panic!("expected a method, got {other:?}"),
        }
    }
    let cancelled = |tag: &str| Method::from(basic::Cancel::default().consumer_tag(tag).no_wait(true));
    let answered = Method::from(queue::DeleteOk::default().message_count(0));
    assert_eq!(told[&1], [answered, cancelled("deleter's own")], "the answer comes first");
    assert_eq!(told[&2], [cancelled("neighbour's")]);

    let gone = peer.call(2, basic::Cancel::default().consumer_tag("neighbour's")).await;
    assert_eq!(gone.consumer_tag, "neighbour's", "cancelling it once more is fine");
    peer.close().await;
}

#[tokio::test]
async fn a_client_that_has_not_announced_it_is_not_told_that_its_queue_is_gone() {
    let mut peer = Raw::connect().await;
    peer.until_start().await;
    let start_ok = peer.start_ok().client_properties(leveret::FieldTable::default());
    peer.call_start_ok(start_ok).await;
    let tune_ok = peer.tune_ok();
    peer.send(0, tune_ok).await;
    let open = peer.virtual_host();
    peer.call(0, open).await;
    peer.call(1, channel::Open::default()).await;
    let queue = unique("queue");
    peer.call(1, queue::Declare::default().queue(&queue).exclusive(true)).await;
    peer.call(1, consume(&queue, "mine")).await;
    peer.call(1, queue::Delete::default().queue(&queue)).await;
    for _ in 0..3 {
        peer.call(1, basic::Qos::default()).await;
    }
    peer.close().await;
}

#[tokio::test]
async fn unsettled_deliveries_of_a_cancelled_consumer_stay_with_the_channel() {
    let (mut peer, queue) = peer_with_queue().await;
    peer.call(1, consume(&queue, "mine").no_ack(false)).await;
    peer.publish(1, "", &queue, "held").await;
    let (deliver, _content) = peer.expect_delivery(1).await;
    assert!(!deliver.redelivered);
    peer.call(1, basic::Cancel::default().consumer_tag("mine")).await;
    let declared = peer.call(1, queue::Declare::default().queue(&queue).exclusive(true)).await;
    assert_eq!((declared.message_count, declared.consumer_count), (0, 0));

    peer.call(1, consume(&queue, "next").no_ack(false)).await;
    peer.send(1, basic::Nack::default().delivery_tag(deliver.delivery_tag).requeue(true)).await;
    let (again, content) = peer.expect_delivery(1).await;
    assert_eq!((again.consumer_tag, again.delivery_tag, again.redelivered), ("next".into(), 2, true));
    assert_eq!(content.body, b"held");
    peer.close().await;
}

#[tokio::test]
async fn no_local_is_not_heeded() {
    let (mut peer, queue) = peer_with_queue().await;
    peer.call(1, consume(&queue, "mine").no_local(true)).await;
    peer.publish(1, "", &queue, "my own").await;
    let (deliver, content) = peer.expect_delivery(1).await;
    assert_eq!((deliver.exchange, deliver.routing_key), ("".into(), queue.as_str().into()));
    assert_eq!(content.body, b"my own");
    peer.close().await;
}
