//! Opening, keeping and closing connections.

use std::time::Duration;

use leveret::{Credentials, ErrorKind, Initiator, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::{connect, eventually, exclusive_queue, open, parameters, soon, unique};

#[tokio::test]
async fn the_broker_says_what_it_is_and_what_it_can_do() {
    let negotiated = connect().await.negotiated();
    assert!(negotiated.server_properties.contains_key("product"), "{negotiated:?}");
    let capabilities = negotiated.server_properties.get("capabilities").and_then(|value| value.as_table());
    let confirms = capabilities.and_then(|table| table.get("publisher_confirms")).and_then(|value| value.as_bool());
    assert_eq!(confirms, Some(true));
    assert!(negotiated.frame_max >= 4096);
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let wrong = parameters().credentials(Credentials::plain("guest", "not the password"));
    let error = soon(Connection::open(wrong)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(error.is_authentication());
    assert_eq!(error.reply_code(), Some(ReplyCode::ACCESS_REFUSED));
    let text =
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.";
    assert_eq!(error.reply_text().as_deref(), Some(text));
    assert!(!format!("{error} {error:?}").contains("not the password"));
}

#[tokio::test]
async fn a_missing_virtual_host_is_refused() {
    let host = unique("missing");
    let error = soon(Connection::open(parameters().virtual_host(&host))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessRefused, "{error}");
    assert_eq!(error.reply_code(), Some(ReplyCode::NOT_ALLOWED));
    assert_eq!(error.reply_text(), Some(format!("NOT_ALLOWED - vhost {host} not found")));
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_an_error_of_the_transport() {
    let error = soon(Connection::open(parameters().host("127.0.0.1").port(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.is_not_sent());
    assert!(error.is_retryable());
}

// Real seconds are the subject here: without heartbeats from this side the broker gives up after
// nine of them at most.
#[tokio::test]
async fn heartbeats_keep_an_idle_connection() -> Result<()> {
    let connection = soon(Connection::open(parameters().heartbeat(3))).await?;
    assert_eq!(connection.negotiated().heartbeat, 3);
    let channel = soon(connection.open_channel()).await?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(connection.is_open(), "{:?}", connection.closed_by());
    exclusive_queue(&channel).await;
    soon(connection.close()).await
}

#[tokio::test]
async fn one_channel_more_than_was_negotiated_is_an_error_until_one_is_closed() -> Result<()> {
    let connection = soon(Connection::open(parameters().channel_max(3))).await?;
    assert_eq!(connection.negotiated().channel_max, 3);
    let mut channels = Vec::new();
    for _ in 0..3 {
        channels.push(soon(connection.open_channel()).await?);
    }
    let error = soon(connection.open_channel()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelsExhausted, "{error}");
    assert!(connection.is_open());

    soon(channels[1].close()).await?;
    let again = soon(connection.open_channel()).await?;
    exclusive_queue(&again).await;
    for _ in 0..100 {
        drop(channels.pop());
        if let Ok(channel) = soon(connection.open_channel()).await {
            channels.push(channel);
        }
    }
    assert!(connection.is_open(), "numbers are used again only after close-ok: {:?}", connection.closed_by());
    Ok(())
}

#[tokio::test]
async fn closing_a_channel_leaves_the_others_and_fails_its_own_calls() -> Result<()> {
    let (connection, channel) = open().await;
    let other = soon(connection.open_channel()).await?;
    soon(channel.close()).await?;
    let error = soon(channel.queue_declare("").exclusive(true)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelClosed);
    assert_eq!(error.initiator(), Some(Initiator::Client));
    exclusive_queue(&other).await;
    Ok(())
}

#[tokio::test]
async fn closing_a_connection_ends_its_consumers_and_fails_its_calls() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    soon(connection.close()).await?;
    assert!(soon(consumer.next()).await.is_none(), "that it ends was asked for");
    let error = soon(channel.publish("", &queue, "late")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert_eq!(error.initiator(), Some(Initiator::Client));
    assert!(error.is_not_sent());
    assert!(soon(connection.open_channel()).await.is_err());
    Ok(())
}

#[tokio::test]
async fn what_was_published_before_closing_is_sent() -> Result<()> {
    let (observer, channel) = open().await;
    let queue = unique("before-closing");
    soon(channel.queue_declare(&queue).durable(true)).await?;
    let (connection, publishing) = open().await;
    for _ in 0..500 {
        soon(publishing.publish("", &queue, vec![0; 1000])).await?;
    }
    soon(connection.close()).await?;
    let arrived =
        || async { (soon(channel.queue_declare(&queue).passive(true)).await.ok()?.message_count == 500).then_some(()) };
    eventually(arrived).await;
    soon(channel.queue_delete(&queue)).await?;
    soon(observer.close()).await
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_connection() -> Result<()> {
    let (observer, _channel) = open().await;
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let code = || async {
        let channel = soon(observer.open_channel()).await.expect("the observer stays connected");
        soon(channel.queue_declare(&queue).passive(true)).await.unwrap_err().reply_code()
    };
    assert_eq!(code().await, Some(ReplyCode::RESOURCE_LOCKED));
    drop(connection);
    assert_eq!(code().await, Some(ReplyCode::RESOURCE_LOCKED), "the channel holds it");
    drop(channel);
    eventually(|| async { (code().await == Some(ReplyCode::NOT_FOUND)).then_some(()) }).await;
    Ok(())
}
