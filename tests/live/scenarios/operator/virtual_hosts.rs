//! Virtual hosts: worlds apart on one broker.

use leveret::Result;
use leveret::protocol::{ProtocolMethod, basic, connection, exchange, queue};
use leveret_live_tests::client::Connection;
use leveret_live_tests::raw::{Close, Raw};
use leveret_live_tests::{Operator, Permissions, exclusive_queue, parameters, soon, unique, user};

/// A virtual host that the shared broker's user may do everything in; gives its name.
async fn add_virtual_host(operator: &Operator, what: &str) -> String {
    let name = unique(what);
    operator.add_virtual_host(&name).await;
    operator.set_permissions(&user(), &name, Permissions::ALL).await;
    name
}

#[tokio::test]
async fn a_virtual_host_with_an_unusual_name_is_opened() -> Result<()> {
    let operator = Operator::shared();
    let host = add_virtual_host(&operator, "with space / slash").await;
    let connection = soon(Connection::open(parameters().virtual_host(&host))).await?;
    let channel = soon(connection.open_channel()).await?;
    exclusive_queue(&channel).await;
    soon(connection.close()).await?;
    operator.delete_virtual_host(&host).await;
    Ok(())
}

#[tokio::test]
async fn a_new_virtual_host_has_the_predeclared_exchanges_and_is_named_in_refusals() {
    let operator = Operator::shared();
    let host = add_virtual_host(&operator, "predeclared").await;
    let mut peer = Raw::open_channel_to(parameters().virtual_host(&host)).await;
    for (name, kind) in [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ] {
        peer.call(1, exchange::Declare::default().exchange(name).kind(kind).durable(true)).await;
    }
    peer.send(1, queue::Declare::default().queue("nothing").passive(true)).await;
    let text = format!("NOT_FOUND - no queue 'nothing' in vhost '{host}'");
    peer.expect_channel_close(1, 404, &text, queue::Declare::ID).await;
    peer.close().await;
    operator.delete_virtual_host(&host).await;
}

#[tokio::test]
async fn one_name_in_two_virtual_hosts_is_two_queues() {
    let operator = Operator::shared();
    let host = add_virtual_host(&operator, "apart").await;
    let queue = unique("same-name");
    let mut here = Raw::open_channel().await;
    let mut there = Raw::open_channel_to(parameters().virtual_host(&host)).await;
    for peer in [&mut here, &mut there] {
        peer.call(1, queue::Declare::default().queue(&*queue).exclusive(true)).await;
    }
    here.publish(1, "", &queue, "for this one").await;
    here.send(1, basic::Get::default().queue(&*queue).no_ack(true)).await;
    here.expect::<basic::GetOk>(1).await;
    assert_eq!(here.expect_content(1).await.body, b"for this one");
    there.send(1, basic::Get::default().queue(&*queue)).await;
    there.expect::<basic::GetEmpty>(1).await;
    here.close().await;
    there.close().await;
    operator.delete_virtual_host(&host).await;
}

#[tokio::test]
async fn a_user_enters_only_the_virtual_hosts_that_permissions_name() {
    let operator = Operator::shared();
    let host = unique("closed");
    operator.add_virtual_host(&host).await;
    let mut peer = Raw::connect_to(parameters().virtual_host(&host)).await;
    peer.until_tune().await;
    let (tune_ok, open) = (peer.tune_ok(), peer.virtual_host());
    peer.send(0, tune_ok).await;
    peer.send(0, open).await;
    let text = format!("NOT_ALLOWED - access to vhost '{host}' refused for user '{}'", user());
    peer.expect_connection_close(530, &text, connection::Open::ID).await;
    operator.delete_virtual_host(&host).await;
}

/// The broker closes the connection because its virtual host is gone, and hangs up.
async fn expect_forced_out(mut peer: Raw, host: &str) {
    let close = peer.expect_close().await;
    // Two parts of RabbitMQ know of it, and either may be the first to say so.
    let expected =
        |what| Close::connection(320, format!("CONNECTION_FORCED - vhost '{host}' is {what}"), Close::NO_METHOD);
    assert!([expected("down"), expected("deleted")].contains(&close), "{close:?}");
    peer.expect_end().await;
}

#[tokio::test]
async fn deleting_a_virtual_host_cancels_its_consumers_and_closes_its_connections() {
    let operator = Operator::shared();
    let host = add_virtual_host(&operator, "deleted").await;
    let idle = Raw::open_to(parameters().virtual_host(&host)).await;
    let mut consuming = Raw::open_channel_to(parameters().virtual_host(&host)).await;
    consuming.call(1, queue::Declare::default().queue("consumed")).await;
    consuming.call(1, basic::Consume::default().queue("consumed").consumer_tag("tag")).await;
    let mut elsewhere = Raw::open_channel().await;

    operator.delete_virtual_host(&host).await;
    expect_forced_out(idle, &host).await;
    let cancel = consuming.expect::<basic::Cancel>(1).await;
    assert_eq!(cancel, basic::Cancel::default().consumer_tag("tag").no_wait(true));
    expect_forced_out(consuming, &host).await;

    elsewhere.call(1, basic::Qos::default().prefetch_count(1)).await;
    let mut late = Raw::connect_to(parameters().virtual_host(&host)).await;
    late.until_tune().await;
    let (tune_ok, open) = (late.tune_ok(), late.virtual_host());
    late.send(0, tune_ok).await;
    late.send(0, open).await;
    late.expect_connection_close(530, &format!("NOT_ALLOWED - vhost {host} not found"), connection::Open::ID).await;
}
