//! Content that is not what its method or its header announced.

use leveret::protocol::{basic, channel, queue};
use leveret::{ErrorKind, ReplyCode};

use super::case::When::{BodyBegun, BodyDue, Calling, Confirming, Consuming, Getting, HeaderDue, Open};
use super::case::{Case, NO_METHOD, When, sends};
use super::octets::{BODY, HEADER, MAX_PAYLOAD, body, frame, header, method, nested, raw_header, raw_method, table_of};
use super::play;
use super::script::{BODY as CONTENT, deliver};

pub(super) fn table() -> Vec<Case> {
    [misplaced(), interrupted(), wrong_header(), wrong_body(), wrong_properties(), borne()]
        .into_iter()
        .flatten()
        .collect()
}

#[tokio::test(start_paused = true)]
async fn content_that_is_not_as_announced_is_answered_with_the_code_of_what_is_wrong() {
    play(table()).await;
}

fn broken(rows: Vec<(When, &str, Vec<u8>)>, code: ReplyCode) -> Vec<Case> {
    rows.into_iter().map(|(at, name, octets)| sends(at, name, octets).breaks(code, NO_METHOD)).collect()
}

/// Content frames where none is due, on channels that take none.
fn misplaced() -> Vec<Case> {
    let unexpected = vec![
        (Open, "a header without a method", header(1, 0)),
        (Open, "a body without a method", body(1, b"x")),
        (Open, "a large body without a method", body(1, &[1; 5000])),
        (Calling, "a header instead of a reply", header(1, 10)),
        (Calling, "a body instead of a reply", body(1, b"x")),
        (Consuming, "a header without a delivery", header(1, 10)),
        (When::ChannelOpening, "a header instead of open-ok", header(1, 10)),
        (When::ChannelOpening, "a body instead of open-ok", body(1, b"x")),
        (Confirming, "a body instead of a confirm", body(1, b"x")),
        (HeaderDue, "a body without a header", body(1, CONTENT)),
        (HeaderDue, "an empty body without a header", body(1, &[])),
        (BodyDue, "a second header", header(1, 10)),
        (BodyBegun, "a second header within the body", header(1, 6)),
        (Getting, "a body right behind get-ok", [method(1, got()), body(1, CONTENT)].concat()),
    ];
    let not_open = vec![
        (HeaderDue, "the header on another channel", header(2, 10)),
        (BodyDue, "the body on another channel", body(2, CONTENT)),
        (BodyDue, "the body on the last channel", body(u16::MAX, CONTENT)),
        (HeaderDue, "the header on channel 0", header(0, 10)),
        (BodyDue, "the body on channel 0", body(0, CONTENT)),
        (Open, "a large body on channel 0", body(0, &[1; 5000])),
        (Consuming, "a delivery on channel 0", method(0, deliver(1))),
    ];
    let mut cases = broken(unexpected, ReplyCode::UNEXPECTED_FRAME);
    cases.extend(broken(not_open, ReplyCode::CHANNEL_ERROR));
    cases
}

/// Methods in the middle of content, other than the close of its channel.
fn interrupted() -> Vec<Case> {
    let rows = vec![
        (HeaderDue, "another delivery", method(1, deliver(2))),
        (HeaderDue, "a reply", method(1, queue::DeclareOk::default())),
        (HeaderDue, "an ack", method(1, basic::Ack::default().delivery_tag(1))),
        (HeaderDue, "the end of the consumer", method(1, basic::Cancel::default().consumer_tag("c"))),
        (BodyDue, "another delivery", method(1, deliver(2))),
        (BodyDue, "channel.flow", method(1, channel::Flow::default())),
        (BodyDue, "a method that does not exist", raw_method(1, (60, 999), &[])),
        (BodyBegun, "another delivery", method(1, deliver(2))),
        (BodyBegun, "a message that comes back", method(1, basic::Return::default())),
        (BodyBegun, "close-ok that agrees to nothing", method(1, channel::CloseOk::default())),
        (Getting, "get-empty right behind get-ok", [method(1, got()), method(1, empty())].concat()),
    ];
    broken(rows, ReplyCode::UNEXPECTED_FRAME)
}

/// Headers that cannot be read, or belong to something else.
fn wrong_header() -> Vec<Case> {
    let syntax = vec![
        (HeaderDue, "a header of no octets", frame(HEADER, 1, &[])),
        (HeaderDue, "a header of eleven octets", frame(HEADER, 1, &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        (HeaderDue, "a header with a weight", raw_header(1, 60, 1, 10, &[0, 0])),
        (HeaderDue, "a header with the highest weight", raw_header(1, 60, u16::MAX, 10, &[0, 0])),
    ];
    let class = vec![
        (HeaderDue, "a header of another class", raw_header(1, 50, 0, 10, &[0, 0])),
        (HeaderDue, "a header of class 0", raw_header(1, 0, 0, 10, &[0, 0])),
        (HeaderDue, "a header of a class that does not exist", raw_header(1, 999, 0, 10, &[0, 0])),
        (Getting, "a header of another class behind get-ok", {
            [method(1, got()), raw_header(1, 90, 0, 10, &[0, 0])].concat()
        }),
    ];
    let mut cases = broken(syntax, ReplyCode::SYNTAX_ERROR);
    // §4.2.6.1 has a code of its own for the class.
    cases.extend(broken(class, ReplyCode::FRAME_ERROR));
    cases
}

/// Bodies of another length than was declared. Content that is badly formatted is 505 (§4.2.6).
fn wrong_body() -> Vec<Case> {
    let large = usize::try_from(MAX_PAYLOAD).unwrap();
    let rows = vec![
        (BodyDue, "a body one octet too long", body(1, b"0123456789!")),
        (BodyDue, "a body far too long", body(1, &vec![1; large])),
        (BodyBegun, "the rest of a body one octet too long", body(1, b"4567890")),
        (HeaderDue, "a large body one octet too long", [header(1, 4999), body(1, &[1; 5000])].concat()),
        (HeaderDue, "a large body too long in its second frame", {
            [header(1, 9999), body(1, &[1; 5000]), body(1, &[1; 5000])].concat()
        }),
        (Getting, "a body too long behind get-ok", [method(1, got()), header(1, 1), body(1, b"12")].concat()),
    ];
    broken(rows, ReplyCode::UNEXPECTED_FRAME)
}

/// Properties that cannot be read spoil their message and nothing else.
fn wrong_properties() -> Vec<Case> {
    let rows: [(&str, Vec<u8>); 13] = [
        ("no property flags", vec![]),
        ("half of the property flags", vec![0x80]),
        ("a property that is not there", vec![0x80, 0]),
        ("a property cut short", [&[0x80, 0, 10][..], b"text/"].concat()),
        ("a flag that stands for no property", vec![0, 2]),
        ("a continuation of flags that is not there", vec![0, 1]),
        ("a continuation with flags for no property", vec![0, 1, 0x80, 0]),
        ("octets behind the last property", vec![0x10, 0, 2, 0]),
        ("headers of an unknown type", [vec![0x20, 0], table_of(b"z\0")].concat()),
        ("headers longer than the frame", vec![0x20, 0, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("headers that end within a value", [vec![0x20, 0], table_of(b"S\0\0\0\x09x")].concat()),
        ("headers nested too deep", [vec![0x20, 0], nested(64)].concat()),
        ("a timestamp cut short", vec![0, 0x40, 0, 0, 0, 0]),
    ];
    let spoils = |(name, properties): (&str, Vec<u8>)| {
        let octets = [raw_header(1, 60, 0, 10, &properties), body(1, CONTENT)].concat();
        sends(HeaderDue, name, octets).spoils(ErrorKind::Decode)
    };
    let mut cases: Vec<Case> = rows.into_iter().map(spoils).collect();
    let got = [method(1, got()), raw_header(1, 60, 0, 10, &[0x80, 0]), body(1, CONTENT)].concat();
    cases.push(sends(Getting, "a property that is not there", got).spoils(ErrorKind::Decode));
    cases
}

/// Unusual, and right.
fn borne() -> Vec<Case> {
    let byte_by_byte: Vec<u8> = CONTENT.iter().flat_map(|octet| body(1, &[*octet])).collect();
    let large = raw_header(1, 60, 0, 10, &[vec![0x80, 0, 255], vec![b't'; 255]].concat());
    let headers = [vec![0x20, 0], nested(63)].concat();
    let continued = raw_header(1, 60, 0, 10, &[0, 1, 0, 1, 0, 0]);
    vec![
        sends(BodyDue, "empty pieces of a body", [body(1, &[]), body(1, &[])].concat()).passes(),
        sends(BodyDue, "a body octet by octet", byte_by_byte).passes().and_no_more(),
        sends(HeaderDue, "a property of 255 octets", [large, body(1, CONTENT)].concat()).passes().and_no_more(),
        sends(HeaderDue, "headers nested as deep as may be", {
            [raw_header(1, 60, 0, 10, &headers), body(1, CONTENT)].concat()
        })
        .passes()
        .and_no_more(),
        sends(HeaderDue, "continued flags without flags", [continued, body(1, CONTENT)].concat())
            .passes()
            .and_no_more(),
        sends(Confirming, "a message back that nobody published", {
            let back = basic::Return::default().reply_code(ReplyCode::NO_ROUTE).routing_key("other");
            [method(1, back), header(1, 1), frame(BODY, 1, b"x")].concat()
        })
        .passes(),
    ]
}

fn got() -> basic::GetOk {
    basic::GetOk::default().delivery_tag(1).routing_key("q")
}

fn empty() -> basic::GetEmpty {
    basic::GetEmpty::default()
}
