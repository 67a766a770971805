//! Publisher confirms: a ring of what was published and not decided about, ordered by sequence number.

use std::collections::VecDeque;

use bytes::Bytes;

use super::returns::same_message;
use super::{Confirmation, Returned, Settled, WaiterId};
use crate::protocol::{MethodId, ProtocolMethod, basic};

/// The confirms of one channel. The first publish after `confirm.select` is number 1.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    /// Sequence number of the first entry in the ring, less one.
    settled_up_to: u64,
    ring: VecDeque<Entry>,
    /// How many mandatory publishes are in the ring.
    mandatory: usize,
    /// Sequence number of the last publish that came back.
    last_returned: u64,
    /// Who waits for everything up to a sequence number.
    watchers: VecDeque<(u64, WaiterId)>,
    /// What went wrong since the last watcher was told.
    failed: Settled,
}

/// One publish.
#[derive(Debug)]
pub(super) struct Entry {
    /// Who waits for it, if anybody.
    pub(super) waiter: Option<WaiterId>,
    /// Where in the stream it began.
    pub(super) position: u64,
    /// It was decided about out of order, and only fills its place.
    settled: bool,
    /// What a return is recognised by.
    mandatory: Option<Box<Mandatory>>,
}

/// A mandatory publish, kept until it is decided about.
#[derive(Debug)]
pub(super) struct Mandatory {
    pub(super) exchange: Vec<u8>,
    pub(super) routing_key: Vec<u8>,
    pub(super) properties: Vec<u8>,
    pub(super) body: Bytes,
    /// It came back, before its ack.
    pub(super) returned: Option<Box<Returned>>,
}

/// What deciding about publishes sets free. It is handed out instead of dropped, because a body may belong to foreign
/// code.
#[derive(Debug, Default)]
pub(super) struct Decided {
    pub(super) count: u64,
    pub(super) confirmed: Vec<(WaiterId, Confirmation)>,
    pub(super) watchers: Vec<(WaiterId, Settled)>,
    pub(super) released: Vec<Bytes>,
}

/// The broker's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
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

impl Confirms {
    /// Takes note of a publish, and gives its sequence number.
    #[inline]
    pub(super) fn push(&mut self, waiter: Option<WaiterId>, position: u64, mandatory: Option<Box<Mandatory>>) -> u64 {
        self.mandatory += usize::from(mandatory.is_some());
        self.ring.push_back(Entry { waiter, position, settled: false, mandatory });
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
            while self.settled_up_to < tag {
                let Some(mut entry) = self.ring.pop_front() else { break };
                self.settled_up_to += 1;
                self.settle(&mut entry, verdict, decided);
            }
        } else if let Some(index) = tag.checked_sub(self.settled_up_to + 1) {
            self.decide_one(index, verdict, decided);
        }
        self.drop_settled();
        self.tell_watchers(decided);
        Ok(())
    }

    fn decide_one(&mut self, index: u64, verdict: Verdict, decided: &mut Decided) {
        if index == 0 {
            if let Some(mut entry) = self.ring.pop_front() {
                self.settled_up_to += 1;
                self.settle(&mut entry, verdict, decided);
            }
            return;
        }
        let placeholder = Entry { waiter: None, position: 0, settled: true, mandatory: None };
        let place = usize::try_from(index).ok().and_then(|index| self.ring.get_mut(index));
        if let Some(place) = place {
            let position = place.position;
            let mut entry = std::mem::replace(place, placeholder);
            place.position = position;
            self.settle(&mut entry, verdict, decided);
        }
    }

    fn settle(&mut self, entry: &mut Entry, verdict: Verdict, decided: &mut Decided) {
        if std::mem::replace(&mut entry.settled, true) {
            return;
        }
        decided.count += 1;
        let mut returned = None;
        if let Some(mandatory) = entry.mandatory.take() {
            self.mandatory = self.mandatory.saturating_sub(1);
            returned = mandatory.returned;
            decided.released.push(mandatory.body);
        }
        let confirmation = match (verdict, returned) {
            (Verdict::Nack, _) => {
                self.failed.nacked += 1;
                Confirmation::Nack
            }
            (Verdict::Ack, Some(returned)) => {
                self.failed.returned += 1;
                Confirmation::Returned(returned)
            }
            (Verdict::Ack, None) => Confirmation::Ack,
        };
        if let Some(waiter) = entry.waiter {
            decided.confirmed.push((waiter, confirmation));
        }
    }

    fn drop_settled(&mut self) {
        while self.ring.front().is_some_and(|entry| entry.settled) {
            self.ring.pop_front();
            self.settled_up_to += 1;
        }
    }

    fn tell_watchers(&mut self, decided: &mut Decided) {
        while let Some((_, waiter)) = self.watchers.pop_front_if(|(sequence, _)| *sequence <= self.settled_up_to) {
            decided.watchers.push((waiter, std::mem::take(&mut self.failed)));
        }
    }

    /// Tells when everything published so far is decided about: now, or to `waiter` later.
    pub(super) fn watch(&mut self, waiter: WaiterId) -> Option<Settled> {
        if self.ring.is_empty() {
            return Some(std::mem::take(&mut self.failed));
        }
        self.watchers.push_back((self.last(), waiter));
        None
    }

    /// Takes back what a watcher was told and never heard.
    pub(super) fn return_failed(&mut self, unheard: Settled) {
        self.failed.nacked += unheard.nacked;
        self.failed.returned += unheard.returned;
    }

    /// Somebody waits no more.
    pub(super) fn unwatch(&mut self, waiter: WaiterId) {
        self.watchers.retain(|(_, watcher)| *watcher != waiter);
    }

    /// Ties a message that came back to its publish: the first undecided mandatory one after the last that came back
    /// with equal exchange, routing key, body and properties. Gives the message back where there is none.
    pub(super) fn take_returned(&mut self, returned: Box<Returned>) -> Result<(), Box<Returned>> {
        if self.mandatory == 0 {
            return Err(returned);
        }
        let skip = usize::try_from(self.last_returned.saturating_sub(self.settled_up_to)).unwrap_or(usize::MAX);
        // The ring skips in one step.
        let first = self.settled_up_to.saturating_add(1).saturating_add(skip as u64);
        for (sequence, entry) in (first..).zip(self.ring.iter_mut().skip(skip)) {
            let Some(mandatory) = entry.mandatory.as_deref_mut() else { continue };
            if mandatory.returned.is_none() && same_message(mandatory, &returned.message) {
                mandatory.returned = Some(returned);
                self.last_returned = sequence;
                return Ok(());
            }
        }
        Err(returned)
    }

    /// A mandatory publish with a body of `size` octets is undecided.
    pub(super) fn may_return(&self, size: u64) -> bool {
        let mut mandatory = self.ring.iter().filter_map(|entry| entry.mandatory.as_deref());
        mandatory.any(|published| published.body.len() as u64 == size)
    }

    /// Everything undecided, oldest first, when the channel goes away.
    pub(super) fn into_undecided(self) -> impl Iterator<Item = Entry> {
        self.ring.into_iter().filter(|entry| !entry.settled)
    }

    /// Takes out those who wait for everything to be decided.
    pub(super) fn take_watchers(&mut self) -> Vec<WaiterId> {
        self.watchers.drain(..).map(|(_, waiter)| waiter).collect()
    }
}

impl Entry {
    /// The body that a mandatory publish kept.
    pub(super) fn into_body(self) -> Option<Bytes> {
        self.mandatory.map(|mandatory| mandatory.body)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    fn waiter(slot: u32) -> WaiterId {
        WaiterId { slot, generation: NonZeroU32::MIN }
    }

    fn published(count: u32) -> Confirms {
        let mut confirms = Confirms::default();
        for slot in 1..=count {
            assert_eq!(confirms.push(Some(waiter(slot)), 0, None), u64::from(slot));
        }
        confirms
    }

    fn slots(confirms: &mut Confirms, tag: u64, multiple: bool, verdict: Verdict) -> Vec<(u32, bool)> {
        let mut decided = Decided::default();
        confirms.decide(tag, multiple, verdict, &mut decided).unwrap();
        let acked = |confirmation: &Confirmation| matches!(confirmation, Confirmation::Ack);
        decided.confirmed.iter().map(|(waiter, confirmation)| (waiter.slot, acked(confirmation))).collect()
    }

    #[test]
    fn confirms_out_of_order_reach_each_publish_once() {
        let mut confirms = published(4);
        assert_eq!(slots(&mut confirms, 3, false, Verdict::Ack), [(3, true)]);
        assert_eq!(slots(&mut confirms, 3, false, Verdict::Ack), []);
        assert_eq!(slots(&mut confirms, 1, false, Verdict::Nack), [(1, false)]);
        assert_eq!(slots(&mut confirms, 4, true, Verdict::Ack), [(2, true), (4, true)]);
        assert_eq!(slots(&mut confirms, 2, false, Verdict::Ack), []);
    }

    #[test]
    fn multiple_with_tag_zero_decides_about_everything() {
        let mut confirms = published(3);
        assert_eq!(slots(&mut confirms, 0, true, Verdict::Nack), [(1, false), (2, false), (3, false)]);
    }

    #[test]
    fn a_tag_that_was_never_published_is_refused() {
        let mut confirms = published(2);
        let mut decided = Decided::default();
        assert_eq!(confirms.decide(3, true, Verdict::Ack, &mut decided), Err(3));
        assert_eq!(confirms.decide(0, false, Verdict::Ack, &mut decided), Err(0));
    }

    #[test]
    fn a_watcher_hears_when_all_before_it_is_decided_and_what_failed() {
        let mut confirms = published(3);
        assert_eq!(confirms.watch(waiter(9)), None);
        let mut decided = Decided::default();
        confirms.decide(3, false, Verdict::Nack, &mut decided).unwrap();
        assert!(decided.watchers.is_empty());
        confirms.decide(2, true, Verdict::Ack, &mut decided).unwrap();
        assert_eq!(decided.watchers, [(waiter(9), Settled { nacked: 1, returned: 0 })]);
        assert_eq!(confirms.watch(waiter(9)), Some(Settled::default()));
    }
}
