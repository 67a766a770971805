//! Frames that are taken in pieces: the bytes of a large body go to the buffer of their message as
//! they arrive, and a header over the limit is skipped without being buffered.

use std::time::Instant;

use bytes::buf::{BufMut, Limit};

use super::content::{Assembly, Gathering, Oversize};
use crate::engine::channel::Channel;
use crate::engine::{Engine, Violation};
use crate::frame::{BY_REFERENCE, ContentHeader, FRAME_HEAD, FrameError, FrameHead, FrameKind};
use crate::protocol::constants;

/// A frame of which the head was taken.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Partial {
    channel: u16,
    /// Bytes of payload that are due, before the frame's end.
    left: usize,
    /// They belong to the body that the channel gathers, which counts them whether or not it keeps
    /// them; else they are skipped.
    due: bool,
    /// The buffer of that body is outside.
    lent: bool,
}

/// The buffer of a body that is arriving, for whoever reads the transport: see
/// [`Engine::lend_body`].
#[derive(Debug)]
pub struct LentBody {
    channel: u16,
    buffer: Vec<u8>,
    /// How much was in it.
    before: usize,
    /// How many bytes may be appended, at least one.
    most: usize,
}

impl LentBody {
    /// Where the next bytes of input go; there is room for at least one.
    pub fn room(&mut self) -> Limit<&mut Vec<u8>> {
        let most = self.most.saturating_sub(self.appended());
        (&mut self.buffer).limit(most)
    }

    /// Bytes that were read into it.
    pub fn appended(&self) -> usize {
        self.buffer.len().saturating_sub(self.before)
    }
}

/// From this many bytes on that are due of a frame, reading them into the buffer of their body is
/// worth a read of its own.
const WORTH_LENDING: usize = 32 * 1024;

impl Engine {
    /// The buffer of the body that the next bytes of input belong to, where there are many of them:
    /// they are read into it rather than copied. It is given back by [`Engine::handle_body`],
    /// whether or not something was read, before anything else is handed in; until then
    /// [`Engine::handle_bytes`] takes nothing. Ask where no input is left over.
    pub fn lend_body(&mut self) -> Option<LentBody> {
        let partial = self.partial.filter(|partial| partial.due && !partial.lent && partial.left >= WORTH_LENDING)?;
        let buffer = self.gathering(partial.channel).filter(|gathering| gathering.has_buffer())?.lend();
        let (before, room) = (buffer.len(), buffer.capacity() - buffer.len());
        self.partial = Some(Partial { lent: true, ..partial });
        Some(LentBody { channel: partial.channel, buffer, before, most: room.min(partial.left) })
    }

    /// Takes back the buffer of a body, and what was read into it.
    pub fn handle_body(&mut self, lent: LentBody, now: Instant) {
        let Some(partial) = self.partial.filter(|partial| partial.lent) else { return };
        let appended = lent.appended().min(partial.left);
        if appended > 0 {
            self.heartbeat.received(now);
        }
        // Where the channel has ended meanwhile, nobody wants it.
        if let Some(gathering) = self.gathering(lent.channel) {
            gathering.give_back(lent.buffer, appended);
        }
        self.partial = Some(Partial { left: partial.left - appended, lent: false, ..partial });
    }

    /// The buffer of a body is outside: what follows has to wait for it.
    pub(super) fn is_lending(&self) -> bool {
        self.partial.is_some_and(|partial| partial.lent)
    }

    /// Takes what belongs to the frame that is taken in pieces off the front of `input`, and tells
    /// how much that was.
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

    /// Begins to take the frame at the front of `input` in pieces, where it is one that need not be
    /// there as a whole, and tells how much was taken.
    pub(super) fn begin_pieces(&mut self, input: &[u8], now: Instant) -> usize {
        let Some(FrameHead { kind, channel, size }) = self.decoder.head(input) else { return 0 };
        let (taken, begun) = match kind {
            FrameKind::Body if size >= BY_REFERENCE => (FRAME_HEAD, self.begin_body_frame(channel, size)),
            FrameKind::Header if size > self.max_header => {
                // What is read of it: the size of the body, which is to be skipped too.
                let fixed = input.get(FRAME_HEAD..FRAME_HEAD + ContentHeader::FIXED);
                let Some(fixed) = fixed else { return 0 };
                let begun = self.begin_content(channel, fixed, Some(Oversize::Header(size as u64)));
                (FRAME_HEAD + ContentHeader::FIXED, begun.map(|()| false))
            }
            _ => return 0,
        };
        let due = begun.or_else(|violation| self.forgive(channel, violation).map(|()| false));
        let left = (FRAME_HEAD + size).saturating_sub(taken);
        self.partial = Some(Partial { channel, left, due: due.as_ref().is_ok_and(|due| *due), lent: false });
        if let Err(violation) = due {
            self.handle_violation(violation, now);
        }
        let rest = input.get(taken..).unwrap_or_default();
        taken + self.take_piece(rest, now)
    }

    /// A body frame begins; whether its bytes are due.
    fn begin_body_frame(&mut self, number: u16, size: usize) -> Result<bool, Violation> {
        Ok(self.body_channel(number, size)?.is_some())
    }

    /// How much of the frame at the front of `input` has to be there for anything to be done,
    /// `whole` being all of it.
    pub(super) fn least_of(&self, input: &[u8], whole: usize) -> usize {
        match self.decoder.head(input) {
            Some(FrameHead { kind: FrameKind::Header, size, .. }) if size > self.max_header => {
                FRAME_HEAD + ContentHeader::FIXED
            }
            _ => whole,
        }
    }

    /// All of a body frame is there.
    fn end_of_body_frame(&mut self, number: u16) -> Result<(), Violation> {
        if !self.state.is_listening() {
            return Ok(());
        }
        match self.channels.by_number(number).and_then(Channel::take_content) {
            Some((key, content)) => self.handle_content(key, content),
            None => Ok(()),
        }
    }

    /// The message that the channel gathers.
    fn gathering(&mut self, number: u16) -> Option<&mut Gathering> {
        let channel = self.channels.by_number(number)?;
        match &mut channel.assembly {
            Assembly::Body(gathering) => Some(gathering),
            Assembly::Idle | Assembly::Header(..) => None,
        }
    }
}
