//! Which address is tried next, and when: Happy Eyeballs (RFC 8305) over all addresses of all
//! endpoints, without I/O and without a clock.
//!
//! One [`Race`] is one cycle through the endpoints. The plan repeats:
//!
//! 1. ask [`Race::poll`] for the next step: start an attempt, wait, or end;
//! 2. report the outcome of an attempt to the matching `handle_*` method.
//!
//! # The rules
//!
//! * Targets are tried in the order of the endpoints. A name is resolved when it is due to start.
//!   Its addresses then take its place in the order, with alternating families, beginning with the
//!   resolver's first address.
//! * A target starts `delay` after the one before it. If that fails earlier, the next target starts
//!   at once. Without a delay a target starts when no other is running.
//! * The first address that connects has the *turn*: only it continues with TLS, credentials and
//!   AMQP. So there is never more than one handshake with a broker at a time, and credentials are
//!   fetched and sent for one attempt at a time.
//! * While an attempt has the turn, nothing is started, and addresses that are still connecting
//!   continue. If one of them connects, it is closed, because a broker does not wait long for a
//!   client that sends nothing. It is the first to start when the turn is free again, as a new
//!   attempt with its own deadlines.
//!
//! ```text
//!           start                 connected, turn is free
//! waiting ─────────> under way ───────────────────────────> has the turn ──> the connection
//!    ^                │     │                                     │
//!    └────────────────┘     └──────────> failed <─────────────────┘
//!  connected, turn is taken
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The target of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// The endpoint's place in the order in which endpoints are tried.
    pub(super) endpoint: usize,
    /// The address to connect to; `None` if the name of the endpoint is to be resolved.
    pub(crate) address: Option<SocketAddr>,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Start this attempt.
    Start(Target),
    /// Wait until an attempt has an outcome, or until this time.
    Wait(Option<Instant>),
    /// Every target was tried and failed.
    End,
}

/// One cycle through the endpoints.
#[derive(Debug)]
pub(super) struct Race {
    /// How long after an attempt the next one starts beside it; `None` if only one runs at a time.
    delay: Option<Duration>,
    /// The targets that have not been started, in the order of the endpoints.
    waiting: VecDeque<Target>,
    /// Addresses that connected while another one had the turn. They start before `waiting`.
    reachable: VecDeque<Target>,
    /// Attempts that resolve or connect.
    under_way: Vec<Target>,
    /// The target that has connected and continues.
    turn: Option<Target>,
    /// When the last attempt was started, and the last one that connects; `None` if the next one
    /// may start at once.
    started: Option<Instant>,
    connecting: Option<Instant>,
}

impl Race {
    /// Creates a race between this many endpoints.
    pub(super) fn new(endpoints: usize, delay: Option<Duration>) -> Self {
        Self {
            delay,
            waiting: (0..endpoints).map(|endpoint| Target { endpoint, address: None }).collect(),
            reachable: VecDeque::new(),
            under_way: Vec::new(),
            turn: None,
            started: None,
            connecting: None,
        }
    }

    /// What is to be done next. An attempt in [`Step::Start`] counts as started.
    pub(super) fn poll(&mut self, now: Instant) -> Step {
        let is_idle = self.under_way.is_empty() && self.turn.is_none();
        let Some(&next) = self.reachable.front().or(self.waiting.front()) else {
            return if is_idle { Step::End } else { Step::Wait(None) };
        };
        if self.turn.is_some() || (self.delay.is_none() && !is_idle) {
            return Step::Wait(None);
        }
        if !is_idle && let Some(due) = self.due(next).filter(|due| *due > now) {
            return Step::Wait(Some(due));
        }
        self.start(next, now);
        Step::Start(next)
    }

    /// Takes the addresses of an endpoint, of which `last` is tried after the others.
    pub(super) fn handle_resolved(&mut self, endpoint: usize, addresses: Vec<SocketAddr>, last: Option<SocketAddr>) {
        self.remove(Target { endpoint, address: None });
        let later = self.waiting.iter().position(|target| target.endpoint > endpoint);
        let place = later.unwrap_or(self.waiting.len());
        let mut addresses = interleaved(addresses);
        addresses.sort_by_key(|address| Some(*address) == last);
        for (index, address) in addresses.into_iter().enumerate() {
            self.waiting.insert(place + index, Target { endpoint, address: Some(address) });
        }
    }

    /// Reports that an address is connected. Returns `true` if it continues, and `false` if it is
    /// to be closed because another one has the turn.
    pub(super) fn handle_connected(&mut self, target: Target) -> bool {
        self.remove(target);
        if self.turn.is_some() {
            self.reachable.push_back(target);
            return false;
        }
        self.turn = Some(target);
        true
    }

    /// Reports that an attempt failed, whether or not it has the turn.
    pub(super) fn handle_failed(&mut self, target: Target) {
        self.remove(target);
        self.turn = self.turn.filter(|turn| *turn != target);
        self.started = None;
        self.connecting = None;
    }

    /// When a target may start beside the running ones. The delay of an address counts from the
    /// last attempt that connects, so the resolution of a name does not postpone its first address
    /// if it is fast enough.
    fn due(&self, target: Target) -> Option<Instant> {
        let last = if target.address.is_some() { self.connecting } else { self.started };
        Some(last? + self.delay?)
    }

    fn start(&mut self, target: Target, now: Instant) {
        if self.reachable.pop_front().is_none() {
            self.waiting.pop_front();
        }
        self.under_way.push(target);
        self.started = Some(now);
        if target.address.is_some() {
            self.connecting = Some(now);
        }
    }

    fn remove(&mut self, target: Target) {
        self.under_way.retain(|other| *other != target);
    }
}

/// Alternates IPv6 and IPv4, beginning with the family of the first address (RFC 8305 §4). Each
/// family keeps its order.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let starts_with_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == starts_with_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let pair = (first.next(), second.next());
        if pair == (None, None) {
            return all;
        }
        all.extend(pair.0);
        all.extend(pair.1);
    }
}

#[cfg(test)]
mod tests;
