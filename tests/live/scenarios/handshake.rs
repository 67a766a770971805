//! What opens a connection, step by step, and what the broker does about a wrong step.

use std::time::Duration;

use leveret::FieldValue;
use leveret::protocol::{Method, ProtocolMethod, channel, connection, queue};
use leveret_live_tests::raw::{Close, Raw, method_octets};
use leveret_live_tests::{parameters, unique};

/// The broker hangs up on each of these peers without a word. It takes its time over it.
async fn expect_silent_ends(peers: Vec<Raw>) {
    for mut peer in peers {
        peer.expect_end_within(Duration::from_secs(10)).await;
    }
}

/// A peer that the broker has sent `connection.start`.
async fn started() -> Raw {
    let mut peer = Raw::connect().await;
    peer.until_start().await;
    peer
}

/// A peer that the broker has sent `connection.tune`.
async fn tuning() -> Raw {
    let mut peer = Raw::connect().await;
    peer.until_tune().await;
    peer
}

/// A peer that has sent `connection.tune-ok`.
async fn tuned() -> Raw {
    let mut peer = tuning().await;
    let tune_ok = peer.tune_ok();
    peer.send(0, tune_ok).await;
    peer
}

#[tokio::test]
async fn a_protocol_header_of_another_version_is_answered_with_the_brokers_own_and_the_end() {
    for header in [b"AMQP\0\0\x09\0", b"AMQP\0\x01\0\0", b"AMQP\x03\x01\0\0", b"GET / HT", b"amqp\0\0\x09\x01"] {
        let mut peer = Raw::connect().await;
        peer.send_octets(header).await;
        assert_eq!(peer.take_octets(9).await, b"AMQP\0\0\x09\x01", "the answer to {header:?}");
    }
}

#[tokio::test]
async fn the_start_names_the_version_the_mechanisms_and_the_locale() {
    let start = Raw::connect().await.until_start().await;
    assert_eq!((start.version_major, start.version_minor), (0, 9));
    let mut mechanisms: Vec<_> = start.mechanisms.as_bytes().split(|octet| *octet == b' ').collect();
    // RabbitMQ names them in the order of a hash table: two nodes may differ.
    mechanisms.sort_unstable();
    assert_eq!(mechanisms, [&b"AMQPLAIN"[..], b"PLAIN"]);
    assert_eq!(start.locales, "en_US");
}

#[tokio::test]
async fn the_server_properties_say_what_the_broker_is_and_every_capability() {
    let start = Raw::connect().await.until_start().await;
    let names = |table: &leveret::FieldTable| table.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
    let expected = ["capabilities", "cluster_name", "copyright", "information", "platform", "product", "version"];
    assert_eq!(names(&start.server_properties), expected);
    for (key, value) in &start.server_properties {
        assert!(matches!(value, FieldValue::LongString(_)) || key == "capabilities", "{key}: {value:?}");
    }
    let capabilities = start.server_properties.get("capabilities").and_then(FieldValue::as_table).expect("a table");
    let expected = [
        "publisher_confirms",
        "exchange_exchange_bindings",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "consumer_priorities",
        "authentication_failure_close",
        "per_consumer_qos",
        "direct_reply_to",
    ];
    assert_eq!(names(capabilities), expected);
    assert!(capabilities.iter().all(|(_, value)| *value == FieldValue::Bool(true)), "{capabilities:?}");
}

#[tokio::test]
async fn the_broker_proposes_2047_channels_frames_of_128_kib_and_a_heartbeat_each_minute() {
    let tune = Raw::connect().await.until_tune().await;
    assert_eq!(tune, connection::Tune::default().channel_max(2047).frame_max(131_072).heartbeat(60));
}

#[tokio::test]
async fn the_clients_locale_is_not_looked_at() {
    let mut peer = started().await;
    let start_ok = peer.start_ok().locale("tlh");
    peer.call_start_ok(start_ok).await;
}

#[tokio::test]
async fn heartbeats_in_the_middle_of_the_handshake_are_passed_over() {
    let mut peer = started().await;
    peer.send_heartbeat().await;
    let start_ok = peer.start_ok();
    peer.call_start_ok(start_ok).await;
    peer.send_heartbeat().await;
    let (tune_ok, open) = (peer.tune_ok(), peer.virtual_host());
    peer.send(0, tune_ok).await;
    peer.send_heartbeat().await;
    assert_eq!(peer.call(0, open).await, connection::OpenOk::default());
    peer.close().await;
}

#[tokio::test]
async fn whatever_else_comes_for_a_start_ok_ends_the_connection_without_a_word() {
    let methods = [
        (0, Method::from(connection::Open::default().virtual_host("/"))),
        (0, Method::from(connection::TuneOk::default())),
        (0, Method::from(connection::SecureOk::default())),
        (0, Method::from(connection::Close::default())),
        (0, Method::from(connection::CloseOk::default())),
        (0, Method::from(queue::Declare::default())),
        (1, Method::from(channel::Open::default())),
    ];
    let mut peers = Vec::new();
    for (channel, method) in methods {
        let mut peer = started().await;
        peer.send(channel, method.clone()).await;
        peers.push(peer);
    }
    expect_silent_ends(peers).await;
}

#[tokio::test]
async fn a_broken_frame_for_a_start_ok_ends_the_connection_without_a_word() {
    let start_ok = connection::StartOk::ID;
    let (mut of_another_type, mut without_end, mut too_large) = (started().await, started().await, started().await);
    of_another_type.send_frame(9, 0, &[]).await;
    without_end.send_octets(&[1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 11, 0]).await;
    too_large.send_octets(&[1, 0, 0, 0, 3, 0, 0]).await;
    let (mut truncated, mut with_a_bad_table) = (started().await, started().await);
    truncated.send_method_frame(0, start_ok, b"\0\0\0\0\x05PLA").await;
    let arguments = b"\0\0\0\x03\x01a?\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US";
    with_a_bad_table.send_method_frame(0, start_ok, arguments).await;
    expect_silent_ends(vec![of_another_type, without_end, too_large, truncated, with_a_bad_table]).await;
}

#[tokio::test]
async fn whatever_else_comes_for_a_tune_ok_ends_the_connection_without_a_word() {
    let mut peers = Vec::new();
    let again = Raw::connect().await.start_ok();
    let methods = [
        (0, Method::from(again)),
        (0, Method::from(connection::Open::default().virtual_host("/"))),
        (0, Method::from(connection::Close::default())),
        (1, Method::from(channel::Open::default())),
    ];
    for (channel, method) in methods {
        let mut peer = tuning().await;
        peer.send(channel, method.clone()).await;
        peers.push(peer);
    }
    let mut truncated = tuning().await;
    truncated.send_method_frame(0, connection::TuneOk::ID, &[7, 0xFF]).await;
    peers.push(truncated);
    expect_silent_ends(peers).await;
}

#[tokio::test]
async fn a_tune_ok_out_of_bounds_ends_the_connection_without_a_word() {
    let mut peers = Vec::new();
    for (channel_max, frame_max) in [(0, 131_072), (2048, 131_072), (2047, 0), (2047, 131_073), (2047, 4095)] {
        let mut peer = tuning().await;
        let tune_ok = peer.tune_ok().channel_max(channel_max).frame_max(frame_max);
        peer.send(0, tune_ok).await;
        let open = peer.virtual_host();
        peer.send(0, open).await;
        peers.push(peer);
    }
    expect_silent_ends(peers).await;
}

#[tokio::test]
async fn a_tune_ok_may_ask_for_less_and_for_any_heartbeat() {
    for (channel_max, frame_max, heartbeat) in [(1, 4096, 0), (2047, 131_072, 61), (2046, 131_071, u16::MAX)] {
        let mut peer = tuning().await;
        let tune_ok = peer.tune_ok().channel_max(channel_max).frame_max(frame_max).heartbeat(heartbeat);
        peer.send(0, tune_ok).await;
        let open = peer.virtual_host();
        peer.call(0, open).await;
        peer.close().await;
    }
}

#[tokio::test]
async fn any_other_method_than_open_is_unexpected_after_tuning() {
    let methods = [
        Method::from(connection::Close::default()),
        Method::from(connection::TuneOk::default().channel_max(2047).frame_max(131_072)),
        Method::from(connection::StartOk::default()),
        Method::from(queue::Declare::default()),
    ];
    for method in methods {
        let mut peer = tuned().await;
        peer.send(0, method.clone()).await;
        let text = "CHANNEL_ERROR - unexpected method in connection state opening";
        peer.expect_connection_close(504, text, method.id()).await;
    }
}

#[tokio::test]
async fn a_channel_is_not_opened_before_the_virtual_host() {
    let mut peer = tuned().await;
    peer.send(1, channel::Open::default()).await;
    let text = "UNEXPECTED_FRAME - type 1, all octets = <<0,20,0,10,0>>";
    peer.expect_connection_close(505, text, Close::NO_METHOD).await;
}

#[tokio::test]
async fn broken_frames_are_named_once_tuning_is_done() {
    let mut peer = tuned().await;
    peer.send_frame(4, 0, &[]).await;
    let text = "FRAME_ERROR - type 4, all octets = <<>>: unknown_frame";
    peer.expect_connection_close(501, text, Close::NO_METHOD).await;

    let mut peer = tuned().await;
    peer.send_octets(&[1, 0, 0, 0, 3, 0, 0]).await;
    let text = "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,196608,131064}";
    assert_eq!(peer.expect_close().await, Close::connection(501, text, Close::NO_METHOD));

    let mut peer = tuned().await;
    peer.send_octets(&[8, 0, 1, 0, 0, 0, 0, 0xCE]).await;
    let text = "UNEXPECTED_FRAME - type 8, all octets = <<>>";
    peer.expect_connection_close(505, text, Close::NO_METHOD).await;
}

#[tokio::test]
async fn a_virtual_host_that_is_not_there_is_named_in_the_refusal() {
    for name in [unique("missing"), String::new()] {
        let mut peer = Raw::connect_to(parameters().virtual_host(&name)).await;
        peer.until_tune().await;
        let (tune_ok, open) = (peer.tune_ok(), peer.virtual_host());
        peer.send(0, tune_ok).await;
        peer.send(0, open).await;
        let text = format!("NOT_ALLOWED - vhost {name} not found");
        peer.expect_connection_close(530, &text, connection::Open::ID).await;
    }
}

#[tokio::test]
async fn the_name_of_a_virtual_host_is_utf_8() {
    let mut peer = tuned().await;
    peer.send_method_frame(0, connection::Open::ID, &[1, 0xFF, 0, 0]).await;
    let text = "FRAME_ERROR - Malformed UTF-8 in shortstr";
    peer.expect_connection_close(501, text, connection::Open::ID).await;
}

#[tokio::test]
async fn the_whole_handshake_may_come_in_one_write_and_octet_by_octet() {
    let at_once = {
        let peer = Raw::connect().await;
        let methods = [
            method_octets(0, &peer.start_ok()),
            method_octets(0, &peer.tune_ok()),
            method_octets(0, &peer.virtual_host()),
            method_octets(1, &channel::Open::default()),
        ];
        [b"AMQP\0\0\x09\x01".to_vec(), methods.concat()].concat()
    };
    let (mut one_write, mut octets) = (Raw::connect().await, Raw::connect().await);
    one_write.send_octets(&at_once).await;
    for octet in &at_once {
        octets.send_octets(&[*octet]).await;
    }
    for mut peer in [one_write, octets] {
        peer.expect::<connection::Start>(0).await;
        peer.expect::<connection::Tune>(0).await;
        peer.expect::<connection::OpenOk>(0).await;
        peer.expect::<channel::OpenOk>(1).await;
        peer.close().await;
    }
}

#[tokio::test]
async fn the_steps_of_the_handshake_are_not_repeated_on_an_open_connection() {
    let again = Raw::connect().await.start_ok();
    let methods = [
        Method::from(again),
        Method::from(connection::SecureOk::default()),
        Method::from(connection::TuneOk::default().channel_max(2047).frame_max(131_072)),
        Method::from(connection::Open::default().virtual_host("/")),
    ];
    for method in methods {
        let mut peer = Raw::open().await;
        peer.send(0, method.clone()).await;
        let text = "CHANNEL_ERROR - unexpected method in connection state running";
        peer.expect_connection_close(504, text, method.id()).await;
    }
}
