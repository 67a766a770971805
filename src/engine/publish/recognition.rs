//! Finds the publish of a returned message, even if the broker changed the message.
//!
//! Publishes are looked up by what they have in common with the message, in the order of how much
//! that is: by one hash for each [kind of likeness](super::likeness). So the cost of a returned
//! message does not grow with what is unconfirmed. Nothing is hashed before the first message is
//! returned.

use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;

use super::likeness;
use crate::engine::steps::step;

/// The hashes of a message, one for each kind of likeness, the closest first.
pub(super) type Marks = [u64; likeness::COUNT];

/// The open publishes, by each of their marks. A publish is open while it is unconfirmed and not
/// returned.
#[derive(Debug, Default)]
pub(super) struct Recognition {
    hasher: RandomState,
    alike: HashMap<u64, Alike>,
}

/// Publishes that share a mark, by sequence number.
#[derive(Debug, Default)]
struct Alike {
    /// The open ones, with others in between. After a search, the first is open.
    members: VecDeque<u64>,
    open: usize,
    /// A message was returned that may be any of those up to this number.
    suspected_up_to: u64,
}

impl Recognition {
    /// The marks of a message.
    pub(super) fn marks(&self, exchange: &[u8], routing_key: &[u8], properties: &[u8], body: &[u8]) -> Marks {
        likeness::marks(&self.hasher, exchange, routing_key, properties, body)
    }

    /// Adds a publish. Publishes are added in the order of their numbers.
    pub(super) fn add(&mut self, sequence: u64, marks: &Marks) {
        for mark in marks {
            let alike = self.alike.entry(*mark).or_default();
            alike.members.push_back(sequence);
            alike.open += 1;
        }
    }

    /// Finds the open publish to which a message with this mark belongs: the first after the number
    /// `after`, because brokers return messages in the order of their publishes, or else the first
    /// of all.
    pub(super) fn find(&mut self, mark: u64, after: u64, is_open: impl Fn(u64) -> bool) -> Option<u64> {
        let alike = self.alike.get_mut(&mark)?;
        alike.sweep(&is_open);
        if alike.members.is_empty() {
            self.alike.remove(&mark);
            return None;
        }
        let start = alike.members.partition_point(|sequence| *sequence <= after);
        let mut later = alike.members.range(start..).copied().inspect(|_| step());
        later.find(|sequence| is_open(*sequence)).or_else(|| alike.members.front().copied())
    }

    /// Handles a returned message that equals no publish, but has `mark` in common with the one
    /// with these `marks`, to which it was assigned. Returns whether it may be another one as well.
    /// In that case each of those, up to the number `last`, is suspected.
    pub(super) fn suspect_others(&mut self, mark: u64, marks: &Marks, last: u64) -> bool {
        let open = |mark: &u64| self.alike.get(mark).map_or(0, |alike| alike.open);
        let [exact, ..] = marks;
        // Publishes that are equal in everything are interchangeable.
        if open(&mark) <= open(exact) {
            return false;
        }
        if let Some(alike) = self.alike.get_mut(&mark) {
            alike.suspected_up_to = last;
        }
        true
    }

    /// Whether a message was returned that may be this publish.
    pub(super) fn is_suspected(&self, sequence: u64, marks: &Marks) -> bool {
        marks.iter().any(|mark| self.alike.get(mark).is_some_and(|alike| sequence <= alike.suspected_up_to))
    }

    /// Records that a publish is no longer open.
    pub(super) fn close(&mut self, marks: &Marks) {
        for mark in marks {
            if let Some(alike) = self.alike.get_mut(mark) {
                alike.open = alike.open.saturating_sub(1);
            }
        }
    }

    /// Removes publishes that are no longer open from those that share these marks, after one of
    /// them was confirmed.
    pub(super) fn sweep(&mut self, marks: &Marks, is_open: impl Fn(u64) -> bool) {
        for mark in marks {
            let Some(alike) = self.alike.get_mut(mark) else { continue };
            alike.sweep(&is_open);
            if alike.members.is_empty() {
                self.alike.remove(mark);
            }
        }
    }

    /// Whether no publish is left.
    pub(super) fn is_empty(&self) -> bool {
        self.alike.is_empty()
    }
}

impl Alike {
    fn sweep(&mut self, is_open: impl Fn(u64) -> bool) {
        while self.members.pop_front_if(|sequence| !is_open(*sequence)).is_some() {
            step();
        }
    }
}
