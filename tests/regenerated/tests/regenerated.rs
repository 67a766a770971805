//! Bindings of other specifications: a method that is added to the XML can be called without a
//! handwritten line, and what is generated of any specification compiles and works by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

extern crate leveret_regenerated as leveret;

// Generated modules name these by their place in a crate.
use leveret::{protocol, wire};

use leveret::protocol::{ContentProperties, MethodId, ProtocolMethod, Request, SentBy};
use leveret::wire::{DecodeErrorKind, FieldTable, Reader, Timestamp, Writer};
use leveret::{Channel, Connection, ConnectionParameters};
use leveret_test_support::frames::METHOD;
use leveret_test_support::{Peer, endings};

/// What build.rs made of specifications by themselves.
#[allow(dead_code, unused_imports, unreachable_pub, clippy::enum_variant_names, reason = "most of it is only compiled")]
mod alone {
    include!(concat!(env!("OUT_DIR"), "/alone.rs"));
}

use alone::{invented, standard};

/// A client that is connected to a scripted broker, with channel 1 open.
async fn connect() -> (Connection, Channel, Peer) {
    let (transport, mut peer) = Peer::new(4096);
    let parameters = ConnectionParameters::default().heartbeat(0).default_prefetch(0);
    let (connection, ()) = tokio::join!(Connection::open_on(transport, parameters), peer.shake_hands());
    let connection = connection.unwrap();
    endings::watch(connection.leftovers());
    let (channel, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
    (connection, channel.unwrap(), peer)
}

/// The peer has received this method on channel 1. Its bindings know no such method: it is read as
/// octets.
async fn expect<M: ProtocolMethod>(peer: &mut Peer, method: &M) {
    let frame = peer.receive_frame().await.unwrap();
    let (class, id) = (M::ID.class.to_be_bytes(), M::ID.method.to_be_bytes());
    assert_eq!((frame.kind, frame.channel), (METHOD, 1));
    assert_eq!(frame.payload, [&class[..], &id, &encoded(method)].concat());
}

fn encoded<M: ProtocolMethod>(method: &M) -> Vec<u8> {
    let mut octets = Vec::new();
    method.encode(&mut Writer::new(&mut octets)).unwrap();
    octets
}

#[test]
fn a_method_added_by_an_overlay_is_in_the_dispatch() {
    let id = MethodId::new(50, 60);
    assert_eq!(protocol::method_name(id), Some("queue.move"));
    let method = protocol::queue::Move::default().source("a").destination("b").limit(7).if_empty(true);
    let octets = encoded(&method);
    assert_eq!(octets, b"\x01a\x01b\0\0\0\x07\x01");
    assert_eq!(protocol::Method::decode(id, &mut Reader::new(&octets)).unwrap(), method.into());
    assert_eq!(protocol::queue::Move::REPLIES, [MethodId::new(50, 61)]);
}

#[tokio::test(start_paused = true)]
async fn a_method_added_by_an_overlay_is_called_without_a_handwritten_line() {
    let (_connection, channel, mut peer) = connect().await;
    let script = async {
        expect(&mut peer, &protocol::queue::Move::default().source("a").destination("b").limit(7)).await;
        peer.send_frame(METHOD, 1, b"\0\x32\0\x3d\0\0\0\x03").await;
    };
    let (moved, ()) = tokio::join!(channel.queue_move("a", "b").limit(7).into_future(), script);
    assert_eq!(moved.unwrap().message_count, 3);
}

#[tokio::test(start_paused = true)]
async fn a_method_that_nothing_answers_is_sent_without_a_handwritten_line() {
    let (_connection, channel, mut peer) = connect().await;
    channel.queue_touch("a").await.unwrap();
    expect(&mut peer, &protocol::queue::Touch::default().queue("a")).await;
}

#[test]
fn the_standard_alone_has_no_extension() {
    assert_eq!(standard::method_name(MethodId::new(50, 10)), Some("queue.declare"));
    let nack = standard::Method::decode(MethodId::new(60, 120), &mut Reader::new(&[]));
    assert_eq!(nack.unwrap_err().kind(), DecodeErrorKind::UnknownMethod { class: 60, method: 120 });
}

#[test]
fn nine_bits_take_two_octets_and_reserved_fields_are_zero() {
    let brew = invented::teapot::Brew::default().match_("x").b1(true).b9(true).amount(2);
    let octets = encoded(&brew);
    assert_eq!(octets, b"\0\0\0\0\x01x\x01\x01\0\0\0\0\0\0\0\0\0\0\0\x02");
    assert_eq!(invented::teapot::Brew::decode(&mut Reader::new(&octets)).unwrap(), brew);
    assert_eq!(invented::teapot::Brew::SENT_BY, SentBy::Client);
}

#[test]
fn two_answers_make_an_enum() {
    let refused = invented::Method::from(invented::teapot::BrewRefused::default().reason("empty"));
    let reply = invented::teapot::BrewReply::try_from(refused).unwrap();
    assert!(matches!(reply, invented::teapot::BrewReply::Refused(refused) if refused.reason.as_bytes() == b"empty"));
}

#[test]
fn the_sixteenth_property_goes_into_a_second_flag_word() {
    let properties =
        invented::teapot::Properties::default().kind("green").p16(FieldTable::new()).p17(Timestamp::from_secs(1));
    let mut octets = Vec::new();
    properties.encode(&mut Writer::new(&mut octets)).unwrap();
    assert_eq!(octets[..4], [0x80, 0x01, 0xC0, 0x00]);
    let mut reader = Reader::new(&octets);
    assert_eq!(invented::teapot::Properties::decode(&mut reader).unwrap(), properties);
    reader.finish().unwrap();
}

#[test]
fn a_reply_code_of_its_own_knows_its_scope() {
    let code = invented::ReplyCode::OUT_OF_TEA;
    assert_eq!((code.code(), code.is_soft_error(), code.name()), (418, true, Some("OUT_OF_TEA")));
}
