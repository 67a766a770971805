//! Declaring a queue that exists: what has to be the same, what the broker says where it is not,
//! and what it compares first.

use leveret::protocol::queue;
use leveret::{FieldTable, FieldValue, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::{connect, exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::{fill, queue_with};
use crate::refusal::{assert_channel_refusal, locked, no_queue, refused};

/// Declares the same name twice, and expects the refusal of the second.
async fn assert_inequivalent(connection: &Connection, first: queue::Declare, second: queue::Declare, text: &str) {
    let name = unique("queue");
    let channel = soon(connection.open_channel()).await.expect("a channel opens");
    soon(channel.call(first.queue(&name))).await.expect("the first is taken");
    let error = refused(connection, second.queue(&name)).await;
    let text = format!("PRECONDITION_FAILED - inequivalent arg {}", text.replace("QUEUE", &name));
    assert_channel_refusal(&error, "queue.declare", ReplyCode::PRECONDITION_FAILED, &text);
    soon(channel.queue_delete(&name)).await.expect("the channel of the first goes on");
}

/// An exclusive declare with one argument.
fn with(argument: &str, value: impl Into<FieldValue>) -> queue::Declare {
    exclusive([(argument, value.into())])
}

fn plain() -> queue::Declare {
    queue::Declare::default().exclusive(true)
}

fn exclusive(arguments: impl Into<FieldTable>) -> queue::Declare {
    plain().arguments(arguments)
}

/// Each argument that is compared, in the order in which it is, with two values and what the first
/// is called.
fn compared() -> Vec<(&'static str, FieldValue, FieldValue, &'static str)> {
    vec![
        ("x-expires", 100_000.into(), 200_000.into(), "signedint"),
        ("x-message-ttl", 1000.into(), 2000.into(), "signedint"),
        ("x-dead-letter-exchange", "a".into(), "b".into(), "longstr"),
        ("x-max-length", 5.into(), 6.into(), "signedint"),
        ("x-max-length-bytes", 50_i64.into(), 60_i64.into(), "long"),
        ("x-max-priority", 5_u8.into(), 6_u8.into(), "unsignedbyte"),
        ("x-overflow", "drop-head".into(), "reject-publish".into(), "longstr"),
        ("x-single-active-consumer", true.into(), false.into(), "bool"),
    ]
}

fn shown(value: &FieldValue) -> String {
    match value {
        FieldValue::Bool(value) => value.to_string(),
        value => value.as_str().map_or_else(|| value.as_i64().expect("a number").to_string(), str::to_owned),
    }
}

#[tokio::test]
async fn an_argument_that_the_queue_does_not_have_is_named_with_its_type() {
    let connection = connect().await;
    for (argument, value, _, kind) in compared() {
        let text = format!(
            "'{argument}' for queue 'QUEUE' in vhost '/': received the value '{}' of type '{kind}' but current is none",
            shown(&value)
        );
        assert_inequivalent(&connection, plain(), with(argument, value), &text).await;
    }
}

#[tokio::test]
async fn an_argument_that_is_left_out_is_named_with_its_type() {
    let connection = connect().await;
    for (argument, value, _, kind) in compared() {
        let text = format!(
            "'{argument}' for queue 'QUEUE' in vhost '/': received none but current is the value '{}' of type '{kind}'",
            shown(&value)
        );
        assert_inequivalent(&connection, with(argument, value), plain(), &text).await;
    }
}

#[tokio::test]
async fn an_argument_of_another_value_is_named_with_both_values() {
    let connection = connect().await;
    for (argument, current, received, _) in compared() {
        let (old, new) = (shown(&current), shown(&received));
        let text = format!("'{argument}' for queue 'QUEUE' in vhost '/': received '{new}' but current is '{old}'");
        assert_inequivalent(&connection, with(argument, current), with(argument, received), &text).await;
    }
}

#[tokio::test]
async fn an_argument_of_another_type_is_another_value_even_if_it_reads_the_same() {
    let connection = connect().await;
    let others: [(FieldValue, &str); 5] = [
        ("100".into(), "received '100'"),
        (100.0_f64.into(), "received '100.0'"),
        (true.into(), "received 'true'"),
        (FieldValue::Array(Vec::new()), "received '[]'"),
        (FieldValue::Void, "received none"),
    ];
    for (value, received) in others {
        let text = format!("'x-max-length' for queue 'QUEUE' in vhost '/': {received} but current is '100'");
        assert_inequivalent(&connection, with("x-max-length", 100), with("x-max-length", value), &text).await;
    }
}

#[tokio::test]
async fn the_routing_key_of_dead_letters_is_compared() {
    let connection = connect().await;
    let dead_letters = |key| exclusive([("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", key)]);
    let text = "'x-dead-letter-routing-key' for queue 'QUEUE' in vhost '/': received 'b' but current is 'a'";
    assert_inequivalent(&connection, dead_letters("a"), dead_letters("b"), text).await;
}

#[tokio::test]
async fn integers_are_the_same_whatever_their_width() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = queue_with(&channel, [("x-max-length", 100)]).await;
    let widths: [FieldValue; 7] =
        [100_i8.into(), 100_u8.into(), 100_i16.into(), 100_u16.into(), 100_i32.into(), 100_u32.into(), 100_i64.into()];
    for value in widths {
        soon(channel.call(with("x-max-length", value).queue(&name))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn arguments_are_compared_in_an_order_of_their_own() {
    let connection = connect().await;
    let mut wanted = compared();
    while let Some((first, value, _, kind)) = wanted.first().cloned() {
        let backwards: FieldTable = wanted.iter().rev().map(|(name, value, ..)| (*name, value.clone())).collect();
        let text = format!(
            "'{first}' for queue 'QUEUE' in vhost '/': received the value '{}' of type '{kind}' but current is none",
            shown(&value)
        );
        assert_inequivalent(&connection, plain(), exclusive(backwards), &text).await;
        wanted.remove(0);
    }
}

#[tokio::test]
async fn what_the_broker_does_not_know_is_not_compared() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = queue_with(&channel, [("x-unheard-of", "a")]).await;
    soon(channel.call(with("x-unheard-of", "b").queue(&name))).await?;
    soon(channel.call(exclusive([("x-unheard-of", 5), ("another", 6)]).queue(&name))).await?;
    soon(channel.call(plain().queue(&name))).await?;
    Ok(())
}

#[tokio::test]
async fn a_queue_is_a_classic_one_unless_it_says_otherwise() -> Result<()> {
    let (connection, channel) = open().await;
    let silent = exclusive_queue(&channel).await;
    soon(channel.call(with("x-queue-type", "classic").queue(&silent))).await?;
    let explicit = queue_with(&channel, [("x-queue-type", "classic")]).await;
    soon(channel.call(plain().queue(&explicit))).await?;
    let text = "'x-queue-type' for queue 'QUEUE' in vhost '/': received 'quorum' but current is 'classic'";
    assert_inequivalent(&connection, with("x-queue-type", "classic"), with("x-queue-type", "quorum"), text).await;
    Ok(())
}

#[tokio::test]
async fn a_durable_queue_is_not_a_transient_one() {
    let connection = connect().await;
    let (transient, durable) = (queue::Declare::default(), queue::Declare::default().durable(true));
    let text = "'durable' for queue 'QUEUE' in vhost '/': received 'true' but current is 'false'";
    assert_inequivalent(&connection, transient.clone(), durable.clone(), text).await;
    let text = "'durable' for queue 'QUEUE' in vhost '/': received 'false' but current is 'true'";
    assert_inequivalent(&connection, durable, transient, text).await;
}

#[tokio::test]
async fn an_auto_delete_queue_is_not_one_that_stays() {
    let connection = connect().await;
    let (stays, goes) = (plain(), plain().auto_delete(true));
    let text = "'auto_delete' for queue 'QUEUE' in vhost '/': received 'true' but current is 'false'";
    assert_inequivalent(&connection, stays.clone(), goes.clone(), text).await;
    let text = "'auto_delete' for queue 'QUEUE' in vhost '/': received 'false' but current is 'true'";
    assert_inequivalent(&connection, goes, stays, text).await;
}

#[tokio::test]
async fn durable_is_compared_first_then_auto_delete_then_the_arguments() {
    let connection = connect().await;
    let all = queue::Declare::default().durable(true).auto_delete(true).arguments([("x-max-length", 1)]);
    let text = "'durable' for queue 'QUEUE' in vhost '/': received 'true' but current is 'false'";
    assert_inequivalent(&connection, queue::Declare::default(), all.clone(), text).await;
    let text = "'auto_delete' for queue 'QUEUE' in vhost '/': received 'true' but current is 'false'";
    assert_inequivalent(&connection, queue::Declare::default(), all.durable(false), text).await;
}

#[tokio::test]
async fn exclusive_or_not_is_a_matter_of_the_lock_and_comes_before_all_else() -> Result<()> {
    let (connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let shared = queue::Declare::default().queue(&name).auto_delete(true).arguments([("x-max-length", 1)]);
    let error = refused(&connection, shared).await;
    assert_channel_refusal(&error, "queue.declare", ReplyCode::RESOURCE_LOCKED, &locked(&name));

    let name = unique("shared");
    soon(channel.queue_declare(&name)).await?;
    let error = refused(&connection, plain().queue(&name)).await;
    assert_channel_refusal(&error, "queue.declare", ReplyCode::RESOURCE_LOCKED, &locked(&name));
    soon(channel.queue_delete(&name)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exclusive_queue_is_never_durable_and_does_not_mind_being_asked() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    soon(channel.call(plain().queue(&name).durable(true))).await?;
    let name = unique("queue");
    soon(channel.call(plain().queue(&name).durable(true))).await?;
    soon(channel.call(plain().queue(&name))).await?;
    Ok(())
}

#[tokio::test]
async fn declaring_what_exists_counts_its_messages_and_consumers_and_changes_nothing() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = queue_with(&channel, [("x-max-length", 100)]).await;
    fill(&channel, &name, &["1", "2"]).await;
    let declared = soon(channel.call(with("x-max-length", 100).queue(&name))).await?;
    assert_eq!(declared.queue, *name.as_str());
    assert_eq!((declared.message_count, declared.consumer_count), (2, 0));
    assert_eq!(ready_messages(&channel, &name).await, 2);
    Ok(())
}

#[tokio::test]
async fn asking_whether_a_queue_exists_compares_nothing() -> Result<()> {
    let (connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    let otherwise = queue::Declare::default().passive(true).durable(true).auto_delete(true);
    let otherwise = otherwise.arguments([("x-max-length", -5)]);
    soon(channel.call(otherwise.clone().queue(&name))).await?;

    let missing = unique("missing");
    let error = refused(&connection, otherwise.queue(&missing)).await;
    assert_channel_refusal(&error, "queue.declare", ReplyCode::NOT_FOUND, &no_queue(&missing));
    Ok(())
}
