//! Methods, headers and bodies in the wrong order and in unusual pieces.

use leveret::protocol::{Method, ProtocolMethod, basic, channel, connection, queue};
use leveret::{FieldTable, Properties};
use leveret_live_tests::raw::{Close, Raw, Received};
use leveret_live_tests::{soon, unique};

const NO_HEADER: &str = "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead";
const NO_BODY: &str = "UNEXPECTED_FRAME - expected content body, got non content body frame instead";
const NO_METHOD: &str = "UNEXPECTED_FRAME - expected method frame, got non method frame instead";

/// `basic.publish` to a queue by its name.
fn publish(queue: &str) -> basic::Publish {
    basic::Publish::default().routing_key(queue)
}

/// A peer that has sent `basic.publish` on channel 1 and no content.
async fn publishing() -> Raw {
    let mut peer = Raw::open_channel().await;
    peer.send(1, publish("nowhere")).await;
    peer
}

/// A peer on channel 1 that has agreed to the smallest frames.
async fn with_small_frames() -> Raw {
    let mut peer = Raw::connect().await;
    peer.until_tune().await;
    let (tune_ok, open) = (peer.tune_ok().frame_max(4096), peer.virtual_host());
    peer.send(0, tune_ok).await;
    peer.call(0, open).await;
    peer.call(1, channel::Open::default()).await;
    peer
}

/// Declares a queue that goes with the connection; gives its name.
async fn declare(peer: &mut Raw) -> String {
    let name = unique("content-frames");
    peer.call(1, queue::Declare::default().queue(&*name).exclusive(true)).await;
    name
}

/// What lies at the front of the queue, and its body frames.
async fn get(peer: &mut Raw, queue: &str) -> (Vec<u8>, Vec<usize>) {
    peer.send(1, basic::Get::default().queue(queue).no_ack(true)).await;
    peer.expect::<basic::GetOk>(1).await;
    let content = peer.expect_content(1).await;
    (content.body, content.pieces)
}

/// The body of the next message, which may be on its way to the queue still.
async fn get_soon(peer: &mut Raw, queue: &str) -> Vec<u8> {
    soon(async {
        loop {
            peer.send(1, basic::Get::default().queue(queue).no_ack(true)).await;
            match peer.receive().await {
                Some(Received::Method(1, Method::BasicGetOk(_))) => return peer.expect_content(1).await.body,
                Some(Received::Method(1, Method::BasicGetEmpty(_))) => {}
                other => panic!("neither a message nor none: {other:?}"),
            }
        }
    })
    .await
}

#[tokio::test]
async fn content_comes_behind_a_method() {
    let mut peer = Raw::open_channel().await;
    peer.send_header(1, 0).await;
    peer.expect_connection_close(505, NO_METHOD, Close::NO_METHOD).await;

    let mut peer = Raw::open_channel().await;
    peer.send_body(1, b"hello").await;
    peer.expect_connection_close(505, NO_METHOD, Close::NO_METHOD).await;
}

#[tokio::test]
async fn behind_a_publish_nothing_comes_but_a_header() {
    let methods = [
        Method::from(queue::Declare::default()),
        Method::from(publish("nowhere")),
        Method::from(channel::Close::default()),
    ];
    for method in methods {
        let mut peer = publishing().await;
        peer.send(1, method.clone()).await;
        peer.expect_connection_close(505, NO_HEADER, basic::Publish::ID).await;
    }
    let mut peer = publishing().await;
    peer.send_body(1, b"hello").await;
    peer.expect_connection_close(505, NO_HEADER, basic::Publish::ID).await;
}

#[tokio::test]
async fn behind_a_header_nothing_comes_but_a_body() {
    for method in [Method::from(queue::Declare::default()), Method::from(channel::Close::default())] {
        let mut peer = publishing().await;
        peer.send_header(1, 5).await;
        peer.send(1, method.clone()).await;
        peer.expect_connection_close(505, NO_BODY, basic::Publish::ID).await;
    }
    let mut peer = publishing().await;
    peer.send_header(1, 5).await;
    peer.send_header(1, 5).await;
    peer.expect_connection_close(505, NO_BODY, basic::Publish::ID).await;
}

#[tokio::test]
async fn a_header_names_the_class_of_its_method() {
    for class in [50, 99] {
        let mut peer = publishing().await;
        peer.send_frame(2, 1, &[0, class, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0]).await;
        let text =
            format!("UNEXPECTED_FRAME - expected content header for class 60, got one for class {class} instead");
        peer.expect_connection_close(505, &text, basic::Publish::ID).await;
    }
}

#[tokio::test]
async fn a_header_with_a_weight_is_none() {
    let mut peer = publishing().await;
    peer.send_frame(2, 1, &[0, 60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
    peer.expect_connection_close(505, NO_HEADER, basic::Publish::ID).await;
}

#[tokio::test]
async fn properties_that_cannot_be_read_are_an_internal_error() {
    // A string that is cut short, octets too many, a table with a value of an unknown type, and
    // more flags to come.
    let unreadable = [&b"\x80\0\x05ab"[..], b"\x10\0\x02junk", b"\x20\0\0\0\0\x03\x01a?", b"\0\x01\0\0"];
    for properties in unreadable {
        let mut peer = publishing().await;
        let header = [&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], properties].concat();
        peer.send_frame(2, 1, &header).await;
        peer.expect_connection_close(541, "INTERNAL_ERROR", Close::NO_METHOD).await;
    }
}

#[tokio::test]
async fn an_announced_empty_body_has_no_frame() {
    let mut peer = publishing().await;
    peer.send_header(1, 0).await;
    peer.send_body(1, b"hello").await;
    peer.expect_connection_close(505, NO_METHOD, Close::NO_METHOD).await;
}

#[tokio::test]
async fn a_body_that_grows_too_long_never_ends() {
    let mut peer = publishing().await;
    peer.send_header(1, 3).await;
    peer.send_body(1, b"hello").await;
    peer.send(1, queue::Declare::default()).await;
    peer.expect_connection_close(505, NO_BODY, basic::Publish::ID).await;
}

#[tokio::test]
async fn a_body_comes_in_any_pieces_and_empty_ones_among_them() {
    let mut peer = Raw::open_channel().await;
    let queue = declare(&mut peer).await;
    peer.send(1, publish(&queue)).await;
    peer.send_header(1, 5).await;
    for piece in [&b""[..], b"h", b"", b"ell", b"o"] {
        peer.send_body(1, piece).await;
        peer.send_heartbeat().await;
    }
    assert_eq!(get(&mut peer, &queue).await, (b"hello".to_vec(), vec![5]), "it is delivered in one piece");
    peer.close().await;
}

#[tokio::test]
async fn the_contents_of_two_channels_may_be_interleaved() {
    let mut peer = Raw::open_channel().await;
    peer.call(2, channel::Open::default()).await;
    let queue = declare(&mut peer).await;
    for channel in [1, 2] {
        peer.send(channel, publish(&queue)).await;
    }
    for channel in [2, 1] {
        peer.send_header(channel, 6).await;
    }
    for (channel, piece) in [(1, b"one"), (2, b"two"), (1, b"uno"), (2, b"due")] {
        peer.send_body(channel, piece).await;
    }
    let mut bodies = vec![get_soon(&mut peer, &queue).await, get_soon(&mut peer, &queue).await];
    bodies.sort();
    assert_eq!(bodies, [b"oneuno", b"twodue"], "channels are independent, so either may have come first");
    peer.close().await;
}

#[tokio::test]
async fn a_connection_may_be_closed_in_the_middle_of_a_content() {
    for header in [false, true] {
        let mut peer = publishing().await;
        if header {
            peer.send_header(1, 5).await;
        }
        peer.call(0, connection::Close::default()).await;
    }
}

#[tokio::test]
async fn routing_keys_and_properties_may_be_any_octets() {
    let mut peer = Raw::open_channel().await;
    peer.send(1, basic::Publish::default().routing_key(b"\xff").mandatory(true)).await;
    peer.send_frame(2, 1, &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 1, 0xFF]).await;
    let returned = peer.expect::<basic::Return>(1).await;
    assert_eq!(returned.routing_key.as_bytes(), b"\xff");
    let properties = peer.expect_content(1).await.properties;
    assert_eq!(properties, Properties::default().content_type(b"\xff"));
    peer.close().await;
}

#[tokio::test]
async fn a_message_is_delivered_in_frames_of_the_consumers_size() {
    let mut peer = Raw::open_channel().await;
    let queue = unique("content-frames");
    peer.call(1, queue::Declare::default().queue(&*queue).durable(true)).await;
    let body = vec![7; 10_000];
    peer.publish(1, "", &queue, &body).await;

    let mut small = with_small_frames().await;
    let consume = basic::Consume::default().queue(&*queue).consumer_tag("small").no_ack(true);
    small.call(1, consume).await;
    let (_, content) = small.expect_delivery(1).await;
    assert_eq!(content.pieces, [4088, 4088, 1824]);
    assert_eq!(content.body, body);
    small.close().await;
    peer.call(1, queue::Delete::default().queue(&*queue)).await;
    peer.close().await;
}

#[tokio::test]
async fn frames_up_to_the_negotiated_size_are_taken_end_marker_not_counted() {
    let mut peer = Raw::open_channel().await;
    let queue = declare(&mut peer).await;
    for size in [131_064, 131_072] {
        peer.send(1, publish(&queue)).await;
        peer.send_header(1, size).await;
        peer.send_body(1, &vec![0; size]).await;
        let (body, pieces) = get(&mut peer, &queue).await;
        assert_eq!(body.len(), size);
        assert_eq!(pieces[0], 131_064, "what the broker sends keeps to the size, all counted");
    }
    peer.close().await;
}

#[tokio::test]
async fn a_flag_of_no_property_is_handed_on() {
    let mut peer = Raw::open_channel().await;
    let queue = declare(&mut peer).await;
    for properties in [&b"\0\x02"[..], b"\x80\x02\x01a"] {
        peer.send(1, publish(&queue)).await;
        let payload = [b"\0\x3c\0\0\0\0\0\0\0\0\0\0", properties].concat();
        peer.send_frame(2, 1, &payload).await;
        peer.send(1, basic::Get::default().queue(&*queue).no_ack(true)).await;
        peer.expect::<basic::GetOk>(1).await;
        let head = [2, 0, 1, 0, 0, 0, u8::try_from(payload.len()).unwrap()];
        assert_eq!(peer.take_octets(head.len() + payload.len() + 1).await, [&head[..], &payload, b"\xce"].concat());
    }
    peer.close().await;
}

#[tokio::test]
async fn a_header_that_is_larger_than_the_consumers_frames_is_delivered_whole() {
    let mut peer = Raw::open_channel().await;
    let queue = unique("content-frames");
    peer.call(1, queue::Declare::default().queue(&*queue).durable(true)).await;
    let large = FieldTable::from([("large", "x".repeat(5000).as_str())]);
    let properties = Properties::default().headers(large);
    let body = vec![7; 5000];
    peer.publish_with(1, "", &queue, &properties, &body).await;

    let mut small = with_small_frames().await;
    small.call(1, basic::Consume::default().queue(&*queue).consumer_tag("small").no_ack(true)).await;
    let (_, content) = small.expect_delivery(1).await;
    assert_eq!((content.properties, content.pieces), (properties, vec![4088, 912]));
    assert_eq!(content.body, body);
    small.close().await;
    peer.call(1, queue::Delete::default().queue(&*queue)).await;
    peer.close().await;
}

#[tokio::test]
async fn a_content_that_was_begun_may_be_ended_though_its_channel_is_closed() {
    let mut peer = Raw::open_channel().await;
    peer.send(1, basic::Ack::default().delivery_tag(99)).await;
    peer.send(1, publish("nowhere")).await;
    peer.send_header(1, 10).await;
    peer.send_body(1, b"hello").await;
    let refusal = Close::channel(1, 406, "PRECONDITION_FAILED - unknown delivery tag 99", basic::Ack::ID);
    assert_eq!(peer.expect_close().await, refusal);
    peer.send_body(1, b"hello").await;
    peer.send(1, channel::CloseOk::default()).await;
    peer.call(1, channel::Open::default()).await;
    let queue = declare(&mut peer).await;
    peer.publish(1, "", &queue, "afterwards").await;
    assert_eq!(get_soon(&mut peer, &queue).await, b"afterwards");
    peer.close().await;
}
