//! Frames that are handled in pieces: the bytes of a large body go to the buffer of their message
//! as they arrive, and a header that is larger than its limit is skipped without being buffered.

use std::time::Instant;

use bytes::buf::{BufMut, Limit};

use super::content::{Assembly, Gathering, Oversize};
use crate::engine::channel::Channel;
use crate::engine::{Engine, Violation};
use crate::frame::{BY_REFERENCE, ContentHeader, FRAME_HEAD, FrameError, FrameHead, FrameKind};
use crate::protocol::constants;

/// A frame whose head was handled.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Partial {
    channel: u16,
    /// The bytes of its payload that are due, without the frame-end.
    left: usize,
    /// Whether they belong to the body that the channel assembles, which counts them even if it
    /// does not keep them. Otherwise they are skipped.
    due: bool,
    /// Whether the buffer of that body is lent.
    lent: bool,
}

/// The buffer of a body that is arriving, lent to the driver so that it can read the transport into
/// it: see [`Engine::lend_body`].
#[derive(Debug)]
pub struct LentBody {
    channel: u16,
    buffer: Vec<u8>,
    /// Its length when it was lent.
    before: usize,
    /// How many bytes may be appended; at least one.
    most: usize,
}

impl LentBody {
    /// Returns where the next bytes of input go. It has room for at least one byte when the buffer
    /// was lent, and for no byte beyond the frame.
    pub fn room(&mut self) -> Limit<&mut Vec<u8>> {
        let most = self.most.saturating_sub(self.appended());
        (&mut self.buffer).limit(most)
    }

    /// Returns how many bytes were read into it.
    pub fn appended(&self) -> usize {
        self.buffer.len().saturating_sub(self.before)
    }
}

/// How many bytes of a frame have to be due for reading them into the buffer of their body to be
/// worth a separate read.
const WORTH_LENDING: usize = 32 * 1024;

impl Engine {
    /// Lends the buffer of the body to which the next bytes of input belong, if many of them are
    /// due, so that they are read into it instead of copied. To be called only if no input is left
    /// over. The buffer is given back by [`Engine::handle_body`] before any other input is handed
    /// in, even if nothing was read; until then [`Engine::handle_bytes`] takes nothing.
    pub fn lend_body(&mut self) -> Option<LentBody> {
        let partial = self.partial.filter(|partial| partial.due && !partial.lent && partial.left >= WORTH_LENDING)?;
        let buffer = self.gathering(partial.channel).filter(|gathering| gathering.has_buffer())?.lend();
        let (before, room) = (buffer.len(), buffer.capacity() - buffer.len());
        self.partial = Some(Partial { lent: true, ..partial });
        Some(LentBody { channel: partial.channel, buffer, before, most: room.min(partial.left) })
    }

    /// Takes back the buffer of a body, with what was read into it.
    pub fn handle_body(&mut self, lent: LentBody, now: Instant) {
        let Some(partial) = self.partial.filter(|partial| partial.lent) else { return };
        let appended = lent.appended().min(partial.left);
        if appended > 0 {
            self.heartbeat.received(now);
        }
        // If the channel has ended in the meantime, the bytes are dropped.
        if let Some(gathering) = self.gathering(lent.channel) {
            gathering.give_back(lent.buffer, appended);
        }
        self.partial = Some(Partial { left: partial.left - appended, lent: false, ..partial });
    }

    /// Whether the buffer of a body is lent: later input has to wait for it.
    pub(super) fn is_lending(&self) -> bool {
        self.partial.is_some_and(|partial| partial.lent)
    }

    /// Handles what belongs to the frame in pieces at the front of `input`. Returns how many bytes
    /// that was.
    pub(super) fn take_piece(&mut self, input: &[u8], now: Instant) -> usize {
        let Some(partial) = self.partial else { return 0 };
        let (piece, after) = input.split_at_checked(partial.left).unwrap_or((input, &[]));
        if partial.due
            && let Some(gathering) = self.gathering(partial.channel)
        {
            gathering.append(piece);
        }
        let left = partial.left - piece.len();
        let Some(end) = after.first().filter(|_| left == 0) else {
            self.partial = Some(Partial { left, ..partial });
            return piece.len();
        };
        self.partial = None;
        let handled = match *end {
            constants::FRAME_END if partial.due => self.end_of_body_frame(partial.channel),
            constants::FRAME_END => Ok(()),
            octet => Err(FrameError::MissingFrameEnd(octet).into()),
        };
        if let Err(violation) = handled {
            self.handle_violation(violation, now);
        }
        piece.len() + 1
    }

    /// Begins to handle the frame at the front of `input` in pieces, if it is of a kind that need
    /// not arrive as a whole. Returns how many bytes were handled.
    pub(super) fn begin_pieces(&mut self, input: &[u8], now: Instant) -> usize {
        let Some(FrameHead { kind, channel, size }) = self.decoder.head(input) else { return 0 };
        let (taken, begun) = match kind {
            FrameKind::Body if size >= BY_REFERENCE => (FRAME_HEAD, self.begin_body_frame(channel, size)),
            FrameKind::Header if size > self.max_header => {
                // Only the fixed part is read, for the size of the body, which is skipped too.
                let fixed = input.get(FRAME_HEAD..FRAME_HEAD + ContentHeader::FIXED);
                let Some(fixed) = fixed else { return 0 };
                let begun = self.begin_content(channel, fixed, Some(Oversize::Header(size as u64)));
                (FRAME_HEAD + ContentHeader::FIXED, begun.map(|()| false))
            }
            _ => return 0,
        };
        let due = begun.or_else(|violation| self.tolerate(channel, violation).map(|()| false));
        let left = (FRAME_HEAD + size).saturating_sub(taken);
        self.partial = Some(Partial { channel, left, due: due.as_ref().is_ok_and(|due| *due), lent: false });
        if let Err(violation) = due {
            self.handle_violation(violation, now);
        }
        let rest = input.get(taken..).unwrap_or_default();
        taken + self.take_piece(rest, now)
    }

    /// Begins a body frame. Returns whether its bytes are due.
    fn begin_body_frame(&mut self, number: u16, size: usize) -> Result<bool, Violation> {
        Ok(self.body_channel(number, size)?.is_some())
    }

    /// How many bytes of the frame at the front of `input` have to be there before anything can be
    /// done; `whole` is its size.
    pub(super) fn least_of(&self, input: &[u8], whole: usize) -> usize {
        match self.decoder.head(input) {
            Some(FrameHead { kind: FrameKind::Header, size, .. }) if size > self.max_header => {
                FRAME_HEAD + ContentHeader::FIXED
            }
            _ => whole,
        }
    }

    /// Handles the end of a body frame.
    fn end_of_body_frame(&mut self, number: u16) -> Result<(), Violation> {
        if !self.state.is_listening() {
            return Ok(());
        }
        match self.channels.by_number(number).and_then(Channel::take_content) {
            Some((key, content)) => self.handle_content(key, content),
            None => Ok(()),
        }
    }

    /// The message that the channel assembles.
    fn gathering(&mut self, number: u16) -> Option<&mut Gathering> {
        let channel = self.channels.by_number(number)?;
        match &mut channel.assembly {
            Assembly::Body(gathering) => Some(gathering),
            Assembly::Idle | Assembly::Header(..) => None,
        }
    }
}
