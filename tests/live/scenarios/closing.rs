//! `connection.close` from either side, and what is in flight meanwhile.

use leveret::protocol::{Method, ProtocolMethod, ReplyCode, basic, channel, connection, queue};
use leveret_live_tests::raw::{Close, Raw, method_octets};
use leveret_live_tests::{connect, eventually, soon, unique};

/// A peer whose connection the broker has closed, for a method that channel 0 does not take; the
/// close is unanswered.
async fn closing() -> Raw {
    let mut peer = Raw::open_channel().await;
    peer.send(0, queue::Declare::default()).await;
    let text = "CHANNEL_ERROR - unexpected method in connection state running";
    assert_eq!(peer.expect_close().await, Close::connection(504, text, queue::Declare::ID));
    peer
}

#[tokio::test]
async fn what_was_asked_before_the_close_is_answered_first() {
    let mut peer = Raw::open_channel().await;
    let qos = method_octets(1, &basic::Qos::default().prefetch_count(1));
    let close = method_octets(0, &connection::Close::default().reply_code(ReplyCode::REPLY_SUCCESS));
    peer.send_octets(&[qos.clone(), qos.clone(), qos, close].concat()).await;
    for _ in 0..3 {
        peer.expect::<basic::QosOk>(1).await;
    }
    peer.expect::<connection::CloseOk>(0).await;
}

#[tokio::test]
async fn a_client_may_close_with_any_code_and_blame_any_method() {
    let mut peer = Raw::open().await;
    let close = connection::Close::default()
        .reply_code(ReplyCode::INTERNAL_ERROR)
        .reply_text("the client's own")
        .class_id(60_u16)
        .method_id(40_u16);
    peer.call(0, close).await;
}

#[tokio::test]
async fn after_its_close_a_client_is_not_heard_but_for_another_close() {
    let mut peer = Raw::open_channel().await;
    let frames = [
        method_octets(0, &connection::Close::default()),
        method_octets(1, &basic::Qos::default()),
        method_octets(2, &channel::Open::default()),
        method_octets(0, &queue::Declare::default()),
        method_octets(0, &connection::Close::default()),
    ];
    peer.send_octets(&frames.concat()).await;
    peer.expect::<connection::CloseOk>(0).await;
    peer.expect::<connection::CloseOk>(0).await;
}

#[tokio::test]
async fn after_the_brokers_close_nothing_is_heard_but_the_answer() {
    let mut peer = closing().await;
    peer.send(1, basic::Qos::default()).await;
    peer.send(0, queue::Declare::default()).await;
    peer.send(0, connection::Open::default().virtual_host("/")).await;
    peer.send(2, channel::Open::default()).await;
    peer.publish(1, &unique("missing"), "", "hello").await;
    peer.send(0, connection::CloseOk::default()).await;
    peer.expect_end().await;
}

#[tokio::test]
async fn closes_of_a_connection_may_cross() {
    let mut peer = closing().await;
    peer.call(0, connection::Close::default()).await;
    peer.send(0, connection::CloseOk::default()).await;
    peer.expect_end().await;
}

#[tokio::test]
async fn what_a_channel_did_before_a_fault_of_its_own_is_answered_first() {
    let mut peer = Raw::open_channel().await;
    let queue = unique("before-the-fault");
    let declare = method_octets(1, &queue::Declare::default().queue(&*queue).exclusive(true));
    let fault = method_octets(1, &channel::Flow::default().active(false));
    let late = method_octets(1, &basic::Qos::default());
    peer.send_octets(&[declare, fault, late].concat()).await;
    assert_eq!(peer.expect::<queue::DeclareOk>(1).await.queue, *queue.as_str());
    peer.expect_connection_close(540, "NOT_IMPLEMENTED - active=false", channel::Flow::ID).await;
}

#[tokio::test]
async fn a_client_that_hangs_up_without_closing_leaves_nothing_behind() {
    let queue = unique("hung-up");
    let mut peer = Raw::open_channel().await;
    peer.call(1, queue::Declare::default().queue(&*queue).exclusive(true)).await;
    let observer = connect().await;
    let refusal = || async {
        let channel = soon(observer.open_channel()).await.expect("the observer stays connected");
        soon(channel.queue_declare(&queue).passive(true)).await.unwrap_err().reply_code()
    };
    assert_eq!(refusal().await, Some(ReplyCode::RESOURCE_LOCKED));
    drop(peer);
    eventually(|| async { (refusal().await == Some(ReplyCode::NOT_FOUND)).then_some(()) }).await;
}

#[tokio::test]
async fn frames_that_arrive_in_pieces_are_put_together() {
    let mut peer = Raw::open_channel().await;
    let qos = method_octets(1, &basic::Qos::default().prefetch_count(1));
    for octet in &qos {
        peer.send_octets(&[*octet]).await;
    }
    peer.expect::<basic::QosOk>(1).await;
    let method: Method = basic::Qos::default().into();
    peer.send(1, method.clone()).await;
    peer.expect::<basic::QosOk>(1).await;
    peer.close().await;
}

#[tokio::test]
async fn after_the_brokers_close_a_frame_of_an_unknown_type_is_skipped() {
    let mut peer = closing().await;
    peer.send_frame(4, 0, b"abc").await;
    peer.send_frame(1, 1, &[0, 50]).await;
    peer.send(0, connection::CloseOk::default()).await;
    peer.expect_end().await;
}

#[tokio::test]
async fn after_the_clients_close_a_frame_of_an_unknown_type_is_skipped() {
    let mut peer = Raw::open().await;
    peer.call(0, connection::Close::default()).await;
    peer.send_frame(4, 0, b"abc").await;
    peer.call(0, connection::Close::default()).await;
}

#[tokio::test]
async fn after_the_brokers_close_what_cannot_be_framed_is_not_answered() {
    // A frame with a wrong end, and the head of one over the negotiated size.
    for octets in [&[8, 0, 0, 0, 0, 0, 0, 0][..], &[3, 0, 1, 0, 4, 0, 0]] {
        let mut peer = closing().await;
        peer.send_octets(octets).await;
        peer.send(0, connection::CloseOk::default()).await;
        peer.expect_end().await;
    }
}
