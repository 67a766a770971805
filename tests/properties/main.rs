//! What holds for any value: round trips, frames that do not depend on how octets arrive, and
//! refusal without panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

use bytes::Bytes;
use leveret::Body;
use leveret::frame::{Decoded, Decoder, Encoder, FRAME_OVERHEAD, FrameError, FrameKind, Publish};
use leveret::protocol::basic::Properties;
use leveret::protocol::{ContentProperties, Method};
use leveret::wire::{Reader, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

mod arbitrary;
#[path = "../golden/layouts.rs"]
mod layouts;

use arbitrary::{any_body, any_method, any_piece, any_properties, any_table};

const FRAME_MAX: u32 = 4096;

/// A seed that fails is printed; it belongs into a test of its own, not into a file beside this
/// one.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_method_is_written_as_it_was_read((id, octets) in any_method()) {
        let method = read_method(id, &octets).unwrap();
        prop_assert_eq!(method.id(), id);
        let mut written = Vec::new();
        method.encode(&mut Writer::new(&mut written)).unwrap();
        prop_assert_eq!(&written, &octets);
        prop_assert_eq!(read_method(id, &written).unwrap(), method);
    }

    #[test]
    fn a_method_cut_short_is_refused((id, octets) in any_method(), cut in any::<prop::sample::Index>()) {
        if !octets.is_empty() {
            prop_assert!(read_method(id, &octets[..cut.index(octets.len())]).is_err());
        }
    }

    #[test]
    fn a_method_with_more_octets_than_its_arguments_is_refused((id, mut octets) in any_method(), more in 0u8..) {
        octets.push(more);
        prop_assert!(read_method(id, &octets).is_err());
    }

    #[test]
    fn a_table_is_read_as_it_was_written(table in any_table()) {
        let mut octets = Vec::new();
        Writer::new(&mut octets).table(&table).unwrap();
        let mut reader = Reader::new(&octets);
        prop_assert_eq!(&reader.table().unwrap(), &table);
        prop_assert_eq!(reader.remaining(), 0);
        let owner = Bytes::from(octets.clone());
        prop_assert_eq!(Reader::shared(&owner).table().unwrap(), table);
    }

    #[test]
    fn properties_are_read_as_they_were_written(properties in any_properties()) {
        let mut octets = Vec::new();
        properties.encode(&mut Writer::new(&mut octets)).unwrap();
        let mut reader = Reader::new(&octets);
        prop_assert_eq!(Properties::decode(&mut reader).unwrap(), properties);
        prop_assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn frames_do_not_depend_on_how_octets_arrive(
        pieces in vec(any_piece(), 1..8),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream = pieces.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(read_in_pieces(&stream, &cuts), read_in_pieces(&stream, &[]));
        let every: Vec<usize> = (0..stream.len()).collect();
        prop_assert_eq!(read_in_pieces(&stream, &every), read_in_pieces(&stream, &[]));
    }

    #[test]
    fn the_octets_asked_for_are_never_too_many(piece in any_piece(), cut in any::<prop::sample::Index>()) {
        let end = cut.index(piece.len());
        match Decoder::new(FRAME_MAX).decode(&piece[..end]) {
            Ok(Decoded::Incomplete(needed)) => prop_assert!(end < needed && needed <= piece.len()),
            other => prop_assert!(other.is_err(), "{end} octets gave {other:?}"),
        }
    }

    #[test]
    fn a_body_is_cut_into_full_frames_and_a_rest(octets in any_body(), frame_max in 9u32..5000) {
        let limit = frame_max as usize - FRAME_OVERHEAD;
        for body in [Body::from(&octets), Body::from(octets.clone())] {
            let stream = arbitrary::encoded(|out| Encoder::new(frame_max).body(out, 1, &body));
            let (frames, error) = read_in_pieces_within(&stream, &[], frame_max);
            prop_assert_eq!(error, None);
            prop_assert_eq!(frames.len(), octets.len().div_ceil(limit));
            prop_assert!(frames.iter().rev().skip(1).all(|(_, _, payload)| payload.len() == limit));
            prop_assert!(frames.iter().all(|(kind, _, payload)| *kind == FrameKind::Body && !payload.is_empty()));
            let whole: Vec<u8> = frames.into_iter().flat_map(|(_, _, payload)| payload).collect();
            prop_assert_eq!(&whole, &octets);
        }
    }

    #[test]
    fn a_publish_is_its_method_header_and_body(
        properties in any_properties(),
        octets in any_body(),
        (exchange, routing_key) in (vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..300)),
        mandatory: bool,
    ) {
        let encoder = Encoder::new(0);
        let body = Body::from(&octets);
        let publish = Publish {
            exchange: &exchange,
            routing_key: &routing_key,
            mandatory,
            properties: Some(&properties),
            body: &body,
        };
        let mut refused = false;
        let stream = arbitrary::encoded(|out| {
            out.extend(b"before");
            refused = encoder.publish(out, 7, &publish).is_err();
        });
        prop_assert_eq!(refused, exchange.len() > 255 || routing_key.len() > 255);
        if refused {
            prop_assert_eq!(stream, b"before");
            return Ok(());
        }
        let apart = arbitrary::encoded(|out| {
            let method = leveret::protocol::basic::Publish::default()
                .exchange(Bytes::from(exchange.clone()))
                .routing_key(Bytes::from(routing_key.clone()))
                .mandatory(mandatory);
            out.extend(b"before");
            encoder.method(out, 7, &method).unwrap();
            encoder.header(out, 7, octets.len(), Some(&properties)).unwrap();
            encoder.body(out, 7, &body);
        });
        prop_assert_eq!(stream, apart);
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in vec(any::<u8>(), 0..600)) {
        let _ = read_in_pieces(&octets, &[]);
        let _ = Reader::new(&octets).table();
        let _ = Properties::decode(&mut Reader::new(&octets));
        for layout in layouts::layouts() {
            if let Ok(method) = read_method(layout.id, &octets) {
                let mut written = Vec::new();
                // NaN and infinities are read, and refused when they are to be written.
                if method.encode(&mut Writer::new(&mut written)).is_ok() {
                    let again = read_method(layout.id, &written).unwrap();
                    prop_assert_eq!(again, method, "{} changes on the way", layout.name);
                }
            }
        }
    }
}

fn read_method(id: leveret::protocol::MethodId, arguments: &[u8]) -> Result<Method, leveret::wire::DecodeError> {
    let mut reader = Reader::new(arguments);
    let method = Method::decode(id, &mut reader)?;
    reader.finish()?;
    Ok(method)
}

/// The frames of a stream, and the error that ended it, if one did.
type Frames = (Vec<(FrameKind, u16, Vec<u8>)>, Option<FrameError>);

fn read_in_pieces(stream: &[u8], cuts: &[usize]) -> Frames {
    read_in_pieces_within(stream, cuts, FRAME_MAX)
}

/// Hands the stream to a decoder up to one cut after the other, as a socket would.
fn read_in_pieces_within(stream: &[u8], cuts: &[usize], frame_max: u32) -> Frames {
    let decoder = Decoder::new(frame_max);
    let mut frames = Vec::new();
    let mut from = 0;
    for until in cuts.iter().copied().chain([stream.len()]) {
        loop {
            match decoder.decode(&stream[from..until.max(from)]) {
                Ok(Decoded::Frame(frame, used)) => {
                    frames.push((frame.kind, frame.channel, frame.payload.to_vec()));
                    from += used;
                }
                Ok(Decoded::Incomplete(_)) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
