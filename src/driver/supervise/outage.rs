//! An outage: whether a loss is recovered, and when each attempt begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::RecoverySettings;
use crate::engine::{Closure, Reason};
use crate::error::ConnectError;
use crate::protocol::ReplyCode;

/// The present outage, or the time since the last.
pub(super) struct Outage {
    terms: RecoverySettings,
    /// When it began; `None` while the connection is recovered.
    began: Option<Instant>,
    /// The attempts in this outage.
    attempts: u32,
    /// How often the delay was doubled.
    doubled: u32,
    /// The refusals in a row.
    refusals: u32,
    /// Whether the next attempt waits for the longest delay.
    longest: bool,
    /// When the connection was recovered last.
    recovered: Option<Instant>,
    /// The latest cause, and how often in a row it came soon after a recovery.
    killed: Option<(Kill, u32)>,
}

/// What ended a generation: the reply code and the method that is blamed.
type Kill = (Option<ReplyCode>, Option<crate::protocol::MethodId>);

/// After this many generations in a row that the same cause ended soon, the connection ends.
const MOST_KILLED: u32 = 3;

impl Outage {
    pub(super) fn new(terms: RecoverySettings) -> Self {
        Self { terms, began: None, attempts: 0, doubled: 0, refusals: 0, longest: false, recovered: None, killed: None }
    }

    /// Records a loss. Returns `false` if the connection is not to be recovered. `decided` is what
    /// the program decides, if it does.
    pub(super) fn begin(&mut self, cause: &Closure, decided: Option<bool>, now: Instant) -> bool {
        let was_stable = self.recovered.is_none_or(|at| now >= at + self.terms.stable_after);
        if self.began.is_none() {
            self.began = Some(now);
            self.attempts = 0;
            self.refusals = 0;
            if was_stable {
                self.doubled = 0;
            }
        }
        self.longest = cause.reason == Reason::BlockedTooLong;
        let kill = (cause.reply_code, cause.method);
        let again = match self.killed {
            Some((earlier, count)) if earlier == kill && !was_stable => count + 1,
            _ => 1,
        };
        let is_broker = cause.reason == Reason::Broker && cause.method.is_some();
        self.killed = is_broker.then_some((kill, again));
        let is_ours = matches!(cause.reason, Reason::Requested | Reason::DriverGone);
        !is_ours
            && decided.unwrap_or_else(|| is_recovered(cause))
            && again < MOST_KILLED.saturating_add(u32::from(!is_broker) * u32::MAX / 2)
    }

    /// Records that the connection is recovered, and returns how long it was down.
    pub(super) fn end(&mut self, now: Instant) -> Duration {
        self.recovered = Some(now);
        self.began.take().map_or(Duration::ZERO, |began| now.saturating_duration_since(began))
    }

    /// Whether the connection is being recovered.
    pub(super) fn is_on(&self) -> bool {
        self.began.is_some()
    }

    /// The next attempt: its number, and the pause before it. `None` if there is to be none.
    pub(super) fn next_attempt(&mut self, random: u64, now: Instant) -> Option<(u32, Duration)> {
        let is_late = self.terms.timeout.zip(self.began).is_some_and(|(limit, began)| now >= began + limit);
        if is_late || self.terms.attempts.is_some_and(|most| self.attempts >= most) {
            return None;
        }
        if self.refusals >= self.terms.refusals {
            return None;
        }
        self.attempts += 1;
        let grown = self.terms.delay.saturating_mul(1_u32.checked_shl(self.doubled).unwrap_or(u32::MAX));
        let most = grown.min(self.terms.max_delay);
        self.doubled = self.doubled.saturating_add(1);
        if std::mem::take(&mut self.longest) {
            return Some((self.attempts, self.terms.max_delay));
        }
        Some((self.attempts, part_of(most, random)))
    }

    /// Records a failed attempt.
    pub(super) fn failed(&mut self, error: &ConnectError) {
        if error.is_retryable() {
            self.refusals = 0;
        } else {
            self.refusals += 1;
            self.longest = true;
        }
    }

    /// Why the connection ends when no attempt is left: the loss.
    pub(super) fn last_cause(&self, cause: &Arc<Closure>) -> Arc<Closure> {
        Arc::clone(cause)
    }
}

/// A random part of a delay: uniform from zero up to it.
fn part_of(most: Duration, random: u64) -> Duration {
    let part = (u128::from(random) * most.as_nanos()) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}

/// Whether a connection that ended for this cause is recovered.
///
/// It is not if the client made a mistake, which it would repeat: the broker's refusals of what was
/// sent (402, 403, 501 to 506, 530, 540).
fn is_recovered(cause: &Closure) -> bool {
    match cause.reason {
        Reason::Requested | Reason::DriverGone => false,
        Reason::Broker => matches!(cause.reply_code, Some(ReplyCode::CONNECTION_FORCED | ReplyCode::INTERNAL_ERROR)),
        _ => true,
    }
}
