//! The gate that publishes pass: water marks on queued octets, a limit in flight, and the broker's block.

use std::collections::VecDeque;

use super::{ChannelKey, WaiterId};

/// Decides whether a publish may go now, and who goes next.
///
/// First come, first served: while somebody waits, nobody who comes later passes. Only publishes ask; calls,
/// acknowledgements, heartbeats and closes pass, counted in the octets.
#[derive(Debug)]
pub(super) struct Gate {
    high: u64,
    low: u64,
    max_in_flight: u64,
    /// Octets went over the high mark and have not come down to the low one.
    flooded: bool,
    /// The broker's reason for `connection.blocked`.
    blocked: Option<String>,
    /// Confirmed publishes that the broker has not decided about.
    in_flight: u64,
    waiting: VecDeque<Waiting>,
    /// Waiters that were let in and have not published yet.
    admitted: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    waiter: WaiterId,
    channel: ChannelKey,
}

impl Gate {
    /// Waiters let in at a time: enough to keep the socket busy, few enough to overshoot the mark by little.
    const BATCH: u64 = 32;

    pub(super) fn new(high: u64, low: u64, max_in_flight: Option<u32>) -> Self {
        Self {
            high,
            low: low.min(high),
            max_in_flight: max_in_flight.map_or(u64::MAX, u64::from),
            flooded: false,
            blocked: None,
            in_flight: 0,
            waiting: VecDeque::new(),
            admitted: 0,
        }
    }

    /// Takes note of how many octets wait for the socket.
    #[inline]
    pub(super) fn set_queued(&mut self, queued: u64) {
        if queued >= self.high {
            self.flooded = true;
        } else if queued <= self.low {
            self.flooded = false;
        }
    }

    /// So many octets close the gate, whether or not it has taken note of them: calls and acknowledgements pass without.
    #[inline]
    pub(super) fn is_too_much(&self, queued: u64) -> bool {
        queued >= self.high
    }

    pub(super) fn set_blocked(&mut self, reason: Option<String>) {
        self.blocked = reason;
    }

    pub(super) fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// A confirmed publish is on its way.
    #[inline]
    pub(super) fn depart(&mut self) {
        self.in_flight += 1;
    }

    /// The broker has decided about `count` publishes.
    #[inline]
    pub(super) fn arrive(&mut self, count: u64) {
        self.in_flight = self.in_flight.saturating_sub(count);
    }

    /// Somebody who has not waited may publish now.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !self.flooded && self.blocked.is_none() && self.waiting.is_empty() && self.has_room()
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.in_flight.saturating_add(self.admitted) < self.max_in_flight
    }

    pub(super) fn wait(&mut self, waiter: WaiterId, channel: ChannelKey) {
        self.waiting.push_back(Waiting { waiter, channel });
    }

    /// A waiter gives up its place.
    pub(super) fn leave(&mut self, waiter: WaiterId) {
        self.waiting.retain(|waiting| waiting.waiter != waiter);
    }

    /// Somebody who was let in has published, or will not.
    pub(super) fn use_admission(&mut self) {
        self.admitted = self.admitted.saturating_sub(1);
    }

    /// The next waiter to let in, if the gate is open: the first one on a channel that `may_publish`.
    pub(super) fn admit(&mut self, may_publish: impl Fn(ChannelKey) -> bool) -> Option<(WaiterId, ChannelKey)> {
        if self.flooded || self.blocked.is_some() || !self.has_room() || self.admitted >= Self::BATCH {
            return None;
        }
        let position = self.waiting.iter().position(|waiting| may_publish(waiting.channel))?;
        let Waiting { waiter, channel } = self.waiting.remove(position)?;
        self.admitted += 1;
        Some((waiter, channel))
    }

    /// Takes out everybody who waits for this channel, or for any.
    pub(super) fn evict(&mut self, channel: Option<ChannelKey>) -> Vec<WaiterId> {
        let mut evicted = Vec::new();
        self.waiting.retain(|waiting| {
            let stays = channel.is_some_and(|key| waiting.channel != key);
            if !stays {
                evicted.push(waiting.waiter);
            }
            stays
        });
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    const CHANNEL: ChannelKey = ChannelKey { number: 1, incarnation: 1 };

    fn waiter(slot: u32) -> WaiterId {
        WaiterId { slot, generation: NonZeroU32::MIN }
    }

    fn admitted(gate: &mut Gate) -> Option<u32> {
        gate.admit(|_| true).map(|(waiter, _)| waiter.slot)
    }

    #[test]
    fn the_gate_closes_at_the_high_mark_and_opens_at_the_low_one() {
        let mut gate = Gate::new(100, 50, None);
        gate.set_queued(99);
        assert!(gate.is_open());
        gate.set_queued(100);
        assert!(!gate.is_open());
        gate.set_queued(51);
        assert!(!gate.is_open());
        gate.set_queued(50);
        assert!(gate.is_open());
    }

    #[test]
    fn who_comes_later_does_not_pass_who_waits() {
        let mut gate = Gate::new(100, 50, None);
        gate.set_queued(100);
        gate.wait(waiter(1), CHANNEL);
        gate.wait(waiter(2), CHANNEL);
        gate.set_queued(0);
        assert!(!gate.is_open());
        assert_eq!(admitted(&mut gate), Some(1));
        assert_eq!(admitted(&mut gate), Some(2));
        assert_eq!(admitted(&mut gate), None);
        assert!(gate.is_open());
    }

    #[test]
    fn admissions_count_against_the_limit_in_flight() {
        let mut gate = Gate::new(100, 50, Some(2));
        gate.depart();
        gate.depart();
        assert!(!gate.is_open());
        gate.wait(waiter(1), CHANNEL);
        gate.wait(waiter(2), CHANNEL);
        assert_eq!(admitted(&mut gate), None);
        gate.arrive(1);
        assert_eq!(admitted(&mut gate), Some(1));
        assert_eq!(admitted(&mut gate), None);
        gate.use_admission();
        assert_eq!(admitted(&mut gate), Some(2));
    }

    #[test]
    fn a_blocked_connection_admits_nobody() {
        let mut gate = Gate::new(100, 50, None);
        gate.set_blocked(Some("low on memory".into()));
        gate.wait(waiter(1), CHANNEL);
        assert_eq!(admitted(&mut gate), None);
        gate.set_blocked(None);
        assert_eq!(admitted(&mut gate), Some(1));
    }

    #[test]
    fn a_waiter_that_leaves_is_passed_over() {
        let mut gate = Gate::new(100, 50, None);
        gate.set_blocked(Some(String::new()));
        gate.wait(waiter(1), CHANNEL);
        gate.wait(waiter(2), CHANNEL);
        gate.leave(waiter(1));
        gate.set_blocked(None);
        assert_eq!(admitted(&mut gate), Some(2));
    }
}
