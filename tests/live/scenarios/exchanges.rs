//! Exchanges and their bindings.

use leveret::{Channel, ErrorKind, FieldTable, Properties, ReplyCode, Result};
use leveret_live_tests::{assert_closed_by_broker, exclusive_queue, open, soon, unique};

/// The bodies that wait in a queue, in order, after all that was published before this was asked.
async fn bodies(channel: &Channel, queue: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    while let Some(delivery) = soon(channel.get(queue).no_ack(true)).await.expect("the queue is there") {
        bodies.push(String::from_utf8_lossy(delivery.body()).into_owned());
    }
    bodies
}

#[tokio::test]
async fn a_direct_exchange_routes_by_the_whole_routing_key() -> Result<()> {
    let (_connection, channel) = open().await;
    let (exchange, queue) = (unique("direct"), exclusive_queue(&channel).await);
    soon(channel.exchange_declare(&exchange, "direct").auto_delete(true).durable(true)).await?;
    soon(channel.queue_bind(&queue, &exchange, "red")).await?;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish(&exchange, "red", "taken").confirmed()).await?;
    soon(publisher.publish(&exchange, "red.green", "dropped").confirmed()).await?;
    assert_eq!(bodies(&channel, &queue).await, ["taken"]);
    Ok(())
}

#[tokio::test]
async fn a_fanout_exchange_routes_to_every_queue() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = unique("fanout");
    let (first, second) = (exclusive_queue(&channel).await, exclusive_queue(&channel).await);
    soon(channel.exchange_declare(&exchange, "fanout").auto_delete(true).durable(true)).await?;
    soon(channel.queue_bind(&first, &exchange, "")).await?;
    soon(channel.queue_bind(&second, &exchange, "ignored")).await?;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish(&exchange, "any", "to all").confirmed()).await?;
    assert_eq!(bodies(&channel, &first).await, ["to all"]);
    assert_eq!(bodies(&channel, &second).await, ["to all"]);
    Ok(())
}

#[tokio::test]
async fn a_topic_exchange_routes_by_pattern() -> Result<()> {
    let (_connection, channel) = open().await;
    let (exchange, queue) = (unique("topic"), exclusive_queue(&channel).await);
    soon(channel.exchange_declare(&exchange, "topic").auto_delete(true).durable(true)).await?;
    soon(channel.queue_bind(&queue, &exchange, "kern.*")).await?;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish(&exchange, "kern.info", "taken").confirmed()).await?;
    soon(publisher.publish(&exchange, "kern.info.late", "dropped").confirmed()).await?;
    assert_eq!(bodies(&channel, &queue).await, ["taken"]);
    Ok(())
}

#[tokio::test]
async fn a_headers_exchange_routes_by_the_arguments_of_the_binding() -> Result<()> {
    let (_connection, channel) = open().await;
    let (exchange, queue) = (unique("headers"), exclusive_queue(&channel).await);
    soon(channel.exchange_declare(&exchange, "headers").auto_delete(true).durable(true)).await?;
    let wanted = FieldTable::from([("x-match", "all"), ("colour", "red")]);
    soon(channel.queue_bind(&queue, &exchange, "").arguments(wanted)).await?;
    let publisher = soon(channel.confirm_select()).await?;
    let red = Properties::default().headers(FieldTable::from([("colour", "red")]));
    soon(publisher.publish(&exchange, "", "taken").properties(&red).confirmed()).await?;
    soon(publisher.publish(&exchange, "", "dropped").confirmed()).await?;
    assert_eq!(bodies(&channel, &queue).await, ["taken"]);
    Ok(())
}

#[tokio::test]
async fn a_binding_between_exchanges_carries_messages_until_it_is_removed() -> Result<()> {
    let (_connection, channel) = open().await;
    let (source, destination) = (unique("source"), unique("destination"));
    let queue = exclusive_queue(&channel).await;
    soon(channel.exchange_declare(&source, "direct").durable(true)).await?;
    soon(channel.exchange_declare(&destination, "fanout").durable(true)).await?;
    soon(channel.queue_bind(&queue, &destination, "")).await?;
    soon(channel.exchange_bind(&destination, &source, "key")).await?;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish(&source, "key", "bound").confirmed()).await?;
    soon(channel.exchange_unbind(&destination, &source, "key")).await?;
    soon(publisher.publish(&source, "key", "unbound").confirmed()).await?;
    assert_eq!(bodies(&channel, &queue).await, ["bound"]);
    soon(channel.exchange_delete(&source)).await?;
    soon(channel.exchange_delete(&destination)).await?;
    Ok(())
}

#[tokio::test]
async fn an_alternate_exchange_takes_what_no_queue_takes() -> Result<()> {
    let (_connection, channel) = open().await;
    let (exchange, alternate) = (unique("main"), unique("alternate"));
    let queue = exclusive_queue(&channel).await;
    soon(channel.exchange_declare(&alternate, "fanout").durable(true)).await?;
    soon(channel.queue_bind(&queue, &alternate, "")).await?;
    let arguments = FieldTable::from([("alternate-exchange", alternate.as_str())]);
    soon(channel.exchange_declare(&exchange, "direct").durable(true).arguments(arguments)).await?;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish(&exchange, "nobody", "stray").mandatory(true).confirmed()).await?;
    assert_eq!(bodies(&channel, &queue).await, ["stray"]);
    soon(channel.exchange_delete(&exchange)).await?;
    soon(channel.exchange_delete(&alternate)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exchange_in_use_is_not_deleted_if_unused_is_asked_for() -> Result<()> {
    let (connection, channel) = open().await;
    let (exchange, queue) = (unique("used"), exclusive_queue(&channel).await);
    soon(channel.exchange_declare(&exchange, "direct").durable(true)).await?;
    soon(channel.queue_bind(&queue, &exchange, "key")).await?;
    let error = soon(channel.exchange_delete(&exchange).if_unused(true)).await.unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ChannelClosed, ReplyCode::PRECONDITION_FAILED);
    assert_eq!(error.method(), Some("exchange.delete"));

    let channel = soon(connection.open_channel()).await?;
    soon(channel.queue_unbind(&queue, &exchange, "key")).await?;
    soon(channel.exchange_delete(&exchange).if_unused(true)).await?;
    let error = soon(channel.exchange_declare(&exchange, "direct").passive(true)).await.unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ChannelClosed, ReplyCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn publishing_to_an_unknown_exchange_closes_the_channel_and_nothing_else() -> Result<()> {
    let (connection, channel) = open().await;
    let neighbour = soon(connection.open_channel()).await?;
    let publisher = soon(channel.confirm_select()).await?;
    let error = soon(publisher.publish(&unique("missing"), "key", "lost").confirmed()).await.unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ChannelClosed, ReplyCode::NOT_FOUND);
    assert_eq!(error.method(), Some("basic.publish"));

    let later = soon(channel.publish("", "key", "late")).await.unwrap_err();
    assert_closed_by_broker(&later, ErrorKind::ChannelClosed, ReplyCode::NOT_FOUND);
    assert!(later.is_not_sent());
    assert!(!channel.is_open());
    assert!(connection.is_open());
    exclusive_queue(&neighbour).await;
    Ok(())
}
