//! Closes by the broker, of the connection and of a channel, at every stage and with every code.

use leveret::protocol::{basic, channel, connection, queue};
use leveret::{ErrorKind, ReplyCode};

use super::case::When::{
    BodyBegun, BodyDue, Calling, ChannelClosing, ChannelOpening, Closing, Confirming, Consuming, Getting, HeaderDue,
    Open, OpenOk, Start, Subscribing, Tune,
};
use super::case::{Case, Fate, NO_METHOD, REFUSED, Says, When, sends};
use super::octets::{header, method};
use super::play;

/// The codes of the standard with which a connection is closed, in and out of place, and 200.
const CODES: [ReplyCode; 16] = [
    ReplyCode::REPLY_SUCCESS,
    ReplyCode::CONNECTION_FORCED,
    ReplyCode::INVALID_PATH,
    ReplyCode::ACCESS_REFUSED,
    ReplyCode::NOT_FOUND,
    ReplyCode::RESOURCE_LOCKED,
    ReplyCode::PRECONDITION_FAILED,
    ReplyCode::FRAME_ERROR,
    ReplyCode::SYNTAX_ERROR,
    ReplyCode::COMMAND_INVALID,
    ReplyCode::CHANNEL_ERROR,
    ReplyCode::UNEXPECTED_FRAME,
    ReplyCode::RESOURCE_ERROR,
    ReplyCode::NOT_ALLOWED,
    ReplyCode::NOT_IMPLEMENTED,
    ReplyCode::INTERNAL_ERROR,
];

/// The stages of an open connection at which something waits for the broker.
const WAITING: [When; 10] = [
    ChannelOpening,
    Calling,
    Getting,
    Subscribing,
    Consuming,
    HeaderDue,
    BodyDue,
    BodyBegun,
    Confirming,
    ChannelClosing,
];

pub(super) fn table() -> Vec<Case> {
    [handshake(), every_code(), every_stage(), blaming(), channels(), odd()].into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn a_close_is_agreed_to_and_told_with_its_code_at_every_stage() {
    play(table()).await;
}

fn close(code: ReplyCode) -> connection::Close {
    connection::Close::default().reply_code(code).reply_text("the broker's words")
}

fn channel_close(code: ReplyCode) -> channel::Close {
    channel::Close::default().reply_code(code).reply_text("the broker's words")
}

/// At each step of the handshake with each code. 403 right after the credentials is about them; a
/// shutdown is no refusal.
fn handshake() -> Vec<Case> {
    let row = |(at, code)| {
        let kind = match code {
            ReplyCode::ACCESS_REFUSED if at == Tune => ErrorKind::Authentication,
            ReplyCode::CONNECTION_FORCED => ErrorKind::ConnectionClosed,
            _ => REFUSED,
        };
        sends(at, format!("a close with {code}"), method(0, close(code))).closes(kind, code)
    };
    [Start, Tune, OpenOk].into_iter().flat_map(|at| CODES.map(|code| (at, code))).map(row).collect()
}

/// On an open connection with each code.
fn every_code() -> Vec<Case> {
    let row = |(at, code)| {
        sends(at, format!("a close with {code}"), method(0, close(code))).closes(ErrorKind::ConnectionClosed, code)
    };
    [Open, Calling].into_iter().flat_map(|at| CODES.map(|code| (at, code))).map(row).collect()
}

/// At each stage of an open connection, by an operator and by a fault.
fn every_stage() -> Vec<Case> {
    let row = |(at, name, code)| sends(at, name, method(0, close(code))).closes(ErrorKind::ConnectionClosed, code);
    let causes = |at| {
        [(at, "a shutdown", ReplyCode::CONNECTION_FORCED), (at, "a fault of the broker's", ReplyCode::INTERNAL_ERROR)]
    };
    let mut rows: Vec<Case> = WAITING.into_iter().flat_map(causes).map(row).collect();
    // Both at once: whether the broker has handled what was sent on the channel that is open cannot
    // be told.
    let crossing = sends(Closing, "a close at the same time", method(0, close(ReplyCode::CONNECTION_FORCED)));
    rows.push(crossing.closes(ErrorKind::ConnectionClosed, ReplyCode::CONNECTION_FORCED));
    rows
}

/// A close that names the method that it answers.
fn blaming() -> Vec<Case> {
    let (declare, get, consume, publish, open) = ((50, 10), (60, 70), (60, 20), (60, 40), (20, 10));
    let rows = [
        (Calling, "for the call", ReplyCode::NOT_ALLOWED, declare, Fate::Neither),
        (Calling, "for another method", ReplyCode::NOT_ALLOWED, publish, Fate::Unknown),
        (Calling, "for a method that does not exist", ReplyCode::NOT_ALLOWED, (999, 1), Fate::Unknown),
        (Calling, "for the call, with success", ReplyCode::REPLY_SUCCESS, declare, Fate::Unknown),
        (Getting, "for the get", ReplyCode::NOT_IMPLEMENTED, get, Fate::Neither),
        (Subscribing, "for the consume", ReplyCode::NOT_ALLOWED, consume, Fate::Neither),
        (ChannelOpening, "for the open", ReplyCode::CHANNEL_ERROR, open, Fate::Neither),
        // It does not say of which channel: others may publish, too.
        (Confirming, "for a publish", ReplyCode::NOT_IMPLEMENTED, publish, Fate::Unknown),
    ];
    let row = |(at, why, code, blamed, fate): (When, &str, ReplyCode, (u16, u16), Fate)| {
        let close = close(code).class_id(blamed.0).method_id(blamed.1);
        let row = sends(at, format!("a close {why}"), method(0, close));
        row.closes(ErrorKind::ConnectionClosed, code).blaming(blamed, fate)
    };
    let of_channel = |(at, why, code, blamed, fate): (When, &str, ReplyCode, (u16, u16), Fate)| {
        let close = channel_close(code).class_id(blamed.0).method_id(blamed.1);
        // Here it can be no other.
        let fate = if at == Confirming { Fate::Neither } else { fate };
        sends(at, format!("a close of the channel {why}"), method(1, close)).closes_channel(code).blaming(blamed, fate)
    };
    rows.map(row).into_iter().chain(rows.map(of_channel)).collect()
}

/// A close of the channel leaves the connection as it is, whatever its code: the method says what
/// is closed.
fn channels() -> Vec<Case> {
    let row = |(at, code): (When, ReplyCode)| {
        sends(at, format!("a close of the channel with {code}"), method(1, channel_close(code))).closes_channel(code)
    };
    let soft = [
        ReplyCode::CONTENT_TOO_LARGE,
        ReplyCode::NO_CONSUMERS,
        ReplyCode::ACCESS_REFUSED,
        ReplyCode::NOT_FOUND,
        ReplyCode::RESOURCE_LOCKED,
        ReplyCode::PRECONDITION_FAILED,
    ];
    let hard = [ReplyCode::CONNECTION_FORCED, ReplyCode::CHANNEL_ERROR, ReplyCode::INTERNAL_ERROR];
    let success = [ReplyCode::REPLY_SUCCESS];
    let codes = soft.into_iter().chain(hard).chain(success).map(|code| (Calling, code));
    let stages = WAITING.into_iter().filter(|at| !matches!(at, Calling | ChannelClosing));
    let mut rows: Vec<Case> = codes.chain(stages.map(|at| (at, ReplyCode::PRECONDITION_FAILED))).map(row).collect();
    let idle = sends(Open, "a close of the channel", method(1, channel_close(ReplyCode::PRECONDITION_FAILED)));
    rows.push(idle.draws([(1, "channel.close-ok")]));
    rows
}

/// Closes with more or less to them than there should be.
fn odd() -> Vec<Case> {
    let forced = || method(0, close(ReplyCode::CONNECTION_FORCED));
    let lost = |at, name, octets: Vec<u8>| {
        sends(at, name, octets).closes(ErrorKind::ConnectionClosed, ReplyCode::CONNECTION_FORCED)
    };
    let reply = method(1, queue::DeclareOk::default());
    let not_found = || method(1, channel_close(ReplyCode::NOT_FOUND));
    let with = |code: u16| method(0, close(ReplyCode::new(code)));
    vec![
        sends(Calling, "a close with code 0", with(0)).closes(ErrorKind::ConnectionClosed, ReplyCode::new(0)),
        sends(Calling, "a close with code 65535", with(u16::MAX))
            .closes(ErrorKind::ConnectionClosed, ReplyCode::new(u16::MAX)),
        sends(OpenOk, "a close with code 999", with(999)).closes(REFUSED, ReplyCode::new(999)),
        sends(Calling, "a close without words", method(0, close(ReplyCode::NOT_ALLOWED).reply_text("")))
            .closes(ErrorKind::ConnectionClosed, ReplyCode::NOT_ALLOWED),
        sends(Calling, "a close with 255 octets of words", {
            method(0, close(ReplyCode::NOT_ALLOWED).reply_text("x".repeat(255)))
        })
        .closes(ErrorKind::ConnectionClosed, ReplyCode::NOT_ALLOWED),
        lost(Calling, "a close twice", forced().repeat(2)),
        lost(Calling, "the reply behind a close", [forced(), reply.clone()].concat()),
        lost(Consuming, "garbage behind a close", [forced(), b"garbage".to_vec()].concat()),
        lost(HeaderDue, "the content behind a close", [forced(), header(1, 10)].concat()),
        sends(Calling, "the reply before a close", [reply, forced()].concat()).completes(Says::CloseOk),
        sends(Confirming, "the ack before a close", {
            [method(1, basic::Ack::default().delivery_tag(1)), forced()].concat()
        })
        .completes(Says::CloseOk),
        sends(
            Calling,
            "a close of the channel, and of the connection",
            [not_found(), method(0, close(ReplyCode::NOT_ALLOWED))].concat(),
        )
        .closes_channel(ReplyCode::NOT_FOUND)
        .and_then(Says::CloseOk)
        .saying([]),
        sends(Calling, "a close of the channel twice", not_found().repeat(2))
            .closes_channel(ReplyCode::NOT_FOUND)
            .and_then(Says::Close(ReplyCode::CHANNEL_ERROR, NO_METHOD)),
    ]
}
