//! Queues that hand out what matters more first.

use leveret::{Properties, Requeue, Result};
use leveret_live_tests::client::Channel;
use leveret_live_tests::{exclusive_queue, next, open, soon};

use crate::messages::{body, get, get_many, put, queue_with, take_all, take_bodies};

async fn publish(channel: &Channel, queue: &str, messages: &[(&str, u8)]) {
    for (body, priority) in messages {
        put(channel, queue, body, &Properties::default().priority(*priority)).await;
    }
}

#[tokio::test]
async fn higher_priorities_come_first_and_equals_in_their_order() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-max-priority", 5)]).await;
    publish(&channel, &queue, &[("1a", 1), ("5a", 5), ("3a", 3), ("1b", 1), ("5b", 5), ("3b", 3)]).await;
    assert_eq!(take_bodies(&channel, &queue).await, ["5a", "5b", "3a", "3b", "1a", "1b"]);
    Ok(())
}

#[tokio::test]
async fn none_is_the_lowest_priority_and_more_than_the_highest_is_the_highest() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-max-priority", 5)]).await;
    put(&channel, &queue, "none", &Properties::default()).await;
    publish(&channel, &queue, &[("0", 0), ("1", 1), ("9", 9), ("5", 5), ("255", 255)]).await;
    let first = get(&channel, &queue).await;
    assert_eq!((first.body(), first.properties()?.priority), (&b"9"[..], Some(9)), "it keeps what it says");
    assert_eq!(take_bodies(&channel, &queue).await, ["5", "255", "1", "none", "0"]);
    Ok(())
}

#[tokio::test]
async fn a_queue_without_priorities_takes_no_notice_of_them() -> Result<()> {
    let (_connection, channel) = open().await;
    let plain = exclusive_queue(&channel).await;
    let none = queue_with(&channel, [("x-max-priority", 0)]).await;
    for queue in [plain, none] {
        publish(&channel, &queue, &[("low", 0), ("high", 9), ("middle", 5)]).await;
        assert_eq!(take_bodies(&channel, &queue).await, ["low", "high", "middle"]);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_given_back_takes_its_place_among_its_equals() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-max-priority", 5)]).await;
    publish(&channel, &queue, &[("1a", 1), ("5a", 5), ("5b", 5), ("1b", 1)]).await;
    for delivery in get_many(&channel, &queue, 3).await.into_iter().rev() {
        delivery.nack(Requeue::Yes).await?;
    }
    let all = take_all(&channel, &queue).await;
    let all: Vec<_> = all.iter().map(|(body, redelivered)| (body.as_str(), *redelivered)).collect();
    assert_eq!(all, [("5a", true), ("5b", true), ("1a", true), ("1b", false)]);
    Ok(())
}

#[tokio::test]
async fn a_consumer_that_is_free_gets_the_highest_that_waits() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-max-priority", 5)]).await;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    publish(&channel, &queue, &[("1", 1), ("3", 3), ("5", 5)]).await;
    for expected in ["1", "5", "3"] {
        let delivery = next(&mut consumer).await;
        assert_eq!(body(&delivery), expected);
        delivery.ack().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_full_queue_with_priorities_drops_from_its_head_which_is_the_highest() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = queue_with(&channel, [("x-max-priority", 5), ("x-max-length", 2)]).await;
    publish(&channel, &queue, &[("5", 5), ("1", 1), ("3", 3)]).await;
    assert_eq!(take_bodies(&channel, &queue).await, ["3", "1"]);
    Ok(())
}
