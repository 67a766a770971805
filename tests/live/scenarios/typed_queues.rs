//! Queues that are not classic, for the scenarios of their types.

use leveret::{ErrorKind, FieldTable, FieldValue, ReplyCode, Result};
use leveret_live_tests::client::{Channel, Delivery};
use leveret_live_tests::{assert_closed_by_broker, eventually, open, rabbitmq_version, ready_messages, soon, unique};

/// A durable queue of this type; gives its name. None on an embedded broker, of which it asserts
/// that it refuses such a queue.
pub(crate) async fn typed_queue(kind: &str, arguments: impl Into<FieldTable>) -> Option<String> {
    let (_connection, channel) = open().await;
    let name = unique(kind);
    let mut arguments = arguments.into();
    arguments.insert("x-queue-type", kind);
    let declared = soon(channel.queue_declare(&name).durable(true).arguments(arguments)).await;
    if rabbitmq_version().await.is_some() {
        declared.expect("a queue is declared");
        return Some(name);
    }
    let error = declared.expect_err("an embedded broker has classic queues alone");
    assert_closed_by_broker(&error, ErrorKind::ConnectionClosed, ReplyCode::NOT_IMPLEMENTED);
    None
}

/// Publishes all of these on a channel of their own, and waits until the queue has them.
pub(crate) async fn publish_all(
    channel: &Channel,
    queue: &str,
    bodies: impl IntoIterator<Item = String>,
) -> Result<()> {
    let publishing = soon(channel.connection().open_channel()).await?;
    let publisher = soon(publishing.confirm_select()).await?;
    for body in bodies {
        drop(soon(publisher.publish("", queue, body)).await?);
    }
    soon(publisher.wait_for_confirms()).await?;
    soon(publishing.close()).await
}

/// Waits until so many messages are ready in a queue.
pub(crate) async fn until_ready(channel: &Channel, queue: &str, count: u32) {
    eventually(|| async { (ready_messages(channel, queue).await == count).then_some(()) }).await;
}

/// A header of a delivery that is a number.
pub(crate) fn number(delivery: &Delivery, header: &str) -> Option<i64> {
    let headers = delivery.properties().expect("properties").headers.as_ref()?;
    headers.get(header).and_then(FieldValue::as_i64)
}
