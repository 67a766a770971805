//! Queues: what declaring, purging and deleting them answers, and what the broker refuses.

use leveret::protocol::queue;
use leveret::{ErrorKind, FieldTable, ReplyCode, Result};
use leveret_live_tests::{connect, exclusive_queue, open, ready_messages, soon, unique};

use crate::refusal::{assert_channel_refusal, locked, no_queue};

#[tokio::test]
async fn declaring_a_queue_answers_its_name_messages_and_consumers() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    for body in ["one", "two", "three"] {
        soon(publisher.publish("", &name, body).confirmed()).await?;
    }
    let declared = soon(channel.queue_declare(&name).passive(true)).await?;
    assert_eq!(declared.queue, *name.as_str());
    assert_eq!((declared.message_count, declared.consumer_count), (3, 0));

    soon(channel.basic_qos().prefetch_count(1)).await?;
    let _consumer = soon(channel.consume(&name)).await?;
    assert_eq!(soon(channel.queue_declare(&name).passive(true)).await?.consumer_count, 1);
    Ok(())
}

#[tokio::test]
async fn a_queue_without_a_name_gets_one_and_the_empty_name_then_means_it() -> Result<()> {
    let (_connection, channel) = open().await;
    let named = soon(channel.queue_declare("").exclusive(true)).await?.queue;
    assert!(named.to_string().starts_with("amq.gen-"), "{named}");
    soon(channel.queue_bind("", "amq.direct", named.clone())).await?;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish("amq.direct", named.to_string(), "routed").confirmed()).await?;
    let delivery = soon(channel.get("")).await?.expect("the message came by the binding");
    assert_eq!(delivery.body(), b"routed");
    delivery.ack().await
}

#[tokio::test]
async fn purging_and_deleting_a_queue_answer_how_many_messages_went() -> Result<()> {
    let (connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    for body in ["one", "two", "three"] {
        soon(publisher.publish("", &name, body).confirmed()).await?;
    }
    assert_eq!(soon(channel.queue_purge(&name)).await?.message_count, 3);
    assert_eq!(soon(channel.queue_purge(&name)).await?.message_count, 0);
    soon(publisher.publish("", &name, "last").confirmed()).await?;

    let error = soon(channel.queue_delete(&name).if_empty(true)).await.unwrap_err();
    let text = format!("PRECONDITION_FAILED - queue '{name}' in vhost '/' not empty");
    assert_channel_refusal(&error, "queue.delete", ReplyCode::PRECONDITION_FAILED, &text);
    let channel = soon(connection.open_channel()).await?;
    assert_eq!(soon(channel.queue_delete(&name)).await?.message_count, 1);
    assert_eq!(soon(channel.queue_delete(&name)).await?.message_count, 0, "a missing queue is deleted too");
    Ok(())
}

#[tokio::test]
async fn a_queue_with_consumers_is_not_deleted_if_unused_is_asked_for() -> Result<()> {
    let (connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let _consumer = soon(channel.consume(&name)).await?;
    let other = soon(connection.open_channel()).await?;
    let error = soon(other.queue_delete(&name).if_unused(true)).await.unwrap_err();
    let text = format!("PRECONDITION_FAILED - queue '{name}' in vhost '/' in use");
    assert_channel_refusal(&error, "queue.delete", ReplyCode::PRECONDITION_FAILED, &text);
    assert!(channel.is_open());
    Ok(())
}

#[tokio::test]
async fn declaring_a_queue_otherwise_than_it_is_closes_only_that_channel() -> Result<()> {
    let (connection, channel) = open().await;
    let neighbour = soon(connection.open_channel()).await?;
    let name = exclusive_queue(&channel).await;
    let arguments = FieldTable::from([("x-max-length", 5)]);
    let error = soon(channel.queue_declare(&name).exclusive(true).arguments(arguments)).await.unwrap_err();
    let text = format!(
        "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '{name}' in vhost '/': received the value '5' of \
         type 'signedint' but current is none"
    );
    assert_channel_refusal(&error, "queue.declare", ReplyCode::PRECONDITION_FAILED, &text);
    assert!(error.is_precondition_failed());

    assert!(!channel.is_open());
    let later = soon(channel.queue_declare(&name)).await.unwrap_err();
    assert_channel_refusal(&later, "queue.declare", ReplyCode::PRECONDITION_FAILED, &text);
    assert_eq!(ready_messages(&neighbour, &name).await, 0, "the other channel goes on");
    Ok(())
}

#[tokio::test]
async fn asking_for_a_missing_queue_is_not_found() -> Result<()> {
    let (connection, channel) = open().await;
    let missing = unique("missing");
    let error = soon(channel.queue_declare(&missing).passive(true)).await.unwrap_err();
    assert_channel_refusal(&error, "queue.declare", ReplyCode::NOT_FOUND, &no_queue(&missing));
    assert!(error.is_not_found());
    assert!(connection.is_open());
    Ok(())
}

#[tokio::test]
async fn the_exclusive_queue_of_another_connection_is_locked() -> Result<()> {
    let (_owner, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let stranger = connect().await;
    let channel = soon(stranger.open_channel()).await?;
    let error = soon(channel.queue_declare(&name).passive(true)).await.unwrap_err();
    assert_channel_refusal(&error, "queue.declare", ReplyCode::RESOURCE_LOCKED, &locked(&name));
    Ok(())
}

#[tokio::test]
async fn names_that_the_standard_forbids_and_the_broker_takes_are_taken() -> Result<()> {
    let (_connection, channel) = open().await;
    let unusual = unique("with space / slash # ü");
    let long = format!("{:x<200}", unique("long"));
    for name in [unusual, long] {
        let declared = soon(channel.queue_declare(&name).exclusive(true)).await?;
        assert_eq!(declared.queue, *name.as_str());
        let publisher = soon(channel.confirm_select()).await?;
        soon(publisher.publish("", &name, "routed").mandatory(true).confirmed()).await?;
        assert_eq!(ready_messages(&channel, &name).await, 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_name_over_255_octets_is_refused_and_nothing_is_sent() -> Result<()> {
    let (_connection, channel) = open().await;
    let error = soon(channel.queue_declare("x".repeat(256))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.is_not_sent());
    exclusive_queue(&channel).await;
    Ok(())
}

#[tokio::test]
async fn a_method_sent_with_no_wait_is_carried_out_without_an_answer() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = unique("no-wait");
    soon(channel.send(queue::Declare::default().queue(&name).exclusive(true).no_wait(true))).await?;
    assert_eq!(ready_messages(&channel, &name).await, 0);
    let refused = soon(channel.call(queue::Declare::default().queue(&name).no_wait(true))).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage, "nothing would answer a call with no-wait");
    assert!(channel.is_open());
    Ok(())
}

#[tokio::test]
async fn many_calls_at_once_on_one_channel_get_each_its_own_answer() -> Result<()> {
    let (_connection, channel) = open().await;
    let mut calls = Vec::new();
    for _ in 0..50 {
        let channel = channel.clone();
        calls.push(tokio::spawn(async move { exclusive_queue(&channel).await }));
    }
    for call in calls {
        soon(call).await.expect("each is answered with the name that it asked for");
    }
    Ok(())
}
