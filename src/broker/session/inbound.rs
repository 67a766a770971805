//! Octets of a client → frames → what they mean in the phase that the connection is in.

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

/// How long RabbitMQ says nothing to what it does not want to talk to, before it resets the
/// connection.
pub(super) const SILENCE: Duration = Duration::from_secs(3);

/// What a close names where it is no method.
const NOTHING: MethodId = MethodId::new(0, 0);

/// Octets that the payloads of method and header frames have at least.
const METHOD_MIN: usize = 4;
const HEADER_MIN: usize = 14;

/// Octets of a frame before its payload, and of a whole frame around it.
const HEAD: usize = 7;
const OVERHEAD: usize = 8;

impl State {
    /// Takes frames off the front of the input as long as the connection reads.
    pub(in crate::broker) fn read_frames(&mut self, id: ConnectionId, input: &mut BytesMut, now: Instant) {
        while let Some(connection) = self.connections.get_mut(&id) {
            if !connection.wants_input() {
                return;
            }
            if matches!(connection.phase, Phase::Doomed | Phase::Ending) {
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

    /// What has come is no frame yet; where no more may come, the transport is lost.
    fn cut_short(&mut self, id: ConnectionId, readable: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.link.is_input_over(readable) {
            connection.link.cut();
            self.wake(id);
        }
    }

    /// Reads one frame, and gives how many octets it used: none where octets are missing.
    fn read_frame(&mut self, id: ConnectionId, input: &[u8], now: Instant) -> usize {
        let Some(connection) = self.connections.get(&id) else { return input.len() };
        if connection.phase == Phase::Header {
            let Some(header) = input.first_chunk::<8>() else { return 0 };
            self.greet(id, *header, now);
            return header.len();
        }
        if exceeds(input, connection.frame_max) {
            return self.refuse_octets(id, input, now);
        }
        let decoder = connection.decoder.clone();
        match decoder.decode(input) {
            Ok(Decoded::Frame(frame, used)) => {
                self.handle_frame(id, &frame, now);
                used
            }
            Ok(Decoded::Incomplete(_)) => 0,
            Err(_) => self.refuse_octets(id, input, now),
        }
    }

    /// Octets that are no frame: RabbitMQ takes them for one as long as they have its shape, and
    /// says what is wrong with it.
    fn refuse_octets(&mut self, id: ConnectionId, input: &[u8], now: Instant) -> usize {
        let Some(([kind, _, _, s0, s1, s2, s3], rest)) = input.split_first_chunk::<HEAD>() else { return 0 };
        let Some(connection) = self.connections.get(&id) else { return input.len() };
        let size = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
        let frame_max = connection.frame_max;
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        let in_handshake = matches!(connection.phase, Phase::StartOk | Phase::TuneOk);
        let (text, lost_step) = if size > frame_max {
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
        if matches!(connection.phase, Phase::Closing | Phase::Closed) && !lost_step {
            return len + OVERHEAD;
        }
        if in_handshake || matches!(connection.phase, Phase::Closing | Phase::Closed) {
            self.doom(id, now);
            return input.len();
        }
        let heartbeat_elsewhere = *kind == constants::FRAME_HEARTBEAT && size == 0 && !lost_step;
        let refusal = if heartbeat_elsewhere {
            Refusal::connection(ReplyCode::UNEXPECTED_FRAME, frame_text(*kind, &[]))
        } else {
            Refusal::connection(ReplyCode::FRAME_ERROR, text)
        };
        self.refuse_connection(id, &refusal, NOTHING, now);
        if lost_step {
            self.doom(id, now);
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
            Phase::Header | Phase::Doomed | Phase::Ending => {}
        }
    }

    /// A frame on channel 0 of an open connection.
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

    /// 505 for a frame that has no business where it is.
    pub(super) fn refuse_frame(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) {
        let refusal = Refusal::connection(ReplyCode::UNEXPECTED_FRAME, frame_text(type_of(frame), frame.payload));
        self.refuse_connection(id, &refusal, NOTHING, now);
    }

    /// Reads a method; what cannot be read is answered as RabbitMQ answers it.
    pub(super) fn decode_method(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) -> Option<Method> {
        let (method, arguments) = split_method(frame.payload).ok()?;
        let arguments_in_common = bytes::Bytes::copy_from_slice(arguments);
        let mut reader = Reader::shared(&arguments_in_common);
        let decoded = Method::decode(method, &mut reader).and_then(|decoded| reader.finish().map(|()| decoded));
        let error = match decoded {
            Ok(decoded) => return Some(decoded),
            Err(error) => error,
        };
        let in_table = error.offset().is_some_and(|offset| has_whole_table(arguments, offset));
        match error.kind() {
            // No close frame: the process that reads the socket has crashed there.
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

    /// After the broker's connection.close only the end of the conversation counts.
    fn frame_while_closing(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) {
        if frame.kind != FrameKind::Method || frame.channel != 0 {
            return;
        }
        let Ok((method, _)) = split_method(frame.payload) else { return };
        self.method_while_closing(id, method, now);
    }
}

/// A table that begins before `offset` ends where the arguments do: what is wrong is in it, not in
/// its length.
fn has_whole_table(arguments: &[u8], offset: usize) -> bool {
    let before = arguments.get(..offset).unwrap_or(arguments);
    let starts = before.windows(4).enumerate();
    let length = |window: &[u8]| window.first_chunk().map(|octets| u64::from(u32::from_be_bytes(*octets)));
    starts.into_iter().any(|(start, window)| {
        let rest = arguments.len().saturating_sub(start + 4) as u64;
        rest > 0 && length(window) == Some(rest)
    })
}

/// The first frame is announced to be larger than it may be.
fn exceeds(input: &[u8], frame_max: u32) -> bool {
    let head = input.first_chunk::<HEAD>();
    head.is_some_and(|[_, _, _, s0, s1, s2, s3]| u32::from_be_bytes([*s0, *s1, *s2, *s3]) > frame_max)
}

/// The octet that says what a frame is.
fn type_of(frame: &Frame<'_>) -> u8 {
    match frame.kind {
        FrameKind::Method => constants::FRAME_METHOD,
        FrameKind::Header => constants::FRAME_HEADER,
        FrameKind::Body => constants::FRAME_BODY,
        FrameKind::Heartbeat => constants::FRAME_HEARTBEAT,
    }
}
