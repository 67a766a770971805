//! The gate, at which publishes wait: for the water marks on queued bytes, the limit of unconfirmed
//! publishes, and the broker's block.

use std::collections::BTreeMap;

use super::confirms::Mandatory;
use crate::engine::slots::{LinkedSlab, Place};
use crate::engine::steps::step;
use crate::engine::{ChannelKey, WaiterId};
use crate::frame::Outbound;

/// Decides whether a publish may be queued now, and which is next.
///
/// First in, first out: while a publish waits, no later one passes it, except that a publish that
/// waits only for its channel (`channel.flow`) does not hold up other channels. Only publishes wait
/// here. Calls, acknowledgements, heartbeats and closes do not, but are counted in the bytes.
///
/// A publish waits with its encoded frames. When its turn comes it is queued at once, even if its
/// future is not polled: a future that is kept and not polled holds up no other.
#[derive(Debug)]
pub(in crate::engine) struct Gate {
    high: u64,
    low: u64,
    max_in_flight: u64,
    /// The same while the gate is not shut.
    most: u64,
    /// Whether the queued bytes have reached the high mark and not yet fallen to the low one.
    over_high_mark: bool,
    /// The broker's reason for `connection.blocked`.
    blocked: Option<String>,
    /// Publishes that the broker has not confirmed.
    in_flight: u64,
    /// The waiting publishes by channel. No line is empty.
    lines: BTreeMap<ChannelKey, Line>,
    /// The turn of the first publish of each line whose channel is not stopped.
    turns: BTreeMap<u64, ChannelKey>,
    /// The number of publishes that have waited so far, which gives each its turn.
    arrivals: u64,
    /// The bytes of the waiting publishes that are stored.
    stored: u64,
}

/// The waiting publishes of one channel.
#[derive(Debug, Default)]
struct Line {
    waiting: LinkedSlab<(u64, Waiting)>,
    /// Whether the broker has stopped content on the channel.
    stopped: bool,
}

/// A waiting publish.
#[derive(Debug)]
pub(in crate::engine) struct Waiting {
    /// The waiter that completes when it is queued.
    pub(in crate::engine) waiter: WaiterId,
    /// The waiter for its confirm.
    pub(super) confirm: Option<WaiterId>,
    pub(super) mandatory: Option<Box<Mandatory>>,
    pub(super) frames: Outbound,
    /// Whether it counts as published already, while the connection is down.
    pub(super) is_stored: bool,
}

/// The place of a publish that waits at the gate. After the publish was queued or given up, it
/// identifies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatePlace {
    channel: ChannelKey,
    place: Place,
    /// Its turn, which no other publish has. A line that was empty begins anew, with the same
    /// places.
    turn: u64,
}

impl Gate {
    pub(in crate::engine) fn new(high: u64, low: u64, max_in_flight: Option<u32>) -> Self {
        Self {
            high,
            low: low.min(high),
            max_in_flight: max_in_flight.map_or(u64::MAX, u64::from),
            most: max_in_flight.map_or(u64::MAX, u64::from),
            over_high_mark: false,
            blocked: None,
            in_flight: 0,
            lines: BTreeMap::new(),
            turns: BTreeMap::new(),
            arrivals: 0,
            stored: 0,
        }
    }

    /// Updates the number of bytes that wait for the socket.
    #[inline]
    pub(in crate::engine) fn set_queued(&mut self, queued: u64) {
        if queued >= self.high {
            self.over_high_mark = true;
        } else if queued <= self.low {
            self.over_high_mark = false;
        }
    }

    /// Whether `queued` bytes close the gate. They may be more than the gate was last updated with,
    /// because calls and acknowledgements are queued without it.
    #[inline]
    pub(super) fn is_too_much(&self, queued: u64) -> bool {
        queued >= self.high
    }

    /// Shuts the gate: nothing is let through until it is opened again.
    pub(in crate::engine) fn shut(&mut self) {
        self.max_in_flight = 0;
    }

    /// Opens the gate again, after [`Gate::shut`].
    pub(in crate::engine) fn unshut(&mut self) {
        self.max_in_flight = self.most;
    }

    /// The places of everything that waits and is not stored, in the order of their turns.
    pub(in crate::engine) fn places(&self) -> Vec<(GatePlace, WaiterId)> {
        let lines = self.lines.iter().flat_map(|(channel, line)| {
            let places = line.waiting.entries().filter(|(_, (_, waiting))| !waiting.is_stored);
            let channel = *channel;
            places.map(move |(place, (turn, waiting))| (GatePlace { channel, place, turn: *turn }, waiting.waiter))
        });
        let mut places: Vec<_> = lines.collect();
        places.sort_unstable_by_key(|(place, _)| place.turn);
        places
    }

    /// Takes a turn for a request that waits beside the publishes, in the same order.
    pub(in crate::engine) fn take_turn(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// The turn of the publish that is queued next.
    pub(in crate::engine) fn next_turn(&self) -> Option<u64> {
        self.turns.first_key_value().map(|(turn, _)| *turn)
    }

    /// Stores a plain publish that waits, if at most `limit` bytes are stored then. It counts as
    /// published, and goes on waiting for its turn.
    pub(in crate::engine) fn store(&mut self, place: GatePlace, limit: u64) -> bool {
        let line = self.lines.get_mut(&place.channel);
        let found = line.and_then(|line| line.waiting.get_mut(place.place));
        let Some((_, waiting)) = found.filter(|(turn, _)| *turn == place.turn) else { return false };
        let stored = self.stored.saturating_add(waiting.frames.len() as u64);
        let fits = stored <= limit && waiting.confirm.is_none();
        if fits {
            waiting.is_stored = true;
            self.stored = stored;
        }
        fits
    }

    /// Counts a publish that waits no longer.
    fn forget_stored(&mut self, waiting: &Waiting) {
        if waiting.is_stored {
            self.stored = self.stored.saturating_sub(waiting.frames.len() as u64);
        }
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

    /// Counts an unconfirmed publish.
    #[inline]
    pub(super) fn count_unconfirmed(&mut self) {
        self.in_flight += 1;
    }

    /// Counts `count` publishes as confirmed.
    #[inline]
    pub(in crate::engine) fn count_confirmed(&mut self, count: u64) {
        self.in_flight = self.in_flight.saturating_sub(count);
    }

    /// Whether a new publish may be queued now, unless its own channel is stopped.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.lets_through() && self.turns.is_empty()
    }

    /// Whether a publish waits for something other than its own channel.
    #[inline]
    pub(super) fn has_line(&self) -> bool {
        !self.turns.is_empty()
    }

    #[inline]
    fn lets_through(&self) -> bool {
        !self.over_high_mark && self.blocked.is_none() && self.in_flight < self.max_in_flight
    }

    /// Adds a publish to the line of its channel. `stopped` is whether the broker has stopped that
    /// channel.
    pub(super) fn wait(&mut self, channel: ChannelKey, stopped: bool, waiting: Waiting) -> GatePlace {
        self.arrivals += 1;
        let line = self.lines.entry(channel).or_default();
        if line.waiting.is_empty() {
            line.stopped = stopped;
            if !stopped {
                self.turns.insert(self.arrivals, channel);
            }
        }
        let (turn, place) = (self.arrivals, line.waiting.push_back((self.arrivals, waiting)));
        GatePlace { channel, place, turn }
    }

    /// Removes a publish that gives up its place.
    pub(in crate::engine) fn leave(&mut self, place: GatePlace) -> Option<Waiting> {
        let GatePlace { channel, place, turn } = place;
        let line = self.lines.get_mut(&channel)?;
        step();
        line.waiting.get(place).filter(|(found, _)| *found == turn)?;
        let (turn, waiting) = line.waiting.remove(place)?;
        if self.turns.remove(&turn).is_some() {
            self.record_turn(channel);
        }
        self.close_empty(channel);
        self.forget_stored(&waiting);
        Some(waiting)
    }

    /// Removes the next publish to be queued, if the gate is open.
    pub(super) fn admit(&mut self) -> Option<(ChannelKey, Waiting)> {
        if !self.lets_through() {
            return None;
        }
        let (_, channel) = self.turns.pop_first()?;
        step();
        let (_, waiting) = self.lines.get_mut(&channel)?.waiting.pop_front()?;
        self.record_turn(channel);
        self.close_empty(channel);
        self.forget_stored(&waiting);
        Some((channel, waiting))
    }

    /// Stops or resumes the publishes of a channel. Waiting publishes keep their turns.
    pub(in crate::engine) fn set_stopped(&mut self, channel: ChannelKey, stopped: bool) {
        let Some(line) = self.lines.get_mut(&channel) else { return };
        line.stopped = stopped;
        if !stopped {
            self.record_turn(channel);
        } else if let Some((turn, _)) = line.waiting.front() {
            self.turns.remove(turn);
        }
    }

    /// Records the turn of the first publish of a line.
    fn record_turn(&mut self, channel: ChannelKey) {
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

    /// Removes everything that waits on this channel, or on all, the oldest of each channel first.
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
        evicted.iter().for_each(|waiting| self.forget_stored(waiting));
        evicted
    }

    /// Whether something is due from the broker: a confirm, the end of its block, or whatever else
    /// a publish waits for.
    pub(in crate::engine) fn awaits_broker(&self) -> bool {
        self.in_flight > 0 || self.blocked.is_some() || !self.lines.is_empty()
    }

    /// The number of waiting publishes.
    pub(in crate::engine) fn waiting(&self) -> usize {
        self.lines.values().map(|line| line.waiting.len()).sum()
    }
}

#[cfg(test)]
mod tests;
