//! The gate that publishes pass: water marks on queued bytes, a limit in flight, and the broker's
//! block.

use std::collections::BTreeMap;

use super::confirms::Mandatory;
use crate::engine::slots::{LinkedSlab, Place};
use crate::engine::steps::step;
use crate::engine::{ChannelKey, WaiterId};
use crate::frame::Outbound;

/// Decides whether a publish may go now, and which goes next.
///
/// First come, first served: while a publish waits, none that comes later passes, but for those
/// that wait for their channel alone (`channel.flow`). Only publishes ask; calls, acknowledgements,
/// heartbeats and closes pass, and are counted in the bytes.
///
/// A publish waits with its frames. When its turn comes it is queued at once, whether or not
/// anybody polls its future: a future that is kept and not polled holds up nobody.
#[derive(Debug)]
pub(in crate::engine) struct Gate {
    high: u64,
    low: u64,
    max_in_flight: u64,
    /// Bytes went over the high mark and have not come down to the low one.
    flooded: bool,
    /// The broker's reason for `connection.blocked`.
    blocked: Option<String>,
    /// Confirmed publishes that the broker has not decided about.
    in_flight: u64,
    /// What waits, by channel. There is no empty line.
    lines: BTreeMap<ChannelKey, Line>,
    /// The first of each line whose channel is not stopped, by its turn.
    turns: BTreeMap<u64, ChannelKey>,
    /// Publishes that came to wait so far.
    arrivals: u64,
}

/// The publishes that wait on one channel.
#[derive(Debug, Default)]
struct Line {
    waiting: LinkedSlab<(u64, Waiting)>,
    /// The broker asked for no more content on the channel.
    stopped: bool,
}

/// A publish that waits.
#[derive(Debug)]
pub(in crate::engine) struct Waiting {
    /// Hears when it is queued.
    pub(in crate::engine) waiter: WaiterId,
    /// Hears what the broker does with it.
    pub(super) confirm: Option<WaiterId>,
    pub(super) mandatory: Option<Box<Mandatory>>,
    pub(super) frames: Outbound,
}

/// A place at the gate. One that was left, or whose turn has come, is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatePlace {
    channel: ChannelKey,
    place: Place,
}

impl Gate {
    pub(in crate::engine) fn new(high: u64, low: u64, max_in_flight: Option<u32>) -> Self {
        Self {
            high,
            low: low.min(high),
            max_in_flight: max_in_flight.map_or(u64::MAX, u64::from),
            flooded: false,
            blocked: None,
            in_flight: 0,
            lines: BTreeMap::new(),
            turns: BTreeMap::new(),
            arrivals: 0,
        }
    }

    /// Takes note of how many bytes wait for the socket.
    #[inline]
    pub(in crate::engine) fn set_queued(&mut self, queued: u64) {
        if queued >= self.high {
            self.flooded = true;
        } else if queued <= self.low {
            self.flooded = false;
        }
    }

    /// So many bytes close the gate, whether or not it has taken note of them: calls and
    /// acknowledgements pass without.
    #[inline]
    pub(super) fn is_too_much(&self, queued: u64) -> bool {
        queued >= self.high
    }

    pub(in crate::engine) fn set_blocked(&mut self, reason: Option<String>) {
        self.blocked = reason;
    }

    pub(in crate::engine) fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    pub(in crate::engine) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// A confirmed publish is on its way.
    #[inline]
    pub(super) fn depart(&mut self) {
        self.in_flight += 1;
    }

    /// The broker has decided about `count` publishes.
    #[inline]
    pub(in crate::engine) fn arrive(&mut self, count: u64) {
        self.in_flight = self.in_flight.saturating_sub(count);
    }

    /// A publish that has not waited may go now, unless its own channel is stopped.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.lets_through() && self.turns.is_empty()
    }

    /// A publish waits, and not for its channel alone.
    #[inline]
    pub(super) fn has_line(&self) -> bool {
        !self.turns.is_empty()
    }

    #[inline]
    fn lets_through(&self) -> bool {
        !self.flooded && self.blocked.is_none() && self.in_flight < self.max_in_flight
    }

    /// Takes a publish into the line of its channel, which the broker may have `stopped`.
    pub(super) fn wait(&mut self, channel: ChannelKey, stopped: bool, waiting: Waiting) -> GatePlace {
        self.arrivals += 1;
        let line = self.lines.entry(channel).or_default();
        if line.waiting.is_empty() {
            line.stopped = stopped;
            if !stopped {
                self.turns.insert(self.arrivals, channel);
            }
        }
        GatePlace { channel, place: line.waiting.push_back((self.arrivals, waiting)) }
    }

    /// A publish gives up its place.
    pub(super) fn leave(&mut self, place: GatePlace) -> Option<Waiting> {
        let GatePlace { channel, place } = place;
        let line = self.lines.get_mut(&channel)?;
        step();
        let (turn, waiting) = line.waiting.remove(place)?;
        if self.turns.remove(&turn).is_some() {
            self.line_up(channel);
        }
        self.close_empty(channel);
        Some(waiting)
    }

    /// The next publish that goes, if the gate is open.
    pub(super) fn admit(&mut self) -> Option<(ChannelKey, Waiting)> {
        if !self.lets_through() {
            return None;
        }
        let (_, channel) = self.turns.pop_first()?;
        step();
        let (_, waiting) = self.lines.get_mut(&channel)?.waiting.pop_front()?;
        self.line_up(channel);
        self.close_empty(channel);
        Some((channel, waiting))
    }

    /// The broker stops or resumes the publishes of a channel. Who waits keeps its turn.
    pub(in crate::engine) fn set_stopped(&mut self, channel: ChannelKey, stopped: bool) {
        let Some(line) = self.lines.get_mut(&channel) else { return };
        line.stopped = stopped;
        if !stopped {
            self.line_up(channel);
        } else if let Some((turn, _)) = line.waiting.front() {
            self.turns.remove(turn);
        }
    }

    /// Notes the turn of the first of a line.
    fn line_up(&mut self, channel: ChannelKey) {
        let line = self.lines.get(&channel).filter(|line| !line.stopped);
        if let Some((turn, _)) = line.and_then(|line| line.waiting.front()) {
            self.turns.insert(*turn, channel);
        }
    }

    fn close_empty(&mut self, channel: ChannelKey) {
        if self.lines.get(&channel).is_some_and(|line| line.waiting.is_empty()) {
            self.lines.remove(&channel);
        }
    }

    /// Takes out everything that waits on this channel, or on any, the oldest of a channel first.
    pub(in crate::engine) fn evict(&mut self, channel: Option<ChannelKey>) -> Vec<Waiting> {
        let lines = match channel {
            Some(channel) => self.lines.remove_entry(&channel).into_iter().collect(),
            None => std::mem::take(&mut self.lines),
        };
        let mut evicted = Vec::new();
        for (_, mut line) in lines {
            let first = line.waiting.front().map(|(turn, _)| *turn);
            if let Some(turn) = first {
                self.turns.remove(&turn);
            }
            evicted.extend(line.waiting.drain().inspect(|_| step()).map(|(_, waiting)| waiting));
        }
        evicted
    }

    /// Something of the broker's is due: a confirm, or the end of its block, or whatever else a
    /// publish waits for.
    pub(in crate::engine) fn awaits_broker(&self) -> bool {
        self.in_flight > 0 || self.blocked.is_some() || !self.lines.is_empty()
    }

    /// Publishes that wait.
    pub(in crate::engine) fn waiting(&self) -> usize {
        self.lines.values().map(|line| line.waiting.len()).sum()
    }
}

#[cfg(test)]
mod tests;
