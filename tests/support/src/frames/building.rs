//! Octets of frames, right and wrong.

use std::fmt::Debug;
use std::io::IoSlice;

use leveret::Properties;
use leveret::frame::Outbound;
use leveret::protocol::{ContentProperties, Method, MethodId, ProtocolMethod};
use leveret::wire::Writer;

use super::{BODY, END, HEADER, HEARTBEAT, METHOD};

/// The head of a frame, which declares this many octets of payload.
pub fn frame_head(kind: u8, channel: u16, size: u32) -> Vec<u8> {
    [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes()].concat()
}

/// A frame that ends with this octet.
pub fn frame_ended_by(kind: u8, channel: u16, payload: &[u8], end: u8) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("a payload of a test is small");
    [&frame_head(kind, channel, size), payload, &[end]].concat()
}

/// A frame of any type with any payload.
pub fn raw_frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    frame_ended_by(kind, channel, payload, END)
}

/// A sign of life.
pub fn heartbeat_octets() -> Vec<u8> {
    raw_frame(HEARTBEAT, 0, &[])
}

/// The frame of a method with this id and these octets for arguments.
pub fn raw_method_octets(channel: u16, id: MethodId, arguments: &[u8]) -> Vec<u8> {
    raw_frame(METHOD, channel, &[&id.class.to_be_bytes()[..], &id.method.to_be_bytes(), arguments].concat())
}

/// The frame of a method.
pub fn method_octets(channel: u16, method: impl Into<Method>) -> Vec<u8> {
    let method = method.into();
    of_method(channel, method.id(), |arguments| method.encode(arguments))
}

/// The same of a method that is only lent.
pub fn octets_of_method<M: ProtocolMethod>(channel: u16, method: &M) -> Vec<u8> {
    of_method(channel, M::ID, |arguments| method.encode(arguments))
}

fn of_method<E: Debug>(channel: u16, id: MethodId, encode: impl FnOnce(&mut Writer<'_>) -> Result<(), E>) -> Vec<u8> {
    let mut arguments = Vec::new();
    encode(&mut Writer::new(&mut arguments)).expect("a method that can be sent");
    raw_method_octets(channel, id, &arguments)
}

/// A content header of this class and weight, with these octets for properties.
pub fn raw_header_octets(channel: u16, class: u16, weight: u16, body_size: u64, properties: &[u8]) -> Vec<u8> {
    let fixed = [&class.to_be_bytes()[..], &weight.to_be_bytes(), &body_size.to_be_bytes()].concat();
    raw_frame(HEADER, channel, &[&fixed, properties].concat())
}

/// A content header.
pub fn header_octets(channel: u16, body_size: usize, properties: &Properties) -> Vec<u8> {
    let mut encoded = Vec::new();
    properties.encode(&mut Writer::new(&mut encoded)).expect("properties that can be sent");
    raw_header_octets(channel, 60, 0, body_size as u64, &encoded)
}

/// Body frames with at most `piece` octets of body each.
pub fn body_octets(channel: u16, body: &[u8], piece: usize) -> Vec<u8> {
    body.chunks(piece).flat_map(|piece| raw_frame(BODY, channel, piece)).collect()
}

/// A method with its content, with at most `piece` octets of body in a frame.
pub fn content_octets(
    channel: u16,
    method: impl Into<Method>,
    properties: &Properties,
    body: &[u8],
    piece: usize,
) -> Vec<u8> {
    let header = header_octets(channel, body.len(), properties);
    [method_octets(channel, method), header, body_octets(channel, body, piece)].concat()
}

/// All that an outbound buffer holds, in order.
pub fn octets_of(mut outbound: Outbound) -> Vec<u8> {
    let mut octets = Vec::with_capacity(outbound.len());
    while !outbound.is_empty() {
        let mut slices = [IoSlice::new(&[]); 3];
        let filled = outbound.slices(&mut slices);
        let shown: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
        // Less than what is shown, so that partial writes are covered everywhere.
        let accepted = shown.len().div_ceil(2);
        octets.extend_from_slice(&shown[..accepted]);
        outbound.advance(accepted);
    }
    octets
}
