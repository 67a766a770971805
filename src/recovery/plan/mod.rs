//! The plan for opening a connection: endpoints and their addresses, cycles through them, and every
//! deadline.
//!
//! The driver repeats:
//!
//! 1. do what [`DialPlan::poll`] returns: start an attempt, give one up, or wait;
//! 2. report the outcome of an attempt to the matching `handle_*` method, before the next `poll`,
//!    so that an attempt with an outcome does not time out.
//!
//! An attempt goes through phases, each with its deadline. An attempt that connects and has the
//! turn (see [`race`](super::race)) continues with TLS, credentials and the handshake of AMQP, each
//! reported to [`DialPlan::enter`].
//!
//! ```text
//!  resolve ──▶ (its addresses)          connect ──▶ TLS ──▶ credentials ──▶ handshake ──▶ the connection
//!  ╰─ connect_timeout ─╯                ╰ connect_timeout ╯╰ tls_timeout ╯╰ credentials_timeout ╯╰ handshake_timeout ╯
//!                                       ╰──────────────────────── stack_timeout ─────────────────────────────────────╯
//!  ╰─────────────────────────────────────────── open_timeout, over all cycles ───────────────────────────────────────╯
//! ```

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::attempts::Attempts;
use super::race::{self, Race, Target};
use crate::config::{ConnectionParameters, Endpoint, EndpointOrder};
use crate::error::{ConnectCause, ConnectError, Phase, Progress};

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Start this attempt: find the addresses of its endpoint, or connect to its address.
    Start(Target),
    /// Stop this attempt and close its stream: it timed out, and already counts as failed.
    GiveUp(Target),
    /// Wait until an attempt has an outcome, or until this time.
    Wait(Option<Instant>),
    /// Everything failed. Stop all running attempts.
    End(ConnectError),
}

/// Where a connection was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    endpoint: Endpoint,
    address: SocketAddr,
}

impl Reached {
    /// The endpoint.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }
}

/// The plan of one open.
#[derive(Debug)]
pub(crate) struct DialPlan<'a> {
    parameters: &'a ConnectionParameters,
    /// The endpoints in the order in which they are tried; empty if the caller gave a transport.
    endpoints: Vec<&'a Endpoint>,
    state: State,
    /// How many cycles may follow.
    cycles: u32,
    /// The running attempts in the order in which they were started.
    running: Vec<Running>,
    attempts: Attempts,
    /// When the whole open times out, and after how long.
    ends: Option<(Instant, Duration)>,
    /// What is tried last.
    lost: Option<&'a Reached>,
}

#[derive(Debug)]
enum State {
    /// A cycle through the endpoints.
    Racing(Race),
    /// A pause until the next cycle.
    Pausing(Instant),
    /// The only attempt is on a transport that the caller gave.
    Given,
}

/// A running attempt.
#[derive(Debug)]
struct Running {
    target: Target,
    progress: Progress,
    /// When it began.
    since: Instant,
    /// When its phase began.
    entered: Instant,
}

impl<'a> DialPlan<'a> {
    /// Creates a plan that begins at `now`. `seed` determines the order of the endpoints if they
    /// are shuffled.
    pub(crate) fn new(parameters: &'a ConnectionParameters, seed: u64, now: Instant) -> Self {
        let mut endpoints: Vec<&Endpoint> = parameters.endpoints.iter().collect();
        if parameters.endpoint_order == EndpointOrder::Shuffled {
            fastrand::Rng::with_seed(seed).shuffle(&mut endpoints);
        }
        let cycles = parameters.connection_attempts.saturating_sub(1);
        let state = State::Racing(race(parameters, &endpoints));
        Self::begin(parameters, endpoints, state, cycles, now)
    }

    /// Creates the plan for a transport that the caller gave, with its only attempt.
    pub(crate) fn on_transport(parameters: &'a ConnectionParameters, now: Instant) -> (Self, Target) {
        let mut plan = Self::begin(parameters, Vec::new(), State::Given, 0, now);
        let target = Target { endpoint: 0, address: None };
        plan.run(target, Phase::Handshake, now);
        (plan, target)
    }

    fn begin(
        parameters: &'a ConnectionParameters,
        endpoints: Vec<&'a Endpoint>,
        state: State,
        cycles: u32,
        now: Instant,
    ) -> Self {
        let ends = parameters.open_timeout.and_then(|limit| Some((now.checked_add(limit)?, limit)));
        Self {
            parameters,
            endpoints,
            state,
            cycles,
            running: Vec::new(),
            attempts: Attempts::default(),
            ends,
            lost: None,
        }
    }

    /// Tries the endpoint and the address of a connection that was lost after the others: what is
    /// wrong with its broker may last. To be called before the first poll.
    pub(crate) fn avoid(&mut self, lost: &'a Reached) {
        self.endpoints.sort_by_key(|endpoint| **endpoint == lost.endpoint);
        self.lost = Some(lost);
    }

    /// Where an attempt is connected; `None` if the caller gave the transport.
    pub(crate) fn reached(&self, target: Target) -> Option<Reached> {
        Some(Reached { endpoint: self.endpoint(target)?.clone(), address: target.address? })
    }

    /// The endpoint of an attempt; `None` if the caller gave the transport.
    pub(crate) fn endpoint(&self, target: Target) -> Option<&'a Endpoint> {
        self.endpoints.get(target.endpoint).copied()
    }

    /// What is to be done next. An attempt in [`Step::Start`] counts as started.
    pub(crate) fn poll(&mut self, now: Instant) -> Step {
        if let Some((at, limit)) = self.ends
            && at <= now
        {
            return Step::End(self.out_of_time(limit));
        }
        if let Some(target) = self.give_up(now) {
            return Step::GiveUp(target);
        }
        loop {
            match &mut self.state {
                State::Pausing(until) => {
                    let until = *until;
                    if until > now {
                        return self.wait(Some(until));
                    }
                    self.attempts.begin_cycle();
                    self.state = State::Racing(race(self.parameters, &self.endpoints));
                }
                State::Racing(race) => match race.poll(now) {
                    race::Step::Start(target) => {
                        self.start(target, now);
                        return Step::Start(target);
                    }
                    race::Step::Wait(until) => return self.wait(until),
                    race::Step::End if self.cycles > 0 && self.attempts.may_succeed_later() => {
                        self.cycles -= 1;
                        self.state = State::Pausing(now + self.parameters.retry_delay);
                    }
                    race::Step::End => return Step::End(self.error(None)),
                },
                State::Given if self.running.is_empty() => return Step::End(self.error(None)),
                State::Given => return self.wait(None),
            }
        }
    }

    /// Takes the addresses of an endpoint.
    pub(crate) fn handle_resolved(&mut self, target: Target, addresses: Vec<SocketAddr>) {
        if self.remove(target).is_some()
            && let State::Racing(race) = &mut self.state
        {
            race.handle_resolved(target.endpoint, addresses, self.lost.map(|lost| lost.address));
        }
    }

    /// Reports that an address is connected. Returns `true` if the attempt continues, and `false`
    /// if its stream is to be closed because another attempt has the turn.
    pub(crate) fn handle_connected(&mut self, target: Target) -> bool {
        let goes_on = match &mut self.state {
            State::Racing(race) => race.handle_connected(target),
            State::Pausing(_) | State::Given => false,
        };
        if !goes_on {
            self.remove(target);
        }
        goes_on
    }

    /// Reports that the attempt that has the turn enters its next phase.
    pub(crate) fn enter(&mut self, target: Target, phase: Phase, now: Instant) {
        if let Some(running) = self.running.iter_mut().find(|running| running.target == target) {
            running.progress.phase = phase;
            running.entered = now;
        }
    }

    /// Reports that an attempt failed in its present phase.
    pub(crate) fn handle_failed(&mut self, target: Target, cause: ConnectCause) {
        let Some(mut progress) = self.remove(target) else { return };
        // A broker that requires a client certificate reports its absence only after the TLS
        // handshake.
        if progress.phase == Phase::Handshake && cause.is_tls() {
            progress.phase = Phase::Tls;
        }
        self.attempts.fail(progress, cause);
        if let State::Racing(race) = &mut self.state {
            race.handle_failed(target);
        }
    }

    fn start(&mut self, target: Target, now: Instant) {
        let phase = if target.address.is_some() { Phase::Connect } else { Phase::Resolve };
        self.run(target, phase, now);
    }

    fn run(&mut self, target: Target, phase: Phase, now: Instant) {
        let progress = Progress { endpoint: self.endpoint(target).cloned(), address: target.address, phase };
        self.running.push(Running { target, progress, since: now, entered: now });
    }

    fn remove(&mut self, target: Target) -> Option<Progress> {
        let index = self.running.iter().position(|running| running.target == target)?;
        Some(self.running.remove(index).progress)
    }

    /// Fails the first attempt that has timed out.
    fn give_up(&mut self, now: Instant) -> Option<Target> {
        let late = |running: &Running| {
            let deadline = running.deadline(self.parameters).filter(|deadline| deadline.at <= now);
            deadline.map(|deadline| (running.target, deadline))
        };
        let (target, deadline) = self.running.iter().find_map(late)?;
        self.handle_failed(target, deadline.cause());
        Some(target)
    }

    /// Waits until the given time, or until an earlier deadline.
    fn wait(&self, until: Option<Instant>) -> Step {
        let attempts = self.running.iter().filter_map(|running| running.deadline(self.parameters));
        let ends = self.ends.map(|(at, _)| at);
        Step::Wait(attempts.map(|deadline| deadline.at).chain(ends).chain(until).min())
    }

    /// Ends the plan after `open_timeout`. Running attempts count as failed; the one that got
    /// furthest is last.
    fn out_of_time(&mut self, limit: Duration) -> ConnectError {
        let cause = || ConnectCause::TimedOut { parameter: "open_timeout", limit };
        let mut running = std::mem::take(&mut self.running);
        running.sort_by_key(|running| running.progress.phase > Phase::Connect);
        for running in running {
            self.attempts.fail(running.progress, cause());
        }
        // If there is only one attempt, its own cause is enough.
        let all = if self.endpoints.is_empty() { None } else { Some(cause()) };
        self.error(all)
    }

    fn error(&mut self, out_of_time: Option<ConnectCause>) -> ConnectError {
        let (failed, forgotten) = self.attempts.take();
        ConnectError::new(failed, forgotten, out_of_time)
    }
}

/// A cycle through the endpoints.
fn race(parameters: &ConnectionParameters, endpoints: &[&Endpoint]) -> Race {
    Race::new(endpoints.len(), parameters.connection_attempt_delay.filter(|delay| !delay.is_zero()))
}

/// A deadline, with the parameter that sets it.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    parameter: &'static str,
    limit: Duration,
}

impl Deadline {
    /// `None` if there is no limit, or one that a clock cannot represent.
    fn of(since: Instant, parameter: &'static str, limit: Option<Duration>) -> Option<Self> {
        let limit = limit?;
        Some(Self { at: since.checked_add(limit)?, parameter, limit })
    }

    fn cause(self) -> ConnectCause {
        ConnectCause::TimedOut { parameter: self.parameter, limit: self.limit }
    }
}

impl Running {
    /// The deadline of its phase, or that of the whole attempt if it is earlier.
    fn deadline(&self, parameters: &ConnectionParameters) -> Option<Deadline> {
        let (parameter, limit) = match self.progress.phase {
            Phase::Resolve | Phase::Connect => ("connect_timeout", parameters.connect_timeout),
            Phase::Tls => ("tls_timeout", parameters.tls_timeout),
            Phase::Credentials => ("credentials_timeout", parameters.credentials_timeout),
            Phase::Handshake => ("handshake_timeout", parameters.handshake_timeout),
        };
        let phase = Deadline::of(self.entered, parameter, limit);
        let whole = match self.progress.phase {
            Phase::Resolve => None,
            _ => Deadline::of(self.since, "stack_timeout", parameters.stack_timeout),
        };
        phase.into_iter().chain(whole).min_by_key(|deadline| deadline.at)
    }
}

#[cfg(test)]
mod tests;
