//! Queues that go with what used them: their last consumer, or their connection.

use leveret::{ReplyCode, Result};
use leveret_live_tests::client::Channel;
use leveret_live_tests::{connect, eventually, exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::{fill, get, queue_with};
use crate::refusal::{assert_channel_refusal, no_queue};

async fn auto_delete_queue(channel: &Channel) -> String {
    let name = unique("auto-delete");
    soon(channel.queue_declare(&name).auto_delete(true)).await.expect("a queue is declared");
    name
}

/// The queue goes, if it has not gone yet.
async fn assert_goes(name: &str) {
    let connection = connect().await;
    let error = eventually(|| async {
        let channel = connection.open_channel().await.expect("a channel opens");
        channel.queue_declare(name).passive(true).await.err()
    })
    .await;
    assert_channel_refusal(&error, "queue.declare", ReplyCode::NOT_FOUND, &no_queue(name));
}

#[tokio::test]
async fn an_auto_delete_queue_waits_for_its_first_consumer_and_goes_with_its_last() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = auto_delete_queue(&channel).await;
    fill(&channel, &queue, &["1", "2"]).await;
    get(&channel, &queue).await.ack().await?;
    assert_eq!(ready_messages(&channel, &queue).await, 1, "getting is not consuming");

    let mut first = soon(channel.consume(&queue)).await?;
    let mut second = soon(channel.consume(&queue)).await?;
    soon(first.cancel()).await?;
    assert_eq!(soon(channel.queue_declare(&queue).passive(true)).await?.consumer_count, 1);
    soon(second.cancel()).await?;
    assert_goes(&queue).await;
    Ok(())
}

#[tokio::test]
async fn an_auto_delete_queue_goes_with_the_channel_of_its_last_consumer() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = auto_delete_queue(&channel).await;
    let closing = soon(connection.open_channel()).await?;
    let _consumer = soon(closing.consume(&queue)).await?;
    soon(closing.close()).await?;
    assert_goes(&queue).await;
    Ok(())
}

#[tokio::test]
async fn an_auto_delete_queue_goes_with_the_connection_of_its_last_consumer() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = auto_delete_queue(&channel).await;
    let _consumer = soon(channel.consume(&queue)).await?;
    soon(connection.close()).await?;
    assert_goes(&queue).await;
    Ok(())
}

#[tokio::test]
async fn an_auto_delete_queue_that_nobody_consumed_outlives_its_connection() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = auto_delete_queue(&channel).await;
    fill(&channel, &queue, &["kept"]).await;
    soon(connection.close()).await?;
    let (_connection, channel) = open().await;
    assert_eq!(get(&channel, &queue).await.body(), b"kept");
    soon(channel.queue_delete(&queue)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exclusive_queue_goes_with_its_connection_and_its_name_is_free() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    fill(&channel, &queue, &["gone"]).await;
    soon(connection.close()).await?;
    assert_goes(&queue).await;
    let (_connection, channel) = open().await;
    let declared = soon(channel.queue_declare(&queue).exclusive(true).arguments([("x-max-length", 5)])).await?;
    assert_eq!(declared.message_count, 0);
    Ok(())
}

#[tokio::test]
async fn an_exclusive_queue_that_goes_kills_nothing() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = unique("graveyard");
    soon(channel.queue_declare(&graveyard)).await?;
    let (owner, owned) = open().await;
    let arguments = [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard.as_str())];
    let queue = queue_with(&owned, arguments).await;
    fill(&owned, &queue, &["1", "2"]).await;
    let _unsettled = get(&owned, &queue).await;
    soon(owner.close()).await?;
    assert_goes(&queue).await;
    assert_eq!(ready_messages(&channel, &graveyard).await, 0);
    soon(channel.queue_delete(&graveyard)).await?;
    Ok(())
}

#[tokio::test]
async fn bindings_go_with_their_queue() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let key = unique("key");
    soon(channel.queue_bind(&queue, "amq.direct", &*key)).await?;
    soon(channel.queue_delete(&queue)).await?;
    soon(channel.queue_declare(&queue).exclusive(true)).await?;
    let publisher = soon(channel.confirm_select()).await?;
    let unroutable = publisher.publish("amq.direct", &key, "nobody").mandatory(true);
    let error = soon(unroutable.confirmed()).await.unwrap_err();
    assert_eq!(error.reply_code(), Some(ReplyCode::NO_ROUTE), "{error}");
    assert_eq!(ready_messages(&channel, &queue).await, 0);
    Ok(())
}
