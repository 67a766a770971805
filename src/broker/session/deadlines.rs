//! The deadlines of queues and connections.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::broker::keys::{ConnectionId, QueueId};

/// What has a deadline. Each has at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum Waiting {
    /// The messages of a queue expire, or the queue itself.
    Queue(QueueId),
    /// A heartbeat of a connection is due, or its phase times out.
    Connection(ConnectionId),
}

/// The deadlines, by time and by owner.
#[derive(Debug, Default)]
pub(in crate::broker) struct Deadlines {
    by_time: BTreeSet<(Instant, Waiting)>,
    by_waiting: BTreeMap<Waiting, Instant>,
}

impl Deadlines {
    /// Sets, moves or removes the deadline of `waiting`.
    pub(in crate::broker) fn set(&mut self, waiting: Waiting, deadline: Option<Instant>) {
        let before = match deadline {
            Some(deadline) => self.by_waiting.insert(waiting, deadline),
            None => self.by_waiting.remove(&waiting),
        };
        if before == deadline {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, waiting));
        }
        if let Some(deadline) = deadline {
            self.by_time.insert((deadline, waiting));
        }
    }

    /// The earliest deadline.
    pub(in crate::broker) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|&(deadline, _)| deadline)
    }

    /// Removes one that has passed.
    pub(in crate::broker) fn pop(&mut self, now: Instant) -> Option<Waiting> {
        let &(deadline, waiting) = self.by_time.first().filter(|(deadline, _)| *deadline <= now)?;
        self.by_time.remove(&(deadline, waiting));
        self.by_waiting.remove(&waiting);
        Some(waiting)
    }
}
