//! Alternate exchanges: where a message goes that no binding takes.

use leveret::{ErrorKind, FieldTable, Result};
use leveret_live_tests::client::{Channel, Publisher};
use leveret_live_tests::{exclusive_queue, open, soon, unique};

use crate::routed::{bodies, bound_queue, exchange};

/// An exchange with this alternate exchange; gives its name.
async fn exchange_with_alternate(channel: &Channel, kind: &str, alternate: &str) -> String {
    let name = unique("alternated");
    let arguments = FieldTable::from([("alternate-exchange", alternate)]);
    soon(channel.exchange_declare(&name, kind).arguments(arguments)).await.expect("an exchange is declared");
    name
}

/// The message comes back: no queue takes it.
async fn assert_comes_back(publisher: &Publisher, exchange: &str, routing_key: &str) {
    let publish = publisher.publish(exchange, routing_key, "stray").mandatory(true).confirmed();
    let error = soon(publish).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Returned, "{error}");
    let returned = error.returned().expect("the message came back");
    assert_eq!(returned.message.exchange(), exchange.as_bytes(), "it names the exchange that it was published to");
}

#[tokio::test]
async fn an_alternate_exchange_takes_nothing_that_a_queue_takes() -> Result<()> {
    let (_connection, channel) = open().await;
    let alternate = exchange(&channel, "fanout").await;
    let stray = bound_queue(&channel, &alternate, "").await;
    let main = exchange_with_alternate(&channel, "topic", &alternate).await;
    let taken = bound_queue(&channel, &main, "a.*").await;
    soon(channel.publish(&main, "a.b", "taken")).await?;
    soon(channel.publish(&main, "b", "stray")).await?;
    assert_eq!(bodies(&channel, &taken).await, ["taken"]);
    assert_eq!(bodies(&channel, &stray).await, ["stray"]);
    soon(channel.exchange_delete(&main)).await?;
    Ok(())
}

#[tokio::test]
async fn a_missing_alternate_exchange_takes_nothing_until_it_is_there() -> Result<()> {
    let (_connection, channel) = open().await;
    let alternate = unique("late");
    let main = exchange_with_alternate(&channel, "direct", &alternate).await;
    let publisher = soon(channel.confirm_select()).await?;
    assert_comes_back(&publisher, &main, "key").await;
    soon(channel.exchange_declare(&alternate, "fanout").auto_delete(true)).await?;
    assert_comes_back(&publisher, &main, "key").await;
    let queue = bound_queue(&channel, &alternate, "").await;
    soon(publisher.publish(&main, "key", "taken").mandatory(true).confirmed()).await?;
    assert_eq!(bodies(&channel, &queue).await, ["taken"]);
    soon(channel.exchange_delete(&main)).await?;
    Ok(())
}

#[tokio::test]
async fn an_alternate_exchange_routes_by_the_same_key_and_has_an_alternate_of_its_own() -> Result<()> {
    let (_connection, channel) = open().await;
    let last = unique("internal");
    soon(channel.exchange_declare(&last, "fanout").internal(true)).await?;
    let middle = exchange_with_alternate(&channel, "direct", &last).await;
    let first = exchange_with_alternate(&channel, "direct", &middle).await;
    let by_key = bound_queue(&channel, &middle, "known").await;
    let by_none = bound_queue(&channel, &last, "").await;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish(&first, "known", "by its key").mandatory(true).confirmed()).await?;
    soon(publisher.publish(&first, "unknown", "by none").mandatory(true).confirmed()).await?;
    assert_eq!(bodies(&channel, &by_key).await, ["by its key"]);
    let stray = soon(channel.get(&by_none).no_ack(true)).await?.expect("the message");
    assert_eq!(
        (&*stray.exchange().to_string_lossy(), &*stray.routing_key().to_string_lossy()),
        (first.as_str(), "unknown")
    );
    for exchange in [&first, &middle, &last] {
        soon(channel.exchange_delete(exchange)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn alternate_exchanges_in_a_circle_give_a_message_up() -> Result<()> {
    let (_connection, channel) = open().await;
    let first = unique("circle");
    let second = exchange_with_alternate(&channel, "direct", &first).await;
    let arguments = FieldTable::from([("alternate-exchange", second.as_str())]);
    soon(channel.exchange_declare(&first, "direct").arguments(arguments)).await?;
    let publisher = soon(channel.confirm_select()).await?;
    assert_comes_back(&publisher, &first, "key").await;
    assert_comes_back(&publisher, &second, "key").await;
    soon(channel.exchange_delete(&first)).await?;
    soon(channel.exchange_delete(&second)).await?;
    Ok(())
}

#[tokio::test]
async fn what_another_exchange_takes_never_reaches_the_alternate_exchange() -> Result<()> {
    let (_connection, channel) = open().await;
    let (alternate, dead_end) = (exchange(&channel, "fanout").await, exchange(&channel, "fanout").await);
    let stray = bound_queue(&channel, &alternate, "").await;
    let main = exchange_with_alternate(&channel, "direct", &alternate).await;
    soon(channel.exchange_bind(&dead_end, &main, "key")).await?;
    let publisher = soon(channel.confirm_select()).await?;
    assert_comes_back(&publisher, &main, "key").await;
    assert_eq!(bodies(&channel, &stray).await, Vec::<String>::new());
    soon(channel.exchange_delete(&main)).await?;
    soon(channel.exchange_delete(&dead_end)).await?;
    Ok(())
}

#[tokio::test]
async fn the_default_exchange_as_alternate_exchange_takes_nothing() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let main = exchange_with_alternate(&channel, "direct", "").await;
    let publisher = soon(channel.confirm_select()).await?;
    assert_comes_back(&publisher, &main, &queue).await;
    assert_eq!(bodies(&channel, &queue).await, Vec::<String>::new());
    soon(channel.exchange_delete(&main)).await?;
    Ok(())
}

#[tokio::test]
async fn a_message_that_reaches_an_exchange_by_a_binding_is_left_to_its_alternate_exchange() -> Result<()> {
    let (_connection, channel) = open().await;
    let (source, alternate) = (exchange(&channel, "fanout").await, exchange(&channel, "fanout").await);
    let stray = bound_queue(&channel, &alternate, "").await;
    let between = exchange_with_alternate(&channel, "direct", &alternate).await;
    soon(channel.exchange_bind(&between, &source, "")).await?;
    soon(channel.publish(&source, "unknown", "stray")).await?;
    assert_eq!(bodies(&channel, &stray).await, ["stray"]);
    soon(channel.exchange_delete(&between)).await?;
    Ok(())
}
