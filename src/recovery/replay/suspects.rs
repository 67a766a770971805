//! Entities that may have ended a connection while they were made again.

use std::collections::BTreeMap;

use crate::Error;
use crate::recovery::record::Order;
use crate::wire::ShortString;

/// What is suspected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suspect {
    /// The entity in this place of the record.
    Entity(Order),
    /// The check whether this queue exists.
    Check(ShortString),
}

/// The entities whose request was not answered when a connection ended or a time limit passed.
///
/// A request can be what ends the connection, and then every attempt to recover would end the same
/// way. So what was suspected once comes back last and alone, and what was suspected again does not
/// come back. It outlives a [`Replay`](super::Replay), but not the recovery.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suspects {
    all: BTreeMap<Suspect, Suspicion>,
}

#[derive(Debug, Clone)]
pub(super) enum Suspicion {
    Once,
    /// It is set aside, for this reason.
    Again(Error),
}

impl Suspects {
    pub(super) fn get(&self, suspect: &Suspect) -> Option<&Suspicion> {
        self.all.get(suspect)
    }

    /// Suspects an entity because of `error`.
    pub(super) fn suspect(&mut self, suspect: Suspect, error: &Error) {
        let suspicion = match self.all.get(&suspect) {
            None => Suspicion::Once,
            Some(_) => Suspicion::Again(error.clone()),
        };
        self.all.insert(suspect, suspicion);
    }

    pub(super) fn clear(&mut self, suspect: &Suspect) {
        self.all.remove(suspect);
    }
}
