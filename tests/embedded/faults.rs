//! The faults that a test injects, as an application sees them.

use leveret::broker::Broker;
use leveret::{ConnectionParameters, ErrorKind, Initiator, Properties, ReplyCode};

use crate::{open, ready, soon};

/// The only connection that there is.
fn only(broker: &Broker) -> leveret::broker::ConnectionId {
    let connections = broker.state().connections();
    assert_eq!(connections.len(), 1);
    connections[0].id
}

#[tokio::test(start_paused = true)]
async fn the_next_publishes_are_nacked_and_those_after_them_are_not() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    soon(channel.queue_declare("jobs")).await.unwrap();
    let publisher = soon(channel.confirm_select()).await.unwrap();
    broker.state().nack_next(2);
    let mut outcomes = Vec::new();
    for body in ["one", "two", "three"] {
        outcomes.push(soon(publisher.publish("", "jobs", body).confirmed()).await.map_err(|error| error.kind()));
    }
    assert_eq!(outcomes, [Err(ErrorKind::Nacked), Err(ErrorKind::Nacked), Ok(())]);
    assert_eq!(ready(&broker, "jobs"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_publish_without_confirms_does_not_use_up_a_nack() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    soon(channel.queue_declare("jobs")).await.unwrap();
    broker.state().nack_next(1);
    soon(channel.publish("", "jobs", "plain")).await.unwrap();
    let confirming = soon(connection.open_channel()).await.unwrap();
    let publisher = soon(confirming.confirm_select()).await.unwrap();
    assert!(soon(publisher.publish("", "jobs", "nacked").confirmed()).await.is_err());
    assert_eq!(broker.state().messages("/", "jobs").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_publish_is_returned_although_its_queue_is_there() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    soon(channel.queue_declare("jobs")).await.unwrap();
    let publisher = soon(channel.confirm_select()).await.unwrap();
    broker.state().return_next(1);
    let error = soon(publisher.publish("", "jobs", "back").mandatory(true).confirmed()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Returned);
    assert_eq!(error.reply_code(), Some(ReplyCode::NO_ROUTE));
    assert_eq!(error.returned().unwrap().message.body(), b"back");
    soon(publisher.publish("", "jobs", "there").mandatory(true).confirmed()).await.unwrap();
    assert_eq!(ready(&broker, "jobs"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_back_stamped_is_its_publishers_and_was_not_taken() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    let publisher = soon(channel.confirm_select()).await.unwrap();
    broker.state().alter_returns(3);
    let expiring = || Properties::default().expiration("0060");
    for properties in [Properties::default(), expiring(), expiring().header("zebra", 1).header("ant", 2)] {
        let publish = publisher.publish("amq.direct", "nowhere", "x").properties(properties).mandatory(true);
        let error = soon(publish.confirmed()).await.unwrap_err();
        assert_eq!((error.kind(), error.reply_code()), (ErrorKind::Returned, Some(ReplyCode::NO_ROUTE)), "{error}");
        let returned = &error.returned().unwrap().message;
        assert_eq!(returned.body(), b"x");
        let properties = returned.properties().unwrap();
        assert!(properties.timestamp.is_some(), "it was stamped");
        let expiration = properties.expiration.as_ref();
        assert!(expiration.is_none_or(|expiration| expiration.as_bytes() == b"60"), "{expiration:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_arrives_after_cancel_ok_goes_back_to_its_queue_and_nothing_ends() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    soon(channel.queue_declare("jobs")).await.unwrap();
    for body in ["one", "two", "three"] {
        soon(channel.publish("", "jobs", body)).await.unwrap();
    }
    let mut consumer = soon(channel.consume("jobs").prefetch(1)).await.unwrap();
    let first = soon(consumer.next()).await.unwrap().unwrap();
    broker.state().deliver_after_cancel(1);
    soon(consumer.cancel()).await.unwrap();
    soon(broker.until(|state| state.queue("/", "jobs").is_some_and(|jobs| jobs.ready == 2))).await;
    soon(first.ack()).await.unwrap();
    assert!(soon(consumer.next()).await.is_none());
    let left = [soon(channel.get("jobs")).await, soon(channel.get("jobs")).await];
    let left = left.map(|got| got.unwrap().unwrap().is_redelivered());
    assert_eq!(left, [true, false], "the second arrived after cancel-ok, the third never");
    assert!(connection.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_closed_with_a_code_and_its_neighbour_is_not() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    let neighbour = soon(connection.open_channel()).await.unwrap();
    let id = only(&broker);
    let numbers = broker.state().connections()[0].channels.clone();
    assert!(broker.state().close_channel(id, numbers[0], ReplyCode::RESOURCE_ERROR, "RESOURCE_ERROR - as a test"));
    let error = soon(channel.queue_declare("jobs")).await.unwrap_err();
    assert_eq!((error.kind(), error.reply_code()), (ErrorKind::ChannelClosed, Some(ReplyCode::RESOURCE_ERROR)));
    assert_eq!(error.reply_text().as_deref(), Some("RESOURCE_ERROR - as a test"));
    soon(neighbour.queue_declare("jobs")).await.unwrap();
    assert!(!broker.state().close_channel(id, numbers[0], ReplyCode::RESOURCE_ERROR, "again"), "it is closed");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_with_a_code() {
    let broker = Broker::new();
    let (connection, _channel) = open(&broker).await;
    let id = only(&broker);
    assert!(broker.state().close_connection(id, ReplyCode::CONNECTION_FORCED, "CONNECTION_FORCED - maintenance"));
    let error = soon(connection.open_channel()).await.unwrap_err();
    assert_eq!((error.initiator(), error.reply_code()), (Some(Initiator::Broker), Some(ReplyCode::CONNECTION_FORCED)));
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn the_next_login_is_refused_with_the_right_password() {
    let broker = Broker::new();
    broker.state().refuse_logins(1);
    let refused = leveret::Connection::open_on(broker.connect(), ConnectionParameters::default()).await;
    let error = refused.unwrap_err();
    assert!(error.is_authentication());
    assert_eq!(error.reply_code(), Some(ReplyCode::ACCESS_REFUSED));
    open(&broker).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_an_operator_deletes_cancels_its_consumers() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    soon(channel.queue_declare("jobs")).await.unwrap();
    let mut consumer = soon(channel.consume("jobs")).await.unwrap();
    assert!(broker.state().delete_queue("/", "jobs"));
    let error = soon(consumer.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsumerCancelled);
    assert!(!broker.state().delete_queue("/", "jobs"));
}
