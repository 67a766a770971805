//! How many unsettled messages a channel or a consumer is sent.

use leveret::protocol::basic;
use leveret::{ReplyCode, Requeue, Result};
use leveret_live_tests::client::{Channel, Consumer};
use leveret_live_tests::{eventually, exclusive_queue, next, open, ready_messages, soon};

use crate::messages::{body, fill, get, take_bodies};
use crate::refusal::{assert_connection_refusal, refused};

const BODIES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// A queue with ten messages.
async fn full_queue(channel: &Channel) -> String {
    let queue = exclusive_queue(channel).await;
    fill(channel, &queue, &BODIES).await;
    queue
}

async fn take(consumer: &mut Consumer, expected: &[&str]) {
    for expected in expected {
        assert_eq!(body(&next(consumer).await), *expected);
    }
}

/// So many messages stay in the queue.
async fn assert_left(channel: &Channel, queue: &str, count: u32) {
    eventually(|| async { (ready_messages(channel, queue).await <= count).then_some(()) }).await;
    // A consumer that has room takes a message at once: whoever asks after this one would find it
    // gone.
    soon(channel.queue_bind(queue, "amq.direct", queue)).await.expect("the queue is there");
    assert_eq!(ready_messages(channel, queue).await, count);
}

#[tokio::test]
async fn a_prefetch_in_octets_is_not_implemented() {
    for global in [false, true] {
        let (connection, _channel) = open().await;
        let error = refused(&connection, basic::Qos::default().prefetch_size(1).prefetch_count(5).global(global)).await;
        let text = "NOT_IMPLEMENTED - prefetch_size!=0 (1)";
        assert_connection_refusal(&error, "basic.qos", ReplyCode::NOT_IMPLEMENTED, text);
    }
}

#[tokio::test]
async fn a_prefetch_count_is_each_consumers_own_and_for_those_that_come_later() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(2)).await?;
    let mut first = soon(channel.consume(&queue)).await?;
    take(&mut first, &["0", "1"]).await;
    assert_left(&channel, &queue, 8).await;

    soon(channel.basic_qos().prefetch_count(3)).await?;
    assert_left(&channel, &queue, 8).await;
    let mut second = soon(channel.consume(&queue)).await?;
    take(&mut second, &["2", "3", "4"]).await;
    assert_left(&channel, &queue, 5).await;

    soon(channel.basic_qos().prefetch_count(0)).await?;
    let mut third = soon(channel.consume(&queue)).await?;
    take(&mut third, &["5", "6", "7", "8", "9"]).await;
    assert_left(&channel, &queue, 0).await;
    Ok(())
}

#[tokio::test]
async fn each_settled_message_makes_room_for_one() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(3)).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let (zero, one, two) = (next(&mut consumer).await, next(&mut consumer).await, next(&mut consumer).await);
    one.ack().await?;
    take(&mut consumer, &["3"]).await;
    zero.reject(Requeue::No).await?;
    take(&mut consumer, &["4"]).await;
    assert_left(&channel, &queue, 5).await;
    two.ack_multiple().await?;
    take(&mut consumer, &["5"]).await;
    assert_left(&channel, &queue, 4).await;
    Ok(())
}

#[tokio::test]
async fn a_message_that_a_full_consumer_gives_back_comes_to_it_again() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    next(&mut consumer).await.nack(Requeue::Yes).await?;
    let again = next(&mut consumer).await;
    assert_eq!((body(&again).as_str(), again.is_redelivered()), ("0", true));
    assert_left(&channel, &queue, 9).await;
    Ok(())
}

#[tokio::test]
async fn a_global_prefetch_count_is_shared_by_the_channels_consumers() -> Result<()> {
    let (_connection, channel) = open().await;
    let (left, right) = (full_queue(&channel).await, full_queue(&channel).await);
    soon(channel.basic_qos().prefetch_count(3).global(true)).await?;
    let mut first = soon(channel.consume(&left)).await?;
    let (zero, one, _two) = (next(&mut first).await, next(&mut first).await, next(&mut first).await);
    let mut second = soon(channel.consume(&right)).await?;
    assert_left(&channel, &left, 7).await;
    assert_left(&channel, &right, 10).await;
    soon(first.cancel()).await?;
    zero.ack().await?;
    take(&mut second, &["0"]).await;
    one.ack().await?;
    take(&mut second, &["1"]).await;
    assert_left(&channel, &right, 8).await;
    assert_left(&channel, &left, 7).await;
    Ok(())
}

#[tokio::test]
async fn a_global_prefetch_count_changes_for_consumers_that_are_there() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(2).global(true)).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    take(&mut consumer, &["0", "1"]).await;
    assert_left(&channel, &queue, 8).await;
    soon(channel.basic_qos().prefetch_count(5).global(true)).await?;
    take(&mut consumer, &["2", "3", "4"]).await;
    assert_left(&channel, &queue, 5).await;
    soon(channel.basic_qos().prefetch_count(0).global(true)).await?;
    take(&mut consumer, &["5", "6", "7", "8", "9"]).await;
    Ok(())
}

#[tokio::test]
async fn a_consumers_own_count_and_the_global_one_both_hold() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(2)).await?;
    soon(channel.basic_qos().prefetch_count(3).global(true)).await?;
    let mut first = soon(channel.consume(&queue)).await?;
    take(&mut first, &["0", "1"]).await;
    assert_left(&channel, &queue, 8).await;
    let mut second = soon(channel.consume(&queue)).await?;
    take(&mut second, &["2"]).await;
    assert_left(&channel, &queue, 7).await;
    Ok(())
}

#[tokio::test]
async fn setting_a_count_for_consumers_lifts_the_global_one() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(1).global(true)).await?;
    let mut first = soon(channel.consume(&queue)).await?;
    take(&mut first, &["0"]).await;
    assert_left(&channel, &queue, 9).await;
    soon(channel.basic_qos().prefetch_count(2)).await?;
    take(&mut first, &["1", "2", "3", "4", "5", "6", "7", "8", "9"]).await;
    fill(&channel, &queue, &BODIES).await;
    take(&mut first, &BODIES).await;
    Ok(())
}

#[tokio::test]
async fn getting_is_not_limited_and_leaves_the_consumers_their_room() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let zero = next(&mut consumer).await;
    let one = get(&channel, &queue).await;
    let two = get(&channel, &queue).await;
    assert_eq!((body(&one).as_str(), body(&two).as_str()), ("1", "2"));
    one.ack().await?;
    assert_left(&channel, &queue, 7).await;
    zero.ack().await?;
    take(&mut consumer, &["3"]).await;
    Ok(())
}

#[tokio::test]
async fn a_consumer_that_does_not_acknowledge_is_sent_all() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut consumer = soon(channel.consume(&queue).no_ack(true)).await?;
    take(&mut consumer, &BODIES).await;
    assert_eq!(take_bodies(&channel, &queue).await, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn what_a_cancelled_consumer_holds_takes_no_room_of_a_new_one() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut first = soon(channel.consume(&queue)).await?;
    let held = next(&mut first).await;
    soon(first.cancel()).await?;
    let mut second = soon(channel.consume(&queue)).await?;
    take(&mut second, &["1"]).await;
    held.ack().await?;
    assert_left(&channel, &queue, 8).await;
    Ok(())
}

#[tokio::test]
async fn in_a_transaction_a_settled_message_makes_room_once_that_is_committed() -> Result<()> {
    for global in [false, true] {
        let (_connection, channel) = open().await;
        let queue = full_queue(&channel).await;
        soon(channel.tx_select()).await?;
        soon(channel.basic_qos().prefetch_count(1).global(global)).await?;
        let mut consumer = soon(channel.consume(&queue)).await?;
        next(&mut consumer).await.ack().await?;
        assert_left(&channel, &queue, 9).await;
        soon(channel.tx_commit()).await?;
        next(&mut consumer).await.reject(Requeue::No).await?;
        assert_left(&channel, &queue, 8).await;
        soon(channel.tx_commit()).await?;
        take(&mut consumer, &["2"]).await;
        assert_left(&channel, &queue, 7).await;
    }
    Ok(())
}

#[tokio::test]
async fn an_acknowledgement_that_is_rolled_back_makes_no_room() -> Result<()> {
    for global in [false, true] {
        let (_connection, channel) = open().await;
        let queue = full_queue(&channel).await;
        soon(channel.tx_select()).await?;
        soon(channel.basic_qos().prefetch_count(2).global(global)).await?;
        let mut consumer = soon(channel.consume(&queue)).await?;
        let (zero, one) = (next(&mut consumer).await, next(&mut consumer).await);
        let tag = zero.delivery_tag();
        one.ack_multiple().await?;
        soon(channel.tx_rollback()).await?;
        assert_left(&channel, &queue, 8).await;

        soon(channel.send(basic::Ack::default().delivery_tag(tag))).await?;
        soon(channel.tx_commit()).await?;
        take(&mut consumer, &["2"]).await;
        assert_left(&channel, &queue, 7).await;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_got_before_a_global_prefetch_count_was_set_takes_room_for_good() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = full_queue(&channel).await;
    let zero = get(&channel, &queue).await;
    soon(channel.basic_qos().prefetch_count(2).global(true)).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let one = next(&mut consumer).await;
    assert_left(&channel, &queue, 8).await;
    zero.ack().await?;
    assert_left(&channel, &queue, 8).await;
    one.ack().await?;
    let two = next(&mut consumer).await;
    assert_left(&channel, &queue, 7).await;

    get(&channel, &queue).await.ack().await?;
    two.ack().await?;
    take(&mut consumer, &["4"]).await;
    assert_left(&channel, &queue, 5).await;
    Ok(())
}
