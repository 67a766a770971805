//! Frames by hand, right and wrong.

use leveret::protocol::MethodId;
use leveret_test_support::frames::raw_method_octets;

pub(super) use leveret_test_support::frames::{
    BODY, HEADER, HEARTBEAT, MAX_PAYLOAD, METHOD, frame_ended_by as ended, frame_head as head, method_octets as method,
    raw_frame as frame, raw_header_octets as raw_header,
};

/// A whole heartbeat.
pub(super) const SIGN_OF_LIFE: [u8; 8] = [HEARTBEAT, 0, 0, 0, 0, 0, 0, 0xCE];

/// A method of these ids with these octets for arguments.
pub(super) fn raw_method(channel: u16, (class, method): (u16, u16), arguments: &[u8]) -> Vec<u8> {
    raw_method_octets(channel, MethodId::new(class, method), arguments)
}

/// A content header without properties.
pub(super) fn header(channel: u16, body_size: u64) -> Vec<u8> {
    raw_header(channel, 60, 0, body_size, &[0, 0])
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
