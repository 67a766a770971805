//! Which publish a message that came back belongs to, whatever the broker made of it on the way.
//!
//! Publishes are looked up by what they have in common with the message, the most first: by a hash
//! for each [kind of likeness](super::likeness), so that a message that came back costs the same
//! however much is in flight. Nothing is hashed before the first message comes back.

use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;

use super::likeness;
use crate::engine::steps::step;

/// The hashes of a message, one for each likeness, the closest first.
pub(super) type Marks = [u64; likeness::COUNT];

/// The open publishes, by each of their marks. A publish is open while it is undecided and nothing
/// came back for it.
#[derive(Debug, Default)]
pub(super) struct Recognition {
    hasher: RandomState,
    alike: HashMap<u64, Alike>,
}

/// Publishes that share a mark, by sequence number.
#[derive(Debug, Default)]
struct Alike {
    /// Those that are open, and others in between; the first is open once it was looked for.
    members: VecDeque<u64>,
    open: usize,
    /// A message came back that may be any of those up to this number.
    suspected_up_to: u64,
}

impl Recognition {
    /// The marks of a message.
    pub(super) fn marks(&self, exchange: &[u8], routing_key: &[u8], properties: &[u8], body: &[u8]) -> Marks {
        likeness::marks(&self.hasher, exchange, routing_key, properties, body)
    }

    /// Takes a publish in. They come in the order of their numbers.
    pub(super) fn add(&mut self, sequence: u64, marks: &Marks) {
        for mark in marks {
            let alike = self.alike.entry(*mark).or_default();
            alike.members.push_back(sequence);
            alike.open += 1;
        }
    }

    /// The open publish to which a message with this mark belongs: the first after the number
    /// `after`, because brokers return in the order of publishes, or else the first of all.
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

    /// A message came back that was not exactly like any publish, but had `mark` in common with the
    /// one of these `marks`, which was taken for it. Whether it may be another one as well: then
    /// each of those, up to the last number, is suspected.
    pub(super) fn suspect_others(&mut self, mark: u64, marks: &Marks, last: u64) -> bool {
        let open = |mark: &u64| self.alike.get(mark).map_or(0, |alike| alike.open);
        let [exact, ..] = marks;
        // Publishes that are equal in everything can stand for each other.
        if open(&mark) <= open(exact) {
            return false;
        }
        if let Some(alike) = self.alike.get_mut(&mark) {
            alike.suspected_up_to = last;
        }
        true
    }

    /// The publish is one of which a message that came back may be.
    pub(super) fn is_suspected(&self, sequence: u64, marks: &Marks) -> bool {
        marks.iter().any(|mark| self.alike.get(mark).is_some_and(|alike| sequence <= alike.suspected_up_to))
    }

    /// A publish is open no more.
    pub(super) fn close(&mut self, marks: &Marks) {
        for mark in marks {
            if let Some(alike) = self.alike.get_mut(mark) {
                alike.open = alike.open.saturating_sub(1);
            }
        }
    }

    /// Forgets what is not needed of the publishes that share these marks, one of them being
    /// decided.
    pub(super) fn sweep(&mut self, marks: &Marks, is_open: impl Fn(u64) -> bool) {
        for mark in marks {
            let Some(alike) = self.alike.get_mut(mark) else { continue };
            alike.sweep(&is_open);
            if alike.members.is_empty() {
                self.alike.remove(mark);
            }
        }
    }

    /// No publish is left.
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
