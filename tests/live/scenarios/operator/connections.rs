//! Connections that an operator sees, closes and holds back.

use leveret::protocol::{Method, basic, confirm, connection, queue};
use leveret::{ErrorKind, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::raw::{Close, Raw, Received, capabilities};
use leveret_live_tests::{
    Alarm, Disturbed, Operator, assert_closed_by_broker, exclusive_queue, parameters, soon, unique,
};

#[tokio::test]
async fn the_connection_is_listed_under_its_name() -> Result<()> {
    let operator = Operator::shared();
    let name = unique("named");
    let connection = soon(Connection::open(parameters().connection_name(&name))).await?;
    let listed = operator.connection_names().await;
    assert!(listed.contains(&name), "{listed:?}");
    soon(connection.close()).await
}

#[tokio::test]
async fn one_connection_is_closed_for_a_reason_and_the_others_stay() -> Result<()> {
    let operator = Operator::shared();
    let name = unique("to-be-closed");
    let closed = soon(Connection::open(parameters().connection_name(&name))).await?;
    let other = soon(Connection::open(parameters().connection_name(unique("to-stay")))).await?;
    let (channel, other_channel) = (soon(closed.open_channel()).await?, soon(other.open_channel()).await?);
    let queue = exclusive_queue(&channel).await;
    let mut consumer = soon(channel.consume(&queue)).await?;
    operator.close_connection(&name, "go away").await;
    let error = soon(consumer.next()).await.expect("the cause comes first").unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ConnectionClosed, ReplyCode::CONNECTION_FORCED);
    assert_eq!(error.reply_text().as_deref(), Some("CONNECTION_FORCED - go away"));
    assert_eq!(error.method(), None);
    exclusive_queue(&other_channel).await;
    soon(other.close()).await
}

/// Publishes what nothing routes, and takes it back.
async fn publish_and_take_back(peer: &mut Raw) {
    peer.send(1, basic::Publish::default().routing_key("nowhere").mandatory(true)).await;
    peer.send_header(1, 0).await;
    take_back(peer).await;
}

async fn take_back(peer: &mut Raw) {
    peer.expect::<basic::Return>(1).await;
    peer.expect_content(1).await;
}

/// The broker tells this peer that it is blocked, for this reason.
async fn expect_blocked(peer: &mut Raw, reason: &str) {
    assert_eq!(peer.expect::<connection::Blocked>(0).await.reason, *reason);
}

#[tokio::test]
async fn who_publishes_during_an_alarm_is_told_so_once_and_then_not_read() {
    let broker = Disturbed::broker().await;
    let mut peer = broker.open_raw().await;
    publish_and_take_back(&mut peer).await;
    broker.raise(Alarm::Memory).await;
    peer.call(1, confirm::Select::default()).await;
    publish_and_block(&mut peer, "low on memory").await;
    peer.expect::<basic::Ack>(1).await;
    peer.send(1, queue::Declare::default().exclusive(true)).await;
    broker.raise(Alarm::Memory).await;
    broker.clear(Alarm::Memory).await;
    peer.expect::<connection::Unblocked>(0).await;
    peer.expect::<queue::DeclareOk>(1).await;
    peer.close().await;
}

#[tokio::test]
async fn the_header_of_a_publish_blocks_and_its_body_waits_for_the_end_of_the_alarm() {
    let broker = Disturbed::broker().await;
    let mut peer = broker.open_raw().await;
    let mut observer = broker.open_raw().await;
    let queue = unique("held-back");
    peer.call(1, queue::Declare::default().queue(&*queue).durable(true)).await;
    broker.raise(Alarm::Memory).await;
    peer.send(1, basic::Publish::default().routing_key(&*queue)).await;
    peer.send_header(1, 5).await;
    expect_blocked(&mut peer, "low on memory").await;
    peer.send_body(1, b"hello").await;
    let declared = observer.call(1, queue::Declare::default().queue(&*queue).passive(true)).await;
    assert_eq!(declared.message_count, 0);
    broker.clear(Alarm::Memory).await;
    peer.expect::<connection::Unblocked>(0).await;
    let deleted = peer.call(1, queue::Delete::default().queue(&*queue)).await;
    assert_eq!(deleted.message_count, 1);
    for peer in [peer, observer] {
        peer.close().await;
    }
}

#[tokio::test]
async fn who_does_not_publish_during_an_alarm_is_neither_told_nor_held_back() {
    let broker = Disturbed::broker().await;
    let (mut consuming, mut before) = (broker.open_raw().await, broker.open_raw().await);
    publish_and_take_back(&mut before).await;
    let queue = unique("during-an-alarm");
    consuming.call(1, queue::Declare::default().queue(&*queue).exclusive(true)).await;
    consuming.publish(1, "", &queue, "before the alarm").await;
    // The answer shows that the broker has read what was published.
    consuming.call(1, basic::Qos::default()).await;
    consuming.call(1, basic::Qos::default()).await;
    broker.raise(Alarm::Memory).await;
    consuming.call(1, basic::Consume::default().queue(&*queue).consumer_tag("tag")).await;
    consuming.expect_delivery(1).await;
    consuming.send(1, basic::Ack::default().delivery_tag(1_u64)).await;
    consuming.call(1, basic::Qos::default()).await;
    before.call(1, basic::Qos::default()).await;
    let mut late = broker.open_raw().await;
    late.call(1, queue::Declare::default().exclusive(true)).await;
    late.close().await;
    broker.clear(Alarm::Memory).await;
    for mut peer in [consuming, before] {
        peer.call(1, basic::Qos::default()).await;
        peer.close().await;
    }
}

#[tokio::test]
async fn the_reason_names_every_alarm_and_the_last_one_cleared_unblocks() {
    let broker = Disturbed::broker().await;
    let (mut disk, mut both) = (broker.open_raw().await, broker.open_raw().await);
    broker.raise(Alarm::Disk).await;
    publish_and_block(&mut disk, "low on disk").await;
    broker.raise(Alarm::Memory).await;
    publish_and_block(&mut both, "low on disk & memory").await;
    broker.clear(Alarm::Disk).await;
    let mut memory = broker.open_raw().await;
    publish_and_block(&mut memory, "low on memory").await;
    broker.clear(Alarm::Memory).await;
    for mut peer in [disk, both, memory] {
        peer.expect::<connection::Unblocked>(0).await;
        publish_and_take_back(&mut peer).await;
        peer.close().await;
    }
}

/// The publish that blocks the connection is still carried out.
async fn publish_and_block(peer: &mut Raw, reason: &str) {
    peer.send(1, basic::Publish::default().routing_key("nowhere").mandatory(true)).await;
    peer.send_header(1, 0).await;
    expect_blocked(peer, reason).await;
    take_back(peer).await;
}

#[tokio::test]
async fn a_client_that_does_not_announce_the_capability_is_held_back_without_being_told() {
    let broker = Disturbed::broker().await;
    let mut peer = Raw::connect_to(broker.parameters()).await;
    peer.until_start().await;
    let start_ok = peer.start_ok().client_properties(capabilities(&[]));
    peer.call_start_ok(start_ok).await;
    let (tune_ok, open) = (peer.tune_ok(), peer.virtual_host());
    peer.send(0, tune_ok).await;
    peer.call(0, open).await;
    peer.call(1, leveret::protocol::channel::Open::default()).await;
    broker.raise(Alarm::Memory).await;
    publish_and_take_back(&mut peer).await;
    peer.send(1, basic::Qos::default()).await;
    broker.clear(Alarm::Memory).await;
    assert_eq!(peer.receive().await, Some(Received::Method(1, Method::from(basic::QosOk::default()))));
    peer.close().await;
}

#[tokio::test]
async fn a_blocked_connection_is_closed_by_an_operator() {
    let broker = Disturbed::broker().await;
    let mut peer = broker.open_raw().await;
    broker.raise(Alarm::Memory).await;
    publish_and_block(&mut peer, "low on memory").await;
    broker.close_all_connections("maintenance").await;
    let close = Close::connection(320, "CONNECTION_FORCED - maintenance", Close::NO_METHOD);
    assert_eq!(peer.expect_close().await, close);
    broker.clear(Alarm::Memory).await;
}

#[tokio::test]
async fn a_broker_that_stops_says_so_and_takes_no_connection_until_it_starts() {
    let broker = Disturbed::broker().await;
    let mut peer = broker.open_raw().await;
    broker.stop().await;
    let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    assert_eq!(peer.expect_close().await, Close::connection(320, text, Close::NO_METHOD));
    let error = soon(Connection::open(broker.parameters())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    broker.start().await;
    broker.open_raw().await.close().await;
}
