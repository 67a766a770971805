//! The handshake: each step, what the two sides agree on, and every way in which it fails.

use bytes::BytesMut;
use leveret::ReplyCode;
use leveret::config::{Credentials, Heartbeat};
use leveret::engine::{Handshake, HandshakeError, HandshakeParameters, HandshakeStep, Negotiated, Violation};
use leveret::frame::FrameError;
use leveret::protocol::{Method, connection, queue};
use leveret::wire::FieldTable;
use leveret_test_support::frames::{method_octets, octets_of, raw_frame, read_all};

use crate::session::{Sent, sent};

pub(super) fn parameters() -> HandshakeParameters {
    let mut client_properties = FieldTable::new();
    client_properties.insert("product", "test");
    HandshakeParameters {
        credentials: Credentials::plain("guest", "guest"),
        virtual_host: "/".into(),
        locale: "en_US".into(),
        client_properties,
        channel_max: 0,
        frame_max: 0,
        heartbeat: Heartbeat::Server,
    }
}

pub(super) fn start() -> connection::Start {
    let mut server_properties = FieldTable::new();
    server_properties.insert("product", "scripted");
    connection::Start::default()
        .version_major(0)
        .version_minor(9)
        .server_properties(server_properties)
        .mechanisms("AMQPLAIN PLAIN")
        .locales("en_US")
}

pub(super) fn tune(channel_max: u16, frame_max: u32, heartbeat: u16) -> connection::Tune {
    connection::Tune::default().channel_max(channel_max).frame_max(frame_max).heartbeat(heartbeat)
}

/// A handshake, and what it has given so far.
pub(super) struct Talk {
    pub(super) handshake: Handshake,
    input: BytesMut,
}

impl Talk {
    pub(super) fn new(parameters: HandshakeParameters) -> Self {
        Self { handshake: Handshake::new(parameters), input: BytesMut::new() }
    }

    pub(super) fn octets(&mut self, octets: &[u8]) -> Result<Option<Negotiated>, HandshakeError> {
        self.input.extend_from_slice(octets);
        self.handshake.handle_bytes(&mut self.input)
    }

    pub(super) fn say(&mut self, method: impl Into<Method>) -> Result<Option<Negotiated>, HandshakeError> {
        self.octets(&method_octets(0, method))
    }

    pub(super) fn sent(&mut self) -> Vec<Sent> {
        self.handshake.poll_transmit().map_or(Vec::new(), |outbound| read_all(&octets_of(outbound), 131_072))
    }

    /// A handshake that has come to `step`, everything written.
    pub(super) fn at(step: HandshakeStep) -> Self {
        let mut talk = Self::new(parameters());
        if step != HandshakeStep::Start {
            talk.say(start()).unwrap();
        }
        if step == HandshakeStep::Open {
            talk.say(tune(2047, 131_072, 60)).unwrap();
        }
        talk.sent();
        assert_eq!(talk.handshake.step(), step);
        talk
    }
}

const STEPS: [HandshakeStep; 3] = [HandshakeStep::Start, HandshakeStep::Authentication, HandshakeStep::Open];

#[test]
fn each_step_sends_what_the_next_one_needs() {
    let mut talk = Talk::new(parameters());
    assert_eq!(talk.sent(), [Sent::ProtocolHeader]);
    assert_eq!(talk.sent(), []);
    assert_eq!(talk.say(start()), Ok(None));
    let start_ok = connection::StartOk::default()
        .client_properties(parameters().client_properties)
        .mechanism("PLAIN")
        .response("\0guest\0guest")
        .locale("en_US");
    assert_eq!(talk.sent(), [sent(0, start_ok)]);
    assert_eq!(talk.say(tune(2047, 131_072, 60)), Ok(None));
    let tune_ok = connection::TuneOk::default().channel_max(2047).frame_max(131_072).heartbeat(60);
    assert_eq!(talk.sent(), [sent(0, tune_ok), sent(0, connection::Open::default().virtual_host("/"))]);
    let negotiated = talk.say(connection::OpenOk::default()).unwrap().unwrap();
    assert_eq!((negotiated.channel_max, negotiated.frame_max, negotiated.heartbeat), (2047, 131_072, 60));
    assert_eq!(negotiated.server_properties.get("product").unwrap().as_str(), Some("scripted"));
    assert_eq!(talk.sent(), []);
}

#[test]
fn the_agreed_limits_are_the_smaller_ones_and_zero_is_no_limit() {
    // Ours, the server's, and what both agree on: channels, octets of a frame, seconds.
    let cases = [
        ((0, 0, None), (0, 0, 0), (0, 0, 0)),
        ((0, 0, None), (2047, 131_072, 60), (2047, 131_072, 60)),
        ((10, 8192, Some(5)), (2047, 131_072, 60), (10, 8192, 5)),
        ((3000, 1_000_000, Some(90)), (2047, 131_072, 60), (2047, 131_072, 90)),
        ((10, 8192, Some(0)), (0, 0, 60), (10, 8192, 0)),
        ((0, 0, Some(7)), (5, 4096, 0), (5, 4096, 7)),
        ((1, 4096, None), (1, 4096, 1), (1, 4096, 1)),
    ];
    for ((channel_max, frame_max, heartbeat), theirs, expected) in cases {
        let heartbeat = heartbeat.map_or(Heartbeat::Server, Heartbeat::every);
        let mut talk = Talk::new(HandshakeParameters { channel_max, frame_max, heartbeat, ..parameters() });
        talk.say(start()).unwrap();
        talk.sent();
        talk.say(tune(theirs.0, theirs.1, theirs.2)).unwrap();
        let tune_ok = connection::TuneOk::default().channel_max(expected.0).frame_max(expected.1).heartbeat(expected.2);
        assert_eq!(talk.sent()[0], sent(0, tune_ok));
        let negotiated = talk.say(connection::OpenOk::default()).unwrap().unwrap();
        assert_eq!((negotiated.channel_max, negotiated.frame_max, negotiated.heartbeat), expected);
    }
}

#[test]
fn a_close_at_each_step_is_answered_and_tells_the_step_code_and_text() {
    for step in STEPS {
        let mut talk = Talk::at(step);
        let close = connection::Close::default().reply_code(ReplyCode::ACCESS_REFUSED).reply_text("no");
        let error = talk.say(close).unwrap_err();
        assert_eq!(error, HandshakeError::Refused { step, code: ReplyCode::ACCESS_REFUSED, text: "no".into() });
        assert_eq!(talk.sent(), [sent(0, connection::CloseOk::default())]);
    }
}

#[test]
fn a_protocol_header_of_another_version_names_it() {
    for step in STEPS {
        let error = Talk::at(step).octets(b"AMQP\x00\x01\x00\x00").unwrap_err();
        assert_eq!(error, HandshakeError::NotAmqp(FrameError::ProtocolHeader([0, 1, 0, 0])));
    }
}

#[test]
fn a_start_of_another_version_is_not_amqp_0_9_1() {
    let error = Talk::at(HandshakeStep::Start).say(start().version_minor(8)).unwrap_err();
    assert_eq!(error, HandshakeError::NotAmqp(FrameError::ProtocolHeader([0, 0, 8, 0])));
}

#[test]
fn a_server_of_another_protocol_is_not_an_amqp_server() {
    for greeting in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"SSH-2.0-x", b"\x15\x03\x03\x00\x02\x02\x46"] {
        let error = Talk::at(HandshakeStep::Start).octets(greeting).unwrap_err();
        assert!(matches!(error, HandshakeError::NotAmqp(FrameError::UnknownType(_))), "{error:?}");
        assert_eq!(error.to_string().contains("as one of TLS does"), greeting.starts_with(b"\x15"), "{error}");
    }
}

#[test]
fn everything_in_a_handshake_is_on_channel_zero() {
    for step in STEPS {
        let error = Talk::at(step).octets(&method_octets(1, start())).unwrap_err();
        assert_eq!(error, HandshakeError::Violation(Violation::ChannelNotOpen(1)));
    }
}

#[test]
fn content_has_no_place_in_a_handshake() {
    for kind in [2, 3] {
        let error = Talk::at(HandshakeStep::Open).octets(&raw_frame(kind, 0, &[0; 14])).unwrap_err();
        assert_eq!(error, HandshakeError::Violation(Violation::NotOnChannelZero));
    }
}

#[test]
fn a_method_out_of_turn_breaks_the_protocol() {
    let out_of_turn: [(HandshakeStep, Method); 8] = [
        (HandshakeStep::Start, tune(1, 4096, 1).into()),
        (HandshakeStep::Start, connection::OpenOk::default().into()),
        (HandshakeStep::Authentication, start().into()),
        (HandshakeStep::Authentication, connection::OpenOk::default().into()),
        (HandshakeStep::Open, start().into()),
        (HandshakeStep::Open, tune(1, 4096, 1).into()),
        (HandshakeStep::Open, connection::CloseOk::default().into()),
        (HandshakeStep::Open, queue::DeclareOk::default().into()),
    ];
    for (step, method) in out_of_turn {
        let id = method.id();
        let error = Talk::at(step).say(method).unwrap_err();
        assert_eq!(error, HandshakeError::Violation(Violation::UnexpectedMethod(id)));
    }
}

#[test]
fn arguments_that_cannot_be_read_break_the_protocol() {
    let error = Talk::at(HandshakeStep::Start).octets(&raw_frame(1, 0, &[0, 10, 0, 10, 0])).unwrap_err();
    assert!(matches!(error, HandshakeError::Violation(Violation::Decode(Some(_), _))), "{error:?}");
}

#[test]
fn a_frame_larger_than_any_server_sends_is_refused_from_its_head() {
    let error = Talk::at(HandshakeStep::Start).octets(&[1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]).unwrap_err();
    assert!(matches!(error, HandshakeError::Violation(Violation::Frame(FrameError::TooLarge { .. }))), "{error:?}");
}

#[test]
fn a_value_of_the_clients_that_cannot_be_sent_ends_the_handshake() {
    let long = HandshakeParameters { virtual_host: "v".repeat(256).into(), ..parameters() };
    let mut talk = Talk::new(long);
    talk.say(start()).unwrap();
    assert!(matches!(talk.say(tune(1, 4096, 1)), Err(HandshakeError::Encode(_))));
}

#[test]
fn heartbeats_in_between_are_passed_over() {
    let mut talk = Talk::at(HandshakeStep::Open);
    assert_eq!(talk.octets(&raw_frame(8, 0, &[])), Ok(None));
    assert!(talk.say(connection::OpenOk::default()).unwrap().is_some());
}

#[test]
fn what_follows_the_last_answer_is_left_for_the_engine() {
    let mut talk = Talk::at(HandshakeStep::Open);
    let mut octets = method_octets(0, connection::OpenOk::default());
    octets.extend([8, 0, 0]);
    assert!(talk.octets(&octets).unwrap().is_some());
    assert_eq!(&talk.input[..], [8, 0, 0]);
}

#[test]
fn the_servers_octets_may_come_in_any_two_pieces() {
    let mut whole = method_octets(0, start());
    whole.extend(method_octets(0, tune(2047, 131_072, 60)));
    whole.extend(method_octets(0, connection::OpenOk::default()));
    let mut expected = None;
    for cut in 0..=whole.len() {
        let mut talk = Talk::new(parameters());
        let first = talk.octets(&whole[..cut]).unwrap();
        assert_eq!(first.is_some(), cut == whole.len());
        let negotiated = first.or_else(|| talk.octets(&whole[cut..]).unwrap()).unwrap();
        let outcome = (negotiated, talk.sent());
        assert_eq!(*expected.get_or_insert_with(|| outcome.clone()), outcome);
    }
}

#[test]
fn the_servers_octets_may_come_one_by_one() {
    let mut talk = Talk::new(parameters());
    let mut negotiated = None;
    for method in [start().into(), Method::from(tune(5, 4096, 1)), connection::OpenOk::default().into()] {
        for octet in method_octets(0, method) {
            assert!(negotiated.is_none());
            negotiated = talk.octets(&[octet]).unwrap();
        }
    }
    assert_eq!(negotiated.map(|it| it.channel_max), Some(5));
}

#[test]
fn no_secret_shows_in_a_debug_view() {
    let secret = HandshakeParameters { credentials: Credentials::plain("guest", "hunter2"), ..parameters() };
    let mut handshake = Handshake::new(secret.clone());
    let mut input = BytesMut::from(&method_octets(0, start())[..]);
    let before = format!("{secret:?} {handshake:?}");
    handshake.handle_bytes(&mut input).unwrap();
    let after = format!("{:?} {:?}", handshake.step(), handshake);
    assert!(!before.contains("hunter2"));
    // The octets to write hold it, and are shown as octets at most.
    assert!(!after.contains("hunter2"));
    let octets = format!("{:?}", b"hunter2");
    let octets = octets.trim_matches(['[', ']']);
    assert!(!after.contains(octets), "the response shows as octets");
}
