//! Which consumer of a queue a message goes to.

use leveret::{FieldTable, FieldValue, ReplyCode, Result};
use leveret_live_tests::client::{Channel, Connection, Consumer};
use leveret_live_tests::{exclusive_queue, next, open, ready_messages, soon};

use crate::messages::{body, fill};
use crate::refusal::assert_channel_refusal;

/// A consumer on a channel of its own, with a prefetch count and perhaps a priority.
async fn consumer(connection: &Connection, queue: &str, prefetch: u16, priority: Option<i32>) -> Consumer {
    let channel = soon(connection.open_channel()).await.expect("a channel opens");
    soon(channel.basic_qos().prefetch_count(prefetch)).await.expect("qos is set");
    let arguments: FieldTable = priority.map(|priority| ("x-priority", priority)).into_iter().collect();
    soon(channel.consume(queue).arguments(arguments)).await.expect("a consumer starts")
}

async fn bodies(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    for _ in 0..count {
        bodies.push(body(&next(consumer).await));
    }
    bodies
}

async fn refused_consume(channel: &Channel, queue: &str, arguments: impl Into<FieldTable>) -> leveret::Error {
    soon(channel.consume(queue).arguments(arguments)).await.expect_err("the broker refuses it")
}

#[tokio::test]
async fn equal_consumers_take_turns() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut first = consumer(&connection, &queue, 0, None).await;
    let mut second = consumer(&connection, &queue, 0, Some(0)).await;
    let mut third = consumer(&connection, &queue, 0, None).await;
    fill(&channel, &queue, &["0", "1", "2", "3", "4", "5"]).await;
    assert_eq!(bodies(&mut first, 2).await, ["0", "3"]);
    assert_eq!(bodies(&mut second, 2).await, ["1", "4"], "no priority is priority 0");
    assert_eq!(bodies(&mut third, 2).await, ["2", "5"]);
    Ok(())
}

#[tokio::test]
async fn what_waits_goes_to_the_first_that_comes_as_far_as_it_has_room() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    fill(&channel, &queue, &["0", "1", "2", "3", "4"]).await;
    let mut first = consumer(&connection, &queue, 2, None).await;
    assert_eq!(bodies(&mut first, 2).await, ["0", "1"]);
    let mut second = consumer(&connection, &queue, 2, None).await;
    assert_eq!(bodies(&mut second, 2).await, ["2", "3"]);
    assert_eq!(ready_messages(&channel, &queue).await, 1);
    Ok(())
}

#[tokio::test]
async fn a_consumer_without_room_is_passed_over() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut narrow = consumer(&connection, &queue, 1, None).await;
    let mut wide = consumer(&connection, &queue, 0, None).await;
    fill(&channel, &queue, &["0", "1", "2", "3"]).await;
    assert_eq!(bodies(&mut narrow, 1).await, ["0"]);
    assert_eq!(bodies(&mut wide, 3).await, ["1", "2", "3"]);
    Ok(())
}

/// Three consumers that have room for one message each and hold one, settled by the last, the first
/// and the second.
async fn settled_out_of_order(connection: &Connection, queue: &str, bodies: &[&str]) -> Vec<Consumer> {
    let channel = soon(connection.open_channel()).await.expect("a channel opens");
    let mut consumers = Vec::new();
    for _ in 0..3 {
        consumers.push(consumer(connection, queue, 1, None).await);
    }
    fill(&channel, queue, bodies).await;
    let mut held = Vec::new();
    for (consumer, expected) in consumers.iter_mut().zip(bodies) {
        let delivery = next(consumer).await;
        assert_eq!(body(&delivery), *expected);
        held.push(Some(delivery));
    }
    soon(channel.queue_purge(queue)).await.expect("the queue is there");
    for index in [2, 0, 1] {
        held[index].take().expect("each is settled once").ack().await.expect("it is queued");
        // The queue has the acknowledgement when it has answered what came after it.
        assert!(soon(consumers[index].channel().get(queue)).await.expect("the queue is there").is_none());
    }
    consumers
}

#[tokio::test]
async fn consumers_without_room_keep_their_turn_while_nothing_waits() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumers = settled_out_of_order(&connection, &queue, &["0", "1", "2"]).await;
    fill(&channel, &queue, &["a", "b", "c"]).await;
    for (index, expected) in [(0, "a"), (1, "b"), (2, "c")] {
        assert_eq!(bodies(&mut consumers[index], 1).await, [expected]);
    }
    Ok(())
}

#[tokio::test]
async fn consumers_that_were_passed_over_queue_up_again_as_they_have_room() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumers = settled_out_of_order(&connection, &queue, &["0", "1", "2", "one that waits"]).await;
    fill(&channel, &queue, &["a", "b", "c"]).await;
    for (index, expected) in [(2, "a"), (0, "b"), (1, "c")] {
        assert_eq!(bodies(&mut consumers[index], 1).await, [expected]);
    }
    Ok(())
}

#[tokio::test]
async fn higher_priorities_are_served_first_and_lower_ones_when_those_have_no_room() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut lowest = consumer(&connection, &queue, 0, Some(-5)).await;
    let mut plain = consumer(&connection, &queue, 1, None).await;
    let mut highest = consumer(&connection, &queue, 2, Some(10)).await;
    fill(&channel, &queue, &["0", "1", "2", "3", "4"]).await;
    let zero = next(&mut highest).await;
    assert_eq!(body(&zero), "0");
    assert_eq!(bodies(&mut highest, 1).await, ["1"]);
    assert_eq!(bodies(&mut plain, 1).await, ["2"]);
    assert_eq!(bodies(&mut lowest, 2).await, ["3", "4"]);
    Ok(())
}

#[tokio::test]
async fn a_consumer_of_higher_priority_is_first_again_when_it_has_room() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut low = consumer(&connection, &queue, 1, Some(1)).await;
    let mut high = consumer(&connection, &queue, 1, Some(2)).await;
    fill(&channel, &queue, &["0", "1", "2"]).await;
    let (zero, one) = (next(&mut high).await, next(&mut low).await);
    assert_eq!((body(&zero).as_str(), body(&one).as_str()), ("0", "1"));
    zero.ack().await?;
    assert_eq!(bodies(&mut high, 1).await, ["2"]);
    fill(&channel, &queue, &["3"]).await;
    assert_eq!(ready_messages(&channel, &queue).await, 1, "neither has room");
    one.ack().await?;
    assert_eq!(bodies(&mut low, 1).await, ["3"]);
    Ok(())
}

#[tokio::test]
async fn a_priority_is_an_integer() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let others: [(FieldValue, &str); 5] = [
        ("5".into(), "longstr"),
        (1.5_f64.into(), "double"),
        (true.into(), "bool"),
        (FieldValue::Void, "void"),
        (FieldValue::Array(Vec::new()), "array"),
    ];
    for (value, kind) in others {
        let refused = soon(connection.open_channel()).await?;
        let error = refused_consume(&refused, &queue, [("x-priority", value)]).await;
        let text = format!(
            "PRECONDITION_FAILED - invalid arg 'x-priority' for queue '{queue}' in vhost '/': \"expected integer, got {kind}\""
        );
        assert_channel_refusal(&error, "basic.consume", ReplyCode::PRECONDITION_FAILED, &text);
    }
    assert_eq!(soon(channel.queue_declare(&queue).passive(true)).await?.consumer_count, 0);
    Ok(())
}

#[tokio::test]
async fn other_arguments_of_a_consumer_are_taken_or_belong_to_other_queues() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.consume(&queue).arguments([("x-unheard-of", 1), ("filter", 2)])).await?;
    let error = refused_consume(&channel, &queue, [("x-stream-offset", "first")]).await;
    let text = format!(
        "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue '{queue}' in vhost '/' of queue type rabbit_classic_queue"
    );
    assert_channel_refusal(&error, "basic.consume", ReplyCode::PRECONDITION_FAILED, &text);
    Ok(())
}
