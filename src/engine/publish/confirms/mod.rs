//! Publisher confirms: a ring of what was published and not decided about, ordered by sequence
//! number.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::recognition::{Marks, Recognition};
use crate::engine::outbound::{DEFERRED, HELD};
use crate::engine::slots::{LinkedSlab, Place};
use crate::engine::{Confirmation, Returned, Settled, WaiterId};
use crate::protocol::{MethodId, ProtocolMethod, basic};

/// The confirms of one channel. The first publish after `confirm.select` is number 1.
#[derive(Debug, Default)]
pub(in crate::engine) struct Confirms {
    /// Sequence number of the first entry in the ring, less one.
    settled_up_to: u64,
    ring: VecDeque<Entry>,
    returns: Returning,
    /// Who waits for everything up to a sequence number.
    watchers: LinkedSlab<(u64, WaiterId)>,
    places: BTreeMap<WaiterId, Place>,
    /// What went wrong since the last watcher was told.
    failed: Settled,
}

/// What is known of mandatory publishes and of what came back.
#[derive(Debug, Default)]
struct Returning {
    /// How many mandatory publishes are in the ring.
    mandatory: usize,
    /// Bytes of the largest body among them, or among those of before.
    largest: u64,
    /// Sequence number of the last publish that came back.
    last: u64,
    /// A message came back that was like none of the publishes up to this number, and must be one
    /// of them.
    suspected_up_to: u64,
    /// Publishes up to this number are in `known`, those that are mandatory.
    known_up_to: u64,
    /// Made when something comes back.
    known: Option<Box<Recognition>>,
}

/// One publish.
#[derive(Debug)]
pub(in crate::engine) struct Entry {
    /// Who waits for it, if anybody.
    pub(in crate::engine) waiter: Option<WaiterId>,
    /// Where in the stream it began; [`SETTLED`] where it was decided about out of order, and only
    /// fills its place.
    pub(in crate::engine) position: u64,
    /// What a return is recognised by.
    mandatory: Option<Box<Mandatory>>,
}

/// No position: neither in the stream, nor that of what is [`HELD`] and of what is [`DEFERRED`].
const SETTLED: u64 = DEFERRED - 1;

/// A mandatory publish, kept until it is decided about.
#[derive(Debug)]
pub(super) struct Mandatory {
    pub(super) exchange: Vec<u8>,
    pub(super) routing_key: Vec<u8>,
    pub(super) properties: Vec<u8>,
    pub(super) body: Bytes,
    /// Once something came back.
    marks: Option<Marks>,
    came_back: CameBack,
}

/// Whether a message came back before its ack.
#[derive(Debug)]
enum CameBack {
    No,
    /// It did, and its confirm brings it.
    Kept(Box<Returned>),
    /// It did, and went to whoever listens for those: nobody waits for the confirm.
    Passed,
}

/// What deciding about publishes sets free. It is handed out instead of dropped, because a body may
/// belong to foreign code.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) count: u64,
    pub(super) confirmed: Vec<(WaiterId, Confirmation)>,
    pub(super) watchers: Vec<(WaiterId, Settled)>,
    pub(super) released: Vec<Bytes>,
}

/// The broker's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Verdict {
    Ack,
    Nack,
}

impl Verdict {
    /// The method that brings it.
    pub(super) fn method(self) -> MethodId {
        match self {
            Self::Ack => basic::Ack::ID,
            Self::Nack => basic::Nack::ID,
        }
    }
}

impl Mandatory {
    pub(super) fn new(exchange: &[u8], routing_key: &[u8], properties: Vec<u8>, body: Bytes) -> Self {
        let (exchange, routing_key) = (exchange.to_vec(), routing_key.to_vec());
        Self { exchange, routing_key, properties, body, marks: None, came_back: CameBack::No }
    }
}

impl Entry {
    fn is_settled(&self) -> bool {
        self.position == SETTLED
    }

    /// It is mandatory, undecided, and nothing came back for it.
    fn is_open(&self) -> bool {
        self.mandatory.as_ref().is_some_and(|mandatory| matches!(mandatory.came_back, CameBack::No))
    }

    /// The body that a mandatory publish kept.
    pub(in crate::engine) fn into_body(self) -> Option<Bytes> {
        self.mandatory.map(|mandatory| mandatory.body)
    }
}

/// Publishing and deciding.
impl Confirms {
    /// Takes note of a publish, and gives its sequence number.
    #[inline]
    pub(super) fn push(&mut self, waiter: Option<WaiterId>, position: u64, mandatory: Option<Box<Mandatory>>) -> u64 {
        if let Some(mandatory) = &mandatory {
            self.returns.mandatory += 1;
            self.returns.largest = self.returns.largest.max(mandatory.body.len() as u64);
        }
        self.ring.push_back(Entry { waiter, position, mandatory });
        self.last()
    }

    /// Sequence number of the latest publish; 0 before the first.
    #[inline]
    fn last(&self) -> u64 {
        self.settled_up_to + self.ring.len() as u64
    }

    /// Applies an ack or nack.
    ///
    /// # Errors
    ///
    /// The tag, where it was never published.
    pub(super) fn decide(
        &mut self,
        tag: u64,
        multiple: bool,
        verdict: Verdict,
        decided: &mut Decided,
    ) -> Result<(), u64> {
        let tag = if tag == 0 && multiple { self.last() } else { tag };
        if tag == 0 || tag > self.last() {
            return Err(tag);
        }
        if multiple {
            while self.settled_up_to < tag && self.decide_first(verdict, decided) {}
        } else if let Some(index) = tag.checked_sub(self.settled_up_to + 1) {
            self.decide_one(index, verdict, decided);
        }
        while self.ring.pop_front_if(|entry| entry.is_settled()).is_some() {
            self.settled_up_to += 1;
        }
        self.shrink();
        self.tell_watchers(decided);
        Ok(())
    }

    /// Publishes that were held behind a commit begin at `position` now, or after it: those behind
    /// a later commit are held further on, and are taken for sent, so that no fate is too good.
    pub(in crate::engine) fn place_held(&mut self, position: u64) {
        let latest = self.ring.iter_mut().rev().take_while(|entry| entry.position == HELD || entry.is_settled());
        latest.filter(|entry| entry.position == HELD).for_each(|entry| entry.position = position);
    }

    fn decide_first(&mut self, verdict: Verdict, decided: &mut Decided) -> bool {
        let Some(entry) = self.ring.pop_front() else { return false };
        self.settled_up_to += 1;
        self.settle(self.settled_up_to, entry, verdict, decided);
        true
    }

    fn decide_one(&mut self, index: u64, verdict: Verdict, decided: &mut Decided) {
        if index == 0 {
            self.decide_first(verdict, decided);
            return;
        }
        let place = usize::try_from(index).ok().and_then(|index| self.ring.get_mut(index));
        if let Some(place) = place {
            let entry = std::mem::replace(place, Entry { waiter: None, position: SETTLED, mandatory: None });
            self.settle(self.settled_up_to + 1 + index, entry, verdict, decided);
        }
    }

    #[inline]
    fn settle(&mut self, sequence: u64, entry: Entry, verdict: Verdict, decided: &mut Decided) {
        if entry.is_settled() {
            return;
        }
        decided.count += 1;
        let confirmation = match entry.mandatory {
            Some(mandatory) => self.settle_mandatory(sequence, *mandatory, verdict, decided),
            None if verdict == Verdict::Ack => Confirmation::Ack,
            None => {
                self.failed.nacked += 1;
                Confirmation::Nack
            }
        };
        if let Some(waiter) = entry.waiter {
            decided.confirmed.push((waiter, confirmation));
        }
    }

    /// What came back before its ack, or may have come back, was not taken by any queue, whatever
    /// the ack says.
    fn settle_mandatory(
        &mut self,
        sequence: u64,
        mandatory: Mandatory,
        verdict: Verdict,
        decided: &mut Decided,
    ) -> Confirmation {
        decided.released.push(mandatory.body);
        let suspected = self.forget(sequence, mandatory.marks.as_ref(), &mandatory.came_back);
        match (verdict, mandatory.came_back) {
            (Verdict::Nack, _) => {
                self.failed.nacked += 1;
                Confirmation::Nack
            }
            (Verdict::Ack, CameBack::Kept(returned)) => {
                self.failed.returned += 1;
                Confirmation::Returned(returned)
            }
            (Verdict::Ack, CameBack::Passed) => {
                self.failed.returned += 1;
                Confirmation::Unknown
            }
            (Verdict::Ack, CameBack::No) if suspected => {
                self.failed.unknown += 1;
                Confirmation::Unknown
            }
            (Verdict::Ack, CameBack::No) => Confirmation::Ack,
        }
    }

    /// Forgets a mandatory publish that is decided about. Whether something came back that may be
    /// this one.
    fn forget(&mut self, sequence: u64, marks: Option<&Marks>, came_back: &CameBack) -> bool {
        let returns = &mut self.returns;
        returns.mandatory = returns.mandatory.saturating_sub(1);
        if returns.mandatory == 0 {
            returns.largest = 0;
        }
        let mut suspected = sequence <= returns.suspected_up_to;
        if let (Some(known), Some(marks)) = (&mut returns.known, marks) {
            suspected |= known.is_suspected(sequence, marks);
            if matches!(came_back, CameBack::No) {
                known.close(marks);
            }
            known.sweep(marks, |sequence| is_open(&self.ring, self.settled_up_to, sequence));
            if known.is_empty() {
                returns.known = None;
            }
        }
        suspected
    }

    /// Everything undecided, oldest first, when the channel goes away.
    pub(in crate::engine) fn into_undecided(self) -> impl Iterator<Item = Entry> {
        self.ring.into_iter().filter(|entry| !entry.is_settled())
    }

    /// Gives memory back after a burst.
    fn shrink(&mut self) {
        const KEPT: usize = 1024;
        if self.ring.capacity() > KEPT && self.ring.len() < self.ring.capacity() / 8 {
            self.ring.shrink_to(KEPT.max(2 * self.ring.len()));
        }
    }
}

/// What comes back.
impl Confirms {
    /// Ties a message that came back to its publish: the undecided mandatory one that is most like
    /// it, of those the first after the last that came back. Gives the message back where it is for
    /// whoever listens for those: nobody waits for the publish, or it may be another one.
    pub(super) fn tie(&mut self, returned: Box<Returned>) -> Option<Box<Returned>> {
        if self.returns.mandatory == 0 {
            return Some(returned);
        }
        self.learn();
        let Some((sequence, is_sure)) = self.recognise(&returned) else {
            self.suspect_all();
            return Some(returned);
        };
        self.returns.last = self.returns.last.max(sequence);
        let entry = index(self.settled_up_to, sequence).and_then(|index| self.ring.get_mut(index));
        let Some(Entry { waiter, mandatory: Some(mandatory), .. }) = entry else { return Some(returned) };
        if waiter.is_none() {
            mandatory.came_back = CameBack::Passed;
            return Some(returned);
        }
        let copy = (!is_sure).then(|| returned.clone());
        mandatory.came_back = CameBack::Kept(returned);
        copy
    }

    /// Takes the marks of everything that was published since the last message came back.
    fn learn(&mut self) {
        let last = self.last();
        let Returning { known, known_up_to, .. } = &mut self.returns;
        let known = known.get_or_insert_default();
        let first = (*known_up_to).max(self.settled_up_to);
        let skipped = usize::try_from(first - self.settled_up_to).unwrap_or(usize::MAX);
        for (sequence, entry) in (first + 1..).zip(self.ring.iter_mut().skip(skipped)) {
            crate::engine::steps::step();
            let Some(mandatory) = entry.mandatory.as_deref_mut() else { continue };
            let Mandatory { exchange, routing_key, properties, body, .. } = &*mandatory;
            let marks = known.marks(exchange, routing_key, properties, body);
            known.add(sequence, &marks);
            mandatory.marks = Some(marks);
        }
        *known_up_to = last;
    }

    /// The number of the publish that a message is, and whether it can be no other.
    fn recognise(&mut self, returned: &Returned) -> Option<(u64, bool)> {
        let (after, last, settled_up_to) = (self.returns.last, self.last(), self.settled_up_to);
        let known = self.returns.known.as_deref_mut()?;
        let message = &returned.message;
        let marks = known.marks(message.exchange(), message.routing_key(), message.property_octets(), message.body());
        let [exact, ..] = marks;
        let is_open = |sequence| is_open(&self.ring, settled_up_to, sequence);
        let (mark, sequence) = marks.iter().find_map(|mark| Some((*mark, known.find(*mark, after, is_open)?)))?;
        let entry = self.ring.get(index(settled_up_to, sequence)?)?;
        let of_publish = entry.mandatory.as_ref()?.marks.as_ref()?;
        let is_sure = mark == exact || !known.suspect_others(mark, of_publish, last);
        known.close(of_publish);
        Some((sequence, is_sure))
    }

    /// A message came back that may be any of the mandatory publishes so far.
    pub(in crate::engine) fn suspect_all(&mut self) {
        if self.returns.mandatory > 0 {
            self.returns.suspected_up_to = self.last();
        }
    }

    /// A mandatory publish with a body of `size` octets may be undecided.
    pub(in crate::engine) fn may_return(&self, size: u64) -> bool {
        size <= self.returns.largest
    }
}

fn is_open(ring: &VecDeque<Entry>, settled_up_to: u64, sequence: u64) -> bool {
    index(settled_up_to, sequence).and_then(|index| ring.get(index)).is_some_and(Entry::is_open)
}

/// Where in the ring a number is.
fn index(settled_up_to: u64, sequence: u64) -> Option<usize> {
    usize::try_from(sequence.checked_sub(settled_up_to + 1)?).ok()
}

/// Those who wait for everything to be decided.
impl Confirms {
    fn tell_watchers(&mut self, decided: &mut Decided) {
        while self.watchers.front().is_some_and(|(sequence, _)| *sequence <= self.settled_up_to) {
            let Some((_, waiter)) = self.watchers.pop_front() else { return };
            self.places.remove(&waiter);
            decided.watchers.push((waiter, std::mem::take(&mut self.failed)));
        }
    }

    /// Tells when everything published so far is decided about: now, or to `waiter` later.
    pub(super) fn watch(&mut self, waiter: WaiterId) -> Option<Settled> {
        if self.ring.is_empty() {
            return Some(std::mem::take(&mut self.failed));
        }
        let place = self.watchers.push_back((self.last(), waiter));
        self.places.insert(waiter, place);
        None
    }

    /// How many wait for everything to be decided.
    pub(in crate::engine) fn watchers(&self) -> usize {
        self.watchers.len()
    }

    /// Takes back what a watcher was told and never heard.
    pub(super) fn return_failed(&mut self, unheard: Settled) {
        self.failed.nacked += unheard.nacked;
        self.failed.returned += unheard.returned;
        self.failed.unknown += unheard.unknown;
    }

    /// Somebody waits no more.
    pub(super) fn unwatch(&mut self, waiter: WaiterId) {
        if let Some(place) = self.places.remove(&waiter) {
            crate::engine::steps::step();
            self.watchers.remove(place);
        }
    }

    /// Takes out those who wait for everything to be decided.
    pub(in crate::engine) fn take_watchers(&mut self) -> Vec<WaiterId> {
        self.places.clear();
        self.watchers.drain().map(|(_, waiter)| waiter).collect()
    }
}

#[cfg(test)]
mod tests;
