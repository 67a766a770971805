//! The replay: in which order and when the entities of a lost connection are made again, and what
//! follows from refusals.
//!
//! A replay has no I/O and no clock. The supervisor of a connection sends the steps that
//! [`Replay::next`] returns and reports their replies. Exchanges, queues, bindings and checks use a
//! private channel, so that what the broker refuses closes no channel of the application. Consumers
//! use the channels of the application, and are handed out only when their queue is known to exist.

mod entries;
mod entry;
mod failing;
mod handing_out;
mod pace;
mod refusal;
mod report;
mod suspects;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::record::{Entity, RecordedTopology, Topology, entity_name};
use crate::Error;
use crate::engine::steps::step;
use crate::engine::{ChannelKey, ConsumerKey};
use crate::protocol::{Method, basic};
use crate::wire::ShortString;

pub(crate) use pace::Pace;
pub(crate) use report::Failure;
pub(crate) use suspects::Suspects;

use entry::{Entry, Index};
use pace::Delays;
use report::{Report, Reports};

/// How many steps are outstanding at most. Round trips overlap, and a refusal repeats few requests.
const WINDOW: usize = 64;

/// The parts of a replay, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Exchanges, queues and bindings: before anything is published.
    Topology,
    /// Consumers of direct reply-to: before anything is published, because requests need them.
    ReplyTo,
    /// All other consumers. A queue that is not available does not stop publishers.
    Consumers,
}

/// Identifies a step that was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StepId(u64);

/// A request that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) id: StepId,
    pub(crate) request: Request,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// A method on the private channel.
    Private(Box<Method>),
    /// A consumer is started on its channel, with this prefetch count.
    Consume { channel: ChannelKey, consumer: ConsumerKey, request: Box<basic::Consume>, prefetch: u16 },
}

/// What follows from the success of a step.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use]
pub(crate) struct Success {
    /// The old and the new name of a queue that the broker has named anew. The record has to be
    /// given it before the next step.
    pub(crate) renamed: Option<(ShortString, ShortString)>,
    /// The entity, if it was reported as one that is tried again.
    pub(crate) recovered: Option<Entity>,
}

/// A replay on one connection.
#[derive(Debug)]
pub(crate) struct Replay {
    entries: Vec<Entry>,
    /// The consumers of each channel.
    channels: BTreeMap<ChannelKey, Vec<Index>>,
    phase: Phase,
    ready: BTreeSet<Index>,
    /// What comes last and alone.
    ready_suspects: BTreeSet<Index>,
    outstanding: BTreeMap<StepId, Index>,
    later: BTreeSet<(Instant, Index)>,
    next: u64,
    delays: Delays,
    held: Duration,
    reports: Reports,
    suspects: Suspects,
    /// Consumers that left the record before they were started.
    forgotten: Vec<ConsumerKey>,
}

impl Replay {
    /// Creates the replay of a topology, whose first phase is [`Phase::Topology`].
    pub(crate) fn new(topology: RecordedTopology, suspects: Suspects, pace: &Pace) -> Self {
        let entries = entries::entries(topology);
        let mut replay = Self {
            channels: BTreeMap::new(),
            phase: Phase::Topology,
            ready: BTreeSet::new(),
            ready_suspects: BTreeSet::new(),
            outstanding: BTreeMap::new(),
            later: BTreeSet::new(),
            next: 0,
            delays: Delays::new(pace),
            held: pace.held,
            reports: Reports::default(),
            suspects,
            forgotten: Vec::new(),
            entries,
        };
        for index in 0..replay.entries.len() {
            replay.begin_entry(index);
        }
        replay
    }

    /// Begins a phase. Those before it go on.
    pub(crate) fn begin(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }

    /// Hands out a step, if there is one that may be sent now. What the application has removed
    /// from the record in the meantime is left out.
    pub(crate) fn next(&mut self, record: &Topology, now: Instant) -> Option<Step> {
        loop {
            if self.outstanding.len() >= WINDOW || self.is_suspect_outstanding() {
                return None;
            }
            let index = self.pop_ready()?;
            step();
            if let Some(request) = self.hand_out(index, record, now) {
                let id = StepId(self.next);
                self.next += 1;
                self.outstanding.insert(id, index);
                return Some(Step { id, request });
            }
        }
    }

    /// Whether all of the present phase that could be done is done, or put off. To be asked after
    /// [`next`](Self::next) has returned `None`.
    pub(crate) fn is_settled(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_settled() && self.later.is_empty() && self.ready.is_empty() && self.ready_suspects.is_empty()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called.
    pub(crate) fn poll_deadline(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Makes what was put off until now ready.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, index)) = self.later.pop_first() {
            if at > now {
                self.later.insert((at, index));
                return;
            }
            self.make_ready(index);
        }
    }

    /// Handles the reply to a step.
    pub(crate) fn succeeded(&mut self, id: StepId, reply: &Method) -> Success {
        let Some(index) = self.outstanding.remove(&id) else { return Success::default() };
        let renamed = match reply {
            Method::QueueDeclareOk(ok) => self.name_queue(index, entity_name(&ok.queue), ok.consumer_count),
            _ => None,
        };
        let is_there = self.complete(index);
        let recovered = if is_there && self.reports.succeeded(index) { self.entity(index) } else { None };
        Success { renamed, recovered }
    }

    /// Takes what could not be made again, or not yet, since this was called last.
    pub(crate) fn take_failures(&mut self) -> Vec<Failure> {
        let reports = self.reports.take().into_iter();
        let failures = reports.filter_map(|(index, Report { error, is_retried })| {
            let entry = self.entries.get(index)?;
            Some(Failure { entity: entry.entity()?, error, consumer: entry.consumer(), is_retried })
        });
        failures.collect()
    }

    /// Takes the consumers that left the record before they were started, for instance because the
    /// application has deleted their queue.
    pub(crate) fn take_forgotten(&mut self) -> Vec<ConsumerKey> {
        std::mem::take(&mut self.forgotten)
    }

    /// Ends the replay because the connection ended, for this reason. The first step without a
    /// reply on each channel is suspected: the broker was working at it.
    pub(crate) fn connection_lost(mut self, error: &Error) -> Suspects {
        let mut channels = BTreeSet::new();
        for entry in self.outstanding.values().filter_map(|index| self.entries.get(*index)) {
            if channels.insert(entry.channel()) {
                self.suspects.suspect(entry.suspect(), error);
            }
        }
        self.suspects
    }

    /// Ends the replay because the connection ended for a reason that is not about a step.
    pub(crate) fn into_suspects(self) -> Suspects {
        self.suspects
    }

    /// Ends the replay because a step took too long. It is suspected.
    pub(crate) fn timed_out(mut self, id: StepId, error: &Error) -> Suspects {
        if let Some(entry) = self.outstanding.get(&id).and_then(|index| self.entries.get(*index)) {
            self.suspects.suspect(entry.suspect(), error);
        }
        self.suspects
    }
}
