//! Frames and methods that close a connection, whoever sends them, and what the broker says about
//! each.

use leveret::protocol::{Method, MethodId, ProtocolMethod, basic, channel, confirm, connection, exchange, queue, tx};
use leveret_live_tests::raw::{Close, Raw};

/// `basic.publish` to the default exchange, with a routing key that no queue has.
fn publish() -> basic::Publish {
    basic::Publish::default().routing_key("nowhere")
}

#[tokio::test]
async fn channel_0_takes_nothing_but_close_and_a_new_secret() {
    let methods = [
        Method::from(queue::Declare::default()),
        Method::from(channel::Open::default()),
        Method::from(publish()),
        Method::from(connection::CloseOk::default()),
        Method::from(connection::Start::default()),
        Method::from(connection::Tune::default()),
        Method::from(connection::OpenOk::default()),
        Method::from(connection::Blocked::default()),
        Method::from(connection::Unblocked::default()),
        Method::from(connection::UpdateSecretOk::default()),
    ];
    for method in methods {
        let mut peer = Raw::open().await;
        peer.send(0, method.clone()).await;
        let text = "CHANNEL_ERROR - unexpected method in connection state running";
        peer.expect_connection_close(504, text, method.id()).await;
    }
}

#[tokio::test]
async fn channel_0_takes_no_content() {
    let mut peer = Raw::open().await;
    peer.send_header(0, 0).await;
    let text = "UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,0,0,0>>";
    peer.expect_connection_close(505, text, Close::NO_METHOD).await;

    let mut peer = Raw::open().await;
    peer.send_body(0, b"x").await;
    let text = "UNEXPECTED_FRAME - type 3, all octets = <<\"x\">>";
    peer.expect_connection_close(505, text, Close::NO_METHOD).await;
}

#[tokio::test]
async fn a_frame_of_an_unknown_type_is_refused_on_any_channel() {
    for (kind, channel) in [(4, 0), (4, 1), (4, 7), (0, 1), (255, 0)] {
        let mut peer = Raw::open_channel().await;
        peer.send_frame(kind, channel, b"abc").await;
        let text = format!("FRAME_ERROR - type {kind}, all octets = <<\"abc\">>: unknown_frame");
        peer.expect_connection_close(501, &text, Close::NO_METHOD).await;
    }
}

#[tokio::test]
async fn a_payload_too_short_for_its_type_makes_the_frame_unknown() {
    let frames: [(u8, u16, &[u8], &str); 6] = [
        (1, 1, &[], "<<>>"),
        (1, 1, &[0, 50, 0], "<<0,50,0>>"),
        (1, 0, &[0, 10, 0], "<<0,10,0>>"),
        (2, 1, &[], "<<>>"),
        (2, 1, &[0, 60, 0, 0, 0], "<<0,60,0,0,0>>"),
        (8, 0, b"abc", "<<\"abc\">>"),
    ];
    for (kind, channel, payload, octets) in frames {
        let mut peer = Raw::open_channel().await;
        peer.send(1, publish()).await;
        peer.send_frame(kind, channel, payload).await;
        let text = format!("FRAME_ERROR - type {kind}, all octets = {octets}: unknown_frame");
        peer.expect_connection_close(501, &text, Close::NO_METHOD).await;
    }
}

#[tokio::test]
async fn of_a_long_frame_the_refusal_shows_16_octets() {
    let mut peer = Raw::open().await;
    peer.send_frame(5, 0, b"abcdefghijklmnop").await;
    let text = "FRAME_ERROR - type 5, all octets = <<\"abcdefghijklmnop\">>: unknown_frame";
    peer.expect_connection_close(501, text, Close::NO_METHOD).await;

    let mut peer = Raw::open().await;
    peer.send_frame(5, 0, b"abcdefghijklmnopq").await;
    let text = "FRAME_ERROR - type 5, first 16 octets = <<\"abcdefghijklmnop\">>: unknown_frame";
    peer.expect_connection_close(501, text, Close::NO_METHOD).await;
}

// After these two the broker reads no more, not even close-ok.
#[tokio::test]
async fn a_frame_without_its_end_is_refused() {
    let mut peer = Raw::open().await;
    peer.send_octets(&[8, 0, 0, 0, 0, 0, 0, 0]).await;
    let text = "FRAME_ERROR - type 8, all octets = <<>>: {invalid_frame_end_marker,0}";
    assert_eq!(peer.expect_close().await, Close::connection(501, text, Close::NO_METHOD));

    let mut peer = Raw::open_channel().await;
    peer.send(1, publish()).await;
    peer.send_header(1, 20).await;
    peer.send_octets(b"\x03\0\x01\0\0\0\x14aaaaaaaaaaaaaaaaaaaa\xCD").await;
    let text = "FRAME_ERROR - type 3, first 16 octets = <<\"aaaaaaaaaaaaaaaa\">>: {invalid_frame_end_marker,205}";
    let close = peer.expect_close().await;
    // Long texts are broken into lines in Erlang's way, which says nothing.
    let joined = close.text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(joined.replace("marker, 205", "marker,205"), text);
    assert_eq!((close.channel, close.code, close.method), (0, 501, Close::NO_METHOD));
}

#[tokio::test]
async fn a_frame_over_the_negotiated_size_is_refused_from_its_head_alone() {
    let mut peer = Raw::open().await;
    peer.send_octets(&[3, 0, 1, 0, 2, 0, 1]).await;
    let text = "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}";
    assert_eq!(peer.expect_close().await, Close::connection(501, text, Close::NO_METHOD));

    for kind in [1, 2, 3] {
        let mut peer = Raw::connect().await;
        peer.until_tune().await;
        let (tune_ok, open) = (peer.tune_ok().frame_max(4096), peer.virtual_host());
        peer.send(0, tune_ok).await;
        peer.call(0, open).await;
        peer.send_octets(&[kind, 0, 1, 0, 0, 0x10, 0x01]).await;
        let text = format!("FRAME_ERROR - type {kind}, all octets = <<>>: {{frame_too_large,4097,4088}}");
        assert_eq!(peer.expect_close().await, Close::connection(501, text, Close::NO_METHOD));
    }
}

#[tokio::test]
async fn a_heartbeat_belongs_to_channel_0() {
    for channel in [1, 2] {
        let mut peer = Raw::open_channel().await;
        peer.send_frame(8, channel, &[]).await;
        let text = "UNEXPECTED_FRAME - type 8, all octets = <<>>";
        peer.expect_connection_close(505, text, Close::NO_METHOD).await;
    }
}

#[tokio::test]
async fn a_method_that_no_class_has_ends_the_connection_without_a_word() {
    for (channel, class, method) in [(1, 99, 1), (1, 60, 99), (2, 99, 1), (0, 99, 1), (0, 10, 99)] {
        let mut peer = Raw::open_channel().await;
        peer.send_method_frame(channel, MethodId::new(class, method), &[]).await;
        peer.expect_end().await;
    }
}

#[tokio::test]
async fn a_table_that_cannot_be_read_ends_the_connection_without_a_word() {
    // A value of an unknown type, and a key that is cut short.
    for table in [&b"\0\0\0\x03\x01a?"[..], b"\0\0\0\x02\x05a"] {
        let mut peer = Raw::open_channel().await;
        let arguments = [b"\0\0\0\x04", table].concat();
        peer.send_method_frame(1, queue::Declare::ID, &arguments).await;
        peer.expect_end().await;
    }
}

#[tokio::test]
async fn arguments_that_are_too_short_or_too_long_cannot_be_decoded() {
    let methods: [(MethodId, &[u8], &str); 5] = [
        (queue::Declare::ID, &[], "<<>>"),
        (queue::Declare::ID, &[0, 0, 5, b'a', b'b'], "<<0,0,5,97,98>>"),
        (queue::Declare::ID, b"\0\0\0\x04\0\0\0\0xyz", "<<0,0,0,4,0,0,0,0,120,121,122>>"),
        (queue::Declare::ID, b"\0\0\0\x04\0\0\0\xff\x01aV", "<<0,0,0,4,0,0,0,255,1,97,86>>"),
        (tx::Select::ID, &[1, 2, 3], "<<1,2,3>>"),
    ];
    for (id, arguments, octets) in methods {
        let mut peer = Raw::open_channel().await;
        peer.send_method_frame(1, id, arguments).await;
        let text = format!("FRAME_ERROR - cannot decode {octets}");
        peer.expect_connection_close(501, &text, id).await;
    }
}

#[tokio::test]
async fn on_channel_0_arguments_that_are_too_short_are_an_internal_error() {
    let mut peer = Raw::open().await;
    peer.send_method_frame(0, connection::Close::ID, &[0, 200, 9, b'a']).await;
    peer.expect_connection_close(541, "INTERNAL_ERROR", Close::NO_METHOD).await;
}

#[tokio::test]
async fn names_are_utf_8() {
    let methods: [(MethodId, &[u8]); 3] = [
        (queue::Declare::ID, b"\0\0\x01\xff\x04\0\0\0\0"),
        (exchange::Declare::ID, b"\0\0\x01\xff\x06direct\0\0\0\0\0"),
        (basic::Consume::ID, b"\0\0\0\x01\xff\0\0\0\0\0"),
    ];
    for (id, arguments) in methods {
        let mut peer = Raw::open_channel().await;
        peer.send_method_frame(1, id, arguments).await;
        let text = "FRAME_ERROR - Malformed UTF-8 in shortstr";
        peer.expect_connection_close(501, text, Close::NO_METHOD).await;
    }
}

#[tokio::test]
async fn what_brokers_alone_send_is_not_for_clients() {
    let methods = [
        Method::from(channel::OpenOk::default()),
        Method::from(channel::FlowOk::default()),
        Method::from(exchange::DeclareOk::default()),
        Method::from(exchange::DeleteOk::default()),
        Method::from(queue::DeclareOk::default()),
        Method::from(queue::BindOk::default()),
        Method::from(queue::PurgeOk::default()),
        Method::from(basic::QosOk::default()),
        Method::from(basic::ConsumeOk::default()),
        Method::from(basic::CancelOk::default()),
        Method::from(basic::GetEmpty::default()),
        Method::from(basic::RecoverOk::default()),
        Method::from(confirm::SelectOk::default()),
        Method::from(tx::SelectOk::default()),
        Method::from(tx::CommitOk::default()),
    ];
    for method in methods {
        let mut peer = Raw::open_channel().await;
        peer.send(1, method.clone()).await;
        peer.expect_connection_close(503, "COMMAND_INVALID - unimplemented method", method.id()).await;
    }
}

#[tokio::test]
async fn what_brokers_alone_send_with_content_is_refused_once_the_content_is_there() {
    let methods = [
        Method::from(basic::Deliver::default()),
        Method::from(basic::Return::default()),
        Method::from(basic::GetOk::default()),
    ];
    for method in methods {
        let mut peer = Raw::open_channel().await;
        peer.send(1, method.clone()).await;
        peer.send_header(1, 2).await;
        peer.send_body(1, b"hi").await;
        peer.expect_connection_close(503, "COMMAND_INVALID - unimplemented method", method.id()).await;
    }
}

#[tokio::test]
async fn methods_of_the_connection_are_not_for_channels() {
    let methods = [
        Method::from(connection::Open::default().virtual_host("/")),
        Method::from(connection::Close::default()),
        Method::from(connection::CloseOk::default()),
    ];
    for method in methods {
        let mut peer = Raw::open_channel().await;
        peer.send(1, method.clone()).await;
        peer.expect_connection_close(503, "COMMAND_INVALID - unimplemented method", method.id()).await;
    }
}
