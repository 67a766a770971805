//! What an operator does to a broker: alarms, forced closes and stops, one scenario at a time on a
//! broker of its own; users, permissions and virtual hosts on the shared one, which the others do
//! not notice.

mod connections;
mod limits;
mod outages;
mod permissions;
mod restarts;
mod restricted;
mod returning;
mod survival;
mod survivor;
mod users;
mod virtual_hosts;

use std::time::Duration;

use leveret::{ConnectionParameters, Error, ErrorKind, Recovery, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::{
    Alarm, Disturbed, assert_closed_by_broker, eventually, exclusive_queue, next, ready_messages, soon, unique,
};

/// Parameters of a connection that survives, and comes back soon. A broker that starts, and one
/// that lacks something, may refuse for a while.
fn surviving(parameters: ConnectionParameters) -> ConnectionParameters {
    let parameters = parameters.recovery(Recovery::Topology).recovery_refusals(1000);
    parameters.recovery_delay(Duration::from_millis(50)).recovery_max_delay(Duration::from_millis(500))
}

/// Waits until the broker has told the connection that publishing is blocked. It tells so once
/// something is published.
async fn until_blocked(connection: &Connection) -> String {
    eventually(|| async { connection.blocked() }).await
}

#[tokio::test]
async fn an_alarm_holds_publishes_back_and_nothing_else() -> Result<()> {
    let broker = Disturbed::broker().await;
    let (connection, channel) = broker.open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.publish("", &queue, "before the alarm")).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let delivery = next(&mut consumer).await;

    broker.raise(Alarm::Memory).await;
    soon(channel.publish("", &queue, "the one that makes the broker block")).await?;
    assert_eq!(until_blocked(&connection).await, "low on memory");
    let refused = channel.publish("", &queue, "now or never").try_publish().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Backpressure);
    let held_back = tokio::spawn({
        let (channel, queue) = (channel.clone(), queue.clone());
        async move { channel.publish("", &queue, "after the alarm").await }
    });
    soon(delivery.ack()).await?;

    let (idle, channel_of_idle) = broker.open().await;
    exclusive_queue(&channel_of_idle).await;
    soon(idle.close()).await?;
    assert!(!held_back.is_finished(), "it waits for the end of the alarm");

    broker.clear(Alarm::Memory).await;
    soon(held_back).await.expect("the task ends")?;
    assert_eq!(connection.blocked(), None);
    for body in ["the one that makes the broker block", "after the alarm"] {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.body(), body.as_bytes());
        delivery.ack().await?;
    }
    soon(connection.close()).await
}

#[tokio::test]
async fn closing_a_blocked_connection_ends_within_its_limit() -> Result<()> {
    let broker = Disturbed::broker().await;
    broker.raise(Alarm::Memory).await;
    let limit = Duration::from_secs(2);
    let connection = soon(Connection::open(broker.parameters().close_timeout(limit))).await?;
    let channel = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&channel).await;
    soon(channel.publish("", &queue, "the one that makes the broker block")).await?;
    until_blocked(&connection).await;
    let held_back = tokio::spawn(async move { channel.publish("", &queue, "never sent").await });

    // The broker does not read a blocked connection, so nothing answers; the limit is the client's
    // own.
    if let Err(error) = soon(connection.close()).await {
        assert!(error.is_timeout(), "{error}");
    }
    assert!(!connection.is_open());
    let error = soon(held_back).await.expect("the task ends").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error}");
    assert!(error.is_not_sent());
    broker.clear(Alarm::Memory).await;
    Ok(())
}

/// 320, and worth another connection.
#[track_caller]
fn assert_forced(error: &Error) {
    assert_closed_by_broker(error, ErrorKind::ConnectionClosed, ReplyCode::CONNECTION_FORCED);
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_connection_that_an_operator_closes_resolves_everything_in_flight() -> Result<()> {
    let broker = Disturbed::broker().await;
    let (connection, channel) = broker.open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let publisher = soon(soon(connection.open_channel()).await?.confirm_select()).await?;
    broker.raise(Alarm::Memory).await;
    // The broker reads no more from a connection that it has blocked: what comes after this stays
    // in flight.
    soon(channel.publish("", &queue, "the one that makes the broker block")).await?;
    until_blocked(&connection).await;
    let call = tokio::spawn({
        let (channel, queue) = (channel.clone(), queue.clone());
        async move { channel.queue_purge(&queue).await }
    });
    let held_back = tokio::spawn(async move { publisher.publish("", &queue, "never sent").confirmed().await });
    let stream = tokio::spawn(async move { (consumer.next().await, consumer.next().await) });
    let opening = tokio::spawn({
        let connection = connection.clone();
        async move { connection.open_channel().await }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }

    broker.close_all_connections("maintenance").await;
    assert_forced(&soon(call).await.expect("the task ends").unwrap_err());
    assert_forced(&soon(opening).await.expect("the task ends").unwrap_err());
    let publish = soon(held_back).await.expect("the task ends").unwrap_err();
    assert_forced(&publish);
    assert!(publish.is_not_sent());
    let (cause, end) = soon(stream).await.expect("the task ends");
    assert_forced(&cause.expect("the cause comes first").unwrap_err());
    assert!(end.is_none(), "and then the stream ends");

    let later = soon(connection.open_channel()).await.unwrap_err();
    assert_forced(&later);
    assert_eq!(later.reply_text().as_deref(), Some("CONNECTION_FORCED - maintenance"));
    broker.clear(Alarm::Memory).await;
    Ok(())
}

#[tokio::test]
async fn publishes_that_a_stopping_broker_has_not_confirmed_resolve() -> Result<()> {
    let broker = Disturbed::broker().await;
    let (connection, channel) = broker.open().await;
    let queue = unique("survivor");
    soon(channel.queue_declare(&queue).durable(true)).await?;
    let publisher = soon(channel.confirm_select()).await?;
    let publishing = tokio::spawn({
        let queue = queue.clone();
        async move {
            let persistent = leveret::Properties::default().delivery_mode(2);
            let mut confirmed = 0;
            loop {
                match publisher.publish("", &queue, "kept").properties(&persistent).confirmed().await {
                    Ok(()) => confirmed += 1,
                    Err(error) => return (confirmed, error),
                }
            }
        }
    });
    let (observer, observing) = broker.open().await;
    eventually(|| async { (ready_messages(&observing, &queue).await > 0).then_some(()) }).await;
    soon(observer.close()).await?;

    broker.stop().await;
    let (confirmed, error) = soon(publishing).await.expect("the task ends");
    assert_forced(&error);
    let reason = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    assert_eq!(error.reply_text().as_deref(), Some(reason));
    assert!(!connection.is_open());

    broker.start().await;
    let (_connection, channel) = broker.open().await;
    let kept = ready_messages(&channel, &queue).await;
    assert!(kept == confirmed || kept == confirmed + 1, "{confirmed} were confirmed, {kept} are there");
    soon(channel.queue_delete(&queue)).await?;
    Ok(())
}
