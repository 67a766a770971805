//! The end of a recovery that the broker answers with the same close again and again.

use std::time::{Duration, Instant};

use crate::engine::{Closure, Reason};
use crate::protocol::{MethodId, ReplyCode};

/// What a connection or channel was closed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Killer {
    pub(crate) code: ReplyCode,
    /// The method that the closing peer blames, if any.
    pub(crate) method: Option<MethodId>,
}

impl Killer {
    /// Returns what the close was for, or `None` if it was no answer to what the client did: the
    /// transport failed, the broker was silent, or an operator closed it.
    ///
    /// The code 320 is the operator's. It is left out because a rolling restart closes a
    /// connection once per node, and soon after each recovery.
    pub(crate) fn of(closure: &Closure) -> Option<Self> {
        let answers = matches!(closure.reason, Reason::Broker | Reason::Violation(_));
        let code = closure.reply_code.filter(|code| answers && *code != ReplyCode::CONNECTION_FORCED)?;
        Some(Self { code, method: closure.method })
    }
}

/// Counts losses soon after a recovery that have the same killer: recovery itself may cause them.
#[derive(Debug)]
pub(crate) struct Breaker {
    stable_after: Duration,
    recovered: Option<Instant>,
    /// The killer of the latest losses, and how many there were in a row.
    in_a_row: Option<(Killer, u32)>,
}

impl Breaker {
    /// How many losses in a row end recovery.
    const LIMIT: u32 = 3;

    pub(crate) fn new(stable_after: Duration) -> Self {
        Self { stable_after, recovered: None, in_a_row: None }
    }

    pub(crate) fn handle_recovered(&mut self, now: Instant) {
        self.recovered = Some(now);
    }

    /// Whether the latest recovery has lasted long enough to have succeeded. Before the first
    /// recovery, it has.
    pub(crate) fn is_stable(&self, now: Instant) -> bool {
        self.recovered.is_none_or(|recovered| now.saturating_duration_since(recovered) >= self.stable_after)
    }

    /// Handles the loss of what was recovered. Returns the killer if it is the same for the third
    /// time in a row.
    pub(crate) fn handle_lost(&mut self, killer: Option<Killer>, now: Instant) -> Option<Killer> {
        let killer = killer.filter(|_| !self.is_stable(now));
        let earlier = self.in_a_row.filter(|(earlier, _)| killer == Some(*earlier)).map_or(0, |(_, count)| count);
        self.in_a_row = killer.map(|killer| (killer, earlier.saturating_add(1)));
        self.in_a_row.filter(|(_, count)| *count >= Self::LIMIT).map(|(killer, _)| killer)
    }
}
