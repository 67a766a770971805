//! The incremental frame decoder.

use std::fmt;

use super::{FRAME_HEAD, FRAME_OVERHEAD, FrameError};
use crate::protocol::{MethodId, constants};

/// The kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A method: ids and arguments.
    Method,
    /// A content header.
    Header,
    /// A part of a body.
    Body,
    /// A heartbeat, without a payload.
    Heartbeat,
}

/// A frame, borrowed from the input. `Debug` shows only the length of the payload, which may be
/// credentials or a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The kind of the frame.
    pub kind: FrameKind,
    /// The channel, 0 for the connection itself.
    pub channel: u16,
    /// The payload.
    pub payload: &'a [u8],
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("kind", &self.kind)
            .field("channel", &self.channel)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .finish()
    }
}

/// The result of decoding the beginning of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A whole frame, and the number of bytes that it takes.
    Frame(Frame<'a>, usize),
    /// Bytes are missing: another attempt needs an input of at least this many bytes.
    Incomplete(usize),
}

/// The head of a frame, before its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// The kind of the frame.
    pub kind: FrameKind,
    /// The channel, 0 for the connection itself.
    pub channel: u16,
    /// The bytes of the payload.
    pub size: usize,
}

/// Decodes frames from the beginning of the input, within limits.
///
/// It keeps no bytes, so that any split of the stream gives the same frames. Pass it all bytes that
/// have arrived, and pass it the remainder again together with the bytes that arrive later.
///
/// ```
/// use leveret::frame::{Decoded, Decoder, FrameKind};
///
/// let decoder = Decoder::new(4096);
/// let octets = [8, 0, 0, 0, 0, 0, 0, 0xCE, 1];
/// let Ok(Decoded::Frame(frame, 8)) = decoder.decode(&octets) else { panic!("no frame") };
/// assert_eq!(frame.kind, FrameKind::Heartbeat);
/// assert_eq!(decoder.decode(&octets[8..]), Ok(Decoded::Incomplete(7)));
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    max_payload: u32,
    max_header: u32,
}

impl Decoder {
    /// The largest header frame that is always accepted, whatever was negotiated. A broker sends
    /// the headers of a message in one frame, even if a small `frame_max` was negotiated after the
    /// message was published.
    const HEADER_FLOOR: u32 = 128 * 1024;

    /// Makes a decoder for frames of at most `frame_max` bytes, including the end marker; 0 means
    /// no limit.
    pub fn new(frame_max: u32) -> Self {
        let overhead = u32::try_from(FRAME_OVERHEAD).unwrap_or(u32::MAX);
        let max_payload = if frame_max == 0 { u32::MAX - overhead } else { frame_max.saturating_sub(overhead) };
        Self { max_payload, max_header: max_payload.max(Self::HEADER_FLOOR) }
    }

    /// Returns the same decoder with no limit on header frames except that of their size field.
    #[must_use]
    pub fn with_any_header(self) -> Self {
        Self { max_header: u32::MAX, ..self }
    }

    /// Returns the head of the frame at the beginning of `input`, for a caller that takes a large
    /// frame in parts. Returns `None` if the head is not complete, or if [`Decoder::decode`]
    /// reports an error.
    pub fn head(&self, input: &[u8]) -> Option<FrameHead> {
        let [kind, c0, c1, s0, s1, s2, s3] = *input.first_chunk::<FRAME_HEAD>()?;
        let size = u32::from_be_bytes([s0, s1, s2, s3]);
        let channel = u16::from_be_bytes([c0, c1]);
        let kind = self.check(kind, channel, size, input).ok()??;
        Some(FrameHead { kind, channel, size: usize::try_from(size).ok()? })
    }

    /// Decodes the frame at the beginning of `input`.
    ///
    /// # Errors
    ///
    /// Returns an error as soon as the bytes cannot be the beginning of a frame.
    #[inline]
    pub fn decode<'a>(&self, input: &'a [u8]) -> Result<Decoded<'a>, FrameError> {
        let Some(([kind, c0, c1, s0, s1, s2, s3], rest)) = input.split_first_chunk::<FRAME_HEAD>() else {
            return Self::decode_short(input);
        };
        let size = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
        let channel = u16::from_be_bytes([*c0, *c1]);
        let kind = self.check(*kind, channel, size, input)?;
        let Some(kind) = kind else { return Ok(Decoded::Incomplete(FRAME_OVERHEAD)) };
        let Ok(len) = usize::try_from(size) else {
            return Err(FrameError::TooLarge { size, max: self.max_payload });
        };
        let Some((payload, after)) = rest.split_at_checked(len) else {
            return Ok(Decoded::Incomplete(len + FRAME_OVERHEAD));
        };
        match after.first() {
            None => Ok(Decoded::Incomplete(len + FRAME_OVERHEAD)),
            Some(&constants::FRAME_END) => Ok(Decoded::Frame(Frame { kind, channel, payload }, len + FRAME_OVERHEAD)),
            Some(&octet) => Err(FrameError::MissingFrameEnd(octet)),
        }
    }

    /// Returns the kind of a frame whose head is within the limits, or `None` if the bytes may be
    /// the beginning of a protocol header.
    #[inline]
    fn check(&self, kind: u8, channel: u16, size: u32, input: &[u8]) -> Result<Option<FrameKind>, FrameError> {
        let (kind, max) = match kind {
            constants::FRAME_METHOD => (FrameKind::Method, self.max_payload),
            constants::FRAME_HEADER => (FrameKind::Header, self.max_header),
            constants::FRAME_BODY => (FrameKind::Body, self.max_payload),
            constants::FRAME_HEARTBEAT if channel != 0 => return Err(FrameError::HeartbeatOnChannel(channel)),
            constants::FRAME_HEARTBEAT if size != 0 => return Err(FrameError::HeartbeatWithPayload(size)),
            constants::FRAME_HEARTBEAT => (FrameKind::Heartbeat, 0),
            other => return Self::protocol_header(other, input),
        };
        if size > max { Err(FrameError::TooLarge { size, max }) } else { Ok(Some(kind)) }
    }

    /// Decodes fewer bytes than a frame's head, of which only the type can be checked.
    #[cold]
    fn decode_short(input: &[u8]) -> Result<Decoded<'_>, FrameError> {
        match input.first() {
            None
            | Some(
                &(constants::FRAME_METHOD
                | constants::FRAME_HEADER
                | constants::FRAME_BODY
                | constants::FRAME_HEARTBEAT),
            ) => Ok(Decoded::Incomplete(FRAME_HEAD)),
            Some(&other) => Self::protocol_header(other, input).map(|_| Decoded::Incomplete(FRAME_OVERHEAD)),
        }
    }

    /// Recognises a protocol header: a server that refuses the client's sends its own. Anything
    /// else is an unknown frame type.
    #[cold]
    fn protocol_header(kind: u8, input: &[u8]) -> Result<Option<FrameKind>, FrameError> {
        let name = b"AMQP";
        if let Some((front, rest)) = input.split_first_chunk::<4>() {
            return match (front == name, rest.first_chunk::<4>()) {
                (true, Some(version)) => Err(FrameError::ProtocolHeader(*version)),
                (true, None) => Ok(None),
                (false, _) => Err(FrameError::UnknownType(kind)),
            };
        }
        if name.starts_with(input) { Ok(None) } else { Err(FrameError::UnknownType(kind)) }
    }
}

/// Splits the payload of a method frame into the ids and the arguments.
///
/// # Errors
///
/// Returns an error if the payload is shorter than the ids.
#[inline]
pub fn split_method(payload: &[u8]) -> Result<(MethodId, &[u8]), FrameError> {
    match payload.split_first_chunk::<4>() {
        Some(([c0, c1, m0, m1], arguments)) => {
            let id = MethodId::new(u16::from_be_bytes([*c0, *c1]), u16::from_be_bytes([*m0, *m1]));
            Ok((id, arguments))
        }
        None => Err(FrameError::MethodTooShort(payload.len())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    const HEARTBEAT: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, 0xCE];

    #[test]
    fn every_proper_prefix_of_a_frame_is_incomplete() {
        let decoder = Decoder::new(4096);
        for len in 0..HEARTBEAT.len() {
            let decoded = decoder.decode(&HEARTBEAT[..len]).unwrap();
            assert!(matches!(decoded, Decoded::Incomplete(needed) if needed > len), "{len} octets gave {decoded:?}");
        }
    }

    #[test]
    fn a_payload_over_the_limit_is_refused_from_its_head_alone() {
        let head = [3, 0, 1, 0, 0, 0x0f, 0xf9];
        assert_eq!(Decoder::new(4096).decode(&head), Err(FrameError::TooLarge { size: 4089, max: 4088 }));
        assert_eq!(Decoder::new(4097).decode(&head), Ok(Decoded::Incomplete(4097)));
    }

    #[test]
    fn a_header_frame_may_be_larger_than_a_small_frame_max() {
        let head = [2, 0, 1, 0, 1, 0, 0];
        assert_eq!(Decoder::new(4096).decode(&head), Ok(Decoded::Incomplete(65536 + 8)));
    }

    #[test]
    fn a_protocol_header_names_the_servers_version() {
        let decoder = Decoder::new(4096);
        assert_eq!(decoder.decode(b"AMQP\0\0\x09\0"), Err(FrameError::ProtocolHeader([0, 0, 9, 0])));
        assert_eq!(decoder.decode(b"AMQP\0\0\x09"), Ok(Decoded::Incomplete(8)));
        assert_eq!(decoder.decode(b"AM"), Ok(Decoded::Incomplete(8)));
        assert_eq!(decoder.decode(b"AX"), Err(FrameError::UnknownType(b'A')));
        assert_eq!(decoder.decode(b"HTTP/1.1"), Err(FrameError::UnknownType(b'H')));
    }

    #[test]
    fn a_heartbeat_belongs_to_channel_zero_and_is_empty() {
        let decoder = Decoder::new(4096);
        let on_channel = [8, 0, 7, 0, 0, 0, 0, 0xCE];
        let with_payload = [8, 0, 0, 0, 0, 0, 1, 0, 0xCE];
        assert_eq!(decoder.decode(&on_channel), Err(FrameError::HeartbeatOnChannel(7)));
        assert_eq!(decoder.decode(&with_payload), Err(FrameError::HeartbeatWithPayload(1)));
    }
}
