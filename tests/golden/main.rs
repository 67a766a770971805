//! The golden vectors: what other implementations write is what we read, and we write the same
//! octets.
//!
//! `tests/golden/make.py` makes the files; see its first lines for how.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;

use leveret::Body;
use leveret::frame::{Encoder, Frame, FrameKind, Publish};
use leveret::protocol::{ContentProperties, Method, method_name};

mod layouts;
mod malformed;
mod notation;
mod vectors;

use layouts::layouts;
use notation::{encoded, frame_notation, frames, method_notation, reencoded, written};
use vectors::{Comparison, Vector, hex, load, octets};

const FRAME_MAX: u32 = 131_072;

#[test]
fn every_method_reads_and_writes_as_others_write_it() {
    let mut comparison = Comparison::of("methods.txt");
    for vector in load("methods.txt") {
        let frame = only_frame(&vector);
        let channel = if vector.name.starts_with("connection.") { 0 } else { 1 };
        assert_eq!((frame.kind, frame.channel), (FrameKind::Method, channel), "{}", vector.name);
        match notation::method(frame.payload) {
            Ok(method) => {
                comparison.equal(&vector, "value", vector.expected("value"), &method_notation(&method));
                check_secret(&mut comparison, &vector, &method);
            }
            Err(error) => comparison.equal(&vector, "value", vector.expected("value"), &error),
        }
        if vector.is_canonical() {
            comparison.equal_octets(&vector, "encoded", &vector.octets, &reencoded(&frame, FRAME_MAX));
        }
        comparison.count();
    }
    comparison.finish(125);
}

/// The only frame of a vector.
fn only_frame(vector: &Vector) -> Frame<'_> {
    match frames(&vector.octets, FRAME_MAX).as_deref() {
        Ok([frame]) => *frame,
        other => panic!("[{}] is not one frame: {other:?}", vector.name),
    }
}

/// The field that `{:?}` does not show must be right all the same.
fn check_secret(comparison: &mut Comparison, vector: &Vector, method: &Method) {
    let (field, secret) = match method {
        Method::ConnectionStartOk(method) => ("response", &method.response),
        Method::ConnectionSecureOk(method) => ("response", &method.response),
        Method::ConnectionUpdateSecret(method) => ("new_secret", &method.new_secret),
        _ => return assert_eq!(vector.line("secret"), None, "{} hides a field", vector.name),
    };
    let found = format!("{field} {}", hex(secret.as_bytes()));
    comparison.equal(vector, "secret", vector.expected("secret"), found.trim_end());
}

#[test]
fn every_method_of_the_published_specification_has_a_vector() {
    let covered: BTreeSet<String> = load("methods.txt")
        .iter()
        .filter(|vector| vector.is_canonical())
        .filter_map(|vector| vector.expected("value").split(' ').next().map(str::to_owned))
        .collect();
    let mut names = BTreeSet::new();
    for layout in layouts() {
        assert_eq!(
            method_name(layout.id),
            Some(layout.name.as_str()),
            "the bindings know {} by another name",
            layout.id
        );
        names.insert(layout.name);
    }
    assert_eq!(names.len(), 64);
    assert_eq!(covered, names, "methods.txt covers others than are published");
}

#[test]
fn every_flag_of_every_method_is_set_in_some_vector() {
    let vectors = load("methods.txt");
    for layout in layouts() {
        let flags = layout.arguments.iter().filter(|argument| argument.wire == "bit" && !argument.reserved).count();
        let set: BTreeSet<&str> = vectors
            .iter()
            .filter_map(|vector| vector.expected("value").strip_prefix(&layout.name)?.strip_prefix(' '))
            .flat_map(|value| {
                value.split([' ', '{']).collect::<Vec<_>>().windows(2).filter_map(flag_set).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(set.len(), flags, "{} has vectors for the flags {set:?}", layout.name);
    }
}

/// `durable: true` in two words.
fn flag_set<'a>(words: &[&'a str]) -> Option<&'a str> {
    match words {
        [name, value] if value.trim_end_matches(',') == "true" => name.strip_suffix(':'),
        _ => None,
    }
}

#[test]
fn every_field_value_reads_and_writes_as_others_write_it() {
    let mut comparison = Comparison::of("values.txt");
    for vector in load("values.txt") {
        let expected = vector.expected("value");
        match notation::table(&vector.octets) {
            Ok(table) => {
                comparison.equal(&vector, "value", expected, &format!("{table:?}"));
                if vector.is_canonical() {
                    let found = written(|writer| writer.table(&table));
                    comparison.equal_octets(&vector, "encoded", &vector.octets, &found);
                }
            }
            Err(error) => comparison.equal(&vector, "value", expected, &error),
        }
        comparison.count();
    }
    comparison.finish(58);
}

#[test]
fn every_type_code_has_a_vector_of_its_own() {
    let values: String = load("values.txt").iter().map(|vector| vector.expected("value").to_owned()).collect();
    for kind in [
        "Bool",
        "I8",
        "U8",
        "I16",
        "U16",
        "I32",
        "U32",
        "I64",
        "F32",
        "F64",
        "Decimal",
        "LongString",
        "ByteArray",
        "Array",
        "Timestamp",
        "Table",
    ] {
        assert!(values.contains(&format!(": {kind}(")), "values.txt has no {kind}");
    }
    assert!(values.contains(": Void"), "values.txt has no Void");
}

#[test]
fn properties_read_and_write_as_others_write_them() {
    let mut comparison = Comparison::of("properties.txt");
    for vector in load("properties.txt") {
        let expected = vector.expected("value");
        match notation::properties(&vector.octets) {
            Ok(properties) => {
                comparison.equal(&vector, "value", expected, &format!("{properties:?}"));
                if vector.is_canonical() {
                    let found = written(|writer| properties.encode(writer));
                    comparison.equal_octets(&vector, "encoded", &vector.octets, &found);
                }
            }
            Err(error) => comparison.equal(&vector, "value", expected, &error),
        }
        comparison.count();
    }
    comparison.finish(25);
}

#[test]
fn single_frames_read_and_write_as_others_write_them() {
    let mut comparison = Comparison::of("frames.txt");
    for vector in load("frames.txt") {
        comparison.count();
        let expected = vector.expected("frame");
        if expected == "ProtocolHeader" {
            comparison.equal_octets(&vector, "encoded", &vector.octets, &encoded(Encoder::protocol_header));
            continue;
        }
        let frame = only_frame(&vector);
        comparison.equal(&vector, "frame", expected, &format!("{:?} {}", frame.kind, frame.channel));
        let value = frame_notation(&frame).unwrap_or_else(Some);
        comparison.equal(&vector, "value", vector.line("value").unwrap_or_default(), &value.unwrap_or_default());
        comparison.equal_octets(&vector, "encoded", &vector.octets, &reencoded(&frame, FRAME_MAX));
    }
    comparison.finish(29);
}

#[test]
fn content_is_put_together_from_its_frames() {
    let mut comparison = Comparison::of("content.txt");
    for vector in load("content.txt") {
        let frames = frames(&vector.octets, frame_max(&vector)).unwrap();
        let [method, header, bodies @ ..] = frames.as_slice() else { panic!("[{}] has no header", vector.name) };
        assert_eq!((method.kind, header.kind), (FrameKind::Method, FrameKind::Header), "[{}]", vector.name);
        assert!(bodies.iter().all(|frame| frame.kind == FrameKind::Body), "[{}]", vector.name);
        let found = notation::method(method.payload).unwrap();
        comparison.equal(&vector, "method", vector.expected("method"), &method_notation(&found));
        let (header, properties) = notation::header(header.payload).unwrap();
        comparison.equal(&vector, "properties", vector.expected("properties"), &format!("{properties:?}"));
        let body: Vec<u8> = bodies.iter().flat_map(|frame| frame.payload.iter().copied()).collect();
        comparison.equal_octets(&vector, "body", &body_of(&vector), &body);
        comparison.equal(&vector, "body size", &body.len().to_string(), &header.body_size.to_string());
        comparison.count();
    }
    comparison.finish(17);
}

#[test]
fn content_is_cut_where_others_cut_it() {
    let mut comparison = Comparison::of("content.txt");
    for vector in load("content.txt") {
        let encoder = Encoder::new(frame_max(&vector));
        let frames = frames(&vector.octets, frame_max(&vector)).unwrap();
        let method = notation::method(frames[0].payload).unwrap();
        let (_, properties) = notation::header(frames[1].payload).unwrap();
        let octets = body_of(&vector);
        for body in [Body::from(&octets), Body::from(octets.clone())] {
            let whole = encoded(|out| {
                encoder.any_method(out, 1, &method).unwrap();
                encoder.header(out, 1, body.len(), Some(&properties)).unwrap();
                encoder.body(out, 1, &body);
            });
            comparison.equal_octets(&vector, "encoded", &vector.octets, &whole);
            if let Method::BasicPublish(method) = &method {
                let publish = Publish {
                    exchange: method.exchange.as_bytes(),
                    routing_key: method.routing_key.as_bytes(),
                    mandatory: method.mandatory,
                    properties: Some(&properties),
                    body: &body,
                };
                let published = encoded(|out| encoder.publish(out, 1, &publish).unwrap());
                comparison.equal_octets(&vector, "published", &vector.octets, &published);
            }
        }
        comparison.count();
    }
    comparison.finish(17);
}

fn frame_max(vector: &Vector) -> u32 {
    vector.expected("frame-max").parse().expect("a number")
}

/// The body that `4088 x 61 + 1 x 62` describes.
fn body_of(vector: &Vector) -> Vec<u8> {
    match vector.expected("body") {
        "empty" => Vec::new(),
        runs => runs
            .split(" + ")
            .flat_map(|run| {
                let (count, octet) = run.split_once(" x ").expect("a count and an octet");
                octets(&format!("{octet}*{count}"))
            })
            .collect(),
    }
}
