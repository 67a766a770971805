//! The ledger: what the application and the broker said about every message.

mod verdict;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use leveret::{Error, ErrorKind};

/// How many more messages may be confirmed than delivered before publishers are slow.
const MAX_LAG: usize = 20_000;

/// What a publish was reported as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Confirmed,
    Nacked,
    Returned,
    Unknown,
    NotSent,
}

impl Outcome {
    /// Reads the result of a publish or of its confirm.
    pub(crate) fn of(result: &leveret::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Confirmed,
            Err(error) if error.kind() == ErrorKind::Nacked => Self::Nacked,
            Err(error) if error.kind() == ErrorKind::Returned => Self::Returned,
            Err(error) if error.is_not_sent() => Self::NotSent,
            Err(_) => Self::Unknown,
        }
    }
}

/// One message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// `None` until the publish is decided.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) deliveries: u32,
    /// The deliveries of them that had the flag `redelivered`.
    pub(crate) flagged: u32,
    /// How often the application acknowledged it, and was not refused.
    pub(crate) acknowledged: u32,
    /// How often the client refused to acknowledge it, because its channel was gone.
    pub(crate) stale: u32,
}

/// All messages of a fault. Their identifiers are their places.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    confirmed: usize,
    /// Messages that were delivered.
    delivered: usize,
    last_failed: bool,
    strangers: Vec<String>,
    reports: BTreeMap<String, u64>,
    last_confirm: Option<Instant>,
    longest_pause: Duration,
}

/// Sums over all messages of a fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) published: usize,
    pub(crate) outcomes: BTreeMap<Outcome, usize>,
    /// Messages of an unknown outcome that were delivered.
    pub(crate) unknown_delivered: usize,
    /// Messages that were delivered.
    pub(crate) delivered: usize,
    /// Deliveries after the first one of a message.
    pub(crate) again: u64,
    /// Messages that the application acknowledged.
    pub(crate) acknowledged: usize,
    pub(crate) stale: u64,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message that is about to be published, and returns its identifier.
    pub(crate) fn publish(&self) -> usize {
        let mut state = self.lock();
        state.entries.push(Entry::default());
        state.entries.len() - 1
    }

    /// Records what a publish was reported as.
    pub(crate) fn decide(&self, id: usize, result: &leveret::Result<()>) {
        let mut state = self.lock();
        state.last_failed = result.is_err();
        if result.is_ok() {
            state.confirmed += 1;
            let now = Instant::now();
            if let Some(before) = state.last_confirm.replace(now) {
                state.longest_pause = state.longest_pause.max(now - before);
            }
        }
        if let Err(error) = result {
            *state.reports.entry(error.to_string()).or_default() += 1;
        }
        state.with(id, |entry| entry.outcome = Some(Outcome::of(result)));
    }

    /// Records a delivery. What is not the identifier of a message is a stranger.
    pub(crate) fn deliver(&self, id: Option<usize>, redelivered: bool, shown: impl FnOnce() -> String) {
        let mut state = self.lock();
        let known = id.and_then(|id| state.entries.get_mut(id));
        let Some(entry) = known else {
            state.strangers.push(shown());
            return;
        };
        entry.deliveries += 1;
        entry.flagged += u32::from(redelivered);
        let first = entry.deliveries == 1;
        state.delivered += usize::from(first);
    }

    /// Records that the application acknowledged a message, or that the client refused that.
    pub(crate) fn acknowledge(&self, id: usize, result: &Result<(), Error>) {
        self.lock().with(id, |entry| match result {
            Ok(()) => entry.acknowledged += 1,
            Err(_) => entry.stale += 1,
        });
    }

    /// Returns `true` while a publisher should be slow: the last publish failed, or many messages
    /// were confirmed and not delivered.
    pub(crate) fn is_in_trouble(&self) -> bool {
        let state = self.lock();
        state.last_failed || state.confirmed > state.delivered + MAX_LAG
    }

    /// Returns how many messages were confirmed, and how many deliveries there were.
    pub(crate) fn progress(&self) -> (usize, u64) {
        let state = self.lock();
        (state.confirmed, state.entries.iter().map(|entry| u64::from(entry.deliveries)).sum())
    }

    /// Returns the longest time between two confirms.
    pub(crate) fn longest_pause(&self) -> Duration {
        self.lock().longest_pause
    }

    /// Returns the errors that publishes were reported with, and how many each.
    pub(crate) fn reports(&self) -> BTreeMap<String, u64> {
        self.lock().reports.clone()
    }

    pub(crate) fn sums(&self) -> Sums {
        let state = self.lock();
        let mut sums = Sums { published: state.entries.len(), delivered: state.delivered, ..Sums::default() };
        for entry in &state.entries {
            if let Some(outcome) = entry.outcome {
                *sums.outcomes.entry(outcome).or_default() += 1;
                sums.unknown_delivered += usize::from(outcome == Outcome::Unknown && entry.deliveries > 0);
            }
            sums.again += u64::from(entry.deliveries.saturating_sub(1));
            sums.acknowledged += usize::from(entry.acknowledged > 0);
            sums.stale += u64::from(entry.stale);
        }
        sums
    }
}

impl State {
    fn with(&mut self, id: usize, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.get_mut(id) {
            change(entry);
        }
    }
}
