//! The life of a channel: opening, closing from either side, numbers, flow, and what needs no
//! answer.

use leveret::protocol::{
    Method, MethodId, ProtocolMethod, ReplyCode, basic, channel, confirm, connection, exchange, queue,
};
use leveret_live_tests::raw::{Close, Raw, Received};
use leveret_live_tests::{connect, exclusive_queue, soon, unique};

const NOT_OPEN: &str = "CHANNEL_ERROR - expected 'channel.open'";

/// A call that works wherever a channel is open.
async fn expect_open(peer: &mut Raw, channel: u16) {
    peer.call(channel, basic::Qos::default().prefetch_count(1)).await;
}

/// A channel that the broker has closed, for asking about a queue that is not there; the close is
/// unanswered.
async fn closing() -> Raw {
    let mut peer = Raw::open_channel().await;
    let queue = unique("missing");
    peer.send(1, queue::Declare::default().queue(&*queue).passive(true)).await;
    let text = format!("NOT_FOUND - no queue '{queue}' in vhost '/'");
    assert_eq!(peer.expect_close().await, Close::channel(1, 404, text, queue::Declare::ID));
    peer
}

#[tokio::test]
async fn a_channel_is_opened_before_it_is_used() {
    let methods = [
        Method::from(queue::Declare::default()),
        Method::from(channel::Close::default()),
        Method::from(channel::CloseOk::default()),
        Method::from(channel::Flow::default().active(true)),
        Method::from(connection::Close::default()),
    ];
    for method in methods {
        let mut peer = Raw::open_channel().await;
        peer.send(2, method.clone()).await;
        peer.expect_connection_close(504, NOT_OPEN, method.id()).await;
    }
}

#[tokio::test]
async fn content_on_a_channel_that_is_not_open_is_unexpected() {
    let text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
    let (mut with_header, mut with_body) = (Raw::open().await, Raw::open().await);
    with_header.send_header(1, 0).await;
    with_header.expect_connection_close(505, text, Close::NO_METHOD).await;
    with_body.send_body(1, b"x").await;
    with_body.expect_connection_close(505, text, Close::NO_METHOD).await;
}

#[tokio::test]
async fn a_channel_is_opened_once() {
    let mut peer = Raw::open_channel().await;
    peer.send(1, channel::Open::default()).await;
    let text = "CHANNEL_ERROR - second 'channel.open' seen";
    peer.expect_connection_close(504, text, channel::Open::ID).await;
}

#[tokio::test]
async fn more_channels_than_negotiated_close_the_connection_whatever_their_numbers() {
    for numbers in [[1, 2, 3], [7, 2048, 65_535]] {
        let mut peer = Raw::connect().await;
        peer.until_tune().await;
        let (tune_ok, open) = (peer.tune_ok().channel_max(3), peer.virtual_host());
        peer.send(0, tune_ok).await;
        peer.call(0, open).await;
        for number in numbers {
            peer.call(number, channel::Open::default()).await;
        }
        peer.call(numbers[1], channel::Close::default()).await;
        peer.call(4, channel::Open::default()).await;
        peer.send(5, channel::Open::default()).await;
        let text = "NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)";
        peer.expect_connection_close(530, text, Close::NO_METHOD).await;
    }
}

#[tokio::test]
async fn a_number_is_free_again_once_the_close_is_answered() {
    let mut peer = Raw::open_channel().await;
    for code in [ReplyCode::REPLY_SUCCESS, ReplyCode::NOT_FOUND] {
        let close = channel::Close::default().reply_code(code).reply_text("the client's own");
        peer.call(1, close).await;
        peer.call(1, channel::Open::default()).await;
        expect_open(&mut peer, 1).await;
    }
    peer.call(1, channel::Close::default()).await;
    peer.send(1, basic::Qos::default()).await;
    peer.expect_connection_close(504, NOT_OPEN, basic::Qos::ID).await;
}

#[tokio::test]
async fn a_close_ok_that_answers_nothing_is_refused() {
    let mut peer = Raw::open_channel().await;
    peer.send(1, channel::CloseOk::default()).await;
    peer.expect_connection_close(503, "COMMAND_INVALID - unimplemented method", channel::CloseOk::ID).await;
}

#[tokio::test]
async fn what_comes_after_the_brokers_close_and_before_its_answer_is_passed_over() {
    let mut peer = closing().await;
    let queue = unique("never");
    peer.send(1, queue::Declare::default().queue(&*queue)).await;
    peer.send(1, basic::Ack::default().delivery_tag(7)).await;
    peer.send(1, queue::DeclareOk::default()).await;
    peer.publish(1, &unique("missing"), "key", "hello").await;
    peer.send(1, channel::CloseOk::default()).await;
    peer.call(1, channel::Open::default()).await;
    peer.send(1, queue::Declare::default().queue(&*queue).passive(true)).await;
    let text = format!("NOT_FOUND - no queue '{queue}' in vhost '/'");
    peer.expect_channel_close(1, 404, &text, queue::Declare::ID).await;
    peer.close().await;
}

#[tokio::test]
async fn a_channel_that_the_broker_closes_leaves_the_others_alone() {
    let mut peer = closing().await;
    peer.call(2, channel::Open::default()).await;
    expect_open(&mut peer, 2).await;
    peer.send(1, channel::CloseOk::default()).await;
    expect_open(&mut peer, 2).await;
    peer.close().await;
}

#[tokio::test]
async fn closes_of_a_channel_may_cross() {
    let mut peer = closing().await;
    peer.call(1, channel::Close::default()).await;
    peer.send(1, channel::CloseOk::default()).await;
    peer.call(2, channel::Open::default()).await;
    peer.close().await;
}

#[tokio::test]
async fn a_number_is_not_opened_again_before_the_brokers_close_is_answered() {
    let mut peer = closing().await;
    peer.send(1, channel::Open::default()).await;
    let text = "CHANNEL_ERROR - second 'channel.open' seen";
    peer.expect_connection_close(504, text, channel::Open::ID).await;
}

#[tokio::test]
async fn the_brokers_close_is_answered_once() {
    for again in [Method::from(channel::CloseOk::default()), Method::from(channel::Close::default())] {
        let mut peer = closing().await;
        peer.send(1, channel::CloseOk::default()).await;
        peer.send(1, again.clone()).await;
        peer.expect_connection_close(504, NOT_OPEN, again.id()).await;
    }
}

#[tokio::test]
async fn frames_on_a_closing_channel_are_still_checked() {
    let mut peer = closing().await;
    peer.send_body(1, b"x").await;
    let text = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";
    peer.expect_connection_close(505, text, Close::NO_METHOD).await;

    let mut peer = closing().await;
    peer.send_method_frame(1, queue::Declare::ID, &[]).await;
    peer.expect_connection_close(501, "FRAME_ERROR - cannot decode <<>>", queue::Declare::ID).await;

    let mut peer = closing().await;
    peer.send(1, basic::Publish::default()).await;
    peer.send(1, channel::CloseOk::default()).await;
    let text = "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead";
    peer.expect_connection_close(505, text, basic::Publish::ID).await;
}

#[tokio::test]
async fn a_connection_may_be_closed_while_the_brokers_close_of_a_channel_is_unanswered() {
    closing().await.close().await;
}

#[tokio::test]
async fn flow_that_is_on_may_be_turned_on() {
    let mut peer = Raw::open_channel().await;
    let flow_ok = peer.call(1, channel::Flow::default().active(true)).await;
    assert!(flow_ok.active);
    expect_open(&mut peer, 1).await;
    peer.close().await;
}

#[tokio::test]
async fn flow_cannot_be_turned_off() {
    let mut peer = Raw::open_channel().await;
    peer.send(1, channel::Flow::default().active(false)).await;
    peer.expect_connection_close(540, "NOT_IMPLEMENTED - active=false", channel::Flow::ID).await;
}

// access.request (class 30) is of an older version of the protocol, and not in the specification.
#[tokio::test]
async fn an_old_client_that_asks_for_access_gets_it() {
    let mut peer = Raw::open_channel().await;
    peer.send_method_frame(1, MethodId::new(30, 10), b"\x05/data\x1f").await;
    assert_eq!(
        peer.take_octets(14).await,
        b"\x01\0\x01\0\0\0\x06\0\x1e\0\x0b\0\x01\xce",
        "access.request-ok, ticket 1"
    );
    let answer = MethodId::new(30, 11);
    peer.send_method_frame(1, answer, &[0, 1]).await;
    peer.expect_connection_close(503, "COMMAND_INVALID - unimplemented method", answer).await;
}

#[tokio::test]
async fn what_is_asked_for_without_an_answer_happens_and_gets_none() {
    let mut peer = Raw::open_channel().await;
    let (name, queue) = (unique("no-wait"), unique("no-wait"));
    peer.send(1, exchange::Declare::default().exchange(&*name).kind("fanout").no_wait(true)).await;
    peer.send(1, queue::Declare::default().queue(&*queue).exclusive(true).no_wait(true)).await;
    peer.send(1, queue::Bind::default().queue(&*queue).exchange(&*name).no_wait(true)).await;
    peer.send(1, confirm::Select::default().no_wait(true)).await;
    let consume = basic::Consume::default().queue(&*queue).consumer_tag("tag").no_ack(true).no_wait(true);
    peer.send(1, consume).await;
    peer.call(1, channel::Flow::default().active(true)).await;
    peer.publish(1, &name, "", "hello").await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        match peer.receive().await {
            Some(Received::Method(1, method)) => {
                seen.push(method.name());
                if method.id() == basic::Deliver::ID {
                    assert_eq!(peer.expect_content(1).await.body, b"hello");
                }
            }
            other => panic!("neither a delivery nor a confirm: {other:?}"),
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["basic.ack", "basic.deliver"]);
    peer.send(1, basic::Cancel::default().consumer_tag("tag").no_wait(true)).await;
    peer.send(1, queue::Purge::default().queue(&*queue).no_wait(true)).await;
    peer.send(1, queue::Delete::default().queue(&*queue).no_wait(true)).await;
    peer.send(1, exchange::Delete::default().exchange(&*name).no_wait(true)).await;
    peer.send(1, exchange::Declare::default().exchange(&*name).kind("fanout").passive(true)).await;
    let text = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
    peer.expect_channel_close(1, 404, &text, exchange::Declare::ID).await;
    peer.close().await;
}

#[tokio::test]
async fn what_fails_closes_the_channel_though_no_answer_was_asked_for() {
    let missing = unique("missing");
    let no_queue = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
    let no_exchange = format!("NOT_FOUND - no exchange '{missing}' in vhost '/'");
    let methods = [
        (Method::from(queue::Declare::default().queue(&*missing).passive(true).no_wait(true)), &no_queue),
        (Method::from(queue::Purge::default().queue(&*missing).no_wait(true)), &no_queue),
        (Method::from(queue::Bind::default().queue(&*missing).exchange("amq.fanout").no_wait(true)), &no_queue),
        (Method::from(basic::Consume::default().queue(&*missing).no_wait(true)), &no_queue),
        (Method::from(exchange::Declare::default().exchange(&*missing).passive(true).no_wait(true)), &no_exchange),
    ];
    let mut peer = Raw::open().await;
    for (method, text) in methods {
        peer.call(1, channel::Open::default()).await;
        peer.send(1, method.clone()).await;
        peer.expect_channel_close(1, 404, text, method.id()).await;
    }
    peer.close().await;
}

#[tokio::test]
async fn a_connection_carries_as_many_channels_as_were_negotiated() {
    let connection = connect().await;
    let negotiated = connection.negotiated().channel_max;
    let mut channels = Vec::new();
    for _ in 0..negotiated {
        channels.push(soon(connection.open_channel()).await.expect("the broker opens a channel"));
    }
    exclusive_queue(channels.last().expect("there are some")).await;
    assert!(soon(connection.open_channel()).await.is_err());
    for channel in channels.iter().rev() {
        soon(channel.close()).await.expect("the broker closes a channel");
    }
    exclusive_queue(&soon(connection.open_channel()).await.expect("numbers are free again")).await;
    soon(connection.close()).await.expect("the connection closes");
}
