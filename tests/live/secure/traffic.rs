//! What goes over TLS once it is there: large and many messages, and the end of a connection.

use std::time::Duration;

use leveret::{ErrorKind, Initiator, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::secure::{TlsPort, log, trusting};
use leveret_live_tests::{
    Operator, assert_closed_by_broker, eventually, exclusive_queue, next, ready_messages, soon, unique,
};

use crate::relay::Relay;
use crate::{round_trip, works};

/// Octets in which a shift or a gap would show.
fn octets(count: usize) -> Vec<u8> {
    (0..count).map(|index| u8::try_from(index % 251).expect("a remainder of 251")).collect()
}

#[tokio::test]
async fn large_messages_go_both_ways() -> Result<()> {
    for port in TlsPort::ALL {
        let connection = soon(Connection::open(port.parameters(trusting()))).await?;
        for size in [16 * 1024, 5_000_000] {
            round_trip(&soon(connection.open_channel()).await?, octets(size)).await;
        }
        soon(connection.close()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn messages_flow_in_both_directions_at_once() -> Result<()> {
    const COUNT: usize = 2000;

    for port in TlsPort::ALL {
        let connection = soon(Connection::open(port.parameters(trusting()))).await?;
        let channel = soon(connection.open_channel()).await?;
        let queue = exclusive_queue(&channel).await;
        let mut consumer = soon(channel.consume(&queue)).await?;
        let publishing = tokio::spawn(async move {
            for size in 0..COUNT {
                channel.publish("", &queue, octets(size)).await?;
            }
            Ok::<(), leveret::Error>(())
        });
        for size in 0..COUNT {
            let delivery = next(&mut consumer).await;
            assert!(delivery.body() == octets(size).as_slice(), "{size}");
            delivery.ack().await?;
        }
        soon(publishing).await.expect("the task ends")?;
        soon(connection.close()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_was_published_before_closing_arrives() -> Result<()> {
    for port in TlsPort::ALL {
        let observer = soon(Connection::open(port.parameters(trusting()))).await?;
        let channel = soon(observer.open_channel()).await?;
        let queue = unique("before-closing");
        soon(channel.queue_declare(&queue).durable(true)).await?;
        let connection = soon(Connection::open(port.parameters(trusting()))).await?;
        let publishing = soon(connection.open_channel()).await?;
        for _ in 0..500 {
            soon(publishing.publish("", &queue, octets(10_000)).into_future()).await?;
        }
        soon(connection.close()).await?;
        eventually(|| async { (ready_messages(&channel, &queue).await == 500).then_some(()) }).await;
        soon(channel.queue_delete(&queue)).await?;
        soon(observer.close()).await?;
    }
    Ok(())
}

/// What the broker wrote into its log about the end of the connection of this name.
async fn logged_end_of(name: &str) -> String {
    let ends = |line: &&str| line.contains("closing AMQP connection") && line.contains(name);
    eventually(|| async { log().lines().find(ends).map(str::to_owned) }).await
}

#[tokio::test]
async fn the_broker_sees_a_clean_end_of_what_is_closed_or_dropped() -> Result<()> {
    for closes in [true, false] {
        let name = unique("ending");
        let connection = works(TlsPort::Modern.parameters(trusting()).connection_name(&name)).await;
        if closes {
            soon(connection.close()).await?;
        } else {
            drop(connection);
        }
        let end = logged_end_of(&name).await;
        assert!(end.contains("[info]"), "an end that is not clean is a warning: {end}");
    }
    Ok(())
}

/// The types of the TLS records in what one side sent (RFC 5246 §6.2.1).
fn record_types(mut sent: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = sent {
        types.push(*kind);
        sent = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    types
}

// With TLS 1.2 the type of a record is there for all to see.
#[tokio::test]
async fn the_end_of_tls_is_told_before_the_socket_is_closed() -> Result<()> {
    const ALERT: u8 = 21;

    let relay = Relay::to(TlsPort::Old.address()).await;
    let connection = works(TlsPort::Old.parameters(trusting()).host("127.0.0.1").port(relay.port)).await;
    soon(connection.close()).await?;
    let types = record_types(&relay.ended().await);
    let alerts: Vec<usize> = (0..types.len()).filter(|&index| types[index] == ALERT).collect();
    assert_eq!(alerts, [types.len() - 1], "one alert, close_notify, is the last record of all: {types:?}");
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_cut_off_is_lost_and_not_closed() -> Result<()> {
    for port in TlsPort::ALL {
        let relay = Relay::to(port.address()).await;
        let connection = works(port.parameters(trusting()).host("127.0.0.1").port(relay.port)).await;
        let channel = soon(connection.open_channel()).await?;
        let queue = exclusive_queue(&channel).await;
        let mut consumer = soon(channel.consume(&queue)).await?;
        relay.cut();
        let error = soon(consumer.next()).await.expect("an end that nobody asked for is told").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error}");
        assert_eq!(error.initiator(), Some(Initiator::Transport), "{error}");
        assert!(error.is_retryable(), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_close_by_the_operator_is_told() -> Result<()> {
    let name = unique("forced");
    let connection = works(TlsPort::Modern.parameters(trusting()).connection_name(&name)).await;
    let channel = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    Operator::shared().close_connection(&name, "maintenance").await;
    let error = soon(consumer.next()).await.expect("an end that nobody asked for is told").unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ConnectionClosed, ReplyCode::CONNECTION_FORCED);
    Ok(())
}

// Real seconds are the subject here: without heartbeats from this side the broker gives up after
// nine of them at most.
#[tokio::test]
async fn heartbeats_keep_an_idle_connection() -> Result<()> {
    let connection = works(TlsPort::Modern.parameters(trusting()).heartbeat(3)).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(connection.is_open(), "{:?}", connection.closed_by());
    soon(connection.close()).await
}
