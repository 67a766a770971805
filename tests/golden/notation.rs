//! Octets to the notation of the golden files, and back to octets, through the crate's frames and
//! bindings.

use std::io::IoSlice;

use bytes::Bytes;
use leveret::frame::{ContentHeader, Decoded, Decoder, Encoder, Frame, FrameKind, Outbound, split_method};
use leveret::protocol::basic::Properties;
use leveret::protocol::{ContentProperties, Method};
use leveret::wire::{FieldTable, Reader, Writer};

/// The frames that make up `octets`, all of them.
pub(crate) fn frames(octets: &[u8], frame_max: u32) -> Result<Vec<Frame<'_>>, String> {
    let decoder = Decoder::new(frame_max);
    let mut frames = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        match decoder.decode(rest) {
            Ok(Decoded::Frame(frame, used)) => {
                frames.push(frame);
                rest = &rest[used..];
            }
            Ok(Decoded::Incomplete(needed)) => return Err(format!("{needed} octets are needed, {} left", rest.len())),
            Err(error) => return Err(format!("{error:?}")),
        }
    }
    Ok(frames)
}

/// The method in the payload of a method frame. Reading it in place and reading it from shared
/// octets must agree.
pub(crate) fn method(payload: &[u8]) -> Result<Method, String> {
    let (id, arguments) = split_method(payload).map_err(|error| format!("{error:?}"))?;
    let read = |reader: &mut Reader<'_>| {
        let method = Method::decode(id, reader)?;
        reader.finish().map(|()| method)
    };
    let copied = read(&mut Reader::new(arguments)).map_err(|error| format!("{:?}", error.kind()));
    let owner = Bytes::copy_from_slice(arguments);
    let shared = read(&mut Reader::shared(&owner)).map_err(|error| format!("{:?}", error.kind()));
    assert_eq!(copied, shared, "copied and shared octets read differently");
    copied
}

/// `queue.declare Declare { … }`: the name, and the struct without the variant around it.
pub(crate) fn method_notation(method: &Method) -> String {
    let printed = format!("{method:?}");
    let (variant, inner) = printed.split_once('(').expect("a variant around the struct");
    let inner = inner.strip_suffix(')').expect("a closing parenthesis");
    let name = method.name();
    let camel: String = name.split(['.', '-']).map(capitalised).collect();
    assert_eq!(variant, camel, "{name} is kept in a variant of another name");
    format!("{name} {inner}")
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

/// The content header in the payload of a header frame, with its properties.
pub(crate) fn header(payload: &[u8]) -> Result<(ContentHeader<'_>, Properties), String> {
    let header = ContentHeader::parse(payload).map_err(|error| format!("{error:?}"))?;
    Ok((header, properties(header.properties)?))
}

/// The properties in flag words and values.
pub(crate) fn properties(octets: &[u8]) -> Result<Properties, String> {
    let mut reader = Reader::new(octets);
    Properties::decode(&mut reader)
        .and_then(|properties| reader.finish().map(|()| properties))
        .map_err(|error| format!("{:?}", error.kind()))
}

/// The table in its octets, length included. Reading it in place and reading it from shared octets
/// must agree.
pub(crate) fn table(octets: &[u8]) -> Result<FieldTable, String> {
    let read = |reader: &mut Reader<'_>| {
        let table = reader.table()?;
        reader.finish().map(|()| table)
    };
    let copied = read(&mut Reader::new(octets)).map_err(|error| format!("{:?}", error.kind()));
    let owner = Bytes::copy_from_slice(octets);
    let shared = read(&mut Reader::shared(&owner)).map_err(|error| format!("{:?}", error.kind()));
    // NaN, which is decoded and differs from itself, is not in the files.
    assert_eq!(copied, shared, "copied and shared octets read differently");
    copied
}

/// The value of a frame in the notation of frames.txt; a heartbeat has none.
pub(crate) fn frame_notation(frame: &Frame<'_>) -> Result<Option<String>, String> {
    Ok(match frame.kind {
        FrameKind::Method => Some(method_notation(&method(frame.payload)?)),
        FrameKind::Header => {
            let (header, properties) = header(frame.payload)?;
            let ContentHeader { class, body_size, .. } = header;
            Some(format!("ContentHeader {{ class: {class}, body_size: {body_size} }} {properties:?}"))
        }
        FrameKind::Body => Some(format!("{:?}", Bytes::copy_from_slice(frame.payload))),
        FrameKind::Heartbeat => None,
    })
}

/// What `write` appends to an outbound buffer, as one run.
pub(crate) fn encoded(write: impl FnOnce(&mut Outbound)) -> Vec<u8> {
    let mut outbound = Outbound::new();
    write(&mut outbound);
    let mut slices = [IoSlice::new(&[]); 64];
    let filled = outbound.slices(&mut slices);
    let octets: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
    assert_eq!(octets.len(), outbound.len(), "more slices than the test has room for");
    octets
}

/// What `write` appends through a writer.
pub(crate) fn written<E: std::fmt::Debug>(write: impl FnOnce(&mut Writer<'_>) -> Result<(), E>) -> Vec<u8> {
    let mut octets = Vec::new();
    write(&mut Writer::new(&mut octets)).expect("it was decoded, so it can be encoded");
    octets
}

/// The frame that our encoder makes of the same value.
pub(crate) fn reencoded(frame: &Frame<'_>, frame_max: u32) -> Vec<u8> {
    let encoder = Encoder::new(frame_max);
    encoded(|out| match frame.kind {
        FrameKind::Method => {
            let method = method(frame.payload).expect("a method");
            encoder.any_method(out, frame.channel, &method).expect("it was decoded, so it can be encoded");
        }
        FrameKind::Header => {
            let (header, properties) = header(frame.payload).expect("a header");
            let size = usize::try_from(header.body_size).expect("64 bits");
            encoder.header(out, frame.channel, size, Some(&properties)).expect("it was decoded, so it can be encoded");
        }
        FrameKind::Body => encoder.body(out, frame.channel, &leveret::Body::from(frame.payload)),
        FrameKind::Heartbeat => Encoder::heartbeat(out),
    })
}
