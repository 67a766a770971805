//! Consumers: their streams, and how they end.

use std::collections::BTreeSet;

use leveret::protocol::basic;
use leveret::{ErrorKind, ReplyCode, Result};
use leveret_live_tests::{exclusive_queue, next, open, ready_messages, soon, unique};

use crate::refusal::{assert_channel_refusal, no_queue};
use crate::typed_queues::{publish_all, until_ready};

#[tokio::test]
async fn messages_arrive_in_the_order_of_their_publishing() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    for number in 0..1000 {
        soon(channel.publish("", &queue, format!("{number}"))).await?;
    }
    for number in 0..1000 {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.body(), number.to_string().as_bytes());
        delivery.ack().await?;
    }
    Ok(())
}

#[tokio::test]
async fn deleting_its_queue_ends_a_consumer_with_that_cause() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let other = soon(connection.open_channel()).await?;
    soon(other.queue_delete(&queue)).await?;
    let error = soon(consumer.next()).await.expect("the cause comes first").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsumerCancelled, "{error}");
    assert!(soon(consumer.next()).await.is_none(), "and then the stream ends");
    assert!(channel.is_open());
    Ok(())
}

#[tokio::test]
async fn a_cancelled_consumer_hands_out_what_came_before_and_ends() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for body in ["1", "2", "3"] {
        soon(channel.publish("", &queue, body)).await?;
    }
    let mut consumer = soon(channel.consume(&queue)).await?;
    next(&mut consumer).await.ack().await?;
    soon(consumer.cancel()).await?;
    let mut more = 0;
    while let Some(delivery) = soon(consumer.next()).await.transpose()? {
        delivery.ack().await?;
        more += 1;
    }
    assert_eq!(ready_messages(&channel, &queue).await + more, 2, "each was handed out or stayed");
    Ok(())
}

#[tokio::test]
async fn dropping_a_consumer_gives_back_what_it_has_not_handed_out() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for number in 0..100 {
        soon(channel.publish("", &queue, format!("{number}"))).await?;
    }
    let mut consumer = soon(channel.consume(&queue)).await?;
    let first = next(&mut consumer).await;
    drop(consumer);

    let mut consumer = soon(channel.consume(&queue)).await?;
    let mut again = BTreeSet::new();
    while again.len() < 99 {
        let delivery = next(&mut consumer).await;
        again.insert(delivery.body().to_vec());
        delivery.ack().await?;
    }
    assert!(!again.contains(first.body()), "what was handed out is still ours");
    first.ack().await?;
    assert_eq!(ready_messages(&channel, &queue).await, 0);
    Ok(())
}

#[tokio::test]
async fn dropping_a_consumer_for_which_thousands_wait_gives_them_all_back() -> Result<()> {
    const MESSAGES: u32 = 8000;
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    publish_all(&channel, &queue, (0..MESSAGES).map(|number| number.to_string())).await?;
    let consumer = soon(channel.consume(&queue).prefetch(0)).await?;
    until_ready(&channel, &queue, 0).await;
    drop(consumer);
    until_ready(&channel, &queue, MESSAGES).await;
    let first = soon(channel.get(&queue)).await?.expect("all are there");
    assert_eq!((first.body(), first.is_redelivered()), (&b"0"[..], true));
    assert!(channel.is_open() && connection.is_open());
    Ok(())
}

#[tokio::test]
async fn a_consumer_started_by_a_call_is_taken_by_its_tag() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let started = soon(channel.call(basic::Consume::default().queue(&queue).no_ack(true))).await?;
    let mut consumer = channel.consumer(started.consumer_tag.clone()).expect("nobody has taken it");
    assert_eq!(*consumer.consumer_tag(), started.consumer_tag);
    soon(channel.publish("", &queue, "pushed")).await?;
    assert_eq!(next(&mut consumer).await.body(), b"pushed");
    assert!(channel.consumer(started.consumer_tag).is_none(), "it is taken once");
    Ok(())
}

#[tokio::test]
async fn a_consumer_has_the_tag_that_it_asks_for_and_keeps_it_to_itself() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let consumer = soon(channel.consume(&queue).consumer_tag("mine")).await?;
    assert_eq!(*consumer.consumer_tag(), "mine");
    let error = soon(channel.consume(&queue).consumer_tag("mine")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "the broker would close the connection over it: {error}");
    assert!(channel.is_open());
    Ok(())
}

#[tokio::test]
async fn a_second_consumer_beside_an_exclusive_one_is_refused() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let _consumer = soon(channel.consume(&queue).exclusive(true)).await?;
    let other = soon(connection.open_channel()).await?;
    let error = soon(other.consume(&queue)).await.unwrap_err();
    let text = format!("ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use");
    assert_channel_refusal(&error, "basic.consume", ReplyCode::ACCESS_REFUSED, &text);
    assert!(channel.is_open());
    Ok(())
}

#[tokio::test]
async fn consuming_from_a_missing_queue_is_not_found() -> Result<()> {
    let (_connection, channel) = open().await;
    let missing = unique("missing");
    let error = soon(channel.consume(&missing)).await.unwrap_err();
    assert_channel_refusal(&error, "basic.consume", ReplyCode::NOT_FOUND, &no_queue(&missing));
    Ok(())
}

#[tokio::test]
async fn an_error_of_its_channel_ends_a_consumer_with_that_error() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let missing = unique("missing");
    soon(channel.queue_declare(&missing).passive(true)).await.unwrap_err();
    let error = soon(consumer.next()).await.expect("the cause comes first").unwrap_err();
    assert_channel_refusal(&error, "queue.declare", ReplyCode::NOT_FOUND, &no_queue(&missing));
    assert!(soon(consumer.next()).await.is_none());
    Ok(())
}

#[tokio::test]
async fn tasks_that_share_a_connection_get_every_message_once() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumers = Vec::new();
    for _ in 0..4 {
        let channel = soon(connection.open_channel()).await?;
        soon(channel.basic_qos().prefetch_count(10)).await?;
        let mut consumer = soon(channel.consume(&queue)).await?;
        consumers.push(tokio::spawn(async move {
            let mut bodies = Vec::new();
            while let Some(delivery) = consumer.try_next().await? {
                let body = delivery.body().to_vec();
                delivery.ack().await?;
                if body == b"enough" {
                    break;
                }
                bodies.push(body);
            }
            Ok::<_, leveret::Error>(bodies)
        }));
    }
    for number in 0..1000 {
        soon(channel.publish("", &queue, format!("{number}"))).await?;
    }
    for _ in 0..consumers.len() {
        soon(channel.publish("", &queue, "enough")).await?;
    }
    let mut all = Vec::new();
    for consumer in consumers {
        all.extend(soon(consumer).await.expect("the task ends")?);
    }
    assert_eq!(all.len(), 1000);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 1000);
    Ok(())
}
