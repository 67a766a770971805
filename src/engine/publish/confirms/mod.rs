//! Publisher confirms: the unconfirmed publishes of a channel, ordered by sequence number.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::gate::Waiting;
use super::keeping::Kept;
use super::recognition::{Marks, Recognition};
use crate::engine::outbound::{DEFERRED, HELD};
use crate::engine::slots::{LinkedSlab, Place};
use crate::engine::{Confirmation, Fate, Returned, Settled, WaiterId};
use crate::frame::Outbound;
use crate::protocol::{MethodId, ProtocolMethod, basic};

/// The confirms of one channel. The first publish after `confirm.select` is number 1.
#[derive(Debug, Default)]
pub(in crate::engine) struct Confirms {
    /// The sequence number of the first entry in the ring, less one.
    settled_up_to: u64,
    ring: VecDeque<Entry>,
    returns: Returning,
    /// The waiters for all confirms up to a sequence number.
    watchers: LinkedSlab<(u64, WaiterId)>,
    places: BTreeMap<WaiterId, Place>,
    /// The failed publishes since a watcher was last completed.
    failed: Settled,
    /// The frames of unconfirmed publishes that may be sent again, by sequence number.
    pub(super) kept: BTreeMap<u64, Kept>,
    /// The number of publishes that wait at the gate to be sent again. They get the next numbers.
    pub(super) resending: u64,
}

/// What is known of mandatory publishes and of returned messages.
#[derive(Debug, Default)]
struct Returning {
    /// The number of unconfirmed mandatory publishes.
    mandatory: usize,
    /// The size of the largest body among them, or among those that were confirmed since there was
    /// none.
    largest: u64,
    /// The highest sequence number of a publish that was returned.
    last: u64,
    /// A message was returned that resembles none of the publishes up to this number, but must be
    /// one of them.
    suspected_up_to: u64,
    /// The mandatory publishes up to this number are in `known`.
    known_up_to: u64,
    /// Created when a message is first returned.
    known: Option<Box<Recognition>>,
}

/// A publish.
#[derive(Debug)]
pub(in crate::engine) struct Entry {
    /// The waiter for its confirm, if any.
    pub(in crate::engine) waiter: Option<WaiterId>,
    /// Where in the stream it begins; [`SETTLED`] if it was confirmed out of order and only keeps
    /// its place in the ring.
    pub(in crate::engine) position: u64,
    /// What identifies it among returned messages, if it is mandatory.
    mandatory: Option<Box<Mandatory>>,
}

/// A value that is no position: neither one in the stream, nor [`HELD`] or [`DEFERRED`].
const SETTLED: u64 = DEFERRED - 1;

/// A mandatory publish, kept until it is confirmed.
#[derive(Debug)]
pub(super) struct Mandatory {
    pub(super) exchange: Vec<u8>,
    pub(super) routing_key: Vec<u8>,
    pub(super) properties: Vec<u8>,
    pub(super) body: Bytes,
    /// Computed when a message is returned.
    marks: Option<Marks>,
    came_back: CameBack,
}

/// Whether a message was returned before its ack.
#[derive(Debug)]
enum CameBack {
    No,
    /// It was, and is kept for the confirm.
    Kept(Box<Returned>),
    /// It was, and was passed to the listener for returns, because no waiter waits for the confirm.
    Passed,
}

/// What confirming publishes releases. It is handed out instead of dropped, because dropping a body
/// may run code of the application.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) count: u64,
    pub(super) confirmed: Vec<(WaiterId, Confirmation)>,
    pub(super) watchers: Vec<(WaiterId, Settled)>,
    pub(super) released: Vec<Bytes>,
    /// The bytes of publishes that are no longer kept.
    pub(super) kept_octets: u64,
}

/// How the broker confirms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Verdict {
    Ack,
    Nack,
}

impl Verdict {
    /// The id of the method that carries it.
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

    /// Whether it is mandatory, unconfirmed, and not returned.
    fn is_open(&self) -> bool {
        self.mandatory.as_ref().is_some_and(|mandatory| matches!(mandatory.came_back, CameBack::No))
    }

    /// The body of a mandatory publish.
    pub(in crate::engine) fn into_body(self) -> Option<Bytes> {
        self.mandatory.map(|mandatory| mandatory.body)
    }

    /// The same publish, to be sent again. Whether it was returned is forgotten.
    pub(in crate::engine) fn into_waiting(self, frames: Outbound, fate: Fate) -> Waiting {
        let mandatory =
            self.mandatory.map(|mandatory| Box::new(Mandatory { marks: None, came_back: CameBack::No, ..*mandatory }));
        Waiting { waiter: None, confirm: self.waiter, mandatory, frames, is_stored: false, resent: Some(fate) }
    }
}

/// Publishing and confirming.
impl Confirms {
    /// Records a publish, and returns its sequence number.
    #[inline]
    pub(super) fn push(&mut self, waiter: Option<WaiterId>, position: u64, mandatory: Option<Box<Mandatory>>) -> u64 {
        if let Some(mandatory) = &mandatory {
            self.returns.mandatory += 1;
            self.returns.largest = self.returns.largest.max(mandatory.body.len() as u64);
        }
        self.ring.push_back(Entry { waiter, position, mandatory });
        self.last()
    }

    /// The sequence number of the latest publish; 0 before the first.
    #[inline]
    fn last(&self) -> u64 {
        self.settled_up_to + self.ring.len() as u64
    }

    /// Applies an ack or nack.
    ///
    /// # Errors
    ///
    /// Returns the tag as an error if it was never published.
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
        self.complete_watchers(decided);
        Ok(())
    }

    /// Records that publishes that waited for a commit now begin at `position` or after it. Those
    /// that wait for a later commit are still held, but count as sent, so that no reported fate is
    /// better than the real one.
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
        if !self.kept.is_empty()
            && let Some(Kept { frames, .. }) = self.kept.remove(&sequence)
        {
            decided.kept_octets += frames.len() as u64;
            decided.released.extend(frames.into_bodies());
        }
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

    /// Confirms a mandatory publish. A message that was returned before its ack, or may have been,
    /// was not accepted by any queue, whatever the ack says.
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

    /// Forgets a mandatory publish that is confirmed. Returns whether a message was returned that
    /// may be this one.
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

    /// All unconfirmed publishes, oldest first, when the channel is removed or lost, and what is
    /// kept of each, with their sequence numbers.
    pub(in crate::engine) fn into_undecided(self) -> impl Iterator<Item = (u64, Entry, Option<Kept>)> {
        let (first, mut kept) = (self.settled_up_to + 1, self.kept);
        let entries = (first..).zip(self.ring).filter(|(_, entry)| !entry.is_settled());
        entries.map(move |(sequence, entry)| (sequence, entry, kept.remove(&sequence)))
    }

    /// Releases memory after a burst.
    fn shrink(&mut self) {
        const KEPT: usize = 1024;
        if self.ring.capacity() > KEPT && self.ring.len() < self.ring.capacity() / 8 {
            self.ring.shrink_to(KEPT.max(2 * self.ring.len()));
        }
    }
}

/// Returned messages.
impl Confirms {
    /// Assigns a returned message to its publish: the unconfirmed mandatory one that resembles it
    /// most, and among several the first after the last one that was returned. Returns the message
    /// if it is for the listener for returns, because no waiter waits for the publish or because it
    /// may be another one.
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

    /// Computes the marks of everything that was published since the last message was returned.
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

    /// Finds the sequence number of the publish that a returned message is, and whether it can be
    /// no other.
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

    /// Records that a message was returned that may be any mandatory publish so far.
    pub(in crate::engine) fn suspect_all(&mut self) {
        if self.returns.mandatory > 0 {
            self.returns.suspected_up_to = self.last();
        }
    }

    /// Whether a mandatory publish with a body of `size` bytes may be unconfirmed.
    pub(in crate::engine) fn may_return(&self, size: u64) -> bool {
        size <= self.returns.largest
    }
}

fn is_open(ring: &VecDeque<Entry>, settled_up_to: u64, sequence: u64) -> bool {
    index(settled_up_to, sequence).and_then(|index| ring.get(index)).is_some_and(Entry::is_open)
}

/// The index of a sequence number in the ring.
fn index(settled_up_to: u64, sequence: u64) -> Option<usize> {
    usize::try_from(sequence.checked_sub(settled_up_to + 1)?).ok()
}

/// Waiters for all confirms.
impl Confirms {
    fn complete_watchers(&mut self, decided: &mut Decided) {
        while self.watchers.front().is_some_and(|(sequence, _)| *sequence <= self.settled_up_to) {
            let Some((_, waiter)) = self.watchers.pop_front() else { return };
            self.places.remove(&waiter);
            decided.watchers.push((waiter, std::mem::take(&mut self.failed)));
        }
    }

    /// Returns the failed publishes if everything published so far is confirmed. Otherwise records
    /// `waiter`, which completes when it is.
    pub(super) fn watch(&mut self, waiter: WaiterId) -> Option<Settled> {
        if self.ring.is_empty() && self.resending == 0 {
            return Some(std::mem::take(&mut self.failed));
        }
        self.watch_last(waiter);
        None
    }

    fn watch_last(&mut self, waiter: WaiterId) {
        let place = self.watchers.push_back((self.last() + self.resending, waiter));
        self.places.insert(waiter, place);
    }

    /// Records waiters whose publishes are all sent again.
    pub(in crate::engine) fn watch_resent(&mut self, waiters: Vec<WaiterId>) {
        waiters.into_iter().for_each(|waiter| self.watch_last(waiter));
    }

    /// Counts publishes that failed without a waiter.
    pub(in crate::engine) fn count_unknown(&mut self, count: u64) {
        self.failed.unknown += count;
    }

    /// The number of waiters for all confirms.
    pub(in crate::engine) fn watchers(&self) -> usize {
        self.watchers.len()
    }

    /// Takes back the counts that were reported to a waiter that was dropped.
    pub(super) fn return_failed(&mut self, returned: Settled) {
        self.failed.nacked += returned.nacked;
        self.failed.returned += returned.returned;
        self.failed.unknown += returned.unknown;
    }

    /// Takes the counts that nobody has learned.
    pub(in crate::engine) fn take_failed(&mut self) -> Settled {
        std::mem::take(&mut self.failed)
    }

    /// The last publish whose outcome a waiter for all confirms learns. A later one counts for the
    /// next waiter although its own confirm is awaited, as one that is nacked does.
    pub(in crate::engine) fn heard_up_to(&self) -> u64 {
        self.watchers.back().map_or(self.settled_up_to, |(sequence, _)| *sequence)
    }

    /// Removes a waiter.
    pub(super) fn unwatch(&mut self, waiter: WaiterId) {
        if let Some(place) = self.places.remove(&waiter) {
            crate::engine::steps::step();
            self.watchers.remove(place);
        }
    }

    /// Removes all waiters for all confirms.
    pub(in crate::engine) fn take_watchers(&mut self) -> Vec<WaiterId> {
        self.places.clear();
        self.watchers.drain().map(|(_, waiter)| waiter).collect()
    }
}

#[cfg(test)]
mod tests;
