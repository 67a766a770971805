//! Queues with one consumer at a time: by the consumer's wish, or by the queue's.

use leveret::{ReplyCode, Requeue, Result};
use leveret_live_tests::client::{Channel, Connection, Consumer};
use leveret_live_tests::{connect, exclusive_queue, next, open, ready_messages, soon, unique};

use crate::messages::{body, fill, get, queue_with};
use crate::refusal::assert_channel_refusal;

fn in_exclusive_use(queue: &str) -> String {
    format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use")
}

/// A consumer on a channel of its own.
async fn consumer(connection: &Connection, queue: &str) -> Consumer {
    let channel = soon(connection.open_channel()).await.expect("a channel opens");
    soon(channel.consume(queue)).await.expect("a consumer starts")
}

async fn assert_refused(connection: &Connection, queue: &str, exclusive: bool) {
    let channel = soon(connection.open_channel()).await.expect("a channel opens");
    let error = soon(channel.consume(queue).exclusive(exclusive)).await.expect_err("the broker refuses it");
    assert_channel_refusal(&error, "basic.consume", ReplyCode::ACCESS_REFUSED, &in_exclusive_use(queue));
}

async fn consumers(channel: &Channel, queue: &str) -> u32 {
    soon(channel.queue_declare(queue).passive(true)).await.expect("the queue is there").consumer_count
}

#[tokio::test]
async fn an_exclusive_consumer_has_nobody_beside_it() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue).exclusive(true)).await?;
    assert_refused(&connection, &queue, false).await;
    assert_refused(&connection, &queue, true).await;
    assert_eq!(consumers(&channel, &queue).await, 1);
    soon(consumer.cancel()).await?;
    let other = soon(connection.open_channel()).await?;
    let _next = soon(other.consume(&queue).exclusive(true)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exclusive_consumer_does_not_come_beside_another() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut first = soon(channel.consume(&queue)).await?;
    assert_refused(&connection, &queue, true).await;
    soon(first.cancel()).await?;
    let _second = soon(channel.consume(&queue).exclusive(true)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exclusive_consumer_is_alone_among_connections_but_others_may_get() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = unique("shared");
    soon(channel.queue_declare(&queue)).await?;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut consumer = soon(channel.consume(&queue).exclusive(true)).await?;
    let stranger = connect().await;
    assert_refused(&stranger, &queue, false).await;
    fill(&channel, &queue, &["1", "2"]).await;
    assert_eq!(next(&mut consumer).await.body(), b"1");
    let other = soon(stranger.open_channel()).await?;
    assert_eq!(get(&other, &queue).await.body(), b"2");
    soon(channel.queue_delete(&queue)).await?;
    Ok(())
}

#[tokio::test]
async fn the_exclusive_use_ends_with_the_channel() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let closing = soon(connection.open_channel()).await?;
    let _consumer = soon(closing.consume(&queue).exclusive(true)).await?;
    soon(closing.close()).await?;
    // The broker may still be at it when it has agreed to the close.
    leveret_live_tests::eventually(|| async { (consumers(&channel, &queue).await == 0).then_some(()) }).await;
    let _next = soon(channel.consume(&queue).exclusive(true)).await?;
    Ok(())
}

#[tokio::test]
async fn of_many_consumers_the_first_alone_is_active() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-single-active-consumer", true)]).await;
    let mut first = consumer(&connection, &queue).await;
    let _second = consumer(&connection, &queue).await;
    fill(&channel, &queue, &["1", "2", "3"]).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(body(&next(&mut first).await), expected);
    }
    assert_eq!(consumers(&channel, &queue).await, 2, "those that wait are counted");
    Ok(())
}

#[tokio::test]
async fn an_active_consumer_without_room_is_not_helped_by_those_that_wait() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-single-active-consumer", true)]).await;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut first = soon(channel.consume(&queue)).await?;
    let _second = consumer(&connection, &queue).await;
    fill(&channel, &queue, &["1", "2"]).await;
    let one = next(&mut first).await;
    assert_eq!(ready_messages(&channel, &queue).await, 1);
    one.ack().await?;
    assert_eq!(next(&mut first).await.body(), b"2");
    Ok(())
}

#[tokio::test]
async fn the_next_in_line_takes_over_from_one_that_is_cancelled() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-single-active-consumer", true)]).await;
    let mut first = consumer(&connection, &queue).await;
    let mut second = consumer(&connection, &queue).await;
    let _third = consumer(&connection, &queue).await;
    fill(&channel, &queue, &["1"]).await;
    let held = next(&mut first).await;
    soon(first.cancel()).await?;
    fill(&channel, &queue, &["2"]).await;
    let two = next(&mut second).await;
    assert_eq!((body(&two).as_str(), two.is_redelivered()), ("2", false));
    held.nack(Requeue::Yes).await?;
    let one = next(&mut second).await;
    assert_eq!((body(&one).as_str(), one.is_redelivered()), ("1", true), "it was still the first one's");
    Ok(())
}

#[tokio::test]
async fn the_next_in_line_takes_over_from_one_whose_channel_is_closed() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-single-active-consumer", true)]).await;
    let mut first = consumer(&connection, &queue).await;
    let mut second = consumer(&connection, &queue).await;
    fill(&channel, &queue, &["1", "2"]).await;
    for expected in ["1", "2"] {
        assert_eq!(body(&next(&mut first).await), expected);
    }
    soon(first.channel().close()).await?;
    for expected in ["1", "2"] {
        let again = next(&mut second).await;
        assert_eq!((body(&again).as_str(), again.is_redelivered()), (expected, true));
    }
    Ok(())
}

#[tokio::test]
async fn where_the_queue_chooses_its_consumer_none_can_be_exclusive() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-single-active-consumer", true)]).await;
    assert_refused(&connection, &queue, true).await;
    let _first = consumer(&connection, &queue).await;
    assert_refused(&connection, &queue, true).await;
    Ok(())
}
