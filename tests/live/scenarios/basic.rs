//! Getting, settling, redelivery and prefetch.

use leveret::protocol::basic;
use leveret::{ErrorKind, FieldTable, FieldValue, Properties, ReplyCode, Requeue, Result};
use leveret_live_tests::{eventually, exclusive_queue, next, open, ready_messages, soon, unique};

use crate::refusal::{assert_channel_refusal, no_queue};

#[tokio::test]
async fn getting_takes_one_message_and_says_how_many_are_left() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    assert!(soon(channel.get(&queue)).await?.is_none(), "an empty queue has none");
    soon(channel.publish("", &queue, "first")).await?;
    soon(channel.publish("", &queue, "second")).await?;

    let first = soon(channel.get(&queue)).await?.expect("there are two");
    assert_eq!((first.body(), first.message_count()), (&b"first"[..], 1));
    let second = soon(channel.get(&queue).no_ack(true)).await?.expect("there is one");
    assert_eq!((second.body(), second.message_count()), (&b"second"[..], 0));
    first.ack().await?;
    assert_eq!(second.ack().await.unwrap_err().kind(), ErrorKind::Usage, "there is nothing to settle");
    assert!(soon(channel.get(&queue)).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn getting_from_a_missing_queue_is_not_found() -> Result<()> {
    let (_connection, channel) = open().await;
    let missing = unique("missing");
    let error = soon(channel.get(&missing)).await.unwrap_err();
    assert_channel_refusal(&error, "basic.get", ReplyCode::NOT_FOUND, &no_queue(&missing));
    Ok(())
}

#[tokio::test]
async fn the_broker_delivers_no_more_unsettled_messages_than_the_prefetch_count() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for body in ["1", "2", "3", "4", "5"] {
        soon(channel.publish("", &queue, body)).await?;
    }
    soon(channel.basic_qos().prefetch_count(2)).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let first = next(&mut consumer).await;
    let second = next(&mut consumer).await;
    assert_eq!(ready_messages(&channel, &queue).await, 3);

    second.ack_multiple().await?;
    drop(first);
    assert_eq!(next(&mut consumer).await.body(), b"3");
    assert_eq!(next(&mut consumer).await.body(), b"4");
    assert_eq!(ready_messages(&channel, &queue).await, 1);
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_given_back_comes_again_as_redelivered() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.publish("", &queue, "again")).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let first = next(&mut consumer).await;
    assert!(!first.is_redelivered());
    first.nack(Requeue::Yes).await?;
    let second = next(&mut consumer).await;
    assert!(second.is_redelivered());
    second.reject(Requeue::Yes).await?;
    let third = next(&mut consumer).await;
    assert!(third.is_redelivered());
    third.ack().await
}

#[tokio::test]
async fn giving_back_many_at_once_gives_back_all_before() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for body in ["1", "2", "3"] {
        soon(channel.publish("", &queue, body)).await?;
    }
    let mut last = None;
    for _ in 0..3 {
        last = soon(channel.get(&queue)).await?;
    }
    last.expect("there were three").nack_multiple(Requeue::Yes).await?;
    eventually(|| async { (ready_messages(&channel, &queue).await == 3).then_some(()) }).await;
    Ok(())
}

#[tokio::test]
async fn a_rejected_message_goes_to_the_dead_letter_exchange_and_says_why() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = unique("mortal");
    let arguments =
        FieldTable::from([("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard.as_str())]);
    soon(channel.queue_declare(&queue).exclusive(true).arguments(arguments)).await?;
    soon(channel.publish("", &queue, "rejected")).await?;
    soon(channel.get(&queue)).await?.expect("the message").reject(Requeue::No).await?;

    let mut consumer = soon(channel.consume(&graveyard)).await?;
    let dead = next(&mut consumer).await;
    assert_eq!(dead.body(), b"rejected");
    let headers = dead.properties()?.headers.clone().expect("the broker adds x-death");
    let Some(FieldValue::Array(deaths)) = headers.get("x-death") else { panic!("{headers:?}") };
    let death = deaths[0].as_table().expect("each death is a table");
    assert_eq!(death.get("reason").and_then(FieldValue::as_str), Some("rejected"));
    assert_eq!(death.get("count").and_then(FieldValue::as_i64), Some(1));
    dead.ack().await
}

#[tokio::test]
async fn recovering_brings_back_what_is_unsettled() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.publish("", &queue, "again")).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let forgotten = next(&mut consumer).await;
    soon(channel.basic_recover().requeue(true)).await?;
    drop(forgotten);
    let again = next(&mut consumer).await;
    assert!(again.is_redelivered());
    soon(channel.basic_recover_async().requeue(true)).await?;
    drop(again);
    let last = next(&mut consumer).await;
    assert!(last.is_redelivered());
    last.ack().await
}

#[tokio::test]
async fn what_was_unsettled_comes_back_as_redelivered_when_its_channel_is_closed() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.publish("", &queue, "again")).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let unsettled = next(&mut consumer).await;
    soon(channel.close()).await?;
    assert!(soon(consumer.next()).await.is_none(), "the application closed the channel");

    let channel = soon(connection.open_channel()).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let again = next(&mut consumer).await;
    assert!(again.is_redelivered());
    let stale = unsettled.ack().await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::ChannelClosed, "it belongs to the closed channel");
    again.ack().await
}

#[tokio::test]
async fn an_unknown_delivery_tag_closes_the_channel() -> Result<()> {
    let (connection, channel) = open().await;
    soon(channel.send(basic::Ack::default().delivery_tag(99))).await?;
    let error = soon(channel.queue_declare("").exclusive(true)).await.unwrap_err();
    let text = "PRECONDITION_FAILED - unknown delivery tag 99";
    assert_channel_refusal(&error, "basic.ack", ReplyCode::PRECONDITION_FAILED, text);
    assert!(connection.is_open());
    Ok(())
}

#[tokio::test]
async fn a_request_is_answered_by_direct_reply_to() -> Result<()> {
    let (connection, client) = open().await;
    let server = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&server).await;
    let mut requests = soon(server.consume(&queue)).await?;
    let mut replies = soon(client.consume("amq.rabbitmq.reply-to").no_ack(true)).await?;
    let properties = Properties::default().reply_to("amq.rabbitmq.reply-to").correlation_id("7");
    soon(client.publish("", &queue, "6 × 7?").properties(&properties)).await?;

    let request = next(&mut requests).await;
    let asked = request.properties()?;
    let reply_to = asked.reply_to.as_ref().expect("the broker names the way back");
    let answer = Properties::default().correlation_id(asked.correlation_id.clone().expect("it came with the request"));
    soon(server.publish("", reply_to, "42").properties(&answer)).await?;
    request.ack().await?;

    let reply = next(&mut replies).await;
    assert_eq!(reply.body(), b"42");
    assert_eq!(reply.properties()?.correlation_id.clone().expect("it was given"), "7");
    Ok(())
}
