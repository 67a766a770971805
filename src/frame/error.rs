//! What can be wrong with the octets of a frame, and the reply code that tells the peer.

use std::fmt;

use crate::protocol::ReplyCode;

/// Octets that are not a frame of this protocol. Each is fatal to the connection. The stream has
/// lost its step, but for [`Self::MethodTooShort`], [`Self::HeaderTooShort`] and
/// [`Self::HeaderWeight`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The type octet is none of method, header, body and heartbeat.
    UnknownType(u8),
    /// The octet after the payload is not the frame-end marker, 0xCE.
    MissingFrameEnd(u8),
    /// The declared payload is larger than what was negotiated.
    TooLarge {
        /// Octets declared.
        size: u32,
        /// Octets allowed.
        max: u32,
    },
    /// A method frame of fewer than the four octets of its ids.
    MethodTooShort(usize),
    /// A content header frame of fewer octets than its fixed part.
    HeaderTooShort(usize),
    /// The weight of a content header, which must be zero (§4.2.6.1).
    HeaderWeight(u16),
    /// A heartbeat on a channel other than 0 (§4.2.7).
    HeartbeatOnChannel(u16),
    /// A heartbeat with a payload (§4.2.7).
    HeartbeatWithPayload(u32),
    /// The server answered with a protocol header: it speaks another version (§4.2.2).
    ProtocolHeader([u8; 4]),
}

impl FrameError {
    /// The reply code of the `connection.close` that answers it; none where the peer speaks another
    /// protocol.
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
