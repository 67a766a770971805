//! Arguments of queues that the broker refuses, and those that it takes.

use leveret::protocol::queue;
use leveret::{FieldTable, FieldValue, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::{connect, open, soon, unique};

use crate::messages::queue_with;
use crate::refusal::{assert_channel_refusal, refused};

/// The broker refuses an argument, and says this of it.
async fn assert_invalid(connection: &Connection, argument: &str, value: impl Into<FieldValue>, complaint: &str) {
    let complaint = format!("invalid arg '{argument}' for queue 'QUEUE' in vhost '/'{complaint}");
    assert_refused(connection, [(argument, value.into())], &complaint).await;
}

async fn assert_refused(connection: &Connection, arguments: impl Into<FieldTable>, complaint: &str) {
    let name = unique("queue");
    let declare = queue::Declare::default().queue(&name).exclusive(true).arguments(arguments);
    let error = refused(connection, declare).await;
    let text = format!("PRECONDITION_FAILED - {}", complaint.replace("QUEUE", &name));
    assert_channel_refusal(&error, "queue.declare", ReplyCode::PRECONDITION_FAILED, &text);
}

/// A value of each type but the integers, with the name of its type.
fn not_integers() -> Vec<(FieldValue, &'static str)> {
    vec![
        ("5".into(), "longstr"),
        (5.0_f32.into(), "float"),
        (5.0_f64.into(), "double"),
        (true.into(), "bool"),
        (FieldValue::Void, "void"),
        (FieldValue::Array(vec![5.into()]), "array"),
        (FieldValue::Table(FieldTable::default()), "table"),
        (FieldValue::Timestamp(leveret::Timestamp::from_secs(5)), "timestamp"),
        (FieldValue::ByteArray("5".into()), "binary"),
    ]
}

/// A value of each type but text, with the name of its type.
fn not_texts() -> Vec<(FieldValue, &'static str)> {
    let others = not_integers().into_iter().filter(|(_, kind)| *kind != "longstr");
    let integers: [(FieldValue, &str); 7] = [
        (5_i8.into(), "byte"),
        (5_u8.into(), "unsignedbyte"),
        (5_i16.into(), "short"),
        (5_u16.into(), "unsignedshort"),
        (5_i32.into(), "signedint"),
        (5_u32.into(), "unsignedint"),
        (5_i64.into(), "long"),
    ];
    others.chain(integers).collect()
}

#[tokio::test]
async fn limits_are_integers() {
    let connection = connect().await;
    for argument in ["x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority"] {
        for (value, kind) in not_integers() {
            assert_invalid(&connection, argument, value, &format!(": \"expected integer, got {kind}\"")).await;
        }
    }
}

#[tokio::test]
async fn limits_are_not_negative() {
    let connection = connect().await;
    for argument in ["x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority"] {
        assert_invalid(&connection, argument, -1, ": {value_negative,-1}").await;
        assert_invalid(&connection, argument, i64::MIN, ": {value_negative,-9223372036854775808}").await;
    }
}

#[tokio::test]
async fn a_queue_does_not_expire_at_once() {
    assert_invalid(&connect().await, "x-expires", 0, ": {value_zero,0}").await;
}

#[tokio::test]
async fn times_have_an_upper_bound() {
    let connection = connect().await;
    for argument in ["x-message-ttl", "x-expires"] {
        assert_invalid(&connection, argument, 1_i64 << 62, ": {value_too_large,4611686018427387904}").await;
    }
}

#[tokio::test]
async fn there_are_255_priorities_at_most() {
    let connection = connect().await;
    assert_invalid(&connection, "x-max-priority", 256, ": {max_value_exceeded,256}").await;
    assert_invalid(&connection, "x-max-priority", 1_i64 << 32, ": {max_value_exceeded,4294967296}").await;
}

#[tokio::test]
async fn limits_of_nothing_and_very_large_ones_are_taken() {
    let (_connection, channel) = open().await;
    for argument in ["x-message-ttl", "x-max-length", "x-max-length-bytes", "x-max-priority"] {
        queue_with(&channel, [(argument, 0)]).await;
    }
    for argument in ["x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes"] {
        queue_with(&channel, [(argument, 1_i64 << 32)]).await;
    }
    queue_with(&channel, [("x-max-priority", 255)]).await;
}

#[tokio::test]
async fn an_overflow_policy_is_one_of_three() {
    let (connection, channel) = open().await;
    for policy in ["", "drop-tail", "Drop-Head"] {
        assert_invalid(&connection, "x-overflow", policy, ": invalid_overflow").await;
    }
    for (value, kind) in not_texts() {
        assert_invalid(&connection, "x-overflow", value, &format!(": {{unacceptable_type,{kind}}}")).await;
    }
    for policy in ["drop-head", "reject-publish", "reject-publish-dlx"] {
        queue_with(&channel, [("x-overflow", policy)]).await;
    }
}

#[tokio::test]
async fn a_dead_letter_exchange_is_text_and_need_not_exist() {
    let (connection, channel) = open().await;
    for (value, kind) in not_texts() {
        let complaint = format!("invalid type '{kind}' for arg 'x-dead-letter-exchange' in queue 'QUEUE' in vhost '/'");
        assert_refused(&connection, [("x-dead-letter-exchange", value)], &complaint).await;
    }
    queue_with(&channel, [("x-dead-letter-exchange", unique("missing"))]).await;
    queue_with(&channel, [("x-dead-letter-exchange", "")]).await;
}

#[tokio::test]
async fn a_routing_key_of_dead_letters_is_text_and_needs_an_exchange() {
    let (connection, channel) = open().await;
    let argument = "x-dead-letter-routing-key";
    for key in ["key", ""] {
        assert_invalid(&connection, argument, key, ": routing_key_but_no_dlx_defined").await;
        queue_with(&channel, [("x-dead-letter-exchange", ""), (argument, key)]).await;
    }
    for (value, kind) in not_texts() {
        assert_invalid(&connection, argument, value, &format!(": {{unacceptable_type,{kind}}}")).await;
    }
}

#[tokio::test]
async fn a_single_active_consumer_is_asked_for_with_a_truth_value() {
    let connection = connect().await;
    for (value, kind) in not_texts().into_iter().filter(|(_, kind)| *kind != "bool") {
        let complaint = format!(": {{unacceptable_type,{kind}}}");
        assert_invalid(&connection, "x-single-active-consumer", value, &complaint).await;
    }
    assert_invalid(&connection, "x-single-active-consumer", "true", ": {unacceptable_type,longstr}").await;
}

#[tokio::test]
async fn the_type_and_the_mode_of_a_queue_are_among_those_that_exist() {
    let (connection, channel) = open().await;
    assert_invalid(&connection, "x-queue-type", "fancy", ": \"unsupported queue type 'fancy'\"").await;
    assert_invalid(&connection, "x-queue-type", 5, ": {unacceptable_type,signedint}").await;
    assert_invalid(&connection, "x-queue-mode", "busy", ": \"unsupported queue mode 'busy'\"").await;
    assert_invalid(&connection, "x-queue-mode", 5, ": {unacceptable_type,signedint}").await;
    queue_with(&channel, [("x-queue-type", "classic"), ("x-queue-mode", "lazy")]).await;
    queue_with(&channel, [("x-queue-mode", "default")]).await;
}

#[tokio::test]
async fn what_only_other_types_of_queues_have_is_refused() {
    let connection = connect().await;
    let others: [(&str, FieldValue); 5] = [
        ("x-delivery-limit", 5.into()),
        ("x-max-age", "1D".into()),
        ("x-max-in-memory-length", 5.into()),
        ("x-quorum-initial-group-size", 1.into()),
        ("x-dead-letter-strategy", "at-least-once".into()),
    ];
    for (argument, value) in others {
        assert_invalid(&connection, argument, value, " of queue type rabbit_classic_queue").await;
    }
}

#[tokio::test]
async fn arguments_that_the_broker_does_not_know_are_taken() -> Result<()> {
    let (_connection, channel) = open().await;
    let arguments: [(&str, FieldValue); 3] =
        [("x-unheard-of", 1.into()), ("plain", FieldValue::Void), ("nested", FieldValue::Array(vec![1.into()]))];
    let name = queue_with(&channel, arguments).await;
    assert_eq!(soon(channel.queue_declare(&name).passive(true)).await?.message_count, 0);
    Ok(())
}

#[tokio::test]
async fn of_two_bad_arguments_the_broker_names_the_same_whichever_comes_first() {
    let connection = connect().await;
    let complaint = "invalid arg 'x-expires' for queue 'QUEUE' in vhost '/': {value_zero,0}";
    assert_refused(&connection, [("x-expires", 0), ("x-message-ttl", -1)], complaint).await;
    assert_refused(&connection, [("x-message-ttl", -1), ("x-expires", 0)], complaint).await;
}
