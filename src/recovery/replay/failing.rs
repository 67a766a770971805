//! What follows from the refusal of a step.

use std::time::Instant;

use super::entry::{Entry, Index, State, Task};
use super::refusal::Refusal;
use super::report::Report;
use super::{Replay, StepId};
use crate::Error;
use crate::engine::ChannelKey;
use crate::protocol::ReplyCode;
use crate::recovery::record::Item;

impl Replay {
    /// Handles the refusal of a step, which has closed its channel.
    ///
    /// A close does not say which request it is about: it is the first without a reply. The others
    /// on the channel are handed out again, and so are the consumers that had started on it. Their
    /// failures, which follow this one, are ignored.
    pub(crate) fn failed(&mut self, id: StepId, error: Error, now: Instant) {
        let Some(index) = self.outstanding.remove(&id) else { return };
        self.take_back(self.entries.get(index).and_then(Entry::channel));
        self.fail(index, error, now);
    }

    /// Handles the failure of a step that was not sent, for instance because the application has
    /// dropped the consumer in the meantime. Its channel is open, and the other steps on it go on.
    pub(crate) fn unsent(&mut self, id: StepId, error: Error, now: Instant) {
        let Some(index) = self.outstanding.remove(&id) else { return };
        self.fail(index, error, now);
    }

    fn fail(&mut self, index: Index, error: Error, now: Instant) {
        self.acquit(index);
        let refusal = Refusal::of(&error);
        let is_check = self.entries.get(index).is_some_and(|it| it.verifies || matches!(it.task, Task::Check(_)));
        if is_check {
            self.fail_check(index, refusal, error, now);
            return;
        }
        match refusal {
            Refusal::NoExchange | Refusal::NoQueue if self.make_parents_again(index, refusal) => {}
            Refusal::Held if self.is_held_too_long(index, now) => self.give_up(index, error),
            Refusal::Held | Refusal::Away => self.put_off_entity(index, &error, now),
            Refusal::Different => self.find_different(index, error),
            Refusal::NotAsked => {
                self.report(index, &error, false);
                self.end_entry(index, State::Different);
            }
            Refusal::NoExchange | Refusal::NoQueue | Refusal::Final => self.give_up(index, error),
        }
    }

    /// Puts off another look at a queue, after which its consumers are started.
    pub(super) fn verify(&mut self, queue: Index, now: Instant) {
        let Some(entry) = self.entries.get_mut(queue) else { return };
        if matches!(entry.state, State::Done | State::Different) {
            entry.verifies = true;
            self.put_off(queue, now);
        }
    }

    /// Reports that an entity does not come back, nor what depends on it.
    pub(super) fn give_up(&mut self, index: Index, error: Error) {
        self.report(index, &error, false);
        self.end_entry(index, State::Failed(error));
    }

    /// Makes what was outstanding on a channel ready, and the consumers that had started on it.
    fn take_back(&mut self, channel: Option<ChannelKey>) {
        let is_on_it = |index: &Index| self.entries.get(*index).is_some_and(|entry| entry.channel() == channel);
        let behind: Vec<Index> = self.outstanding.extract_if(.., |_, index| is_on_it(index)).map(|it| it.1).collect();
        let started = channel.and_then(|channel| self.channels.get(&channel)).into_iter().flatten().copied();
        let is_started = |index: &Index| self.entries.get(*index).is_some_and(|it| matches!(it.state, State::Done));
        let started: Vec<Index> = started.filter(is_started).collect();
        for index in behind.into_iter().chain(started) {
            self.make_ready(index);
        }
    }

    /// Handles a refusal of what exists with other properties, or cannot exist with these. Whether
    /// a queue exists is checked before its consumers start.
    fn find_different(&mut self, index: Index, error: Error) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        match entry.item() {
            Some(Item::Exchange(_)) => {
                self.report(index, &error, false);
                self.end_entry(index, State::Different);
            }
            Some(Item::Queue { .. }) if !entry.is_server_named() && !entry.is_different => {
                entry.is_different = true;
                entry.verifies = true;
                self.report(index, &error, false);
                self.make_ready(index);
            }
            _ => self.give_up(index, error),
        }
    }

    /// A check is only about what depends on it.
    fn fail_check(&mut self, index: Index, refusal: Refusal, error: Error, now: Instant) {
        match refusal {
            Refusal::NoQueue => match self.entries.get_mut(index) {
                Some(entry) if entry.verifies && !entry.is_different => {
                    entry.verifies = false;
                    self.make_again(index);
                }
                _ => self.give_up(index, error),
            },
            Refusal::Held if self.is_held_too_long(index, now) => self.give_up(index, error),
            Refusal::Held | Refusal::Away => {
                self.report_dependents(index, &error);
                self.put_off(index, now);
            }
            Refusal::NotAsked => {
                self.complete(index);
            }
            // Newer brokers want a permission for the check that consumers do not need.
            _ if error.reply_code() == Some(ReplyCode::ACCESS_REFUSED) => {
                self.complete(index);
            }
            Refusal::NoExchange | Refusal::Different | Refusal::Final => self.give_up(index, error),
        }
    }

    /// Puts off an entity. A consumer would close its channel again, so that its queue is looked at
    /// first, on the private channel.
    fn put_off_entity(&mut self, index: Index, error: &Error, now: Instant) {
        self.report(index, error, true);
        let Some(entry) = self.entries.get(index) else { return };
        let queue = entry.parents.first().copied().filter(|_| entry.consumer().is_some());
        if let Some(queue) = queue {
            self.verify(queue, now);
        }
        let state = queue.and_then(|queue| self.entries.get(queue)).map(|queue| &queue.state);
        match state {
            // It goes on after the queue.
            Some(State::Ready | State::Blocked | State::Outstanding | State::Later) => self.block(index),
            // It ends as the queue did in the meantime.
            Some(State::Failed(_)) => self.make_ready(index),
            Some(State::Done | State::Different | State::Removed) | None => self.put_off(index, now),
        }
    }

    fn put_off(&mut self, index: Index, now: Instant) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        let delay = self.delays.before(entry.retries);
        entry.retries = entry.retries.saturating_add(1);
        entry.state = State::Later;
        self.later.insert((now + delay, index));
    }

    /// Makes those again that an entry names and that the broker does not have. Returns `false` if
    /// there are none, or if that was done before.
    fn make_parents_again(&mut self, index: Index, missing: Refusal) -> bool {
        let Some(entry) = self.entries.get(index).filter(|entry| !entry.parents_retried) else { return false };
        let parents: Vec<Index> = entry.parents.iter().copied().filter(|it| self.is_made(*it, missing)).collect();
        if parents.is_empty() {
            return false;
        }
        for parent in parents {
            if !self.is_awaited(parent) {
                self.make_again(parent);
            }
        }
        if let Some(entry) = self.entries.get_mut(index) {
            entry.parents_retried = true;
        }
        self.make_ready(index);
        true
    }

    /// Whether an entry is an exchange or queue, whichever is missing, that was made or is made
    /// again.
    fn is_made(&self, index: Index, missing: Refusal) -> bool {
        let Some(entry) = self.entries.get(index) else { return false };
        let is_missing = match entry.item() {
            Some(Item::Exchange(_)) => missing == Refusal::NoExchange,
            Some(Item::Queue { .. }) => missing == Refusal::NoQueue,
            _ => false,
        };
        is_missing && (matches!(entry.state, State::Done) || self.is_awaited(index))
    }

    /// Makes an exchange or queue again that was lost after it had been made, and its bindings,
    /// which were lost with it.
    fn make_again(&mut self, index: Index) {
        self.make_ready(index);
        for child in self.entries.get(index).map(|entry| entry.children.clone()).unwrap_or_default() {
            if self.entries.get(child).is_some_and(|it| it.is_binding() && matches!(it.state, State::Done)) {
                self.make_ready(child);
            }
        }
    }

    fn report(&mut self, index: Index, error: &Error, is_retried: bool) {
        self.reports.add(index, Report { error: error.clone(), is_retried });
    }

    /// Reports the consumers that wait for their queue. A check itself is not reported.
    fn report_dependents(&mut self, index: Index, error: &Error) {
        for child in self.entries.get(index).map(|entry| entry.children.clone()).unwrap_or_default() {
            let waits = |entry: &Entry| matches!(entry.state, State::Blocked | State::Ready);
            if self.entries.get(child).is_some_and(|child| child.consumer().is_some() && waits(child)) {
                self.report(child, error, true);
            }
        }
    }
}
