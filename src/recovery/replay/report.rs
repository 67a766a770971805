//! What could not be made again, collected until somebody takes it.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Index;
use crate::Error;
use crate::engine::ConsumerKey;
use crate::recovery::record::Entity;

/// An entity that could not be made again.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) entity: Entity,
    pub(crate) error: Error,
    /// The consumer, if it is one. Unless it is tried again, it ends with the error.
    pub(crate) consumer: Option<ConsumerKey>,
    /// Whether it is tried again.
    pub(crate) is_retried: bool,
}

/// A failure whose entity is described when it is taken: a queue may get its name until then.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) error: Error,
    pub(super) is_retried: bool,
}

/// The failures of a replay, each reported once, and once more when an entity that is tried again
/// is given up.
#[derive(Debug, Default)]
pub(super) struct Reports {
    untaken: BTreeMap<Index, Report>,
    taken: BTreeSet<Index>,
}

impl Reports {
    pub(super) fn add(&mut self, index: Index, report: Report) {
        if !report.is_retried || !(self.untaken.contains_key(&index) || self.taken.contains(&index)) {
            self.untaken.insert(index, report);
        }
    }

    /// Notes that an entity is there again. Returns `true` if its failure was taken.
    pub(super) fn succeeded(&mut self, index: Index) -> bool {
        self.untaken.remove(&index);
        self.taken.remove(&index)
    }

    /// Takes the reports, in the order of the plan.
    pub(super) fn take(&mut self) -> BTreeMap<Index, Report> {
        self.taken.extend(self.untaken.keys());
        std::mem::take(&mut self.untaken)
    }
}
