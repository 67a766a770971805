//! Exchanges and their bindings.

use leveret::protocol::{exchange, queue};
use leveret::{ErrorKind, FieldTable, Properties, ReplyCode, Result};
use leveret_live_tests::{assert_closed_by_broker, exclusive_queue, open, soon, unique};

use crate::refusal::assert_channel_refusal;
use crate::routed::{another_channel, bodies, exchange_exists};

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
    let text = format!("PRECONDITION_FAILED - exchange '{exchange}' in vhost '/' in use");
    assert_channel_refusal(&error, "exchange.delete", ReplyCode::PRECONDITION_FAILED, &text);

    let channel = soon(connection.open_channel()).await?;
    soon(channel.queue_unbind(&queue, &exchange, "key")).await?;
    soon(channel.exchange_delete(&exchange).if_unused(true)).await?;
    let error = soon(channel.exchange_declare(&exchange, "direct").passive(true)).await.unwrap_err();
    let text = format!("NOT_FOUND - no exchange '{exchange}' in vhost '/'");
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::NOT_FOUND, &text);
    Ok(())
}

#[tokio::test]
async fn publishing_to_an_unknown_exchange_closes_the_channel_and_nothing_else() -> Result<()> {
    let (connection, channel) = open().await;
    let neighbour = soon(connection.open_channel()).await?;
    let publisher = soon(channel.confirm_select()).await?;
    let missing = unique("missing");
    let error = soon(publisher.publish(&missing, "key", "lost").confirmed()).await.unwrap_err();
    let text = format!("NOT_FOUND - no exchange '{missing}' in vhost '/'");
    assert_channel_refusal(&error, "basic.publish", ReplyCode::NOT_FOUND, &text);

    let later = soon(channel.publish("", "key", "late")).await.unwrap_err();
    assert_closed_by_broker(&later, ErrorKind::ChannelClosed, ReplyCode::NOT_FOUND);
    assert!(later.is_not_sent());
    assert!(!channel.is_open());
    assert!(connection.is_open());
    exclusive_queue(&neighbour).await;
    Ok(())
}

#[tokio::test]
async fn an_exchange_is_declared_bound_and_deleted_without_answers() -> Result<()> {
    let (_connection, channel) = open().await;
    let (exchange, queue) = (unique("silent"), exclusive_queue(&channel).await);
    soon(channel.send(exchange::Declare::default().exchange(&exchange).kind("fanout").no_wait(true))).await?;
    soon(channel.send(queue::Bind::default().queue(&queue).exchange(&exchange).no_wait(true))).await?;
    soon(channel.send(exchange::Bind::default().destination(&exchange).source(&exchange).no_wait(true))).await?;
    soon(channel.publish(&exchange, "", "routed")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["routed"]);
    soon(channel.send(exchange::Unbind::default().destination(&exchange).source(&exchange).no_wait(true))).await?;
    soon(channel.send(exchange::Delete::default().exchange(&exchange).no_wait(true))).await?;
    // The answer shows that the broker has read what has none.
    soon(channel.basic_qos()).await?;
    assert!(!exchange_exists(&channel, &exchange).await);
    Ok(())
}

#[tokio::test]
async fn deleting_an_exchange_that_is_not_there_is_answered() -> Result<()> {
    let (_connection, channel) = open().await;
    let missing = unique("missing");
    soon(channel.exchange_delete(&missing)).await?;
    soon(channel.exchange_delete(&missing).if_unused(true)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exchange_that_only_receives_from_others_is_unused() -> Result<()> {
    let (connection, channel) = open().await;
    let (source, destination) = (unique("source"), unique("destination"));
    soon(channel.exchange_declare(&source, "direct")).await?;
    soon(channel.exchange_declare(&destination, "direct")).await?;
    soon(channel.exchange_bind(&destination, &source, "key")).await?;
    let error = soon(another_channel(&connection).await.exchange_delete(&source).if_unused(true)).await.unwrap_err();
    let text = format!("PRECONDITION_FAILED - exchange '{source}' in vhost '/' in use");
    assert_channel_refusal(&error, "exchange.delete", ReplyCode::PRECONDITION_FAILED, &text);
    soon(channel.exchange_delete(&destination).if_unused(true)).await?;
    soon(channel.exchange_delete(&source).if_unused(true)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exchange_with_an_unusual_name_routes() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for name in [unique("with space / slash # ü"), format!("{:x<255}", unique("long"))] {
        soon(channel.exchange_declare(&name, "direct").auto_delete(true)).await?;
        soon(channel.queue_bind(&queue, &name, "key ü")).await?;
        soon(channel.publish(&name, "key ü", "routed")).await?;
        let message = soon(channel.get(&queue).no_ack(true)).await?.expect("the message");
        assert_eq!(
            (&*message.exchange().to_string_lossy(), &*message.routing_key().to_string_lossy()),
            (name.as_str(), "key ü")
        );
        soon(channel.queue_unbind(&queue, &name, "key ü")).await?;
    }
    Ok(())
}
