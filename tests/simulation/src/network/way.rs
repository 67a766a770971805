//! One direction of a connection: bytes on their way, in order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// Bytes on their way, and what delays, stops or cuts them.
#[derive(Debug, Default)]
pub(super) struct Way {
    waiting: VecDeque<(Instant, Bytes)>,
    len: usize,
    pub(super) delay: Duration,
    pub(super) silent: bool,
    /// The size of pieces, and how many bytes still arrive in pieces.
    pub(super) trickle: Option<(usize, usize)>,
    /// After how many bytes the connection is cut.
    pub(super) cut_after: Option<usize>,
}

impl Way {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds bytes at the end.
    pub(super) fn push(&mut self, bytes: Bytes, now: Instant) {
        if bytes.is_empty() {
            return;
        }
        // Nothing overtakes what was sent with a longer delay.
        let due = self.waiting.back().map_or(now, |(due, _)| *due).max(now + self.delay);
        self.len += bytes.len();
        self.waiting.push_back((due, bytes));
    }

    /// Takes what arrives by now, at most a piece.
    pub(super) fn take(&mut self, now: Instant) -> Bytes {
        if self.silent || self.is_cut() {
            return Bytes::new();
        }
        let Some((_, front)) = self.waiting.front_mut().filter(|(due, _)| *due <= now) else { return Bytes::new() };
        let piece = self.trickle.map_or(usize::MAX, |(piece, _)| piece.max(1));
        let most = piece.min(self.cut_after.unwrap_or(usize::MAX)).min(front.len());
        let taken = front.split_to(most);
        if front.is_empty() {
            self.waiting.pop_front();
        }
        self.len -= taken.len();
        self.cut_after = self.cut_after.map(|left| left - taken.len());
        self.trickle = self.trickle.and_then(|(piece, left)| Some((piece, left.checked_sub(taken.len())?)));
        taken
    }

    /// Whether all bytes have arrived that arrive before the cut.
    pub(super) fn is_cut(&self) -> bool {
        self.cut_after == Some(0)
    }

    /// When the next bytes arrive.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().filter(|_| !self.silent).map(|(due, _)| *due)
    }

    /// Ends delays and silence; what is on its way keeps its time.
    pub(super) fn heal(&mut self) {
        (self.delay, self.silent, self.trickle) = (Duration::ZERO, false, None);
        // A cut that has happened stays.
        if !self.is_cut() {
            self.cut_after = None;
        }
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.len = 0;
    }
}
