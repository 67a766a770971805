//! The buffer of what waits for the socket: one run of bytes, and references to large bodies.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;

use bytes::Bytes;
use zeroize::Zeroize;

/// Bytes to send, in order.
///
/// Frames, headers and small bodies are copied into one run. A large body is kept as [`Bytes`],
/// with its position in the run. [`Outbound::slices`] returns the beginning as slices for a
/// vectored write, and [`Outbound::advance`] drops what the socket accepted.
#[derive(Clone, Default)]
pub struct Outbound {
    run: Vec<u8>,
    /// The bytes of `run` that were dropped already. They are not removed, so that `advance` moves
    /// no memory.
    consumed: usize,
    /// Bodies, each with the position in `run` before which it is sent.
    bodies: VecDeque<(usize, Bytes)>,
    len: usize,
}

/// A position in an [`Outbound`] to which it can be rolled back.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    run: usize,
    bodies: usize,
    len: usize,
}

impl fmt::Debug for Outbound {
    /// Shows the length and not the contents, which may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Outbound {
    /// The capacity in bytes above which a run that was written is freed instead of being kept for
    /// reuse.
    const KEEP: usize = 1024 * 1024;

    /// Makes an empty buffer, which owns no memory.
    pub const fn new() -> Self {
        Self { run: Vec::new(), consumed: 0, bodies: VecDeque::new(), len: 0 }
    }

    /// Returns the number of bytes that wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns `true` if no bytes wait.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the bytes of memory that are kept for reuse.
    pub fn capacity(&self) -> usize {
        self.run.capacity()
    }

    /// Makes room for this many more bytes, so that appending them does not move memory.
    pub fn reserve(&mut self, octets: usize) {
        self.run.reserve(octets);
    }

    /// Overwrites the memory of the run, including what was sent, and frees everything.
    pub fn wipe(&mut self) {
        self.run.zeroize();
        *self = Self::new();
    }

    /// Returns the present end, for [`Outbound::roll_back`].
    pub fn mark(&self) -> Mark {
        Mark { run: self.run.len(), bodies: self.bodies.len(), len: self.len }
    }

    /// Removes what was appended since `mark`, which must be from this buffer. Nothing may have
    /// been consumed since then.
    pub fn roll_back(&mut self, mark: Mark) {
        self.run.truncate(mark.run);
        self.bodies.truncate(mark.bodies);
        self.len = mark.len;
    }

    /// Appends to the run by `write`, which may only append.
    #[inline]
    pub(super) fn append<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let before = self.run.len();
        let result = write(&mut self.run);
        self.len += self.run.len().saturating_sub(before);
        result
    }

    /// Appends a body by reference.
    pub(super) fn append_body(&mut self, body: Bytes) {
        self.len += body.len();
        self.bodies.push_back((self.run.len(), body));
    }

    /// Appends the contents of another buffer.
    pub(crate) fn append_all(&mut self, other: Self) {
        let shift = self.run.len();
        self.run.extend_from_slice(other.run.get(other.consumed..).unwrap_or_default());
        let place = |position: usize| shift + position.saturating_sub(other.consumed);
        self.bodies.extend(other.bodies.into_iter().map(|(position, body)| (place(position), body)));
        self.len += other.len;
    }

    /// Appends bytes.
    pub fn extend(&mut self, octets: &[u8]) {
        self.append(|run| run.extend_from_slice(octets));
    }

    /// Fills `slices` with the beginning of what waits, and returns how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        let mut from = self.consumed;
        let mut bodies = self.bodies.iter();
        let mut body = bodies.next();
        for slot in slices {
            let until = body.map_or(self.run.len(), |(position, _)| *position);
            let octets: &[u8] = if from < until {
                let piece = self.run.get(from..until).unwrap_or_default();
                from = until;
                piece
            } else if let Some((_, octets)) = body {
                body = bodies.next();
                octets
            } else {
                break;
            };
            *slot = IoSlice::new(octets);
            filled += 1;
        }
        filled
    }

    /// Drops the first `count` bytes, at most those that are there.
    pub fn advance(&mut self, count: usize) {
        let mut count = count.min(self.len);
        self.len -= count;
        while count > 0 {
            let until = self.bodies.front().map_or(self.run.len(), |(position, _)| *position);
            if self.consumed < until {
                let step = count.min(until - self.consumed);
                self.consumed += step;
                count -= step;
            } else if let Some((_, body)) = self.bodies.front_mut() {
                let step = count.min(body.len());
                drop(body.split_to(step));
                count -= step;
                if body.is_empty() {
                    self.bodies.pop_front();
                }
            } else {
                break;
            }
        }
        if self.len == 0 {
            self.reset();
        }
    }

    /// Frees the memory that is kept for reuse, if nothing waits.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            *self = Self::new();
        }
    }

    /// The run of bytes, including those that were dropped.
    pub(super) fn run(&self) -> &[u8] {
        &self.run
    }

    /// The bodies, each with the position in the run before which it is sent.
    pub(super) fn bodies(&self) -> &VecDeque<(usize, Bytes)> {
        &self.bodies
    }

    /// Returns the shared bodies that were not written.
    pub(crate) fn into_bodies(self) -> impl Iterator<Item = Bytes> {
        self.bodies.into_iter().map(|(_, body)| body)
    }

    /// Starts over after everything was written. The memory is kept unless it is too large.
    fn reset(&mut self) {
        self.consumed = 0;
        self.bodies.clear();
        if self.run.capacity() > Self::KEEP {
            self.run = Vec::new();
        } else {
            self.run.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(outbound: &Outbound) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = outbound.slices(&mut slices);
        slices.iter().take(filled).flat_map(|slice| slice.to_vec()).collect()
    }

    fn sample() -> Outbound {
        let mut outbound = Outbound::new();
        outbound.extend(b"ab");
        outbound.append_body(Bytes::from_static(b"CDE"));
        outbound.append_body(Bytes::from_static(b"FG"));
        outbound.extend(b"hi");
        outbound.append_body(Bytes::from_static(b"J"));
        outbound
    }

    #[test]
    fn bodies_are_spliced_in_where_they_belong() {
        assert_eq!(contents(&sample()), b"abCDEFGhiJ");
        assert_eq!(sample().len(), 10);
    }

    #[test]
    fn any_partial_write_leaves_exactly_the_rest() {
        for first in 0..=10 {
            for second in 0..=10 {
                let mut outbound = sample();
                outbound.advance(first);
                outbound.advance(second);
                let gone = (first + second).min(10);
                assert_eq!(contents(&outbound), b"abCDEFGhiJ".split_at(gone).1);
                assert_eq!(outbound.len(), 10 - gone);
            }
        }
    }

    #[test]
    fn what_was_appended_since_a_mark_can_be_taken_back() {
        let mut outbound = sample();
        let mark = outbound.mark();
        outbound.extend(b"xyz");
        outbound.append_body(Bytes::from_static(b"Z"));
        outbound.roll_back(mark);
        assert_eq!(contents(&outbound), b"abCDEFGhiJ");
    }

    #[test]
    fn a_buffer_that_is_wiped_is_empty() {
        let mut outbound = sample();
        outbound.wipe();
        assert_eq!((outbound.len(), outbound.capacity(), contents(&outbound)), (0, 0, Vec::new()));
    }

    #[test]
    fn an_empty_buffer_can_give_its_memory_back() {
        let mut outbound = sample();
        outbound.advance(10);
        assert!(outbound.capacity() > 0);
        outbound.shrink();
        assert_eq!(outbound.capacity(), 0);
    }
}
