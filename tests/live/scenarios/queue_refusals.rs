//! What the broker refuses about a queue that is missing, locked or in use.

use leveret::protocol::{basic, queue};
use leveret::{Properties, ReplyCode, Requeue, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::{connect, exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::{fill, get, put};
use crate::refusal::{assert_channel_refusal, locked, no_queue, refused, refused_get};

#[tokio::test]
async fn what_is_asked_of_a_missing_queue_is_not_found() {
    let connection = connect().await;
    let name = unique("missing");
    let assert_refusal = |error, method| assert_channel_refusal(&error, method, ReplyCode::NOT_FOUND, &no_queue(&name));
    let passive = queue::Declare::default().queue(&name).passive(true);
    assert_refusal(refused(&connection, passive).await, "queue.declare");
    let bind = queue::Bind::default().queue(&name).exchange("amq.direct");
    assert_refusal(refused(&connection, bind).await, "queue.bind");
    assert_refusal(refused(&connection, queue::Purge::default().queue(&name)).await, "queue.purge");
    assert_refusal(refused(&connection, basic::Consume::default().queue(&name)).await, "basic.consume");
    assert_refusal(refused_get(&connection, &name).await, "basic.get");
}

#[tokio::test]
async fn a_missing_queue_is_deleted_and_unbound_without_a_word() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = unique("missing");
    let delete = channel.queue_delete(&name).if_unused(true).if_empty(true);
    assert_eq!(soon(delete).await?.message_count, 0);
    soon(channel.queue_unbind(&name, "amq.direct", "key")).await?;
    Ok(())
}

#[tokio::test]
async fn nobody_but_its_connection_uses_an_exclusive_queue() {
    let (_owner, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let stranger = connect().await;
    let assert_locked =
        |error, method| assert_channel_refusal(&error, method, ReplyCode::RESOURCE_LOCKED, &locked(&name));
    let declare = queue::Declare::default().queue(&name);
    assert_locked(refused(&stranger, declare.clone()).await, "queue.declare");
    assert_locked(refused(&stranger, declare.clone().exclusive(true)).await, "queue.declare");
    assert_locked(refused(&stranger, declare.clone().durable(true)).await, "queue.declare");
    assert_locked(refused(&stranger, declare.passive(true)).await, "queue.declare");
    let bind = queue::Bind::default().queue(&name).exchange("amq.direct");
    assert_locked(refused(&stranger, bind).await, "queue.bind");
    assert_locked(refused(&stranger, queue::Purge::default().queue(&name)).await, "queue.purge");
    assert_locked(refused(&stranger, queue::Delete::default().queue(&name)).await, "queue.delete");
    assert_locked(refused(&stranger, basic::Consume::default().queue(&name)).await, "basic.consume");
    assert_locked(refused_get(&stranger, &name).await, "basic.get");
    assert!(channel.is_open());
}

#[tokio::test]
async fn anybody_publishes_to_an_exclusive_queue() {
    let (_owner, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let (_stranger, elsewhere) = open().await;
    put(&elsewhere, &name, "from a stranger", &Properties::default()).await;
    assert_eq!(get(&channel, &name).await.body(), b"from a stranger");
}

#[tokio::test]
async fn other_channels_of_its_connection_use_an_exclusive_queue() -> Result<()> {
    let (connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let other = soon(connection.open_channel()).await?;
    soon(channel.close()).await?;
    fill(&other, &name, &["still here"]).await;
    assert_eq!(soon(other.queue_declare(&name).exclusive(true)).await?.message_count, 1);
    assert_eq!(soon(other.queue_purge(&name)).await?.message_count, 1);
    soon(other.queue_delete(&name)).await?;
    Ok(())
}

#[tokio::test]
async fn a_queue_with_messages_is_not_deleted_if_empty_is_asked_for() -> Result<()> {
    let (connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    fill(&channel, &name, &["one"]).await;
    let error = refused(&connection, delete(&name).if_empty(true)).await;
    assert_channel_refusal(&error, "queue.delete", ReplyCode::PRECONDITION_FAILED, &not_empty(&name));

    let unsettled = get(&channel, &name).await;
    assert_eq!(soon(channel.call(delete(&name).if_empty(true))).await?.message_count, 0, "only ready ones count");
    unsettled.ack().await?;
    soon(channel.basic_qos()).await?;
    Ok(())
}

#[tokio::test]
async fn whether_it_is_empty_is_asked_before_whether_it_is_in_use() -> Result<()> {
    let (connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut consumer = soon(channel.consume(&name)).await?;
    fill(&channel, &name, &["one", "two"]).await;
    let both = delete(&name).if_unused(true).if_empty(true);
    let error = refused(&connection, both.clone()).await;
    assert_channel_refusal(&error, "queue.delete", ReplyCode::PRECONDITION_FAILED, &not_empty(&name));

    soon(channel.queue_purge(&name)).await?;
    let error = refused(&connection, both).await;
    assert_channel_refusal(&error, "queue.delete", ReplyCode::PRECONDITION_FAILED, &in_use(&name));
    assert_eq!(leveret_live_tests::next(&mut consumer).await.body(), b"one");
    Ok(())
}

#[tokio::test]
async fn purging_and_deleting_leave_unsettled_messages_out_of_their_count() -> Result<()> {
    let (connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    fill(&channel, &name, &["1", "2", "3"]).await;
    let first = get(&channel, &name).await;
    assert_eq!(ready_messages(&channel, &name).await, 2);
    assert_eq!(soon(channel.queue_purge(&name)).await?.message_count, 2);
    first.nack(Requeue::Yes).await?;
    assert_eq!(get(&channel, &name).await.body(), b"1", "it was not purged");
    fill(&channel, &name, &["4"]).await;
    assert_eq!(delete_count(&connection, &name).await?, 1);
    Ok(())
}

async fn delete_count(connection: &Connection, name: &str) -> Result<u32> {
    let channel = soon(connection.open_channel()).await?;
    Ok(soon(channel.call(delete(name))).await?.message_count)
}

fn delete(name: &str) -> queue::Delete {
    queue::Delete::default().queue(name)
}

fn not_empty(name: &str) -> String {
    format!("PRECONDITION_FAILED - queue '{name}' in vhost '/' not empty")
}

fn in_use(name: &str) -> String {
    format!("PRECONDITION_FAILED - queue '{name}' in vhost '/' in use")
}
