//! Users who come and go.

use leveret::protocol::{ProtocolMethod, connection};
use leveret::{ConnectionParameters, Credentials, ErrorKind, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::raw::{Close, Raw};
use leveret_live_tests::{Operator, Permissions, assert_closed_by_broker, exclusive_queue, parameters, soon, unique};

fn parameters_of(user: &str, password: &str) -> ConnectionParameters {
    parameters().virtual_host("/").credentials(Credentials::plain(user, password))
}

#[tokio::test]
async fn a_user_logs_in_with_any_name_and_password() -> Result<()> {
    let operator = Operator::shared();
    let (user, password) = (unique("Jänis / hare"), "pässword / with signs :@?");
    operator.add_user(&user, password).await;
    operator.set_permissions(&user, "/", Permissions::ALL).await;
    let connection = soon(Connection::open(parameters_of(&user, password))).await?;
    exclusive_queue(&soon(connection.open_channel()).await?).await;
    soon(connection.close()).await?;
    let error = soon(Connection::open(parameters_of(&user, "another"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    operator.delete_user(&user).await;
    Ok(())
}

#[tokio::test]
async fn a_user_without_any_permission_enters_no_virtual_host() {
    let operator = Operator::shared();
    let user = unique("outsider");
    operator.add_user(&user, "secret").await;
    let refused = format!("NOT_ALLOWED - access to vhost '/' refused for user '{user}'");
    for given in [false, true] {
        if given {
            operator.set_permissions(&user, "/", Permissions::ALL).await;
            Raw::open_to(parameters_of(&user, "secret")).await.close().await;
            operator.clear_permissions(&user, "/").await;
        }
        let mut peer = Raw::connect_to(parameters_of(&user, "secret")).await;
        peer.until_tune().await;
        let (tune_ok, open) = (peer.tune_ok(), peer.virtual_host());
        peer.send(0, tune_ok).await;
        peer.send(0, open).await;
        peer.expect_connection_close(530, &refused, connection::Open::ID).await;
    }
    operator.delete_user(&user).await;
}

#[tokio::test]
async fn deleting_a_user_closes_the_users_connections_and_refuses_new_ones() -> Result<()> {
    let operator = Operator::shared();
    let user = unique("deleted");
    operator.add_user(&user, "secret").await;
    operator.set_permissions(&user, "/", Permissions::ALL).await;
    let mut idle = Raw::open_to(parameters_of(&user, "secret")).await;
    let connection = soon(Connection::open(parameters_of(&user, "secret"))).await?;
    let channel = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;

    operator.delete_user(&user).await;
    let text = format!("CONNECTION_FORCED - user '{user}' is deleted");
    idle.expect_connection_close(320, &text, Close::NO_METHOD).await;
    let error = soon(consumer.next()).await.expect("the cause comes first").unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ConnectionClosed, ReplyCode::CONNECTION_FORCED);
    assert_eq!(error.reply_text().as_deref(), Some(&*text));
    let error = soon(Connection::open(parameters_of(&user, "secret"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    Ok(())
}

#[tokio::test]
async fn a_user_without_permission_is_refused_on_the_channel_alone() -> Result<()> {
    let operator = Operator::shared();
    let user = unique("reader");
    operator.add_user(&user, "secret").await;
    operator.set_permissions(&user, "/", Permissions { configure: "^$", write: "^$", read: ".*" }).await;
    let connection = soon(Connection::open(parameters_of(&user, "secret"))).await?;
    let channel = soon(connection.open_channel()).await?;
    let queue = unique("forbidden");
    let error = soon(channel.queue_declare(&queue).exclusive(true)).await.unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ChannelClosed, ReplyCode::ACCESS_REFUSED);
    let text = format!("ACCESS_REFUSED - access to queue '{queue}' in vhost '/' refused for user '{user}'");
    assert_eq!(error.reply_text().as_deref(), Some(&*text));
    assert!(connection.is_open());
    soon(connection.close()).await?;
    operator.delete_user(&user).await;
    Ok(())
}
