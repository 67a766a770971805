//! Publishes that a loss leaves undecided. Those that are sent again wait at the front of the gate,
//! and keep the waiters for their confirms; the others fail.

use std::sync::Arc;

use super::Survival;
use crate::engine::publish::{Confirms, Entry, Kept, Waiting};
use crate::engine::{ChannelKey, Closure, Completion, Engine, Failure, Fate, GatePlace, Settled};

/// A publish that is to wait at the gate again, and where in the stream it began.
#[derive(Debug)]
pub(super) struct Resent {
    position: u64,
    channel: ChannelKey,
    waiting: Waiting,
}

impl Engine {
    /// Takes back the undecided publishes of a channel that are sent again, and completes the
    /// others. The next one to ask for all confirms learns of those, unless somebody waits for
    /// them.
    pub(super) fn leave_undecided(&mut self, key: ChannelKey, mut confirms: Confirms, cause: &Arc<Closure>) {
        let heard = confirms.heard_up_to();
        let (mut settled, watchers) = (confirms.take_failed(), confirms.take_watchers());
        if let Some(next) = self.confirms_mut(key) {
            next.expect_again(confirms.expected_again());
        }
        let (mut undecided, mut failed, mut unheard) = (0, 0, 0);
        let mut entries = confirms.into_undecided().peekable();
        while let Some((sequence, entry, mut kept)) = entries.next() {
            let is_only = undecided == 0 && entries.peek().is_none_or(|(_, next, _)| next.position >= self.taken);
            undecided += 1;
            let fate = self.fate_of_publish(entry.position, is_only, cause);
            let fate = kept.as_ref().map_or(fate, |kept| kept.fate(fate));
            if let Some(kept) = kept.take_if(|_| self.is_sent_again(fate, cause)) {
                self.take_back(key, entry, kept, fate);
                continue;
            }
            failed += 1;
            unheard += u64::from(sequence > heard);
            self.release_kept(kept);
            self.fail_undecided(entry, fate, cause);
        }
        self.gate.count_confirmed(undecided);
        if failed == 0 {
            self.return_settled(key, settled);
            if let Some(confirms) = self.confirms_mut(key) {
                confirms.watch_resent(watchers);
            }
            return;
        }
        if !watchers.is_empty() {
            settled = Settled::default();
        }
        settled.unknown += unheard;
        self.return_settled(key, settled);
        for watcher in watchers {
            let failure = Failure::Closed { closure: Arc::clone(cause), fate: Fate::Unknown };
            self.complete(Some(watcher), Completion::Failed(failure));
        }
    }

    /// Whether a kept publish of this fate is sent again. If the broker has closed the channel
    /// because of a publish, that may be any of those that it has got, and would be refused again.
    fn is_sent_again(&self, fate: Fate, cause: &Closure) -> bool {
        let may_be_refused = fate != Fate::NotSent && cause.refuses_publish();
        self.keeping.resends(fate) && !may_be_refused
    }

    fn fail_undecided(&mut self, entry: Entry, fate: Fate, cause: &Arc<Closure>) {
        if let Some(survival) = self.survival.as_mut().filter(|_| fate == Fate::Unknown) {
            survival.losses.unknown += 1;
        }
        let failure = Failure::Closed { closure: Arc::clone(cause), fate };
        self.complete(entry.waiter, Completion::Failed(failure));
        self.discarded.bodies.extend(entry.into_body());
    }

    /// Takes back an undecided publish that is sent again.
    fn take_back(&mut self, key: ChannelKey, entry: Entry, kept: Kept, fate: Fate) {
        let position = entry.position;
        let waiting = entry.into_waiting(kept.frames, fate);
        if let Some(survival) = &mut self.survival {
            survival.resent.push(Resent { position, channel: key, waiting });
        }
        if let Some(confirms) = self.confirms_mut(key) {
            confirms.expect_again(1);
        }
    }

    /// Adds the publishes that were taken back to the gate, before everything that waits there and
    /// in the order in which they were published, on whatever channel.
    pub(super) fn line_up_resent(&mut self) {
        let Some(Survival { resent, .. }) = self.survival.as_deref_mut() else { return };
        let mut resent = std::mem::take(resent);
        // Stable: those that waited for a commit have the same position, and are in their order.
        resent.sort_by_key(|resent| resent.position);
        for Resent { channel, waiting, .. } in resent.into_iter().rev() {
            self.gate.wait_first(channel, waiting);
        }
    }

    /// Removes a publish from the gate, and fails it.
    pub(super) fn fail_place(&mut self, place: GatePlace, failure: &Failure) {
        if let Some(waiting) = self.gate.leave(place) {
            self.fail_waiting(place.channel(), waiting, failure);
        }
    }

    /// Fails a publish that was removed from the gate. One that was to be sent again fails with
    /// what is known of it.
    pub(in crate::engine) fn fail_waiting(&mut self, key: ChannelKey, waiting: Waiting, failure: &Failure) {
        match waiting.resent {
            None => self.complete(waiting.waiter, Completion::Failed(failure.clone())),
            Some(fate) => {
                self.keeping.release(waiting.len());
                self.complete(waiting.confirm, Completion::Failed(with_fate(failure, fate)));
                self.expect_no_more(key, failure);
            }
        }
        self.discard_waiting(waiting);
    }

    /// Counts a publish that is not sent again. All of a channel fail together, so who waits for
    /// all confirms learns of it after the last.
    fn expect_no_more(&mut self, key: ChannelKey, failure: &Failure) {
        let Some(confirms) = self.confirms_mut(key) else { return };
        confirms.count_unknown(1);
        if !confirms.expect_one_less() {
            return;
        }
        let watchers = confirms.take_watchers();
        if !watchers.is_empty() {
            // They learn of these by their failure.
            let _ = confirms.take_failed();
        }
        for watcher in watchers {
            self.complete(Some(watcher), Completion::Failed(with_fate(failure, Fate::Unknown)));
        }
    }
}

/// The same failure with this fate.
fn with_fate(failure: &Failure, fate: Fate) -> Failure {
    match failure {
        Failure::Closed { closure, .. } | Failure::Recovering { cause: Some(closure) } => {
            Failure::Closed { closure: closure.clone(), fate }
        }
        other => other.clone(),
    }
}
