//! Octets on an open connection that are no frame, or a frame of nothing.
//!
//! The standard wants a peer that meets an unknown type or a wrong end octet to say nothing more
//! (AMQP 0-9-1 §4.2.3). RabbitMQ answers with 501 all the same, and so does the client: only that
//! tells the broker's operator what was wrong.

use leveret::ReplyCode;
use leveret::protocol::{Method, MethodId};

use super::case::When::{BodyBegun, BodyDue, Calling, Confirming, Consuming, Getting, HeaderDue, Open};
use super::case::{Case, NO_METHOD, When, sends};
use super::octets::{BODY, HEADER, HEARTBEAT, MAX_PAYLOAD, METHOD, SIGN_OF_LIFE, ended, frame, head, raw_method};
use super::play;

pub(super) fn table() -> Vec<Case> {
    [out_of_step(), at_every_stage(), empty(), unknown(), borne()].into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn octets_that_are_no_frame_are_answered_with_the_code_of_what_is_wrong() {
    play(table()).await;
}

/// Where the next frame begins cannot be told: the client does not wait for an answer.
fn out_of_step() -> Vec<Case> {
    let rows = [
        ("type 0", frame(0, 0, &[])),
        ("type 4, the heartbeat of the standard's text", frame(4, 0, &[])),
        ("type 5", frame(5, 1, &[])),
        ("type 7", frame(7, 0, &[])),
        ("type 9", frame(9, 0, &[])),
        ("type 255", frame(255, 0, &[])),
        ("a protocol header", b"AMQP\x00\x00\x09\x01".to_vec()),
        ("a protocol header of another version", b"AMQP\x00\x01\x00\x00".to_vec()),
        ("text", b"oops\r\n".to_vec()),
        ("a method of a declared 4 GiB", head(METHOD, 1, u32::MAX)),
        ("a body of a declared 4 GiB", head(BODY, 1, u32::MAX)),
        ("a method one octet over the limit", head(METHOD, 1, MAX_PAYLOAD + 1)),
        // A header of any size passes by: brokers do not hold it to frame_max.
        ("a body one octet over the limit", head(BODY, 1, MAX_PAYLOAD + 1)),
        ("a method without its end", ended(METHOD, 1, &[0, 50, 0, 11], 0)),
        ("a header without its end", ended(HEADER, 1, &[0; 14], 0xCD)),
        ("a body without its end", ended(BODY, 1, b"body", 0xCF)),
        ("a heartbeat without its end", ended(HEARTBEAT, 0, &[], 0xFF)),
        ("a frame that is longer than it declares", [&head(BODY, 1, 3)[..], b"body", &[0xCE]].concat()),
        ("a heartbeat on a channel", frame(HEARTBEAT, 1, &[])),
        ("a heartbeat with a payload", frame(HEARTBEAT, 0, b"x")),
        ("a heartbeat of a declared 4 GiB", head(HEARTBEAT, 0, u32::MAX)),
    ];
    let breaks =
        |(name, octets): (&str, Vec<u8>)| sends(Calling, name, octets).breaks(ReplyCode::FRAME_ERROR, NO_METHOD);
    rows.into_iter().map(breaks).collect()
}

/// A frame of no known type, whatever the client is about.
fn at_every_stage() -> Vec<Case> {
    let stages = [
        Open,
        When::ChannelOpening,
        Getting,
        When::Subscribing,
        Consuming,
        HeaderDue,
        BodyDue,
        BodyBegun,
        Confirming,
        When::ChannelClosing,
    ];
    let breaks = |at| sends(at, "a frame of no known type", frame(9, 1, &[]));
    let mut rows: Vec<Case> = stages.map(|at| breaks(at).breaks(ReplyCode::FRAME_ERROR, NO_METHOD)).into();
    // The client has said that it goes, and says no more.
    rows.push(breaks(When::Closing).breaks_off());
    rows
}

/// Frames without room for what every frame of their type has.
fn empty() -> Vec<Case> {
    let rows = [
        ("a method frame of no octets", frame(METHOD, 1, &[])),
        ("a method frame of one octet", frame(METHOD, 1, &[0])),
        ("a method frame without a method", frame(METHOD, 1, &[0, 60])),
        ("a method frame of three octets", frame(METHOD, 1, &[0, 60, 0])),
        ("a method frame of no octets on channel 0", frame(METHOD, 0, &[])),
    ];
    let breaks =
        |(name, octets): (&str, Vec<u8>)| sends(Calling, name, octets).breaks(ReplyCode::SYNTAX_ERROR, NO_METHOD);
    rows.into_iter().map(breaks).collect()
}

/// Methods that the client has never heard of.
fn unknown() -> Vec<Case> {
    let rows = [
        ("class 0", 1, (0, 10)),
        ("an unknown class", 1, (999, 1)),
        ("an unknown method of a queue's", 1, (50, 99)),
        ("an unknown method of basic", 1, (60, 130)),
        ("an unknown method of a connection's", 0, (10, 72)),
        ("the access class, which was taken out", 1, (30, 11)),
    ];
    let breaks = |(name, channel, ids): (&str, u16, (u16, u16))| {
        assert!(Method::decode(MethodId::new(ids.0, ids.1), &mut leveret::wire::Reader::new(&[])).is_err());
        sends(Calling, name, raw_method(channel, ids, &[])).breaks(ReplyCode::NOT_IMPLEMENTED, ids)
    };
    rows.into_iter().map(breaks).collect()
}

/// Heartbeats may come at any time.
fn borne() -> Vec<Case> {
    [Open, Calling, HeaderDue, BodyDue, BodyBegun, When::ChannelClosing, When::Closing]
        .map(|at| sends(at, "heartbeats that were not agreed on", SIGN_OF_LIFE.repeat(3)).passes())
        .into()
}
