//! Which entry of a replay is handed out next, and what its end lets go on.

use std::time::Instant;

use super::entry::{Entry, Index, State, Task};
use super::suspects::Suspicion;
use super::{Replay, Request};
use crate::Error;
use crate::recovery::record::{Entity, Topology};
use crate::wire::ShortString;

/// What a step needs.
enum Need {
    Met,
    /// Something that is not there yet.
    Wait,
    /// Something that does not come back, for this reason.
    Failed(Error),
    /// Another look at its queue, which somebody else used.
    Verify(Index),
}

impl Replay {
    pub(super) fn begin_entry(&mut self, index: Index) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        if let Some(channel) = entry.channel() {
            self.channels.entry(channel).or_default().push(index);
        }
        match self.suspects.get(&entry.suspect()) {
            None => self.make_ready(index),
            Some(Suspicion::Once) => {
                entry.is_suspect = true;
                self.make_ready(index);
            }
            Some(Suspicion::Again(error)) => {
                let error = error.clone();
                self.give_up(index, error);
            }
        }
    }

    pub(super) fn make_ready(&mut self, index: Index) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        entry.state = State::Ready;
        let ready = if entry.is_suspect { &mut self.ready_suspects } else { &mut self.ready };
        ready.insert(index);
    }

    pub(super) fn is_suspect_outstanding(&self) -> bool {
        // It is alone, so that the first one shows it.
        let first = self.outstanding.values().next().and_then(|index| self.entries.get(*index));
        first.is_some_and(|entry| entry.is_suspect)
    }

    /// The next entry of the phases that have begun. A suspect waits until nothing else is left or
    /// outstanding.
    pub(super) fn pop_ready(&mut self) -> Option<Index> {
        let has_begun = |index: &Index| self.entries.get(*index).is_some_and(|entry| entry.phase <= self.phase);
        if let Some(index) = self.ready.first().copied().filter(has_begun) {
            self.ready.remove(&index);
            return Some(index);
        }
        let suspect = self.ready_suspects.first().copied().filter(has_begun);
        let index = suspect.filter(|_| self.outstanding.is_empty())?;
        self.ready_suspects.remove(&index);
        Some(index)
    }

    /// The request of an entry, if it can be sent now.
    pub(super) fn hand_out(&mut self, index: Index, record: &Topology, now: Instant) -> Option<Request> {
        let entry = self.entries.get_mut(index)?;
        if matches!(&entry.task, Task::Make(recorded) if !record.contains(recorded)) {
            self.forgotten.extend(entry.consumer());
            self.end_entry(index, State::Removed);
            return None;
        }
        match self.need(index, now) {
            Need::Met => {
                let entry = self.entries.get_mut(index)?;
                entry.state = State::Outstanding;
                return Some(entry.request());
            }
            Need::Wait => self.block(index),
            Need::Failed(error) => self.give_up(index, error),
            Need::Verify(queue) => {
                self.block(index);
                self.verify(queue, now);
            }
        }
        None
    }

    fn need(&mut self, index: Index, now: Instant) -> Need {
        let Some(entry) = self.entries.get(index) else { return Need::Wait };
        for parent in entry.parents.iter().filter_map(|parent| self.entries.get(*parent)) {
            match &parent.state {
                State::Done | State::Different | State::Removed => {}
                // The broker handles the requests of a channel in order. But a name that it chooses
                // is not known before its reply.
                State::Outstanding if entry.is_binding() && !parent.is_server_named() => {}
                State::Failed(error) => return Need::Failed(error.clone()),
                State::Ready | State::Blocked | State::Outstanding | State::Later => return Need::Wait,
            }
        }
        let mut parents = entry.parents.iter().copied();
        let used = parents.find(|parent| self.is_used_by_others(*parent));
        let is_exclusive = entry.is_exclusive_consumer() || (entry.consumer().is_some() && entry.held_since.is_some());
        match used {
            Some(queue) if is_exclusive && !self.is_held_too_long(index, now) => Need::Verify(queue),
            _ => Need::Met,
        }
    }

    /// Whether a queue has more consumers than those that were started here.
    fn is_used_by_others(&self, queue: Index) -> bool {
        let Some(entry) = self.entries.get(queue) else { return false };
        let is_ours = |child: &&Entry| child.consumer().is_some() && matches!(child.state, State::Done);
        let ours = entry.children.iter().filter_map(|child| self.entries.get(*child)).filter(is_ours).count();
        matches!(entry.state, State::Done | State::Different) && entry.consumer_count as usize > ours
    }

    /// Whether something else has held what an entry needs for as long as that is waited for. The
    /// time begins when this is asked first.
    pub(super) fn is_held_too_long(&mut self, index: Index, now: Instant) -> bool {
        let held = self.held;
        let entry = self.entries.get_mut(index);
        entry.is_none_or(|entry| now.saturating_duration_since(*entry.held_since.get_or_insert(now)) >= held)
    }

    pub(super) fn block(&mut self, index: Index) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.state = State::Blocked;
        }
    }

    /// Ends a step. Returns `false` if it shows only that a queue exists whose properties differ.
    pub(super) fn complete(&mut self, index: Index) -> bool {
        self.acquit(index);
        // Replies arrive in order on a channel. So what a binding names is there, unless a
        // consumer, on another channel, has shown that it was lost since.
        let is_lost = self
            .entries
            .get(index)
            .is_some_and(|it| it.is_binding() && it.parents.iter().any(|it| self.is_awaited(*it)));
        if is_lost {
            self.make_ready(index);
            return false;
        }
        let Some(entry) = self.entries.get_mut(index) else { return false };
        let was_check = std::mem::take(&mut entry.verifies);
        entry.is_different &= was_check;
        let is_there = !entry.is_different;
        self.end_entry(index, State::Done);
        is_there
    }

    /// Whether an entry is still to be made, or to be made again.
    pub(super) fn is_awaited(&self, index: Index) -> bool {
        let state = self.entries.get(index).map(|entry| &entry.state);
        matches!(state, Some(State::Ready | State::Blocked | State::Outstanding | State::Later))
    }

    pub(super) fn entity(&self, index: Index) -> Option<Entity> {
        self.entries.get(index).and_then(Entry::entity)
    }

    /// Notes that the broker has answered the request of an entry, so that it did not end the
    /// connection.
    pub(super) fn acquit(&mut self, index: Index) {
        if let Some(entry) = self.entries.get_mut(index) {
            entry.is_suspect = false;
            self.suspects.clear(&entry.suspect());
        }
    }

    /// Gives an entry its state, and lets those go on that waited for it.
    pub(super) fn end_entry(&mut self, index: Index, state: State) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        entry.state = state;
        for child in entry.children.clone() {
            if self.entries.get(child).is_some_and(|child| matches!(child.state, State::Blocked)) {
                self.make_ready(child);
            }
        }
    }

    /// Applies what declare-ok says about a queue. Returns the old and the new name if the broker
    /// has named it anew.
    pub(super) fn name_queue(
        &mut self,
        index: Index,
        to: ShortString,
        count: u32,
    ) -> Option<(ShortString, ShortString)> {
        let entry = self.entries.get_mut(index)?;
        entry.consumer_count = count;
        let from = entry.queue_name().filter(|from| entry.is_server_named() && **from != to)?.clone();
        let named = entry.children.clone();
        for index in named.into_iter().chain([index]) {
            if let Some(Entry { task: Task::Make(recorded), .. }) = self.entries.get_mut(index) {
                recorded.item.rename_queue(&from, &to);
            }
        }
        Some((from, to))
    }
}
