//! Decoding and encoding of frames (AMQP 0-9-1 §4.2): the incremental [`Decoder`] with its limits,
//! the [`Encoder`] and the [`Outbound`] buffer.
//!
//! **Unstable**: any release may change this module. The types of it that belong to the stable API
//! are re-exported at the root of the crate.
//!
//! A frame is `type channel size payload 0xCE`. The decoder looks at the beginning of the input and
//! never allocates: the size that a peer declares is checked against the negotiated limits first.
//! The encoder appends to an [`Outbound`], which copies small data into one run of bytes and keeps
//! references to large bodies, so that a socket can take both with one vectored write.

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

/// The bytes of a frame around its payload: type, channel, size, and the end marker.
pub const FRAME_OVERHEAD: usize = 8;

/// The bytes of a frame before its payload.
pub(crate) const FRAME_HEAD: usize = 7;
