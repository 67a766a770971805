//! Acknowledging, rejecting and giving back in a transaction.

use leveret::protocol::basic;
use leveret::{ReplyCode, Requeue, Result};
use leveret_live_tests::client::Channel;
use leveret_live_tests::{eventually, exclusive_queue, open, ready_messages, soon};

use crate::messages::{fill, get, get_soon};
use crate::refusal::{assert_channel_refusal, refused_on};
use crate::routed::another_channel;

/// A channel in a transaction, and a queue with these messages.
async fn transaction(channel: &Channel, bodies: &[&str]) -> (Channel, String) {
    let queue = exclusive_queue(channel).await;
    fill(channel, &queue, bodies).await;
    let transaction = another_channel(&channel.connection()).await;
    soon(transaction.tx_select()).await.expect("the channel becomes transactional");
    (transaction, queue)
}

/// Waits until this many messages are ready: what a channel had is given back after it was closed.
async fn until_ready(channel: &Channel, queue: &str, count: u32) {
    eventually(|| async { (ready_messages(channel, queue).await == count).then_some(()) }).await;
}

#[tokio::test]
async fn an_acknowledgement_that_is_rolled_back_was_not_made() -> Result<()> {
    let (_connection, channel) = open().await;
    let (transaction, queue) = transaction(&channel, &["again"]).await;
    get(&transaction, &queue).await.ack().await?;
    soon(transaction.tx_rollback()).await?;
    soon(transaction.close()).await?;
    let again = get_soon(&channel, &queue).await;
    assert!(again.is_redelivered());
    again.ack().await
}

#[tokio::test]
async fn what_is_acknowledged_in_a_transaction_is_neither_ready_nor_settled_before_its_commit() -> Result<()> {
    let (_connection, channel) = open().await;
    let (transaction, queue) = transaction(&channel, &["1", "2", "3"]).await;
    get(&transaction, &queue).await.ack().await?;
    soon(transaction.tx_commit()).await?;
    get(&transaction, &queue).await.ack().await?;
    assert_eq!(ready_messages(&channel, &queue).await, 1);
    soon(transaction.close()).await?;
    until_ready(&channel, &queue, 2).await;
    let (second, third) = (get(&channel, &queue).await, get(&channel, &queue).await);
    assert_eq!((second.body(), second.is_redelivered()), (&b"2"[..], true));
    assert_eq!((third.body(), third.is_redelivered()), (&b"3"[..], false));
    Ok(())
}

#[tokio::test]
async fn a_message_is_given_back_when_the_transaction_commits() -> Result<()> {
    let (_connection, channel) = open().await;
    let (transaction, queue) = transaction(&channel, &["rejected", "given back"]).await;
    let (first, second) = (get(&transaction, &queue).await, get(&transaction, &queue).await);
    first.reject(Requeue::No).await?;
    second.nack(Requeue::Yes).await?;
    assert!(soon(transaction.get(&queue)).await?.is_none(), "nothing is given back yet");
    soon(transaction.tx_commit()).await?;
    let again = soon(transaction.get(&queue)).await?.expect("it is given back");
    assert_eq!((again.body(), again.is_redelivered(), again.message_count()), (&b"given back"[..], true, 0));
    Ok(())
}

#[tokio::test]
async fn after_a_rollback_a_message_can_be_settled_again() -> Result<()> {
    let (_connection, channel) = open().await;
    let (transaction, queue) = transaction(&channel, &["settled twice"]).await;
    let tag = get(&transaction, &queue).await.delivery_tag();
    soon(transaction.send(basic::Ack::default().delivery_tag(tag))).await?;
    soon(transaction.tx_rollback()).await?;
    assert!(soon(transaction.get(&queue)).await?.is_none(), "it is not given back");
    soon(transaction.send(basic::Reject::default().delivery_tag(tag).requeue(true))).await?;
    soon(transaction.tx_commit()).await?;
    let again = get(&transaction, &queue).await;
    assert_eq!((again.body(), again.is_redelivered()), (&b"settled twice"[..], true));
    Ok(())
}

#[tokio::test]
async fn a_message_is_settled_once_even_before_the_commit() -> Result<()> {
    let (_connection, channel) = open().await;
    let (transaction, queue) = transaction(&channel, &["never settled"]).await;
    let tag = get(&transaction, &queue).await.delivery_tag();
    soon(transaction.send(basic::Ack::default().delivery_tag(tag))).await?;
    soon(transaction.send(basic::Ack::default().delivery_tag(tag))).await?;
    let error = refused_on(&transaction).await;
    let text = format!("PRECONDITION_FAILED - unknown delivery tag {tag}");
    assert_channel_refusal(&error, "basic.ack", ReplyCode::PRECONDITION_FAILED, &text);
    assert!(get_soon(&channel, &queue).await.is_redelivered(), "nothing was committed");
    Ok(())
}

#[tokio::test]
async fn an_unknown_delivery_tag_is_refused_before_the_commit() -> Result<()> {
    let (_connection, channel) = open().await;
    soon(channel.tx_select()).await?;
    soon(channel.send(basic::Ack::default().delivery_tag(50))).await?;
    let error = refused_on(&channel).await;
    let text = "PRECONDITION_FAILED - unknown delivery tag 50";
    assert_channel_refusal(&error, "basic.ack", ReplyCode::PRECONDITION_FAILED, text);
    Ok(())
}
