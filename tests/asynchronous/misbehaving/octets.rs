//! Frames by hand, right and wrong.

use leveret::protocol::ProtocolMethod;

use crate::peer::{FRAME_MAX, method_octets};

/// Octets of a frame besides its payload.
const OVERHEAD: u32 = 8;

/// The largest payload of a method or body that was agreed on.
pub(super) const MAX_PAYLOAD: u32 = FRAME_MAX - OVERHEAD;

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// A whole heartbeat.
pub(super) const SIGN_OF_LIFE: [u8; 8] = [HEARTBEAT, 0, 0, 0, 0, 0, 0, 0xCE];

/// The head of a frame, which declares this many octets of payload.
pub(super) fn head(kind: u8, channel: u16, size: u32) -> Vec<u8> {
    [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes()].concat()
}

/// A frame that ends with this octet.
pub(super) fn ended(kind: u8, channel: u16, payload: &[u8], end: u8) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap();
    [&head(kind, channel, size), payload, &[end]].concat()
}

/// A whole frame.
pub(super) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    ended(kind, channel, payload, 0xCE)
}

/// A method, as it should be.
#[allow(clippy::needless_pass_by_value, reason = "rows read better without a borrow")]
pub(super) fn method<M: ProtocolMethod>(channel: u16, method: M) -> Vec<u8> {
    method_octets(channel, &method)
}

/// A method of these ids with these octets for arguments.
pub(super) fn raw_method(channel: u16, (class, method): (u16, u16), arguments: &[u8]) -> Vec<u8> {
    frame(METHOD, channel, &[&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat())
}

/// A content header without properties.
pub(super) fn header(channel: u16, body_size: u64) -> Vec<u8> {
    raw_header(channel, 60, 0, body_size, &[0, 0])
}

/// A content header of this class and weight, with these octets for properties.
pub(super) fn raw_header(channel: u16, class: u16, weight: u16, body_size: u64, properties: &[u8]) -> Vec<u8> {
    let fixed = [&class.to_be_bytes()[..], &weight.to_be_bytes(), &body_size.to_be_bytes()].concat();
    frame(HEADER, channel, &[&fixed, properties].concat())
}

/// A piece of a body.
pub(super) fn body(channel: u16, octets: &[u8]) -> Vec<u8> {
    frame(BODY, channel, octets)
}

/// A table of one field, `a`, whose type code and value are these octets.
pub(super) fn table_of(value: &[u8]) -> Vec<u8> {
    sized(&[b"\x01a", value].concat())
}

/// Octets behind their length in 32 bits.
pub(super) fn sized(octets: &[u8]) -> Vec<u8> {
    [&u32::try_from(octets.len()).unwrap().to_be_bytes(), octets].concat()
}

/// A table in which there are this many tables, each in the one before.
pub(super) fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(sized(&[]), |inner, _| table_of(&[b"F", &inner[..]].concat()))
}
