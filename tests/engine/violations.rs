//! Everything that no correct broker sends, and the reply code of the close that answers it.

use std::time::Duration;

use leveret::ReplyCode;
use leveret::engine::{Failure, Initiator, Reason};
use leveret::protocol::basic::{self, Properties};
use leveret::protocol::{Method, channel, connection, queue, tx};
use leveret_test_support::frames::{body_octets, content_octets, header_octets, method_octets, raw_frame};

use crate::session::{Session, closed, sent};

/// A connection with channel 1, which confirms, has the consumer `c` and one call waiting.
fn session() -> Session {
    let mut session = Session::open();
    let key = session.confirming();
    session.consumer(key, "c", false);
    session.call(key, queue::Declare::default());
    session.sent();
    session
}

fn deliver() -> basic::Deliver {
    basic::Deliver::default().consumer_tag("c").delivery_tag(1)
}

fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.concat()
}

fn header(size: usize) -> Vec<u8> {
    header_octets(1, size, &Properties::default())
}

/// What breaks the protocol without breaking the stream: the octets, the reply code, and the method
/// that is blamed.
type Misbehaviour = (&'static str, Vec<u8>, ReplyCode, (u16, u16));

#[allow(clippy::too_many_lines, reason = "a table")]
fn misbehaviour() -> Vec<Misbehaviour> {
    let method = |channel: u16, method: Method| method_octets(channel, method);
    let raw = |octets: &[u8]| raw_frame(1, 1, octets);
    let (syntax, invalid) = (ReplyCode::SYNTAX_ERROR, ReplyCode::COMMAND_INVALID);
    let (unexpected, frame) = (ReplyCode::UNEXPECTED_FRAME, ReplyCode::FRAME_ERROR);
    let channel_error = ReplyCode::CHANNEL_ERROR;
    vec![
        ("a method frame without ids", raw(&[0, 10, 0]), syntax, (0, 0)),
        ("an empty method frame", raw(&[]), syntax, (0, 0)),
        ("an unknown method", raw(&[0, 60, 3, 231]), ReplyCode::NOT_IMPLEMENTED, (60, 999)),
        ("an unknown class", raw(&[3, 231, 0, 1]), ReplyCode::NOT_IMPLEMENTED, (999, 1)),
        ("arguments cut short", raw(&[0, 50, 0, 11, 5, b'q']), syntax, (50, 11)),
        ("arguments too long", raw(&[0, 20, 0, 41, 0]), syntax, (20, 41)),
        ("a deliver cut short", raw(&[0, 60, 0, 60, 1, b'c', 0]), syntax, (60, 60)),
        ("an ack too long", raw(&[0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]), syntax, (60, 80)),
        ("a client's method", method(1, queue::Declare::default().into()), invalid, (50, 10)),
        ("a client's method on channel 0", method(0, basic::Qos::default().into()), invalid, (60, 10)),
        ("a reply that nobody asked for", method(1, tx::SelectOk::default().into()), invalid, (90, 11)),
        ("open-ok on an open channel", method(1, channel::OpenOk::default().into()), invalid, (20, 11)),
        ("close-ok without a close", method(1, channel::CloseOk::default().into()), invalid, (20, 41)),
        ("flow-ok that nobody asked for", method(1, channel::FlowOk::default().into()), invalid, (20, 21)),
        ("a connection's method on a channel", method(1, connection::Blocked::default().into()), invalid, (10, 60)),
        ("the handshake again", method(0, connection::Tune::default().into()), invalid, (10, 30)),
        ("a channel's method on channel 0", method(0, channel::CloseOk::default().into()), channel_error, (0, 0)),
        ("content's method on channel 0", method(0, deliver().into()), channel_error, (0, 0)),
        ("a header on channel 0", raw_frame(2, 0, &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), channel_error, (0, 0)),
        ("a body on channel 0", raw_frame(3, 0, b"body"), channel_error, (0, 0)),
        (
            "a method for a channel that is not open",
            method(2, channel::OpenOk::default().into()),
            channel_error,
            (0, 0),
        ),
        ("a header for a channel that is not open", header_octets(7, 0, &Properties::default()), channel_error, (0, 0)),
        ("a body for a channel that is not open", body_octets(65_535, b"x", 10), channel_error, (0, 0)),
        ("a header without a method", header(0), unexpected, (0, 0)),
        ("a body without a method", body_octets(1, b"body", 10), unexpected, (0, 0)),
        ("a large body without a method", body_octets(1, &[1; 4088], 4088), unexpected, (0, 0)),
        (
            "a body without a header",
            joined(&[method(1, deliver().into()), body_octets(1, b"x", 1)]),
            unexpected,
            (0, 0),
        ),
        ("two headers", joined(&[method(1, deliver().into()), header(1), header(1)]), unexpected, (0, 0)),
        (
            "a body for an empty message",
            joined(&[method(1, deliver().into()), header(0), raw_frame(3, 1, b"x")]),
            unexpected,
            (0, 0),
        ),
        (
            "a method where a header is due",
            joined(&[method(1, deliver().into()), method(1, deliver().into())]),
            unexpected,
            (0, 0),
        ),
        (
            "a reply in the middle of a body",
            joined(&[method(1, deliver().into()), header(2), method(1, queue::DeclareOk::default().into())]),
            unexpected,
            (0, 0),
        ),
        (
            "more body than declared",
            joined(&[method(1, deliver().into()), header(3), body_octets(1, b"four", 9)]),
            unexpected,
            (0, 0),
        ),
        (
            "more body than declared, all in one frame",
            joined(&[method(1, deliver().into()), header(4087), body_octets(1, &[1; 4088], 4088)]),
            unexpected,
            (0, 0),
        ),
        ("a header cut short", joined(&[method(1, deliver().into()), raw_frame(2, 1, &[0, 60, 0])]), syntax, (0, 0)),
        (
            "a header with a weight",
            joined(&[method(1, deliver().into()), raw_frame(2, 1, &[0, 60, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])]),
            syntax,
            (0, 0),
        ),
        (
            "a header of another class",
            joined(&[method(1, deliver().into()), raw_frame(2, 1, &[0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])]),
            frame,
            (0, 0),
        ),
        (
            "a confirm for what was not published",
            method(1, basic::Ack::default().delivery_tag(1).into()),
            invalid,
            (60, 80),
        ),
        (
            "a refusal of what was not published",
            method(1, basic::Nack::default().delivery_tag(9).into()),
            invalid,
            (60, 120),
        ),
        (
            "a message that nobody wanted to get",
            content_octets(1, basic::GetOk::default(), &Properties::default(), b"", 10),
            invalid,
            (60, 71),
        ),
    ]
}

#[test]
fn whatever_breaks_the_protocol_is_answered_with_its_reply_code() {
    for (name, octets, code, blamed) in misbehaviour() {
        let mut session = session();
        session.octets(&octets);
        let close = session.sent_close();
        assert_eq!((close.reply_code, (close.class_id, close.method_id)), (code, blamed), "{name}");
        let closure = session.engine.closure().unwrap();
        assert_eq!((closure.initiator(), closure.reply_code), (Initiator::Client, Some(code)), "{name}");
        assert!(matches!(closure.reason, Reason::Violation(_)), "{name}");
        assert_eq!((session.engine.channel_count(), session.left_over()), (0, 0), "{name}");
        let heard = session.completions();
        assert_eq!(heard.len(), 1, "{name}: the call that waited hears once");
        assert!(!session.engine.is_finished(), "{name}: close-ok is still to come");
        session.say(0, connection::CloseOk::default());
        assert!(session.engine.is_finished(), "{name}");
    }
}

#[test]
fn a_stream_out_of_step_is_answered_with_a_frame_error_and_not_read_any_more() {
    let cases: [(&str, Vec<u8>); 7] = [
        ("an unknown frame type", raw_frame(7, 0, b"")),
        ("type 0", raw_frame(0, 0, b"")),
        ("another end octet", vec![8, 0, 0, 0, 0, 0, 0, 0xCD]),
        ("a frame over the limit", vec![3, 0, 1, 0, 0, 0x0F, 0xF9]),
        ("a heartbeat on a channel", raw_frame(8, 1, b"")),
        ("a heartbeat with a payload", raw_frame(8, 0, b"x")),
        ("a protocol header", b"AMQP\x00\x00\x09\x01".to_vec()),
    ];
    for (name, octets) in cases {
        let mut session = session();
        session.octets(&octets);
        assert_eq!(session.sent_close().reply_code, ReplyCode::FRAME_ERROR, "{name}");
        assert!(session.engine.is_finished(), "{name}: nothing more can be read");
        assert_eq!(session.left_over(), 0, "{name}");
        assert_eq!(session.completions().len(), 1, "{name}");
    }
}

#[test]
fn frames_as_large_as_was_negotiated_are_taken() {
    let mut session = session();
    session.say_content(1, deliver(), &Properties::default(), &[1; 4088]);
    assert_eq!(session.engine.closure(), None);
}

#[test]
fn after_a_violation_only_the_end_is_looked_at() {
    let mut session = session();
    session.octets(&raw_frame(1, 1, &[]));
    session.sent();
    for (_, octets, _, _) in misbehaviour() {
        session.octets(&octets);
    }
    session.deliver(1, "c", 1, "ignored");
    session.say_content(1, deliver(), &Properties::default(), &[1; 9000]);
    session.say(1, queue::DeclareOk::default());
    session.say(1, channel::Close::default());
    session.say(0, connection::Blocked::default().reason("ignored"));
    assert_eq!((session.sent(), session.left_over(), session.engine.blocked()), (vec![], 0, None));
    session.completions();
    session.say(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED));
    assert_eq!(session.sent(), [sent(0, connection::CloseOk::default())]);
    assert!(session.engine.is_finished());
    assert!(matches!(session.engine.closure().unwrap().reason, Reason::Violation(_)));
    assert!(session.completions().is_empty());
}

#[test]
fn a_broker_that_does_not_answer_the_close_for_its_violation_is_left() {
    let mut session = session();
    session.octets(&raw_frame(1, 1, &[]));
    session.sent();
    session.pass(Duration::from_secs(10));
    assert!(session.engine.is_lost());
    assert!(matches!(session.engine.closure().unwrap().reason, Reason::Violation(_)));
}

#[test]
fn a_stream_that_loses_its_step_after_a_violation_is_left_at_once() {
    let mut session = session();
    session.octets(&raw_frame(1, 1, &[]));
    session.sent();
    session.octets(b"garbage");
    assert!(session.engine.is_lost());
}

#[test]
fn later_requests_report_the_violation() {
    let mut session = session();
    session.octets(&raw_frame(1, 1, &[]));
    let waiter = session.waiter();
    let failure: Failure = session.engine.open_channel(waiter, session.now).unwrap_err();
    assert!(failure.to_string().contains("broke the protocol"), "{failure}");
    assert!(matches!(closed(failure).0.reason, Reason::Violation(_)));
}

#[test]
fn a_client_that_closes_forgives_what_comes_meanwhile() {
    let mut session = session();
    let waiter = session.close();
    session.sent();
    session.octets(&raw_frame(1, 1, &[]));
    session.deliver(1, "unknown", 1, "ignored");
    assert_eq!(session.sent(), []);
    session.say(0, connection::CloseOk::default());
    assert!(matches!(session.heard(waiter), leveret::engine::Completion::Closed));
}
