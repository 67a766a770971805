//! When to connect again after a loss, and when to give up. There is no clock and no randomness in
//! it: times and random numbers are arguments.
//!
//! An outage begins with a loss and ends when everything has been recovered. In it, pauses and
//! cycles alternate; a cycle tries every address of every endpoint, and then brings back what was
//! there before. The supervisor reports to a [`Backoff`]:
//!
//! ```text
//!  handle_lost ──▶ pause ──▶ begin ──▶ cycle ──▶ handle_recovered ··· stable, or lost again
//!                    ▲                   │
//!                    ╰── handle_failed ◀─╯  (also if the connection is lost before all is back)
//! ```
//!
//! It watches [`deadline`](Backoff::deadline) in pauses and in cycles.

mod breaker;
mod delays;

use std::time::{Duration, Instant};

use crate::config::RecoverySettings;
use crate::engine::{Closure, Reason};

pub(crate) use breaker::{Breaker, Killer};
pub(crate) use delays::Delays;

/// What follows a loss or a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// A cycle after this pause.
    Pause(Duration),
    /// The end: nothing more is tried.
    GiveUp(GiveUp),
}

/// Why nothing more is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GiveUp {
    /// All `recovery_attempts` cycles of the outage failed.
    Attempts(u32),
    /// The outage lasted for `recovery_timeout`.
    Timeout(Duration),
    /// The broker refused the client in `recovery_refusals` cycles in a row.
    Refusals(u32),
    /// Three recovered connections in a row were closed for the same, each within
    /// `recovery_stable_after`.
    Killed(Killer),
}

/// How a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// What it was closed for, if it was closed for something.
    killer: Option<Killer>,
    /// Whether the broker blocked it for too long. Alarms last, and they block every node of a
    /// cluster, so that there is no hurry.
    blocked: bool,
}

impl Loss {
    pub(crate) fn of(closure: &Closure) -> Self {
        Self { killer: Killer::of(closure), blocked: closure.reason == Reason::BlockedTooLong }
    }
}

/// How a cycle failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No broker was reached, or the connection was lost before all was back.
    Lost,
    /// A broker refused the client: 403 or 530 at the open, TLS, no common mechanism. A hurry may
    /// lock an account, and a limit on connections counts the lost connection for a while.
    Refused,
}

/// The pauses of a connection's recovery, and the reasons to end it.
#[derive(Debug)]
pub(crate) struct Backoff {
    delays: Delays,
    attempts: Option<u32>,
    timeout: Option<Duration>,
    refusals: u32,
    breaker: Breaker,
    /// The pauses since the connection was last stable.
    pauses: u32,
    outage: Option<Outage>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    /// The cycles that have begun.
    cycles: u32,
    /// The latest cycles in a row that were refused.
    refusals: u32,
}

impl Outage {
    fn new(since: Instant) -> Self {
        Self { since, cycles: 0, refusals: 0 }
    }
}

impl Backoff {
    pub(crate) fn new(settings: &RecoverySettings) -> Self {
        Self {
            delays: Delays::new(settings),
            attempts: settings.attempts,
            timeout: settings.timeout,
            refusals: settings.refusals,
            breaker: Breaker::new(settings.stable_after),
            pauses: 0,
            outage: None,
        }
    }

    /// Handles the loss of the connection, which begins an outage. In an outage it is the failure
    /// of a cycle.
    pub(crate) fn handle_lost(&mut self, loss: Loss, now: Instant, random: u64) -> Next {
        if self.outage.is_some() {
            return self.handle_failed(Failure::Lost, now, random);
        }
        if self.breaker.is_stable(now) {
            self.pauses = 0;
        }
        self.outage = Some(Outage::new(now));
        match self.breaker.handle_lost(loss.killer, now) {
            Some(killer) => Next::GiveUp(GiveUp::Killed(killer)),
            None => self.pause(loss.blocked, random),
        }
    }

    /// Begins a cycle, and returns its number in the outage, from 1 on.
    ///
    /// # Errors
    ///
    /// The outage has lasted for `recovery_timeout`.
    pub(crate) fn begin(&mut self, now: Instant) -> Result<u32, GiveUp> {
        if let Some(timeout) = self.timed_out(now) {
            return Err(timeout);
        }
        let outage = self.outage.get_or_insert_with(|| Outage::new(now));
        outage.cycles = outage.cycles.saturating_add(1);
        Ok(outage.cycles)
    }

    /// Handles the failure of a cycle.
    pub(crate) fn handle_failed(&mut self, failure: Failure, now: Instant, random: u64) -> Next {
        let refused = failure == Failure::Refused;
        let outage = self.outage.get_or_insert_with(|| Outage::new(now));
        outage.refusals = if refused { outage.refusals.saturating_add(1) } else { 0 };
        let (cycles, refusals) = (outage.cycles, outage.refusals);
        if let Some(timeout) = self.timed_out(now) {
            return Next::GiveUp(timeout);
        }
        if refusals >= self.refusals {
            return Next::GiveUp(GiveUp::Refusals(refusals));
        }
        if self.attempts.is_some_and(|attempts| cycles >= attempts) {
            return Next::GiveUp(GiveUp::Attempts(cycles));
        }
        self.pause(refused, random)
    }

    /// Whether an outage has begun and not ended.
    pub(crate) fn is_outage(&self) -> bool {
        self.outage.is_some()
    }

    /// The cycles that have begun in this outage.
    pub(crate) fn cycles(&self) -> u32 {
        self.outage.as_ref().map_or(0, |outage| outage.cycles)
    }

    /// Handles that everything is back, and returns how long the outage lasted.
    pub(crate) fn handle_recovered(&mut self, now: Instant) -> Duration {
        self.breaker.handle_recovered(now);
        self.outage.take().map_or(Duration::ZERO, |outage| now.saturating_duration_since(outage.since))
    }

    /// When the outage has lasted for `recovery_timeout`; `None` outside an outage and without a
    /// limit.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.outage.as_ref()?.since.checked_add(self.timeout?)
    }

    fn timed_out(&self, now: Instant) -> Option<GiveUp> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        self.timeout.map(GiveUp::Timeout)
    }

    fn pause(&mut self, longest: bool, random: u64) -> Next {
        let earlier = self.pauses;
        self.pauses = earlier.saturating_add(1);
        let delay = if longest { self.delays.longest(random) } else { self.delays.after(earlier, random) };
        Next::Pause(delay)
    }
}

#[cfg(test)]
mod tests;
