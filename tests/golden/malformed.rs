//! Every malformation is refused with its own error and reply code, however the octets arrive.

use std::num::NonZeroU32;
use std::time::Instant;

use bytes::BytesMut;
use leveret::engine::{Engine, Negotiated, Reason, Settings, Violation, WaiterId};
use leveret::frame::{Decoded, Decoder, Frame, FrameError, FrameKind, split_method};
use leveret::protocol::basic::Properties;
use leveret::protocol::{ContentProperties, Method};
use leveret::wire::{DecodeError, FieldTable, Reader};

use super::notation::{encoded, frames, method};
use super::vectors::{Comparison, Vector, load};

const FILE: &str = "malformed.txt";
const FRAME_MAX: u32 = 4096;

/// What this reader of the file says to each of its vectors.
fn refused_by(reader: &str, at_least: usize, refuse: impl Fn(&Vector) -> Result<(), (String, Violation)>) {
    let mut comparison = Comparison::of(FILE);
    for vector in load(FILE).iter().filter(|vector| vector.expected("reader") == reader) {
        let (error, reply_code) = match refuse(vector) {
            Ok(()) => ("nothing, it was read".to_owned(), None),
            Err((error, Violation::Frame(FrameError::ProtocolHeader(_)))) => (error, None),
            Err((error, violation)) => (error, Some(violation.reply_code().code())),
        };
        comparison.equal(vector, "error", vector.expected("error"), &error);
        let expected = vector.line("reply-code").map(|code| code.parse::<u16>().expect("a number"));
        comparison.equal(vector, "reply code", &format!("{expected:?}"), &format!("{reply_code:?}"));
        comparison.count();
    }
    comparison.finish(at_least);
}

fn frame_error(error: FrameError) -> (String, Violation) {
    (format!("{error:?}"), Violation::Frame(error))
}

fn decode_error(error: DecodeError) -> (String, Violation) {
    (format!("{:?}", error.kind()), Violation::Decode(None, error))
}

/// The first frame, which must be well formed.
fn frame(vector: &Vector, kind: FrameKind) -> Frame<'_> {
    match Decoder::new(FRAME_MAX).decode(&vector.octets) {
        Ok(Decoded::Frame(frame, used)) if frame.kind == kind && used == vector.octets.len() => frame,
        other => panic!("{FILE} [{}] is no {kind:?} frame: {other:?}", vector.name),
    }
}

#[test]
fn malformed_frames_are_refused() {
    refused_by("frame", 24, |vector| match Decoder::new(FRAME_MAX).decode(&vector.octets) {
        Ok(_) => Ok(()),
        Err(error) => Err(frame_error(error)),
    });
}

#[test]
fn malformed_frames_are_refused_however_they_arrive() {
    let decoder = Decoder::new(FRAME_MAX);
    for vector in load(FILE).iter().filter(|vector| vector.expected("reader") == "frame") {
        for end in 0..vector.octets.len() {
            match decoder.decode(&vector.octets[..end]) {
                Ok(Decoded::Incomplete(needed)) => assert!(needed > end, "{}: stuck at {end} octets", vector.name),
                Ok(frame) => panic!("{FILE} [{}] gave {frame:?} after {end} octets", vector.name),
                Err(error) => assert_eq!(format!("{error:?}"), vector.expected("error"), "{FILE} [{}]", vector.name),
            }
        }
    }
}

#[test]
fn malformed_methods_are_refused() {
    refused_by("method", 26, |vector| {
        let (id, arguments) = split_method(frame(vector, FrameKind::Method).payload).map_err(frame_error)?;
        let mut reader = Reader::new(arguments);
        Method::decode(id, &mut reader).and_then(|_| reader.finish()).map_err(decode_error)
    });
}

#[test]
fn malformed_content_headers_are_refused() {
    refused_by("header", 4, |vector| {
        let payload = frame(vector, FrameKind::Header).payload;
        let header = leveret::frame::ContentHeader::parse(payload).map_err(frame_error)?;
        read_properties(header.properties)
    });
}

#[test]
fn malformed_properties_are_refused() {
    refused_by("properties", 9, |vector| read_properties(&vector.octets));
}

fn read_properties(octets: &[u8]) -> Result<(), (String, Violation)> {
    let mut reader = Reader::new(octets);
    Properties::decode(&mut reader).and_then(|_| reader.finish()).map_err(decode_error)
}

#[test]
fn malformed_tables_are_refused() {
    refused_by("table", 38, |vector| {
        let mut reader = Reader::new(&vector.octets);
        reader.table().and_then(|_| reader.finish()).map_err(decode_error)
    });
}

#[test]
fn misplaced_frames_are_well_formed_one_by_one() {
    let vectors = load(FILE);
    let misplaced: Vec<_> = vectors.iter().filter(|vector| vector.expected("reader") == "connection").collect();
    assert!(misplaced.len() >= 14);
    for vector in misplaced {
        let frames = frames(&vector.octets, FRAME_MAX);
        assert!(frames.is_ok_and(|frames| !frames.is_empty()), "{FILE} [{}]", vector.name);
    }
}

#[test]
fn a_connection_is_closed_for_misplaced_frames() {
    let mut comparison = Comparison::of(FILE);
    for vector in load(FILE).iter().filter(|vector| vector.expected("reader") == "connection") {
        let (violation, reply_code) = answer(&vector.octets);
        comparison.equal(vector, "error", vector.expected("error"), &violation);
        comparison.equal(vector, "reply code", vector.expected("reply-code"), &reply_code);
        comparison.count();
    }
    comparison.finish(14);
}

#[test]
fn a_connection_is_closed_for_malformed_frames() {
    let content_due = load("methods.txt").into_iter().find(|vector| vector.name == "basic.return").unwrap().octets;
    let mut comparison = Comparison::of(FILE);
    for vector in load(FILE) {
        // A protocol header has its place before a connection is open.
        let Some(expected) = vector.line("reply-code") else { continue };
        let octets = match vector.expected("reader") {
            // A header over the decoder's bound: an open connection has `max_header_size` instead,
            // and goes on.
            "frame" if vector.octets.first() == Some(&2) && vector.expected("error").starts_with("TooLarge") => {
                let answer = answer(&vector.octets);
                assert_eq!(answer, ("None".to_owned(), "none".to_owned()), "{FILE} [{}]", vector.name);
                comparison.count();
                continue;
            }
            "frame" | "method" => vector.octets.clone(),
            "header" if vector.expected("error") != "Truncated" => [&content_due[..], &vector.octets].concat(),
            // Properties and tables in them stay octets until somebody asks for them.
            _ => continue,
        };
        let (violation, reply_code) = answer(&octets);
        let named = violation.contains(vector.expected("error"));
        comparison.equal(&vector, "error", "named", if named { "named" } else { &violation });
        comparison.equal(&vector, "reply code", expected, &reply_code);
        comparison.count();
    }
    comparison.finish(51);
}

/// Why an open connection with an open channel 1 closes when these octets come, and the reply code
/// that it sends.
fn answer(octets: &[u8]) -> (String, String) {
    let now = Instant::now();
    let negotiated =
        Negotiated { channel_max: 0, frame_max: FRAME_MAX, heartbeat: 0, server_properties: FieldTable::new() };
    let mut engine = Engine::new(negotiated, Settings::default(), now);
    engine.open_channel(WaiterId { slot: 0, generation: NonZeroU32::MIN }, now).unwrap();
    let open_ok = super::vectors::octets("010001000000080014000b00000000ce");
    let mut input = BytesMut::from(open_ok.as_slice());
    engine.handle_bytes(&mut input, now);
    engine.poll_transmit().expect("channel.open");
    assert_eq!(engine.closure(), None);
    input.extend_from_slice(octets);
    engine.handle_bytes(&mut input, now);
    let violation = match engine.closure().map(|closure| &closure.reason) {
        Some(Reason::Violation(violation)) => format!("{violation:?}"),
        other => return (format!("{other:?}"), "none".to_owned()),
    };
    let sent = encoded(|out| assert!(engine.poll_transmit_into(out), "nothing is sent"));
    let frames = frames(&sent, FRAME_MAX).unwrap();
    match frames.iter().map(|frame| method(frame.payload)).collect::<Result<Vec<_>, _>>().unwrap().as_slice() {
        [Method::ConnectionClose(close)] => (violation, close.reply_code.code().to_string()),
        other => (violation, format!("{other:?}")),
    }
}
