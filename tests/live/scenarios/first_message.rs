//! The first program of the documentation.

use leveret::Result;
use leveret_live_tests::client::Connection;
use leveret_live_tests::{next, ready_messages, soon, unique, url};

#[tokio::test]
async fn a_message_is_published_consumed_and_acknowledged() -> Result<()> {
    let queue = unique("hello");
    let connection = soon(Connection::open(url())).await?;
    let channel = soon(connection.open_channel()).await?;
    soon(channel.queue_declare(&queue).durable(true)).await?;
    soon(channel.publish("", &queue, "Hello, world!")).await?;

    let mut consumer = soon(channel.consume(&queue)).await?;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.body(), b"Hello, world!");
    assert_eq!(delivery.exchange(), "");
    assert_eq!(delivery.routing_key(), queue);
    assert!(!delivery.is_redelivered());
    delivery.ack().await?;

    soon(channel.close()).await?;
    let channel = soon(connection.open_channel()).await?;
    assert_eq!(ready_messages(&channel, &queue).await, 0, "acknowledged, it does not come back");
    soon(channel.queue_delete(&queue)).await?;
    soon(connection.close()).await
}
