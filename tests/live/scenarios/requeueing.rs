//! Messages that are given back: their place in the queue, and that they say so.

use leveret::{Requeue, Result};
use leveret_live_tests::{connect, eventually, exclusive_queue, next, open, ready_messages, soon, unique};

use crate::messages::{fill, get_many, take_all};

const BODIES: [&str; 5] = ["1", "2", "3", "4", "5"];

fn expected(messages: [(&str, bool); 5]) -> [(String, bool); 5] {
    messages.map(|(body, redelivered)| (body.to_owned(), redelivered))
}

#[tokio::test]
async fn a_message_goes_back_to_its_old_place() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    fill(&channel, &queue, &BODIES).await;
    let mut out = get_many(&channel, &queue, 4).await.into_iter();
    let (first, second, third) = (out.next().expect("1"), out.next().expect("2"), out.next().expect("3"));
    third.reject(Requeue::Yes).await?;
    first.nack(Requeue::Yes).await?;
    out.next().expect("4").nack(Requeue::Yes).await?;
    second.reject(Requeue::Yes).await?;
    let all = expected([("1", true), ("2", true), ("3", true), ("4", true), ("5", false)]);
    assert_eq!(take_all(&channel, &queue).await, all);
    Ok(())
}

#[tokio::test]
async fn a_message_goes_before_those_that_were_behind_it_though_others_are_out() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    fill(&channel, &queue, &BODIES).await;
    let second = get_many(&channel, &queue, 3).await.swap_remove(1);
    second.nack(Requeue::Yes).await?;
    let back = [("2", true), ("4", false), ("5", false)].map(|(body, again)| (body.to_owned(), again));
    assert_eq!(take_all(&channel, &queue).await, back);
    Ok(())
}

#[tokio::test]
async fn many_go_back_in_their_order() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    fill(&channel, &queue, &BODIES).await;
    let last = get_many(&channel, &queue, 3).await.pop().expect("three came");
    last.nack_multiple(Requeue::Yes).await?;
    let all = expected([("1", true), ("2", true), ("3", true), ("4", false), ("5", false)]);
    assert_eq!(take_all(&channel, &queue).await, all);
    Ok(())
}

#[tokio::test]
async fn what_a_closed_channel_held_goes_back_in_order() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    fill(&channel, &queue, &BODIES).await;
    let closing = soon(connection.open_channel()).await?;
    let _held = get_many(&closing, &queue, 3).await;
    soon(closing.close()).await?;
    eventually(|| async { (ready_messages(&channel, &queue).await == 5).then_some(()) }).await;
    let all = expected([("1", true), ("2", true), ("3", true), ("4", false), ("5", false)]);
    assert_eq!(take_all(&channel, &queue).await, all);
    Ok(())
}

#[tokio::test]
async fn what_a_lost_connection_held_goes_back_in_order() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = unique("shared");
    soon(channel.queue_declare(&queue)).await?;
    fill(&channel, &queue, &BODIES).await;
    let closing = connect().await;
    let holder = soon(closing.open_channel()).await?;
    soon(holder.basic_qos().prefetch_count(3)).await?;
    let mut consumer = soon(holder.consume(&queue)).await?;
    for _ in 0..3 {
        next(&mut consumer).await;
    }
    soon(closing.close()).await?;
    eventually(|| async { (ready_messages(&channel, &queue).await == 5).then_some(()) }).await;
    let all = expected([("1", true), ("2", true), ("3", true), ("4", false), ("5", false)]);
    assert_eq!(take_all(&channel, &queue).await, all);
    soon(channel.queue_delete(&queue)).await?;
    Ok(())
}

#[tokio::test]
async fn another_consumer_gets_what_one_gives_back() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut first = soon(channel.consume(&queue)).await?;
    fill(&channel, &queue, &["passed on"]).await;
    let delivery = next(&mut first).await;
    let other = soon(connection.open_channel()).await?;
    soon(other.basic_qos().prefetch_count(1)).await?;
    let mut second = soon(other.consume(&queue)).await?;
    soon(first.cancel()).await?;
    delivery.nack(Requeue::Yes).await?;
    let again = next(&mut second).await;
    assert_eq!(again.body(), b"passed on");
    assert!(again.is_redelivered());
    again.ack().await
}
