//! Settling deliveries: by tag, many at once, and wrongly.

use leveret::protocol::basic;
use leveret::{ReplyCode, Result};
use leveret_live_tests::client::{Channel, Connection};
use leveret_live_tests::{exclusive_queue, next, open, soon};

use crate::messages::{body, fill, get, get_many, take_all, take_bodies};
use crate::refusal::{assert_channel_refusal, assert_connection_refusal, refused_on};

/// The broker has closed the channel over a tag that it does not know.
async fn assert_unknown(channel: &Channel, method: &str, tag: u64) {
    let error = refused_on(channel).await;
    let text = format!("PRECONDITION_FAILED - unknown delivery tag {tag}");
    assert_channel_refusal(&error, method, ReplyCode::PRECONDITION_FAILED, &text);
}

fn ack(tag: u64) -> basic::Ack {
    basic::Ack::default().delivery_tag(tag)
}

fn nack(tag: u64) -> basic::Nack {
    basic::Nack::default().delivery_tag(tag)
}

/// A channel with an exclusive queue, of which so many messages were got and are unsettled.
async fn unsettled(connection: &Connection, count: usize) -> Result<(Channel, String)> {
    let channel = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&channel).await;
    let bodies: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    fill(&channel, &queue, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for delivery in get_many(&channel, &queue, count).await {
        assert_eq!(delivery.delivery_tag().to_string(), body(&delivery));
    }
    Ok((channel, queue))
}

#[tokio::test]
async fn tags_that_were_never_given_are_unknown_to_each_method() -> Result<()> {
    let (connection, _channel) = open().await;
    for tag in [0, 1, u64::MAX] {
        let channel = soon(connection.open_channel()).await?;
        soon(channel.send(ack(tag))).await?;
        assert_unknown(&channel, "basic.ack", tag).await;
        let channel = soon(connection.open_channel()).await?;
        soon(channel.send(nack(tag))).await?;
        assert_unknown(&channel, "basic.nack", tag).await;
        let channel = soon(connection.open_channel()).await?;
        soon(channel.send(basic::Reject::default().delivery_tag(tag))).await?;
        assert_unknown(&channel, "basic.reject", tag).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_tag_is_good_for_one_time() -> Result<()> {
    let (connection, _channel) = open().await;
    let (channel, _queue) = unsettled(&connection, 1).await?;
    soon(channel.send(ack(1))).await?;
    soon(channel.send(ack(1))).await?;
    assert_unknown(&channel, "basic.ack", 1).await;

    let (channel, _queue) = unsettled(&connection, 1).await?;
    soon(channel.send(nack(1).requeue(false))).await?;
    soon(channel.send(basic::Reject::default().delivery_tag(1))).await?;
    assert_unknown(&channel, "basic.reject", 1).await;
    Ok(())
}

#[tokio::test]
async fn a_tag_is_good_on_its_channel_alone() -> Result<()> {
    let (connection, _channel) = open().await;
    let (channel, queue) = unsettled(&connection, 1).await?;
    let other = soon(connection.open_channel()).await?;
    soon(other.send(ack(1))).await?;
    assert_unknown(&other, "basic.ack", 1).await;
    soon(channel.send(nack(1).requeue(true))).await?;
    assert_eq!(take_bodies(&channel, &queue).await, ["1"]);
    Ok(())
}

#[tokio::test]
async fn what_came_without_acknowledgement_has_a_tag_that_is_unknown() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    fill(&channel, &queue, &["1"]).await;
    let delivery = soon(channel.get(&queue).no_ack(true)).await?.expect("it is there");
    assert_eq!(delivery.delivery_tag(), 1);
    soon(channel.send(ack(1))).await?;
    assert_unknown(&channel, "basic.ack", 1).await;
    Ok(())
}

#[tokio::test]
async fn many_are_settled_up_to_a_tag_that_is_outstanding() -> Result<()> {
    let (connection, _channel) = open().await;
    let (channel, queue) = unsettled(&connection, 4).await?;
    soon(channel.send(ack(2))).await?;
    soon(channel.send(nack(3).multiple(true).requeue(true))).await?;
    let back = [("1".to_owned(), true), ("3".to_owned(), true)];
    assert_eq!(take_all(&channel, &queue).await, back, "the second was settled, the fourth is out");
    soon(channel.send(ack(4).multiple(true))).await?;
    soon(channel.basic_qos()).await?;
    Ok(())
}

#[tokio::test]
async fn many_are_not_settled_up_to_a_tag_that_is_not_outstanding() -> Result<()> {
    let (connection, _channel) = open().await;
    let (channel, _queue) = unsettled(&connection, 2).await?;
    soon(channel.send(ack(5).multiple(true))).await?;
    assert_unknown(&channel, "basic.ack", 5).await;

    let (channel, _queue) = unsettled(&connection, 2).await?;
    soon(channel.send(ack(2))).await?;
    soon(channel.send(nack(2).multiple(true).requeue(true))).await?;
    assert_unknown(&channel, "basic.nack", 2).await;
    Ok(())
}

#[tokio::test]
async fn no_tag_and_many_means_all_there_are() -> Result<()> {
    let (connection, _channel) = open().await;
    let (channel, queue) = unsettled(&connection, 3).await?;
    soon(channel.send(nack(0).multiple(true).requeue(true))).await?;
    let back = ["1", "2", "3"].map(|body| (body.to_owned(), true));
    assert_eq!(take_all(&channel, &queue).await, back);
    soon(channel.send(nack(0).multiple(true))).await?;
    soon(channel.send(ack(0).multiple(true))).await?;
    soon(channel.basic_qos()).await?;

    fill(&channel, &queue, &["4"]).await;
    let last = get(&channel, &queue).await;
    soon(channel.send(ack(0).multiple(true))).await?;
    soon(channel.send(ack(last.delivery_tag()))).await?;
    assert_unknown(&channel, "basic.ack", last.delivery_tag()).await;
    Ok(())
}

#[tokio::test]
async fn one_count_of_tags_serves_all_that_a_channel_gets_and_is_sent() -> Result<()> {
    let (_connection, channel) = open().await;
    let (queue, pushed) = (exclusive_queue(&channel).await, exclusive_queue(&channel).await);
    fill(&channel, &queue, &["1", "2"]).await;
    assert_eq!(get(&channel, &queue).await.delivery_tag(), 1);
    let unacknowledged = soon(channel.get(&queue).no_ack(true)).await?.expect("it is there");
    assert_eq!(unacknowledged.delivery_tag(), 2);
    let mut consumer = soon(channel.consume(&pushed)).await?;
    fill(&channel, &pushed, &["3"]).await;
    assert_eq!(next(&mut consumer).await.delivery_tag(), 3);
    fill(&channel, &queue, &["4"]).await;
    assert_eq!(get(&channel, &queue).await.delivery_tag(), 4);
    Ok(())
}

#[tokio::test]
async fn settling_after_the_queue_is_gone_is_fine() -> Result<()> {
    let (connection, _channel) = open().await;
    let (channel, queue) = unsettled(&connection, 3).await?;
    soon(channel.queue_delete(&queue)).await?;
    soon(channel.send(ack(1))).await?;
    soon(channel.send(nack(2).requeue(true))).await?;
    soon(channel.send(basic::Reject::default().delivery_tag(3).requeue(true))).await?;
    soon(channel.basic_qos()).await?;
    Ok(())
}

#[tokio::test]
async fn recovering_gives_new_tags_and_forgets_the_old() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    fill(&channel, &queue, &["a", "b", "c"]).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let mut forgotten = Vec::new();
    for _ in 0..3 {
        forgotten.push(next(&mut consumer).await);
    }
    soon(channel.basic_recover().requeue(true)).await?;
    for (tag, expected) in [(4, "a"), (5, "b"), (6, "c")] {
        let again = next(&mut consumer).await;
        assert_eq!((again.delivery_tag(), body(&again).as_str()), (tag, expected));
        assert!(again.is_redelivered());
    }
    soon(channel.send(ack(1))).await?;
    assert_unknown(&channel, "basic.ack", 1).await;
    Ok(())
}

#[tokio::test]
async fn recovering_to_the_same_consumer_is_not_implemented() -> Result<()> {
    let text = "NOT_IMPLEMENTED - requeue=false";
    let (_connection, channel) = open().await;
    let error = soon(channel.basic_recover().requeue(false)).await.unwrap_err();
    assert_connection_refusal(&error, "basic.recover", ReplyCode::NOT_IMPLEMENTED, text);
    let (_connection, channel) = open().await;
    soon(channel.basic_recover_async().requeue(false)).await?;
    let error = refused_on(&channel).await;
    assert_connection_refusal(&error, "basic.recover-async", ReplyCode::NOT_IMPLEMENTED, text);
    Ok(())
}
