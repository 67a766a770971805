//! Limits that an operator sets: of connections and channels, and of the time for an
//! acknowledgement.

use std::time::Duration;

use leveret::protocol::{ProtocolMethod, basic, channel, connection, queue};
use leveret::{ConnectionParameters, Credentials, ErrorKind, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::raw::{Close, Raw};
use leveret_live_tests::{
    Disturbed, Operator, Permissions, assert_closed_by_broker, eventually, next, parameters, soon, unique,
};

/// A user who may open this virtual host, and the parameters for that.
async fn user_of(operator: &Operator, host: &str) -> (String, ConnectionParameters) {
    let user = unique("limited");
    operator.add_user(&user, "secret").await;
    operator.set_permissions(&user, host, Permissions::ALL).await;
    let parameters = parameters().virtual_host(host).credentials(Credentials::plain(&user, "secret"));
    (user, parameters)
}

/// The broker refuses another connection with this text. RabbitMQ counts in its own time.
async fn expect_refused(parameters: ConnectionParameters, text: &str) {
    let refused = eventually(|| async {
        let mut peer = Raw::connect_to(parameters.clone()).await;
        peer.until_tune().await;
        let (tune_ok, open) = (peer.tune_ok(), peer.virtual_host());
        peer.send(0, tune_ok).await;
        peer.send(0, open).await;
        match peer.receive().await {
            Some(leveret_live_tests::raw::Received::Method(0, leveret::protocol::Method::ConnectionClose(close))) => {
                Some(close)
            }
            _ => None,
        }
    })
    .await;
    let expected = connection::Close::default()
        .reply_code(ReplyCode::NOT_ALLOWED)
        .reply_text(text)
        .class_id(connection::Open::ID.class)
        .method_id(connection::Open::ID.method);
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn a_connection_too_many_of_a_user_is_refused_until_another_is_closed() -> Result<()> {
    let operator = Operator::shared();
    let (user, parameters) = user_of(&operator, "/").await;
    operator.limit_user(&user, Some(1), None).await;
    let first = soon(Connection::open(parameters.clone())).await?;
    let text = format!("NOT_ALLOWED - connection refused for user '{user}': user connection limit (1) is reached");
    expect_refused(parameters.clone(), &text).await;
    let error = soon(Connection::open(parameters.clone())).await.unwrap_err();
    assert_eq!(error.reply_code(), Some(ReplyCode::NOT_ALLOWED));
    soon(first.close()).await?;
    let second = eventually(|| async { Connection::open(parameters.clone()).await.ok() }).await;
    soon(second.close()).await?;
    operator.delete_user(&user).await;
    Ok(())
}

#[tokio::test]
async fn a_connection_too_many_to_a_virtual_host_is_refused() -> Result<()> {
    let operator = Operator::shared();
    let host = unique("limited");
    operator.add_virtual_host(&host).await;
    let (user, parameters) = user_of(&operator, &host).await;
    operator.limit_virtual_host(&host, Some(1)).await;
    let first = soon(Connection::open(parameters.clone())).await?;
    let text =
        format!("NOT_ALLOWED - access to vhost '{host}' refused for user '{user}': connection limit (1) is reached");
    expect_refused(parameters, &text).await;
    soon(first.close()).await?;
    operator.delete_virtual_host(&host).await;
    operator.delete_user(&user).await;
    Ok(())
}

#[tokio::test]
async fn a_channel_too_many_of_a_user_closes_the_connection() {
    let operator = Operator::shared();
    let (user, parameters) = user_of(&operator, "/").await;
    operator.limit_user(&user, None, Some(1)).await;
    let text = format!(
        "NOT_ALLOWED - number of channels opened for user '{user}' has reached the maximum allowed user limit of (1)"
    );
    let close = eventually(|| async {
        let mut peer = Raw::open_channel_to(parameters.clone()).await;
        peer.send(2, channel::Open::default()).await;
        match peer.receive().await {
            Some(leveret_live_tests::raw::Received::Method(0, leveret::protocol::Method::ConnectionClose(close))) => {
                Some(close)
            }
            _ => None,
        }
    })
    .await;
    assert_eq!(close, connection::Close::default().reply_code(ReplyCode::NOT_ALLOWED).reply_text(&*text));
    operator.delete_user(&user).await;
}

// Real seconds are the subject here.
#[tokio::test]
async fn a_delivery_that_is_not_acknowledged_in_time_closes_its_channel_and_goes_back() -> Result<()> {
    let broker = Disturbed::broker().await;
    broker.set_consumer_timeout(Duration::from_secs(2)).await;
    let queue = unique("timed");
    let (connection, channel) = broker.open().await;
    soon(channel.queue_declare(&queue).exclusive(true)).await?;
    soon(channel.publish("", &queue, "slow")).await?;
    let mut consumer = soon(channel.consume(&queue)).await?;
    let delivery = next(&mut consumer).await;
    let error = soon(consumer.next()).await.expect("the cause comes first").unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ChannelClosed, ReplyCode::PRECONDITION_FAILED);
    let text = format!(
        "PRECONDITION_FAILED - delivery acknowledgement on channel {} timed out. Timeout value used: 2000 ms. \
         This timeout value can be configured, see consumers doc guide to learn more",
        channel.number()
    );
    assert_eq!(error.reply_text().as_deref(), Some(&*text));
    assert_eq!(error.method(), None);
    assert!(delivery.ack().await.is_err());
    let again = soon(connection.open_channel()).await?;
    let got = eventually(|| async { again.get(&queue).await.expect("the queue is there") }).await;
    assert!(got.is_redelivered());
    soon(got.ack()).await?;
    broker.set_consumer_timeout(Duration::from_secs(1800)).await;
    soon(connection.close()).await
}

#[tokio::test]
async fn a_message_that_was_polled_and_is_not_acknowledged_in_time_closes_the_channel_too() {
    let broker = Disturbed::broker().await;
    broker.set_consumer_timeout(Duration::from_secs(2)).await;
    let mut peer = broker.open_raw().await;
    let queue = unique("timed");
    peer.call(1, queue::Declare::default().queue(&*queue).exclusive(true)).await;
    peer.publish(1, "", &queue, "slow").await;
    peer.send(1, basic::Get::default().queue(&*queue)).await;
    peer.expect::<basic::GetOk>(1).await;
    peer.expect_content(1).await;
    let text = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 2000 ms. \
                This timeout value can be configured, see consumers doc guide to learn more";
    peer.expect_channel_close(1, 406, text, Close::NO_METHOD).await;
    broker.set_consumer_timeout(Duration::from_secs(1800)).await;
    peer.close().await;
}
