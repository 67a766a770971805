//! Events, states and the future for "closed, and why".

use std::time::Duration;

use leveret::protocol::{basic, channel, connection};
use leveret::{ChannelEvent, ChannelState, ConnectionEvent, ConnectionState, ErrorKind, Initiator, ReplyCode};
use leveret_test_support::Peer;

use super::client::{Connect as _, connect_obliged, parameters};

const CAPACITY: usize = 64 * 1024;

#[tokio::test(start_paused = true)]
async fn events_of_a_connection_come_in_order_and_end_with_its_end() {
    let (connection, mut peer) = Peer::connect(CAPACITY, parameters()).await;
    let mut events = connection.events();
    peer.send(0, connection::Blocked::default().reason("disk")).await;
    assert!(matches!(events.next().await, Some(ConnectionEvent::Blocked(reason)) if reason == "disk"));
    assert_eq!(connection.state(), ConnectionState::Blocked);
    peer.send(0, connection::Unblocked::default()).await;
    assert!(matches!(events.next().await, Some(ConnectionEvent::Unblocked)));
    assert_eq!(connection.state(), ConnectionState::Open);
    peer.send(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED).reply_text("shutdown")).await;
    let Some(ConnectionEvent::Closed(error)) = events.next().await else { panic!("it is closed") };
    assert_eq!((error.reply_code(), error.initiator()), (Some(ReplyCode::CONNECTION_FORCED), Some(Initiator::Broker)));
    assert!(error.is_retryable());
    assert!(events.next().await.is_none() && events.next().await.is_none());
    assert_eq!((connection.state(), events.lost()), (ConnectionState::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn events_of_a_channel_come_in_order_and_end_with_its_end() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let consuming = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
    };
    let (consumer, ()) = tokio::join!(channel.consume("q").into_future(), consuming);
    let _consumer = consumer.unwrap();
    let mut events = channel.events();
    peer.send(1, channel::Flow::default().active(false)).await;
    assert!(matches!(events.next().await, Some(ChannelEvent::Stopped)));
    assert_eq!(channel.state(), ChannelState::Stopped);
    peer.send(1, channel::Flow::default().active(true)).await;
    assert!(matches!(events.next().await, Some(ChannelEvent::Resumed)));
    peer.send(1, basic::Cancel::default().consumer_tag("c").no_wait(true)).await;
    assert!(matches!(events.next().await, Some(ChannelEvent::ConsumerCancelled(tag)) if tag == "c"));
    peer.send(1, channel::Close::default().reply_code(ReplyCode::PRECONDITION_FAILED).reply_text("no")).await;
    let Some(ChannelEvent::Closed(error)) = events.next().await else { panic!("it is closed") };
    assert!(error.is_precondition_failed() && error.kind() == ErrorKind::ChannelClosed);
    assert!(events.next().await.is_none());
    assert_eq!((channel.state(), connection.state()), (ChannelState::Closed, ConnectionState::Open));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_end_hears_why_before_and_after_it() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let (early, early_channel) = (connection.closed(), channel.closed());
    let waiting = tokio::spawn(early);
    peer.send(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND).reply_text("no queue")).await;
    assert!(early_channel.await.is_not_found());
    assert!(channel.closed().await.is_not_found());
    drop(peer);
    for error in [waiting.await.unwrap(), connection.closed().await] {
        assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Transport)));
    }
    assert!(channel.closed().await.is_not_found(), "the first cause stays");
}

#[tokio::test(start_paused = true)]
async fn the_end_may_be_asked_for_again_and_by_reference() {
    let (connection, heard) = connect_obliged(CAPACITY, parameters()).await;
    let mut closed = connection.closed();
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut closed).await.is_err());
    connection.close().await.unwrap();
    assert!((&mut closed).await.is_requested() && closed.await.is_requested());
    assert_eq!(heard.count("connection.close"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_observes_keeps_nothing_open() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let (mut events, mut channel_events) = (connection.events(), channel.events());
    let (closed, channel_closed) = (connection.closed(), channel.closed());
    drop(channel);
    peer.expect::<channel::Close>(1).await;
    peer.send(1, channel::CloseOk::default()).await;
    assert!(channel_closed.await.is_requested());
    assert!(matches!(channel_events.next().await, Some(ChannelEvent::Closed(_))));
    drop(connection);
    peer.agree_to_close().await;
    assert!(closed.await.is_requested());
    assert!(matches!(events.next().await, Some(ConnectionEvent::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn missed_heartbeats_are_a_cause_of_their_own() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let opening = leveret::Connection::open_on(transport, parameters().heartbeat(7));
    let (opened, ()) = tokio::join!(opening, peer.shake_hands());
    let error = opened.unwrap().closed().await;
    assert!(error.is_heartbeat_missed() && error.is_retryable() && !error.is_timeout(), "{error:?}");
    assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Client)));
    assert!(error.to_string().contains("no heartbeat from the broker"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_blocked_for_too_long_is_given_up_with_a_cause_of_its_own() {
    let limit = parameters().blocked_connection_timeout(Duration::from_secs(30));
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, limit).await;
    peer.send(0, connection::Blocked::default().reason("memory")).await;
    tokio::task::yield_now().await;
    let error = channel.publish("", "q", "x").await.unwrap_err();
    assert!(error.is_blocked_too_long() && error.is_retryable() && error.is_not_sent(), "{error:?}");
    assert!(error.to_string().contains("blocked_connection_timeout"), "{error}");
    assert!(connection.closed().await.is_blocked_too_long());
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn the_detector_of_old_speaks_while_a_peer_does_not_read() {
    let detecting = parameters().backpressure_detection(true).write_high_water(100_000_000);
    let (connection, channel, _peer) = Peer::connect_channel(16, detecting).await;
    let mut events = connection.events();
    for _ in 0..100 {
        channel.publish("", "q", "x").await.unwrap();
    }
    let Some(ConnectionEvent::Backpressure { queued, average }) = events.next().await else { panic!("it speaks") };
    assert!(queued > 10 * average, "{queued} {average}");
    connection.set_backpressure_multiplier(1_000_000);
    let before = std::iter::from_fn(|| {
        let next = std::pin::pin!(events.next());
        match next.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(event) => event,
            std::task::Poll::Pending => None,
        }
    });
    assert!(before.count() > 100, "each frame is told");
    channel.publish("", "q", "x").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(1), events.next()).await.is_err());
}
