//! Calls that are in flight together. Brokers do not answer them in the order in which they were
//! sent: a consumer's start and its end are answered after whatever is asked meanwhile, and nothing
//! may follow an unanswered tx.commit.

use std::time::Duration;

use leveret::{Properties, Result};
use leveret_live_tests::client::Channel;
use leveret_live_tests::{exclusive_queue, next, open, ready_messages, soon, unique};
use tokio::{join, time};

/// Often enough for an order that depends on who is faster.
const TIMES: usize = 50;

#[tokio::test]
async fn a_consumer_that_is_dropped_before_another_call_on_its_channel_does_no_harm() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for _ in 0..TIMES {
        drop(soon(channel.consume(&queue)).await?);
        assert!(soon(channel.get(&queue)).await?.is_none());
        drop(soon(channel.consume(&queue)).await?);
        assert_eq!(ready_messages(&channel, &queue).await, 0);
        drop(soon(channel.consume(&queue)).await?);
        soon(channel.basic_qos().prefetch_count(10)).await?;
    }
    assert!(channel.is_open() && connection.is_open());
    Ok(())
}

#[tokio::test]
async fn a_queue_may_be_deleted_right_after_its_consumer_is_dropped() -> Result<()> {
    let (connection, channel) = open().await;
    for _ in 0..TIMES {
        let queue = exclusive_queue(&channel).await;
        drop(soon(channel.consume(&queue)).await?);
        soon(channel.queue_delete(&queue)).await?;
    }
    assert!(channel.is_open() && connection.is_open());
    Ok(())
}

#[tokio::test]
async fn a_consumer_starts_beside_other_calls_and_each_hears_its_own_answer() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for _ in 0..TIMES {
        let consume = || channel.consume(&queue).into_future();
        let (consumer, qos) =
            soon(async { join!(consume(), channel.basic_qos().prefetch_count(5).into_future()) }).await;
        qos?;
        consumer?.cancel().await?;
        let (consumer, got) = soon(async { join!(consume(), channel.get(&queue).into_future()) }).await;
        assert!(got?.is_none());
        consumer?.cancel().await?;
        let declare = channel.queue_declare(&queue).passive(true).into_future();
        let (consumer, declared) = soon(async { join!(consume(), declare) }).await;
        assert_eq!(declared?.queue, *queue.as_str());
        consumer?.cancel().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_consumer_is_cancelled_beside_other_calls() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for _ in 0..TIMES {
        let mut consumer = soon(channel.consume(&queue)).await?;
        let declare = channel.queue_declare(&queue).passive(true).into_future();
        let (cancelled, declared) = soon(async { join!(consumer.cancel(), declare) }).await;
        cancelled?;
        assert_eq!(declared?.queue, *queue.as_str());
        let mut consumer = soon(channel.consume(&queue)).await?;
        let (cancelled, got) = soon(async { join!(consumer.cancel(), channel.get(&queue).into_future()) }).await;
        cancelled?;
        assert!(got?.is_none());
    }
    Ok(())
}

#[tokio::test]
async fn consumers_that_start_together_get_the_messages_of_their_own_queues() -> Result<()> {
    let (_connection, channel) = open().await;
    let queues = [exclusive_queue(&channel).await, exclusive_queue(&channel).await];
    for _ in 0..TIMES {
        let start = |queue| channel.consume(queue).into_future();
        let declare = channel.queue_declare(&queues[0]).passive(true).into_future();
        let (one, declared, other) = soon(async { join!(start(&queues[0]), declare, start(&queues[1])) }).await;
        declared?;
        let mut consumers = [one?, other?];
        for (queue, consumer) in queues.iter().zip(&mut consumers) {
            soon(channel.publish("", queue, queue.as_str())).await?;
            let delivery = next(consumer).await;
            assert_eq!(delivery.body(), queue.as_bytes());
            soon(delivery.ack()).await?;
            soon(consumer.cancel()).await?;
        }
    }
    Ok(())
}

/// A queue that keeps messages on disk, where the broker has one: a commit takes its time.
async fn durable_queue(channel: &Channel) -> String {
    let name = unique("durable");
    soon(channel.queue_declare(&name).durable(true)).await.expect("a queue is declared");
    name
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_harms_no_later_call() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = durable_queue(&channel).await;
    soon(channel.tx_select()).await?;
    let persistent = Properties::default().delivery_mode(2);
    for _ in 0..TIMES {
        soon(channel.publish("", &queue, "kept").properties(&persistent)).await?;
        let abandoned = time::timeout(Duration::ZERO, channel.tx_commit().into_future()).await;
        drop(abandoned);
        soon(channel.basic_qos()).await?;
    }
    soon(channel.tx_commit()).await?;
    assert_eq!(ready_messages(&channel, &queue).await as usize, TIMES);
    soon(channel.queue_delete(&queue)).await?;
    assert!(connection.is_open());
    Ok(())
}

#[tokio::test]
async fn whatever_is_sent_beside_a_commit_waits_for_its_answer() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = durable_queue(&channel).await;
    soon(channel.tx_select()).await?;
    let persistent = Properties::default().delivery_mode(2);
    let publish = || channel.publish("", &queue, "kept").properties(&persistent).into_future();
    let commit = || channel.tx_commit().into_future();
    for _ in 0..TIMES / 5 {
        soon(publish()).await?;
        let (committed, called) = soon(async { join!(commit(), channel.basic_qos().into_future()) }).await;
        committed.and(called)?;
        soon(publish()).await?;
        let (committed, published) = soon(async { join!(commit(), publish()) }).await;
        committed.and(published)?;
        let (first, second) = soon(async { join!(commit(), commit()) }).await;
        first.and(second)?;
        let got = soon(channel.get(&queue)).await?.expect("it was committed");
        soon(publish()).await?;
        let (committed, acknowledged) = soon(async { join!(commit(), got.ack()) }).await;
        committed.and(acknowledged)?;
        soon(commit()).await?;
    }
    soon(channel.queue_delete(&queue)).await?;
    assert!(connection.is_open());
    Ok(())
}
