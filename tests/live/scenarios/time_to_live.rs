//! Messages that live for a while.

use leveret::{FieldTable, FieldValue, Properties, ReplyCode, Requeue, Result};
use leveret_live_tests::client::{Channel, Delivery};
use leveret_live_tests::{eventually, exclusive_queue, next, open, ready_messages, soon};

use crate::messages::{body, fill, get, get_soon, put, queue_with, take_bodies};
use crate::refusal::{assert_channel_refusal, refused_on};

/// Long enough that no scenario lives to see it, in milliseconds.
const LONG: &str = "600000";

fn expiring(milliseconds: &str) -> Properties {
    Properties::default().expiration(milliseconds)
}

/// An exclusive queue whose dead messages go to another one.
async fn mortal(channel: &Channel, graveyard: &str, time_to_live: Option<i32>) -> String {
    let mut arguments = FieldTable::from([("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard)]);
    if let Some(time) = time_to_live {
        arguments.insert("x-message-ttl", time);
    }
    queue_with(channel, arguments).await
}

/// Waits until messages of this time that were published before are past it.
async fn outlive(channel: &Channel, milliseconds: &str) {
    let graveyard = exclusive_queue(channel).await;
    let witness = mortal(channel, &graveyard, None).await;
    put(channel, &witness, "witness", &expiring(milliseconds)).await;
    get_soon(channel, &graveyard).await;
}

fn death(dead: &Delivery) -> FieldTable {
    let headers = dead.properties().expect("properties").headers.clone().expect("the broker adds headers");
    let deaths = headers.get("x-death").and_then(FieldValue::as_array).expect("deaths").to_vec();
    deaths[0].as_table().expect("a table").clone()
}

#[tokio::test]
async fn a_queue_lets_its_messages_expire() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard, Some(50)).await;
    fill(&channel, &queue, &["1", "2"]).await;
    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!(body(&dead), "1");
    let death = death(&dead);
    assert_eq!(death.get("reason"), Some(&"expired".into()));
    assert_eq!(death.get("queue"), Some(&queue.as_str().into()));
    assert_eq!(death.get("original-expiration"), None, "it was the queue's");
    assert_eq!(body(&get_soon(&channel, &graveyard).await), "2");
    assert_eq!(ready_messages(&channel, &queue).await, 0);
    Ok(())
}

#[tokio::test]
async fn a_message_brings_its_own_expiration_and_loses_it_by_expiring() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard, None).await;
    put(&channel, &queue, "short", &expiring("50")).await;
    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!(dead.properties()?.expiration, None);
    assert_eq!(death(&dead).get("reason"), Some(&"expired".into()));
    assert_eq!(death(&dead).get("original-expiration"), Some(&"50".into()));
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_delivered_keeps_its_expiration() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    put(&channel, &queue, "long", &expiring(LONG)).await;
    let delivery = get(&channel, &queue).await;
    assert_eq!(*delivery.properties()?, expiring(LONG));
    Ok(())
}

#[tokio::test]
async fn of_the_queues_time_and_the_messages_the_shorter_counts() -> Result<()> {
    let (_connection, channel) = open().await;
    let hurried = queue_with(&channel, [("x-message-ttl", 50)]).await;
    let patient = queue_with(&channel, [("x-message-ttl", 600_000)]).await;
    put(&channel, &hurried, "the queue's is shorter", &expiring(LONG)).await;
    put(&channel, &patient, "the message's is shorter", &expiring("50")).await;
    for queue in [hurried, patient] {
        eventually(|| async { (ready_messages(&channel, &queue).await == 0).then_some(()) }).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_message_expires_only_at_the_head_of_its_queue() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard, None).await;
    put(&channel, &queue, "long", &expiring(LONG)).await;
    put(&channel, &queue, "short", &expiring("50")).await;
    put(&channel, &queue, "last", &Properties::default()).await;
    outlive(&channel, "50").await;
    assert_eq!(ready_messages(&channel, &queue).await, 3, "it waits behind one that lives");
    assert_eq!(ready_messages(&channel, &graveyard).await, 0);

    assert_eq!(get(&channel, &queue).await.body(), b"long");
    assert_eq!(get(&channel, &queue).await.body(), b"last", "what is expired is not handed out");
    assert_eq!(get_soon(&channel, &graveyard).await.body(), b"short");
    Ok(())
}

#[tokio::test]
async fn what_is_delivered_does_not_expire_until_it_is_given_back() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    // Time enough to get it, where the machine has much else to do.
    let queue = mortal(&channel, &graveyard, Some(500)).await;
    fill(&channel, &queue, &["slow"]).await;
    let delivery = get(&channel, &queue).await;
    outlive(&channel, "500").await;
    assert_eq!(ready_messages(&channel, &graveyard).await, 0);
    delivery.nack(Requeue::Yes).await?;
    assert_eq!(body(&get_soon(&channel, &graveyard).await), "slow");
    assert_eq!(take_bodies(&channel, &queue).await, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn with_no_time_at_all_a_message_is_for_whoever_waits_for_it() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard, Some(0)).await;
    fill(&channel, &queue, &["too early"]).await;
    assert_eq!(get_soon(&channel, &graveyard).await.body(), b"too early");

    soon(channel.basic_qos().prefetch_count(1)).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    fill(&channel, &queue, &["in time", "one too many"]).await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.body(), b"in time");
    assert_eq!(get_soon(&channel, &graveyard).await.body(), b"one too many");
    delivery.ack().await?;
    put(&channel, &queue, "in time again", &expiring("0")).await;
    assert_eq!(next(&mut consumer).await.body(), b"in time again");
    Ok(())
}

#[tokio::test]
async fn an_expiration_is_a_number_of_milliseconds_in_text() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let refusals = [
        ("abc", "no_integer"),
        (" 5", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("1.5", "{leftover_string,\".5\"}"),
        ("5 s", "{leftover_string,\" s\"}"),
        ("99999999999999999", "{value_too_large,99999999999999999}"),
    ];
    for (expiration, complaint) in refusals {
        let publishing = soon(connection.open_channel()).await?;
        soon(publishing.publish("", &queue, "never").properties(expiring(expiration))).await?;
        let error = refused_on(&publishing).await;
        let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {complaint}");
        assert_channel_refusal(&error, "basic.publish", ReplyCode::PRECONDITION_FAILED, &text);
    }
    for expiration in ["600000", "+600000", "0600000"] {
        put(&channel, &queue, expiration, &expiring(expiration)).await;
    }
    assert_eq!(take_bodies(&channel, &queue).await, ["600000", "+600000", "0600000"]);
    Ok(())
}
