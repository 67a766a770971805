//! Which address is tried next, and when: Happy Eyeballs (RFC 8305) over all addresses of all
//! endpoints, without I/O and without a clock.
//!
//! One [`Race`] is one cycle through the endpoints. Whoever performs it repeats:
//!
//! 1. ask [`Race::poll`] for the next step: start an attempt, wait, or end;
//! 2. report what became of an attempt to the `handle_*` method that is named so.
//!
//! # The rules
//!
//! * Targets are tried in the order of the endpoints. A name is resolved when it is due to start.
//!   Its addresses then take its place, the families alternating, the resolver's first choice
//!   first.
//! * A target starts when the one before it has had `delay` to connect. One that fails makes way
//!   for the next at once. Without a delay a target starts when nothing else is under way.
//! * The first address that connects has the *turn*: it alone goes on to TLS, credentials and AMQP.
//!   So no two connections shake hands with brokers at a time, and credentials are fetched and sent
//!   once at a time.
//! * While one has the turn, nothing is started, and addresses that are still connecting go on. One
//!   that connects meanwhile is hung up, because a broker does not wait for long for a client that
//!   says nothing. It is the first to start when the turn is free again, as a new attempt with
//!   deadlines of its own.
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

/// What an attempt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// The endpoint's place in the order in which endpoints are tried.
    pub(super) endpoint: usize,
    /// The address to connect to; none where the endpoint's name is to be resolved.
    pub(crate) address: Option<SocketAddr>,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Start this attempt.
    Start(Target),
    /// Wait until an attempt has an outcome, or until this time.
    Wait(Option<Instant>),
    /// Everything was tried, and everything failed.
    End,
}

/// One cycle through the endpoints.
#[derive(Debug)]
pub(super) struct Race {
    /// How long an attempt is given before the next one starts beside it; none for no attempt
    /// beside another.
    delay: Option<Duration>,
    /// What has not been started, in the order of the endpoints.
    waiting: VecDeque<Target>,
    /// Addresses that connected while another one had the turn. They go before those that wait.
    reachable: VecDeque<Target>,
    /// Attempts that resolve or connect.
    under_way: Vec<Target>,
    /// The one that has connected and goes on.
    turn: Option<Target>,
    /// When the last attempt was started, and the last one that connects; none where the next one
    /// may start at once.
    started: Option<Instant>,
    connecting: Option<Instant>,
}

impl Race {
    /// A race between this many endpoints.
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

    /// What is to be done next. An attempt that is given to be started counts as started.
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

    /// An endpoint's name was resolved.
    pub(super) fn handle_resolved(&mut self, endpoint: usize, addresses: Vec<SocketAddr>) {
        self.remove(Target { endpoint, address: None });
        let later = self.waiting.iter().position(|target| target.endpoint > endpoint);
        let place = later.unwrap_or(self.waiting.len());
        for (index, address) in interleaved(addresses).into_iter().enumerate() {
            self.waiting.insert(place + index, Target { endpoint, address: Some(address) });
        }
    }

    /// An address is connected. Returns `true` if it goes on, and `false` if it is to be hung up
    /// because another one has the turn.
    pub(super) fn handle_connected(&mut self, target: Target) -> bool {
        self.remove(target);
        if self.turn.is_some() {
            self.reachable.push_back(target);
            return false;
        }
        self.turn = Some(target);
        true
    }

    /// An attempt failed, be it under way or the one that has the turn.
    pub(super) fn handle_failed(&mut self, target: Target) {
        self.remove(target);
        self.turn = self.turn.filter(|turn| *turn != target);
        self.started = None;
        self.connecting = None;
    }

    /// When a target may start beside what is under way. A name that is resolved in time leaves its
    /// start to its first address.
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

/// IPv6 and IPv4 in turn, beginning with the first address (section 4 of RFC 8305); each family in
/// its order.
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
