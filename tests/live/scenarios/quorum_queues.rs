//! Consumers of quorum queues, which count how often a message was delivered and end a consumer
//! that holds one for too long.

use std::collections::BTreeSet;

use leveret::{ErrorKind, FieldTable, Requeue, Result};
use leveret_live_tests::{next, open, rabbitmq_is_at_least, ready_messages, soon};

use crate::typed_queues::{number, publish_all, typed_queue, until_ready};

const MESSAGES: u32 = 20;

/// Publishes, lets go of so many consumers that have got all and handed out nothing, and takes each
/// message. Gives the largest count of deliveries that one of them says.
async fn deliveries_after_drops(queue: &str, drops: u32) -> Result<i64> {
    let (connection, channel) = open().await;
    publish_all(&channel, queue, (0..MESSAGES).map(|number| number.to_string())).await?;
    for _ in 0..drops {
        let consumer = soon(channel.consume(queue)).await?;
        until_ready(&channel, queue, 0).await;
        drop(consumer);
        until_ready(&channel, queue, MESSAGES).await;
    }
    let mut consumer = soon(channel.consume(queue)).await?;
    let (mut bodies, mut most) = (BTreeSet::new(), 0);
    while bodies.len() < MESSAGES as usize {
        let delivery = next(&mut consumer).await;
        bodies.insert(delivery.body().to_vec());
        most = most.max(number(&delivery, "x-delivery-count").unwrap_or(0));
        soon(delivery.ack()).await?;
    }
    soon(consumer.close()).await?;
    assert_eq!(ready_messages(&channel, queue).await, 0);
    assert!(connection.is_open());
    soon(channel.queue_delete(queue)).await?;
    Ok(most)
}

#[tokio::test]
async fn dropping_a_consumer_counts_as_one_delivery_of_what_it_has_not_handed_out() -> Result<()> {
    let Some(queue) = typed_queue("quorum", FieldTable::new()).await else { return Ok(()) };
    let most = deliveries_after_drops(&queue, 1).await?;
    assert!(most <= 1, "{most}");
    Ok(())
}

#[tokio::test]
async fn as_many_drops_as_the_delivery_limit_lose_nothing_that_nobody_saw() -> Result<()> {
    let Some(queue) = typed_queue("quorum", [("x-delivery-limit", 2)]).await else { return Ok(()) };
    let most = deliveries_after_drops(&queue, 2).await?;
    assert!(most <= 2, "{most}");
    Ok(())
}

/// From 4.3 on, a quorum queue itself ends the consumer. Before, its argument changes nothing
/// within the time of this scenario.
#[tokio::test]
async fn a_message_that_was_held_for_too_long_goes_to_the_next_consumer() -> Result<()> {
    let Some(queue) = typed_queue("quorum", [("x-consumer-timeout", 5000)]).await else { return Ok(()) };
    let (connection, channel) = open().await;
    publish_all(&channel, &queue, ["first", "second"].map(str::to_owned)).await?;
    let mut consumer = soon(channel.consume(&queue).prefetch(1).consumer_tag("slow")).await?;
    let held = next(&mut consumer).await;
    assert_eq!(held.body(), b"first");
    if rabbitmq_is_at_least(4, 3).await {
        let error = soon(consumer.next()).await.expect("the end is reported").expect_err("the broker ends it");
        assert_eq!(error.kind(), ErrorKind::ConsumerCancelled, "{error}");
        assert!(soon(consumer.next()).await.is_none());
        until_ready(&channel, &queue, 2).await;
        assert_eq!(
            soon(channel.queue_declare(&queue).passive(true)).await?.consumer_count,
            0,
            "the broker let go of it"
        );
    } else {
        soon(consumer.close()).await?;
        soon(held.nack(Requeue::Yes)).await?;
    }
    let mut consumer = soon(channel.consume(&queue).consumer_tag("slow")).await?;
    // Before 4.0, what goes back is delivered behind what waits.
    let mut deliveries = [next(&mut consumer).await, next(&mut consumer).await];
    deliveries.sort_by(|one, other| one.body().cmp(other.body()));
    let [first, second] = deliveries;
    assert_eq!((first.body(), first.is_redelivered()), (&b"first"[..], true));
    assert_eq!((second.body(), second.is_redelivered()), (&b"second"[..], false));
    soon(first.ack()).await?;
    soon(second.ack()).await?;
    assert!(channel.is_open() && connection.is_open());
    soon(channel.queue_delete(&queue)).await.map(drop)
}
