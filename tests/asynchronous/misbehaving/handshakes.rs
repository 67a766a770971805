//! Before the connection is open: other protocols, offers that cannot be taken, methods and frames
//! out of turn.
//!
//! A client that sees an error before open-ok closes the transport without another word (AMQP 0-9-1
//! §2.2.4), so each of these ends in silence.

use leveret::protocol::{basic, channel, connection, queue};
use leveret::{ErrorKind, ReplyCode};
use leveret_test_support::{start, tune};

use super::case::When::{OpenOk, Start, Tune};
use super::case::{Case, Says, sends};
use super::octets::{
    BODY, HEADER, HEARTBEAT, MAX_PAYLOAD, METHOD, SIGN_OF_LIFE, ended, frame, head, method, nested, raw_method, sized,
    table_of,
};
use super::play;

const PROTOCOL: ErrorKind = ErrorKind::Protocol;

/// What the client says in a handshake that is complete.
const ANSWERS: [(u16, &str); 3] = [(0, "connection.start-ok"), (0, "connection.tune-ok"), (0, "connection.open")];

pub(super) fn table() -> Vec<Case> {
    [strangers(), offers(), out_of_turn(), malformed(), limits(), hasty()].into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_misbehaves_in_the_handshake_is_left_without_a_word() {
    play(table()).await;
}

/// Whoever is there, it is no AMQP 0-9-1 server.
fn strangers() -> Vec<Case> {
    let answers: [(&str, &[u8]); 9] = [
        ("the protocol header of AMQP 0-9", b"AMQP\x01\x01\x00\x09"),
        ("the protocol header of AMQP 0-9-0", b"AMQP\x00\x00\x09\x00"),
        ("the protocol header of AMQP 1.0", b"AMQP\x00\x01\x00\x00"),
        ("the protocol header of AMQP 1.0 with SASL", b"AMQP\x03\x01\x00\x00"),
        ("the client's own protocol header", b"AMQP\x00\x00\x09\x01"),
        ("an answer in HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("an alert of TLS", b"\x15\x03\x01\x00\x02\x02\x28"),
        ("a greeting of SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("zeros", &[0; 64]),
    ];
    let strangers = answers.map(|(name, octets)| sends(Start, name, octets).ends_handshake(PROTOCOL));
    let later = [
        sends(Tune, "a protocol header after start", b"AMQP\x00\x00\x09\x01").ends_handshake(PROTOCOL),
        sends(OpenOk, "a protocol header after tune", b"AMQP\x00\x00\x09\x01").ends_handshake(PROTOCOL),
    ];
    strangers.into_iter().chain(later).collect()
}

/// What the broker offers, and cannot mean or the client cannot take.
fn offers() -> Vec<Case> {
    let version = |major, minor| method(0, start("PLAIN").version_major(major).version_minor(minor));
    let refused = ErrorKind::Authentication;
    vec![
        sends(Start, "start of version 0-8", version(0, 8)).ends_handshake(PROTOCOL),
        sends(Start, "start of version 0-10", version(0, 10)).ends_handshake(PROTOCOL),
        sends(Start, "start of version 8-0", version(8, 0)).ends_handshake(PROTOCOL),
        sends(Start, "no mechanisms", method(0, start(""))).ends_handshake(refused),
        sends(Start, "other mechanisms alone", method(0, start("AMQPLAIN EXTERNAL"))).ends_handshake(refused),
        sends(Start, "a mechanism in lower case", method(0, start("plain"))).ends_handshake(refused),
        sends(Start, "a mechanism that begins alike", method(0, start("PLAINER XPLAIN"))).ends_handshake(refused),
        sends(Tune, "a challenge", method(0, connection::Secure::default().challenge("?"))).ends_handshake(refused),
        sends(Tune, "an empty challenge", method(0, connection::Secure::default())).ends_handshake(refused),
    ]
}

/// Right methods at wrong times, on wrong channels, from the wrong side.
fn out_of_turn() -> Vec<Case> {
    let secure = || method(0, connection::Secure::default());
    let open_ok = || method(0, connection::OpenOk::default());
    let close_ok = || method(0, connection::CloseOk::default());
    let blocked = || method(0, connection::Blocked::default());
    let rows = [
        (Start, "secure before start", secure()),
        (Start, "tune before start", method(0, tune())),
        (Start, "open-ok before start", open_ok()),
        (Start, "close-ok that agrees to nothing", close_ok()),
        (Start, "blocked", blocked()),
        (Start, "start on channel 1", method(1, start("PLAIN"))),
        (Start, "a method of the client's", method(0, connection::StartOk::default())),
        (Start, "a method of a channel's", method(1, channel::OpenOk::default())),
        (Tune, "start again", method(0, start("PLAIN"))),
        (Tune, "open-ok before tune", open_ok()),
        (Tune, "close-ok that agrees to nothing", close_ok()),
        (Tune, "blocked", blocked()),
        (Tune, "update-secret-ok that nobody asked for", method(0, connection::UpdateSecretOk::default())),
        (Tune, "tune on channel 1", method(1, tune())),
        (Tune, "a method of the client's", method(0, connection::TuneOk::default())),
        (Tune, "a method of another class on channel 0", method(0, queue::DeclareOk::default())),
        (OpenOk, "start again", method(0, start("PLAIN"))),
        (OpenOk, "secure after tune", secure()),
        (OpenOk, "tune again", method(0, tune())),
        (OpenOk, "close-ok that agrees to nothing", close_ok()),
        (OpenOk, "blocked", blocked()),
        (OpenOk, "open-ok on channel 1", method(1, connection::OpenOk::default())),
        (OpenOk, "open-ok of a channel", method(1, channel::OpenOk::default())),
        (OpenOk, "open-ok of a channel on channel 0", method(0, channel::OpenOk::default())),
        (OpenOk, "a delivery", method(1, basic::Deliver::default().consumer_tag("c"))),
        (OpenOk, "a method of the client's", method(0, connection::Open::default())),
        (OpenOk, "a close on channel 1", method(1, connection::Close::default())),
    ];
    rows.into_iter().map(|(at, name, octets)| sends(at, name, octets).ends_handshake(PROTOCOL)).collect()
}

/// Start with these octets for the server's properties.
fn start_with(properties: &[u8]) -> Vec<u8> {
    raw_method(0, (10, 10), &[&[0, 9], properties, &sized(b"PLAIN"), &sized(b"en_US")].concat())
}

/// Octets that are no frame, or no method of theirs.
fn malformed() -> Vec<Case> {
    let whole = method(0, start("PLAIN"));
    let arguments = &whole[11..whole.len() - 1];
    let rows = [
        (Start, "a frame of no known type", frame(4, 0, &[])),
        (Start, "a frame of a declared 4 GiB", head(METHOD, 0, u32::MAX)),
        (Start, "a frame one octet over the limit", head(METHOD, 0, MAX_PAYLOAD + 1)),
        (Start, "a frame without its end", ended(HEARTBEAT, 0, &[], 0)),
        (Start, "start without its end", ended(METHOD, 0, &[&[0, 10, 0, 10], arguments].concat(), 0xCD)),
        (Start, "a heartbeat on a channel", frame(HEARTBEAT, 1, &[])),
        (Start, "a heartbeat with a payload", frame(HEARTBEAT, 0, b"x")),
        (Start, "a header frame", frame(HEADER, 0, &[0; 14])),
        (Start, "a body frame", frame(BODY, 0, b"body")),
        (Start, "a method frame without ids", frame(METHOD, 0, &[0, 10, 0])),
        (Start, "an empty method frame", frame(METHOD, 0, &[])),
        (Start, "a method that does not exist", raw_method(0, (10, 99), &[])),
        (Start, "a class that does not exist", raw_method(0, (999, 10), &[])),
        (Start, "start without arguments", raw_method(0, (10, 10), &[])),
        (Start, "start cut short", raw_method(0, (10, 10), &arguments[..arguments.len() - 1])),
        (Start, "start with an octet too many", raw_method(0, (10, 10), &[arguments, &[0]].concat())),
        (Start, "properties of an unknown type", start_with(&table_of(b"z\0"))),
        (Start, "properties longer than the frame", start_with(&[0xFF; 4])),
        (Start, "properties that end within a value", start_with(&table_of(b"I\0\0"))),
        (Start, "properties that end within a name", start_with(&sized(b"\x05name"))),
        (Start, "a table in a table that is longer than it", start_with(&table_of(b"F\0\0\0\x09"))),
        (Start, "tables nested too deep", start_with(&nested(64))),
        (Start, "tables nested far too deep", start_with(&nested(1000))),
        (Tune, "a frame of no known type", frame(0, 0, &[])),
        (Tune, "tune cut short", raw_method(0, (10, 30), &[0; 7])),
        (Tune, "tune with an octet too many", raw_method(0, (10, 30), &[0; 9])),
        (Tune, "a challenge longer than its frame", raw_method(0, (10, 20), &[0, 0, 1, 0, b'?'])),
        (OpenOk, "a frame of no known type", frame(255, 0, &[])),
        (OpenOk, "open-ok without its reserved string", raw_method(0, (10, 41), &[])),
        (OpenOk, "open-ok whose string is longer than its frame", raw_method(0, (10, 41), &[5, b'/'])),
        (OpenOk, "open-ok with an octet too many", raw_method(0, (10, 41), &[0, 0])),
        (OpenOk, "a redirection, which is no method any more", raw_method(0, (10, 42), &[0])),
        (OpenOk, "a close cut short", raw_method(0, (10, 50), &[2, 18, 9])),
    ];
    rows.into_iter().map(|(at, name, octets)| sends(at, name, octets).ends_handshake(PROTOCOL)).collect()
}

/// Odd, and still good enough to go on with.
fn limits() -> Vec<Case> {
    let opens = |tune: connection::Tune| [method(0, tune), method(0, connection::OpenOk::default())].concat();
    let agreed = [(0, "connection.tune-ok"), (0, "connection.open")];
    vec![
        sends(Start, "heartbeats before start", SIGN_OF_LIFE.repeat(3)).passes(),
        sends(Tune, "heartbeats before tune", SIGN_OF_LIFE.repeat(3)).passes(),
        sends(OpenOk, "heartbeats before open-ok", SIGN_OF_LIFE.repeat(3)).passes(),
        sends(Tune, "no limits at all", opens(connection::Tune::default())).draws(agreed).and_no_more(),
        sends(Tune, "frames under the standard's minimum", opens(tune().frame_max(1))).draws(agreed).and_no_more(),
        sends(Tune, "the highest limits", opens(tune().channel_max(u16::MAX).frame_max(u32::MAX).heartbeat(u16::MAX)))
            .draws(agreed)
            .and_no_more(),
    ]
}

/// Everything at once, and what comes right behind it.
fn hasty() -> Vec<Case> {
    let shake = |start: Vec<u8>, behind: Vec<u8>| {
        [start, method(0, tune()), method(0, connection::OpenOk::default()), behind].concat()
    };
    let plain = || method(0, start("PLAIN"));
    let behind = |behind: Vec<u8>| [method(0, connection::OpenOk::default()), behind].concat();
    let close = connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED);
    let invalid = Says::Close(ReplyCode::COMMAND_INVALID, (10, 41));
    vec![
        sends(Start, "every step before it is asked for", shake(plain(), vec![])).draws(ANSWERS).and_no_more(),
        sends(Start, "no locale of the client's", shake(method(0, start("PLAIN").locales("fr_FR")), vec![]))
            .draws(ANSWERS)
            .and_no_more(),
        sends(Start, "tables nested as deep as may be", shake(start_with(&nested(63)), vec![]))
            .draws(ANSWERS)
            .and_no_more(),
        sends(OpenOk, "open-ok twice", behind(method(0, connection::OpenOk::default()))).completes(invalid),
        sends(OpenOk, "garbage behind open-ok", behind(b"garbage".to_vec()))
            .completes(Says::Close(ReplyCode::FRAME_ERROR, (0, 0))),
        sends(OpenOk, "a close behind open-ok", behind(method(0, close))).completes(Says::CloseOk),
        sends(OpenOk, "blocked behind open-ok", behind(method(0, connection::Blocked::default())))
            .passes()
            .and_no_more(),
    ]
}
