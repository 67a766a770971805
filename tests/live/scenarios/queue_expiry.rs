//! Queues that go when nobody uses them.

use leveret::{FieldTable, ReplyCode, Result};
use leveret_live_tests::client::Channel;
use leveret_live_tests::{connect, eventually, exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::{fill, put, queue_with};
use crate::refusal::{assert_channel_refusal, no_queue};

/// How long the queues here live unused, in milliseconds: longer than a busy machine takes for one
/// answer.
const EXPIRES: i32 = 2_000;

/// Waits until longer has passed than a queue lives unused, doing this all the while.
async fn meanwhile<F: Future<Output = ()>>(mut keep: impl FnMut() -> F) {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let arguments = [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard.as_str())];
    let witness = queue_with(&channel, arguments).await;
    let longer = leveret::Properties::default().expiration((EXPIRES * 2).to_string());
    put(&channel, &witness, "witness", &longer).await;
    eventually(|| {
        let kept = keep();
        async {
            kept.await;
            channel.get(&graveyard).await.expect("the queue is there")
        }
    })
    .await;
}

/// The queue has gone: asking for one that is there would keep it.
async fn assert_gone(name: &str) {
    let (_connection, channel) = open().await;
    let error = soon(channel.queue_declare(name).passive(true)).await.unwrap_err();
    assert_channel_refusal(&error, "queue.declare", ReplyCode::NOT_FOUND, &no_queue(name));
}

async fn expiring(channel: &Channel) -> String {
    let name = unique("expiring");
    soon(channel.queue_declare(&name).arguments([("x-expires", EXPIRES)])).await.expect("a queue is declared");
    name
}

#[tokio::test]
async fn a_queue_that_nobody_uses_goes_with_its_messages_and_kills_none() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let name = unique("expiring");
    let mut arguments =
        FieldTable::from([("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard.as_str())]);
    arguments.insert("x-expires", EXPIRES);
    soon(channel.queue_declare(&name).arguments(arguments)).await?;
    fill(&channel, &name, &["gone"]).await;
    meanwhile(|| async {}).await;
    assert_gone(&name).await;
    assert_eq!(ready_messages(&channel, &graveyard).await, 0);
    Ok(())
}

#[tokio::test]
async fn asking_for_a_queue_keeps_it() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = expiring(&channel).await;
    fill(&channel, &name, &["kept"]).await;
    meanwhile(|| async {
        ready_messages(&channel, &name).await;
    })
    .await;
    assert_eq!(soon(channel.queue_delete(&name)).await?.message_count, 1, "it was there");
    Ok(())
}

#[tokio::test]
async fn getting_from_a_queue_keeps_it() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = expiring(&channel).await;
    meanwhile(|| async {
        assert!(soon(channel.get(&name)).await.expect("it is there").is_none());
    })
    .await;
    fill(&channel, &name, &["late"]).await;
    assert_eq!(soon(channel.queue_delete(&name)).await?.message_count, 1, "it was there");
    Ok(())
}

#[tokio::test]
async fn publishing_to_a_queue_does_not_keep_it() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = expiring(&channel).await;
    meanwhile(|| async {
        soon(channel.publish("", &name, "unread")).await.expect("it is sent");
    })
    .await;
    assert_gone(&name).await;
    Ok(())
}

#[tokio::test]
async fn a_consumer_keeps_its_queue_and_the_time_begins_when_it_leaves() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = expiring(&channel).await;
    let consumer_channel = soon(connect().await.open_channel()).await?;
    let mut consumer = soon(consumer_channel.consume(&name)).await?;
    meanwhile(|| async {}).await;
    assert_eq!(soon(channel.queue_declare(&name).passive(true)).await?.consumer_count, 1);
    soon(consumer.cancel()).await?;
    meanwhile(|| async {}).await;
    assert_gone(&name).await;
    Ok(())
}
