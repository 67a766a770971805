//! Input of a client: bytes become frames, which are handled according to the phase of the
//! connection.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use super::connection::Phase;
use crate::broker::keys::{ChannelKey, ConnectionId};
use crate::broker::state::State;
use crate::broker::words::frame as frame_text;
use crate::broker::words::{Refusal, octets};
use crate::frame::{Decoded, Frame, FrameKind, split_method};
use crate::protocol::{Method, MethodId, ReplyCode, constants};
use crate::wire::{DecodeErrorKind, Reader};

/// How long RabbitMQ keeps the transport of a client that it does not answer, before it resets it.
pub(super) const SILENCE: Duration = Duration::from_secs(3);

/// The ids in a close that blames no method.
const NOTHING: MethodId = MethodId::new(0, 0);

/// The smallest payloads of method and header frames, in bytes.
const METHOD_MIN: usize = 4;
const HEADER_MIN: usize = 14;

/// The bytes of a frame before its payload, and those around it.
const HEAD: usize = 7;
const OVERHEAD: usize = 8;

impl State {
    /// Handles the frames at the front of the input as long as the connection is to be read.
    pub(in crate::broker) fn read_frames(&mut self, id: ConnectionId, input: &mut BytesMut, now: Instant) {
        while let Some(connection) = self.connections.get_mut(&id) {
            if !connection.wants_input() {
                return;
            }
            if matches!(connection.phase, Phase::Refused | Phase::Ending) {
                input.clear();
                return;
            }
            let readable = connection.link.readable(input.len());
            let used = self.read_frame(id, input.get(..readable).unwrap_or_default(), now);
            input.advance(used);
            if used == 0 {
                self.cut_short(id, readable);
                return;
            }
            self.serve_changed(now);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.link.handle_read(used, now);
            }
        }
    }

    /// Handles input that is not a whole frame. If a fault allows no more input, the transport is
    /// lost.
    fn cut_short(&mut self, id: ConnectionId, readable: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.link.is_input_over(readable) {
            connection.link.cut();
            self.wake(id);
        }
    }

    /// Handles one frame, and returns how many bytes it used; 0 if bytes are missing.
    fn read_frame(&mut self, id: ConnectionId, input: &[u8], now: Instant) -> usize {
        let Some(connection) = self.connections.get(&id) else { return input.len() };
        if connection.phase == Phase::Header {
            let Some(header) = input.first_chunk::<8>() else { return 0 };
            self.handle_protocol_header(id, *header, now);
            return header.len();
        }
        if exceeds(input, connection.frame_max) {
            return self.refuse_bytes(id, input, now);
        }
        let decoder = connection.decoder.clone();
        match decoder.decode(input) {
            Ok(Decoded::Frame(frame, used)) => {
                self.handle_frame(id, &frame, now);
                used
            }
            Ok(Decoded::Incomplete(_)) => 0,
            Err(_) => self.refuse_bytes(id, input, now),
        }
    }

    /// Handles bytes that are not a valid frame. RabbitMQ reads them as a frame as far as they have
    /// the form of one, and reports what is wrong with it.
    fn refuse_bytes(&mut self, id: ConnectionId, input: &[u8], now: Instant) -> usize {
        let Some(([kind, _, _, s0, s1, s2, s3], rest)) = input.split_first_chunk::<HEAD>() else { return 0 };
        let Some(connection) = self.connections.get(&id) else { return input.len() };
        let size = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
        let frame_max = connection.frame_max;
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        let in_handshake = matches!(connection.phase, Phase::StartOk | Phase::TuneOk);
        let (text, out_of_step) = if size > frame_max {
            let limit = frame_max.saturating_sub(8);
            (format!("{}: {{frame_too_large,{size},{limit}}}", frame_text(*kind, &[])), true)
        } else {
            let Some((payload, end)) =
                rest.split_at_checked(len).and_then(|(payload, after)| Some((payload, after.first()?)))
            else {
                return 0;
            };
            let what = frame_text(*kind, payload);
            if *end == constants::FRAME_END {
                (format!("{what}: unknown_frame"), false)
            } else {
                (format!("{what}: {{invalid_frame_end_marker,{end}}}"), true)
            }
        };
        if matches!(connection.phase, Phase::Closing | Phase::Closed) && !out_of_step {
            return len + OVERHEAD;
        }
        if in_handshake || matches!(connection.phase, Phase::Closing | Phase::Closed) {
            self.refuse_silently(id, now);
            return input.len();
        }
        let heartbeat_elsewhere = *kind == constants::FRAME_HEARTBEAT && size == 0 && !out_of_step;
        let refusal = if heartbeat_elsewhere {
            Refusal::connection(ReplyCode::UNEXPECTED_FRAME, frame_text(*kind, &[]))
        } else {
            Refusal::connection(ReplyCode::FRAME_ERROR, text)
        };
        self.refuse_connection(id, &refusal, NOTHING, now);
        if out_of_step {
            self.refuse_silently(id, now);
            return input.len();
        }
        len + OVERHEAD
    }

    fn handle_frame(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) {
        let Some(connection) = self.connections.get(&id) else { return };
        let too_short = match frame.kind {
            FrameKind::Header => frame.payload.len() < HEADER_MIN,
            FrameKind::Method => frame.payload.len() < METHOD_MIN,
            FrameKind::Body | FrameKind::Heartbeat => false,
        };
        if too_short && matches!(connection.phase, Phase::Open | Phase::Running) {
            let text = format!("{}: unknown_frame", frame_text(type_of(frame), frame.payload));
            let refusal = Refusal::connection(ReplyCode::FRAME_ERROR, text).without_blame();
            return self.refuse_connection(id, &refusal, NOTHING, now);
        }
        match connection.phase {
            Phase::StartOk | Phase::TuneOk | Phase::Open => self.handshake_frame(id, frame, now),
            Phase::Running if frame.channel == 0 => self.connection_frame(id, frame, now),
            Phase::Running => self.channel_frame(ChannelKey { connection: id, number: frame.channel }, frame, now),
            Phase::Closing | Phase::Closed => self.frame_while_closing(id, frame, now),
            Phase::Header | Phase::Refused | Phase::Ending => {}
        }
    }

    /// Handles a frame on channel 0 of an open connection.
    fn connection_frame(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) {
        match frame.kind {
            FrameKind::Heartbeat => {}
            FrameKind::Header | FrameKind::Body => self.refuse_frame(id, frame, now),
            FrameKind::Method => {
                if let Some(method) = self.decode_method(id, frame, now) {
                    self.connection_method(id, &method, now);
                }
            }
        }
    }

    /// Refuses with 505 a frame that is not valid here.
    pub(super) fn refuse_frame(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) {
        let refusal = Refusal::connection(ReplyCode::UNEXPECTED_FRAME, frame_text(type_of(frame), frame.payload));
        self.refuse_connection(id, &refusal, NOTHING, now);
    }

    /// Decodes a method. An error is answered as RabbitMQ answers it.
    pub(super) fn decode_method(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) -> Option<Method> {
        let (method, arguments) = split_method(frame.payload).ok()?;
        let shared_arguments = bytes::Bytes::copy_from_slice(arguments);
        let mut reader = Reader::shared(&shared_arguments);
        let decoded = Method::decode(method, &mut reader).and_then(|decoded| reader.finish().map(|()| decoded));
        let error = match decoded {
            Ok(decoded) => return Some(decoded),
            Err(error) => error,
        };
        let in_table = error.offset().is_some_and(|offset| has_whole_table(arguments, offset));
        match error.kind() {
            // No close frame: in RabbitMQ the process that reads the socket crashes.
            DecodeErrorKind::UnknownMethod { .. } | DecodeErrorKind::UnknownTypeCode(_) => self.cut(id, now),
            DecodeErrorKind::Truncated if in_table => self.cut(id, now),
            _ if frame.channel == 0 => self.refuse_connection(id, &Refusal::internal(), method, now),
            _ => {
                let text = format!("cannot decode {}", octets(arguments));
                self.refuse_connection(id, &Refusal::connection(ReplyCode::FRAME_ERROR, text), method, now);
            }
        }
        None
    }

    /// Handles a frame after a `connection.close`: only the close and its answer count.
    fn frame_while_closing(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) {
        if frame.kind != FrameKind::Method || frame.channel != 0 {
            return;
        }
        let Ok((method, _)) = split_method(frame.payload) else { return };
        self.method_while_closing(id, method, now);
    }
}

/// Whether a table that begins before `offset` ends with the arguments: the error is then in the
/// table and not in its length.
fn has_whole_table(arguments: &[u8], offset: usize) -> bool {
    let before = arguments.get(..offset).unwrap_or(arguments);
    let starts = before.windows(4).enumerate();
    let length = |window: &[u8]| window.first_chunk().map(|octets| u64::from(u32::from_be_bytes(*octets)));
    starts.into_iter().any(|(start, window)| {
        let rest = arguments.len().saturating_sub(start + 4) as u64;
        rest > 0 && length(window) == Some(rest)
    })
}

/// Whether the first frame is announced to be larger than allowed.
fn exceeds(input: &[u8], frame_max: u32) -> bool {
    let head = input.first_chunk::<HEAD>();
    head.is_some_and(|[_, _, _, s0, s1, s2, s3]| u32::from_be_bytes([*s0, *s1, *s2, *s3]) > frame_max)
}

/// The type octet of a frame.
fn type_of(frame: &Frame<'_>) -> u8 {
    match frame.kind {
        FrameKind::Method => constants::FRAME_METHOD,
        FrameKind::Header => constants::FRAME_HEADER,
        FrameKind::Body => constants::FRAME_BODY,
        FrameKind::Heartbeat => constants::FRAME_HEARTBEAT,
    }
}
