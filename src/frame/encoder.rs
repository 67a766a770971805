//! Encoding of frames into an [`Outbound`]: methods, content split at the negotiated size,
//! heartbeats, the protocol header.

use std::fmt;

use bytes::Bytes;

use super::{Body, FRAME_HEAD, FRAME_OVERHEAD, Outbound};
use crate::protocol::{
    ContentProperties, Method, MethodId, ProtocolMethod,
    basic::{self, Properties},
    connection, constants,
};
use crate::wire::{EncodeError, ShortString, Writer};

/// The bytes of the protocol header that opens a connection (§4.2.2).
pub const PROTOCOL_HEADER_LEN: usize = constants::PROTOCOL_HEADER.len();

/// Encodes frames of at most the negotiated size. After an error, the buffer is as before.
#[derive(Debug, Clone)]
pub struct Encoder {
    max_payload: usize,
}

/// The contents of `basic.publish`, which are encoded in place without building its struct.
#[derive(Debug, Clone, Copy)]
pub struct Publish<'a> {
    /// The exchange; empty for the default exchange.
    pub exchange: &'a [u8],
    /// The routing key.
    pub routing_key: &'a [u8],
    /// Whether the broker returns the message if no queue takes it.
    pub mandatory: bool,
    /// The properties, if any.
    pub properties: Option<&'a Properties>,
    /// The body.
    pub body: &'a Body<'a>,
}

/// An error of encoding frames. The cause is a value of the caller, and nothing was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameEncodeError {
    /// A value that the wire cannot express.
    Value(EncodeError),
    /// A method or header, which cannot be split, is larger than the negotiated frame size.
    TooLarge {
        /// The size of the payload in bytes.
        size: usize,
        /// The largest size that is allowed, in bytes.
        max: usize,
    },
}

impl From<EncodeError> for FrameEncodeError {
    fn from(error: EncodeError) -> Self {
        Self::Value(error)
    }
}

impl fmt::Display for FrameEncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(error) => write!(f, "cannot be encoded: {error}"),
            Self::TooLarge { size, max } => {
                write!(f, "a frame of {size} octets does not fit the negotiated frame_max, which leaves {max}")
            }
        }
    }
}

/// Without a source, because its text contains that of the inner error.
impl std::error::Error for FrameEncodeError {}

impl Encoder {
    /// Makes an encoder for frames of at most `frame_max` bytes, including the end marker; 0 means
    /// no limit.
    pub fn new(frame_max: u32) -> Self {
        let frame_max = if frame_max == 0 { u32::MAX } else { frame_max };
        let max_payload = usize::try_from(frame_max).unwrap_or(usize::MAX).saturating_sub(FRAME_OVERHEAD).max(1);
        Self { max_payload }
    }

    /// Returns the largest payload of a frame, in bytes.
    pub const fn max_payload(&self) -> usize {
        self.max_payload
    }

    /// Appends the protocol header.
    pub fn protocol_header(out: &mut Outbound) {
        out.extend(&constants::PROTOCOL_HEADER);
    }

    /// Appends a heartbeat.
    pub fn heartbeat(out: &mut Outbound) {
        out.extend(&[constants::FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, constants::FRAME_END]);
    }

    /// Appends a method frame.
    ///
    /// # Errors
    ///
    /// Returns an error if the wire cannot express an argument, or if the arguments do not fit into
    /// a frame.
    pub fn method<M: ProtocolMethod>(
        &self,
        out: &mut Outbound,
        channel: u16,
        method: &M,
    ) -> Result<(), FrameEncodeError> {
        self.frame(out, constants::FRAME_METHOD, channel, |writer| {
            write_id(writer, M::ID);
            method.encode(writer)
        })
    }

    /// Appends the frame of a method whose type is known only at run time.
    ///
    /// # Errors
    ///
    /// Returns an error if the wire cannot express an argument, or if the arguments do not fit into
    /// a frame.
    pub fn any_method(&self, out: &mut Outbound, channel: u16, method: &Method) -> Result<(), FrameEncodeError> {
        self.frame(out, constants::FRAME_METHOD, channel, |writer| {
            write_id(writer, method.id());
            method.encode(writer)
        })
    }

    /// Appends `connection.update-secret`. The secret is appended by reference, however small, so
    /// that its owner can overwrite it after it is written.
    ///
    /// # Errors
    ///
    /// Returns an error if the reason is too long, or if the secret does not fit into a frame.
    pub fn update_secret(
        &self,
        out: &mut Outbound,
        secret: Bytes,
        reason: &ShortString,
    ) -> Result<(), FrameEncodeError> {
        let mut before = Vec::new();
        let mut writer = Writer::new(&mut before);
        write_id(&mut writer, connection::UpdateSecret::ID);
        let length = u32::try_from(secret.len()).unwrap_or(u32::MAX);
        writer.long(length);
        let mut after = Vec::new();
        Writer::new(&mut after).short_string_octets(reason.as_bytes())?;

        let size = before.len() + secret.len() + after.len();
        if size > self.max_payload {
            return Err(FrameEncodeError::TooLarge { size, max: self.max_payload });
        }
        out.extend(&frame_head(constants::FRAME_METHOD, 0, size));
        out.extend(&before);
        out.append_body(secret);
        out.extend(&after);
        out.extend(&[constants::FRAME_END]);
        Ok(())
    }

    /// Appends `basic.publish` with its whole content.
    ///
    /// # Errors
    ///
    /// Returns an error if the wire cannot express a name or property, or if the properties do not
    /// fit into a frame.
    #[inline]
    pub fn publish(&self, out: &mut Outbound, channel: u16, publish: &Publish<'_>) -> Result<(), FrameEncodeError> {
        // The method may be appended before the header fails: both have to be removed.
        let mark = out.mark();
        let written = self.try_publish(out, channel, publish);
        if written.is_err() {
            out.roll_back(mark);
        }
        written
    }

    #[inline]
    fn try_publish(&self, out: &mut Outbound, channel: u16, publish: &Publish<'_>) -> Result<(), FrameEncodeError> {
        self.frame(out, constants::FRAME_METHOD, channel, |writer| {
            write_id(writer, basic::Publish::ID);
            writer.short(0);
            writer.short_string_octets(publish.exchange)?;
            writer.short_string_octets(publish.routing_key)?;
            writer.octet(u8::from(publish.mandatory));
            Ok(())
        })?;
        self.header(out, channel, publish.body.len(), publish.properties)?;
        self.body(out, channel, publish.body);
        Ok(())
    }

    /// Appends a content header frame of the basic class.
    ///
    /// # Errors
    ///
    /// Returns an error if the wire cannot express a property, or if the properties do not fit into
    /// a frame.
    #[inline]
    pub fn header(
        &self,
        out: &mut Outbound,
        channel: u16,
        body_size: usize,
        properties: Option<&Properties>,
    ) -> Result<(), FrameEncodeError> {
        self.frame(out, constants::FRAME_HEADER, channel, |writer| {
            writer.short(Properties::CLASS_ID);
            writer.short(0);
            writer.longlong(body_size as u64);
            match properties {
                Some(properties) => properties.encode(writer)?,
                None => writer.short(0),
            }
            Ok(())
        })
    }

    /// Appends a content header frame of the basic class with properties that are encoded already.
    ///
    /// # Errors
    ///
    /// Returns an error if the properties do not fit into a frame.
    pub fn encoded_header(
        &self,
        out: &mut Outbound,
        channel: u16,
        body_size: usize,
        properties: &[u8],
    ) -> Result<(), FrameEncodeError> {
        self.frame(out, constants::FRAME_HEADER, channel, |writer| {
            writer.short(Properties::CLASS_ID);
            writer.short(0);
            writer.longlong(body_size as u64);
            writer.octets(properties);
            Ok(())
        })
    }

    /// Appends body frames, each as large as allowed, or none for an empty body.
    #[inline]
    pub fn body(&self, out: &mut Outbound, channel: u16, body: &Body<'_>) {
        match body.by_reference() {
            Some(shared) => self.body_by_reference(out, channel, shared),
            None => {
                for piece in body.as_slice().chunks(self.max_payload) {
                    out.append(|run| {
                        run.reserve(piece.len() + FRAME_OVERHEAD);
                        run.extend_from_slice(&frame_head(constants::FRAME_BODY, channel, piece.len()));
                        run.extend_from_slice(piece);
                        run.push(constants::FRAME_END);
                    });
                }
            }
        }
    }

    fn body_by_reference(&self, out: &mut Outbound, channel: u16, body: &Bytes) {
        let mut from = 0;
        while from < body.len() {
            let until = body.len().min(from.saturating_add(self.max_payload));
            out.extend(&frame_head(constants::FRAME_BODY, channel, until - from));
            out.append_body(body.slice(from..until));
            out.extend(&[constants::FRAME_END]);
            from = until;
        }
    }

    /// Appends one frame whose payload `write` appends. If that fails or the payload is too large,
    /// the frame is removed.
    #[inline]
    fn frame(
        &self,
        out: &mut Outbound,
        kind: u8,
        channel: u16,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), FrameEncodeError> {
        out.append(|run| {
            let start = run.len();
            run.extend_from_slice(&frame_head(kind, channel, 0));
            let written = write(&mut Writer::new(run));
            let size = run.len() - start - FRAME_HEAD;
            let checked = match written {
                Err(error) => Err(FrameEncodeError::Value(error)),
                Ok(()) if size > self.max_payload => Err(FrameEncodeError::TooLarge { size, max: self.max_payload }),
                Ok(()) => Ok(()),
            };
            if checked.is_err() {
                run.truncate(start);
                return checked;
            }
            // The size is known only now: values are encoded straight into the run, without a pass
            // that measures them first.
            if let Some(place) = run.get_mut(start + 3..start + FRAME_HEAD) {
                place.copy_from_slice(&size_octets(size));
            }
            run.push(constants::FRAME_END);
            Ok(())
        })
    }
}

#[inline]
fn write_id(writer: &mut Writer<'_>, id: MethodId) {
    writer.short(id.class);
    writer.short(id.method);
}

#[inline]
fn frame_head(kind: u8, channel: u16, size: usize) -> [u8; FRAME_HEAD] {
    let [c0, c1] = channel.to_be_bytes();
    let [s0, s1, s2, s3] = size_octets(size);
    [kind, c0, c1, s0, s1, s2, s3]
}

/// Encodes the size of a payload, which is never larger than `frame_max`, a `u32`.
#[inline]
fn size_octets(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes()
}
