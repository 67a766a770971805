//! Everybody who waits for the engine, in slots that know their generation.
//!
//! One mechanism serves every way to wait, because each is a [`Waker`]: a task's own, a parked thread's (by
//! [`std::task::Wake`]), a continuation's that queues itself on its loop.

use std::num::NonZeroU32;
use std::task::Waker;

use crate::engine::{Completion, WaiterId};

/// The table of waiters.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: NonZeroU32,
    state: SlotState,
}

#[derive(Debug)]
enum SlotState {
    Free,
    /// Nothing has happened so far.
    Waiting(Option<Waker>),
    /// What was waited for has happened, and nobody has looked.
    Done(Completion),
}

/// What a waiter finds in its slot.
#[derive(Debug)]
pub(crate) enum Polled {
    /// Nothing yet. The waker that was there before is handed out, to be dropped where no lock is held.
    Pending(Option<Waker>),
    /// It is over, and the slot is free.
    Ready(Completion),
    /// The slot belongs to somebody else by now.
    Stale,
}

/// What became of a completion.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// Its waiter will find it; here is whom to wake.
    Kept(Option<Waker>),
    /// Its waiter is gone; here it is back.
    Abandoned(Completion),
}

impl Waiters {
    /// A slot for somebody new.
    pub(crate) fn insert(&mut self) -> WaiterId {
        if let Some(index) = self.free.pop()
            && let Some(slot) = usize::try_from(index).ok().and_then(|index| self.slots.get_mut(index))
        {
            slot.state = SlotState::Waiting(None);
            return WaiterId { slot: index, generation: slot.generation };
        }
        // More than 2³² waiters do not fit into memory; the last slot would be shared, which its generation guards.
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: NonZeroU32::MIN, state: SlotState::Waiting(None) });
        WaiterId { slot: index, generation: NonZeroU32::MIN }
    }

    fn slot(&mut self, id: WaiterId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(usize::try_from(id.slot).ok()?)?;
        (slot.generation == id.generation).then_some(slot)
    }

    /// Frees a slot; its name never comes back.
    fn retire(&mut self, id: WaiterId) -> Option<SlotState> {
        let slot = self.slot(id)?;
        let state = std::mem::replace(&mut slot.state, SlotState::Free);
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.slot);
        }
        Some(state)
    }

    /// Slots that are not free.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Looks into a slot, and leaves `waker` where nothing has happened. The waker is replaced only where it would wake
    /// somebody else.
    pub(crate) fn poll(&mut self, id: WaiterId, waker: &mut Option<Waker>) -> Polled {
        let Some(slot) = self.slot(id) else { return Polled::Stale };
        match &mut slot.state {
            SlotState::Waiting(known) => {
                let same = matches!((&known, &waker), (Some(known), Some(new)) if known.will_wake(new));
                let old = if same { None } else { std::mem::replace(known, waker.take()) };
                Polled::Pending(old)
            }
            SlotState::Done(_) => match self.retire(id) {
                Some(SlotState::Done(completion)) => Polled::Ready(completion),
                _ => Polled::Stale,
            },
            SlotState::Free => Polled::Stale,
        }
    }

    /// Puts a completion into its slot.
    pub(crate) fn resolve(&mut self, id: WaiterId, completion: Completion) -> Resolved {
        match self.slot(id).map(|slot| &mut slot.state) {
            Some(state @ SlotState::Waiting(_)) => match std::mem::replace(state, SlotState::Done(completion)) {
                SlotState::Waiting(waker) => Resolved::Kept(waker),
                SlotState::Free | SlotState::Done(_) => Resolved::Kept(None),
            },
            // A timeout came first, and then the answer: the first one is what the waiter hears.
            Some(SlotState::Done(_) | SlotState::Free) | None => Resolved::Abandoned(completion),
        }
    }

    /// Takes the waker out of a standing waiter's slot, to wake it.
    pub(crate) fn notify(&mut self, id: WaiterId) -> Option<Waker> {
        match &mut self.slot(id)?.state {
            SlotState::Waiting(waker) => waker.take(),
            SlotState::Free | SlotState::Done(_) => None,
        }
    }

    /// Somebody stops waiting. What had come in the meantime is handed out, as is the waker.
    pub(crate) fn remove(&mut self, id: WaiterId) -> (Option<Completion>, Option<Waker>) {
        match self.retire(id) {
            Some(SlotState::Done(completion)) => (Some(completion), None),
            Some(SlotState::Waiting(waker)) => (None, waker),
            Some(SlotState::Free) | None => (None, None),
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_comes_for_a_waiter_that_is_gone_never_reaches_its_successor() {
        let mut waiters = Waiters::default();
        let gone = waiters.insert();
        waiters.remove(gone);
        let successor = waiters.insert();
        assert_eq!(gone.slot, successor.slot);
        assert!(matches!(waiters.resolve(gone, Completion::Closed), Resolved::Abandoned(Completion::Closed)));
        assert!(matches!(waiters.poll(successor, &mut None), Polled::Pending(None)));
    }

    #[test]
    fn a_completion_is_taken_once() {
        let mut waiters = Waiters::default();
        let id = waiters.insert();
        assert!(matches!(waiters.resolve(id, Completion::Closed), Resolved::Kept(None)));
        assert!(matches!(waiters.resolve(id, Completion::Closed), Resolved::Abandoned(_)));
        assert!(matches!(waiters.poll(id, &mut None), Polled::Ready(Completion::Closed)));
        assert!(matches!(waiters.poll(id, &mut None), Polled::Stale));
    }

    #[test]
    fn a_waker_is_kept_until_it_is_used() {
        let mut waiters = Waiters::default();
        let id = waiters.insert();
        let mut waker = Some(Waker::noop().clone());
        assert!(matches!(waiters.poll(id, &mut waker), Polled::Pending(None)));
        assert!(waker.is_none());
        assert!(matches!(waiters.resolve(id, Completion::Closed), Resolved::Kept(Some(_))));
    }
}
