//! Mandatory messages that no queue takes and that the broker changes before they come back:
//! confirms of which none is Ok.

use leveret::{ErrorKind, FieldTable, FieldValue, Properties, ReplyCode, Result, Timestamp};
use leveret_live_tests::client::{Channel, Confirm, Connection, Publisher};
use leveret_live_tests::{exclusive_queue, open, soon, unique};

/// Headers in an order that 4.0 and later change, of all widths of numbers, one name twice, and one
/// that the broker takes out.
fn headers() -> FieldTable {
    let mut headers = FieldTable::from([
        ("z", FieldValue::I8(-1)),
        ("y", FieldValue::U8(1)),
        ("x", FieldValue::I16(-1)),
        ("w", FieldValue::U16(1)),
        ("v", FieldValue::I32(-1)),
        ("u", FieldValue::U32(1)),
        ("t", FieldValue::I64(-1)),
        ("s", FieldValue::F32(0.5)),
        ("r", FieldValue::F64(0.5)),
        ("q", FieldValue::Timestamp(Timestamp::from_secs(1))),
        ("p", FieldValue::Void),
        ("timestamp_in_ms", FieldValue::I64(1)),
        ("a", FieldValue::Array(vec![FieldValue::U8(1), FieldValue::Bool(true)])),
        ("BCC", FieldValue::Array(vec!["nobody".into()])),
    ]);
    headers.push("m", 1);
    headers.push("m", 2);
    headers
}

/// What brokers of some versions or with some plug-ins write anew.
fn changing() -> Vec<Properties> {
    let new = Properties::default;
    vec![
        new(),
        new().expiration("0060"),
        new().expiration("0"),
        new().timestamp(Timestamp::from_secs(5)),
        new().timestamp(Timestamp::from_secs(0)),
        new().headers(FieldTable::new()),
        new().headers(headers()),
        new().headers(headers()).timestamp(Timestamp::from_secs(5)).expiration("0060"),
        new().delivery_mode(2).priority(255),
    ]
}

async fn stray(publisher: &Publisher, properties: &Properties) -> Result<Confirm> {
    let publish = publisher.publish("", unique("nobody"), "the same body").mandatory(true);
    soon(publish.properties(properties)).await
}

async fn confirming() -> (Connection, Channel, Publisher) {
    let (connection, channel) = open().await;
    let publisher = soon(channel.confirm_select()).await.expect("confirms are on");
    (connection, channel, publisher)
}

#[tokio::test]
async fn a_message_that_comes_back_changed_is_confirmed_as_returned() -> Result<()> {
    let (_connection, _channel, publisher) = confirming().await;
    for properties in changing() {
        let error = soon(stray(&publisher, &properties).await?).await.expect_err("no queue takes it");
        assert_eq!(error.kind(), ErrorKind::Returned, "{properties:?}: {error}");
        assert_eq!(error.reply_code(), Some(ReplyCode::NO_ROUTE));
    }
    Ok(())
}

#[tokio::test]
async fn of_messages_that_come_back_changed_together_none_is_confirmed_as_taken() -> Result<()> {
    let (_connection, channel, publisher) = confirming().await;
    let queue = exclusive_queue(&channel).await;
    let (mut strays, mut taken) = (Vec::new(), Vec::new());
    for properties in changing() {
        strays.push(stray(&publisher, &properties).await?);
        // What nobody asks to have back is confirmed whatever comes back beside it.
        taken.push(soon(publisher.publish("", &queue, "the same body").properties(&properties)).await?);
    }
    for (confirm, properties) in strays.into_iter().zip(changing()) {
        let error = soon(confirm).await.expect_err("no queue takes it");
        assert_eq!(error.kind(), ErrorKind::Returned, "{properties:?}: {error}");
    }
    for confirm in taken {
        soon(confirm).await?;
    }
    soon(publisher.publish("", &queue, "the next").mandatory(true).confirmed()).await
}
