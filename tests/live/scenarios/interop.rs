//! Messages exchanged with Pika, an independent client. `pika_peer.py` holds the same messages and
//! compares on its side.

use leveret::wire::Decimal;
use leveret::{FieldTable, FieldValue, Properties, Result, Timestamp};
use leveret_live_tests::{open, pika, soon, unique};

/// What both sides send, and expect from the other. Pika knows no floats.
fn properties() -> Properties {
    let array = vec![FieldValue::I32(1), FieldValue::from("x"), FieldValue::Bool(true), FieldValue::Void];
    let nested = FieldTable::from([("a", "b")]);
    let headers = FieldTable::from([
        ("array", FieldValue::Array(array)),
        ("bool", FieldValue::Bool(true)),
        ("decimal", FieldValue::Decimal(Decimal { scale: 2, value: 314 })),
        ("int", FieldValue::I32(-7)),
        ("long", FieldValue::I64(5_000_000_000)),
        ("octets", FieldValue::from(vec![0_u8, 255, 206])),
        ("string", FieldValue::from("ü")),
        ("table", FieldValue::Table(nested)),
        ("timestamp", FieldValue::Timestamp(Timestamp::from_secs(1_700_000_000))),
        ("void", FieldValue::Void),
    ]);
    Properties::default()
        .content_type("text/plain")
        .content_encoding("utf-8")
        .headers(headers)
        .delivery_mode(2)
        .priority(3)
        .correlation_id("correlation")
        .reply_to("reply")
        .expiration("600000")
        .message_id("message")
        .timestamp(Timestamp::from_secs(1_700_000_000))
        .kind("kind")
        .app_id("app")
}

/// An empty one, a short one with every property, and one of several frames.
fn bodies() -> [Vec<u8>; 3] {
    [Vec::new(), "Grüße".into(), (0..=u8::MAX).cycle().take(300_000).collect()]
}

#[tokio::test]
async fn pika_receives_what_leveret_sends() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = unique("to-pika");
    soon(channel.queue_declare(&queue).durable(true)).await?;
    let publisher = soon(channel.confirm_select()).await?;
    for body in bodies() {
        soon(publisher.publish("", &queue, body).properties(properties()).confirmed()).await?;
    }
    pika("receive", &queue).await;
    assert_eq!(soon(channel.queue_delete(&queue)).await?.message_count, 0, "Pika acknowledged all of them");
    Ok(())
}

#[tokio::test]
async fn leveret_receives_what_pika_sends() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = unique("from-pika");
    soon(channel.queue_declare(&queue).durable(true)).await?;
    pika("send", &queue).await;
    let sent = properties();
    for body in bodies() {
        let delivery = soon(channel.get(&queue)).await?.expect("Pika sent as many");
        assert!(delivery.body() == body, "{} octets came, {} were sent", delivery.body().len(), body.len());
        let came = delivery.properties()?;
        // Brokers may sort headers; everything else is as it was sent.
        for (key, value) in sent.headers.iter().flatten() {
            assert_eq!(came.headers.as_ref().and_then(|headers| headers.get(key.to_string())), Some(value), "{key}");
        }
        let headers = came.headers.clone().unwrap_or_default();
        assert_eq!(*came, sent.clone().headers(headers));
        delivery.ack().await?;
    }
    assert_eq!(soon(channel.queue_delete(&queue)).await?.message_count, 0);
    Ok(())
}
