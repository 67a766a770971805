//! Errors of frames, and the reply codes that report them to the peer.

use std::fmt;

use crate::protocol::ReplyCode;

/// An error in a frame. Every one is fatal to the connection. After [`Self::MethodTooShort`],
/// [`Self::HeaderTooShort`] and [`Self::HeaderWeight`], the beginning of the next frame is still
/// known; after the others it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The type is none of method, header, body and heartbeat.
    UnknownType(u8),
    /// The octet after the payload is not the frame-end marker, 0xCE.
    MissingFrameEnd(u8),
    /// The declared payload is larger than negotiated.
    TooLarge {
        /// The declared size in bytes.
        size: u32,
        /// The largest size that is allowed, in bytes.
        max: u32,
    },
    /// A method frame has fewer than the four bytes of its ids.
    MethodTooShort(usize),
    /// A content header frame has fewer bytes than its fixed part.
    HeaderTooShort(usize),
    /// The weight of a content header is not zero (§4.2.6.1).
    HeaderWeight(u16),
    /// A heartbeat on a channel other than 0 (§4.2.7).
    HeartbeatOnChannel(u16),
    /// A heartbeat with a payload (§4.2.7).
    HeartbeatWithPayload(u32),
    /// The server answered with a protocol header, because it speaks another version (§4.2.2).
    ProtocolHeader([u8; 4]),
}

impl FrameError {
    /// Returns the reply code of the `connection.close` that answers the error, or `None` if the
    /// peer speaks another protocol.
    pub fn reply_code(&self) -> Option<ReplyCode> {
        match self {
            Self::UnknownType(_)
            | Self::MissingFrameEnd(_)
            | Self::TooLarge { .. }
            | Self::HeartbeatOnChannel(_)
            | Self::HeartbeatWithPayload(_) => Some(ReplyCode::FRAME_ERROR),
            Self::MethodTooShort(_) | Self::HeaderTooShort(_) | Self::HeaderWeight(_) => Some(ReplyCode::SYNTAX_ERROR),
            Self::ProtocolHeader(_) => None,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(octet) => write!(f, "unknown frame type {octet}"),
            Self::MissingFrameEnd(octet) => write!(f, "frame ends with octet {octet:#04x} instead of 0xce"),
            Self::TooLarge { size, max } => write!(f, "frame payload of {size} octets, at most {max} were negotiated"),
            Self::MethodTooShort(len) => write!(f, "method frame of {len} octets has no room for its ids"),
            Self::HeaderTooShort(len) => write!(f, "content header of {len} octets has no room for its fixed part"),
            Self::HeaderWeight(weight) => write!(f, "content header of weight {weight}, must be 0"),
            Self::HeartbeatOnChannel(channel) => write!(f, "heartbeat on channel {channel}, must be 0"),
            Self::HeartbeatWithPayload(size) => write!(f, "heartbeat with a payload of {size} octets"),
            Self::ProtocolHeader([_, major, minor, revision]) => {
                write!(f, "the server speaks AMQP {major}-{minor}-{revision}, not 0-9-1")
            }
        }
    }
}

impl std::error::Error for FrameError {}
