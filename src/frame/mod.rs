//! Octets ↔ frames (AMQP 0-9-1 §4.2): the bounded incremental [`Decoder`], the encoder and the
//! [`Outbound`] buffer.
//!
//! **Not promised**: any release may change what is here. What of it the API gives is at the root
//! of the crate.
//!
//! A frame is `type channel size payload 0xCE`. The decoder looks at a prefix of the input and
//! never allocates; what a peer merely declares is checked against the negotiated limits first. The
//! encoder writes into an [`Outbound`], which keeps small data in one run of octets and refers to
//! large bodies, so that a socket can take both with one vectored write.

mod body;
mod content;
mod decoder;
mod encoder;
mod error;
mod outbound;
mod walk;

pub use body::{BY_REFERENCE, Body};
pub use content::ContentHeader;
pub use decoder::{Decoded, Decoder, Frame, FrameHead, FrameKind, split_method};
pub use encoder::{Encoder, FrameEncodeError, PROTOCOL_HEADER_LEN, Publish};
pub use error::FrameError;
pub use outbound::{Mark, Outbound};
pub use walk::FrameWalk;

/// Octets of a frame around its payload: type, channel, size, and the end marker.
pub const FRAME_OVERHEAD: usize = 8;

/// Octets of a frame before its payload.
pub(crate) const FRAME_HEAD: usize = 7;
