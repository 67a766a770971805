//! Everybody who waits for the engine, in slots that know their generation.
//!
//! One mechanism serves every way to wait, because each is a [`Waker`]: a task's own, a parked
//! thread's (by [`std::task::Wake`]), a continuation's that queues itself on its loop.

use std::sync::Arc;
use std::task::Waker;

use crate::engine::slots::{Place, Slab};
use crate::engine::{Closure, Completion, Confirmation, Failure, Fate, WaiterId};

/// The table of waiters.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    slots: Slab<Slot>,
}

/// A slot. A million confirms in flight are as many slots: what is common is kept in place, and the
/// rest in a box.
#[derive(Debug)]
enum Slot {
    /// Nothing has happened so far.
    Waiting(Option<Waker>),
    /// What was waited for has happened, and nobody has looked.
    Acked,
    Published,
    Closed(Arc<Closure>, Fate),
    Done(Box<Completion>),
}

impl From<Completion> for Slot {
    #[inline]
    fn from(completion: Completion) -> Self {
        match completion {
            Completion::Confirmed(Confirmation::Ack) => Self::Acked,
            Completion::Published => Self::Published,
            Completion::Failed(Failure::Closed { closure, fate }) => Self::Closed(closure, fate),
            completion => Self::Done(Box::new(completion)),
        }
    }
}

impl Slot {
    /// Somebody still waits; and whom to wake.
    #[inline]
    fn waiting(&mut self) -> Option<(&mut Self, Option<Waker>)> {
        match self {
            Self::Waiting(waker) => {
                let waker = waker.take();
                Some((self, waker))
            }
            _ => None,
        }
    }

    #[inline]
    fn into_completion(self) -> Result<Completion, Option<Waker>> {
        match self {
            Self::Waiting(waker) => Err(waker),
            Self::Acked => Ok(Completion::Confirmed(Confirmation::Ack)),
            Self::Published => Ok(Completion::Published),
            Self::Closed(closure, fate) => Ok(Completion::Failed(Failure::Closed { closure, fate })),
            Self::Done(completion) => Ok(*completion),
        }
    }
}

impl From<WaiterId> for Place {
    fn from(id: WaiterId) -> Self {
        Self { slot: id.slot, generation: id.generation }
    }
}

/// What a waiter finds in its slot.
#[derive(Debug)]
pub(crate) enum Polled {
    /// Nothing yet. The waker that was there before is handed out, to be dropped where no lock is
    /// held.
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
        let Place { slot, generation } = self.slots.insert(Slot::Waiting(None));
        WaiterId { slot, generation }
    }

    /// Slots that are not free.
    pub(crate) fn in_use(&self) -> usize {
        self.slots.len()
    }

    /// Slots for which memory is held.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        self.slots.allocated()
    }

    /// Looks into a slot, and leaves `waker` where nothing has happened. The waker is replaced only
    /// where it would wake somebody else.
    pub(crate) fn poll(&mut self, id: WaiterId, waker: &mut Option<Waker>) -> Polled {
        match self.slots.get_mut(id.into()) {
            None => Polled::Stale,
            Some(Slot::Waiting(known)) => {
                let same = matches!((&known, &waker), (Some(known), Some(new)) if known.will_wake(new));
                let old = if same { None } else { std::mem::replace(known, waker.take()) };
                Polled::Pending(old)
            }
            Some(_) => match self.slots.remove(id.into()).map(Slot::into_completion) {
                Some(Ok(completion)) => Polled::Ready(completion),
                _ => Polled::Stale,
            },
        }
    }

    /// Puts a completion into its slot.
    #[inline]
    pub(crate) fn resolve(&mut self, id: WaiterId, completion: Completion) -> Resolved {
        let slot = self.slots.get_mut(id.into());
        let Some((slot, waker)) = slot.and_then(Slot::waiting) else {
            // A timeout came first, and then the answer: the first one is what the waiter hears.
            return Resolved::Abandoned(completion);
        };
        *slot = completion.into();
        Resolved::Kept(waker)
    }

    /// Takes the waker out of a standing waiter's slot, to wake it.
    pub(crate) fn notify(&mut self, id: WaiterId) -> Option<Waker> {
        match self.slots.get_mut(id.into())? {
            Slot::Waiting(waker) => waker.take(),
            _ => None,
        }
    }

    /// Somebody stops waiting. What had come in the meantime is handed out, as is the waker.
    pub(crate) fn remove(&mut self, id: WaiterId) -> (Option<Completion>, Option<Waker>) {
        match self.slots.remove(id.into()).map(Slot::into_completion) {
            Some(Ok(completion)) => (Some(completion), None),
            Some(Err(waker)) => (None, waker),
            None => (None, None),
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::engine::steps::steps_of;

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

    #[test]
    fn a_burst_of_waiters_leaves_no_slots_and_no_name_comes_twice() {
        let mut waiters = Waiters::default();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..3 {
            let burst: Vec<WaiterId> = (0..100_000).map(|_| waiters.insert()).collect();
            assert!(burst.iter().all(|id| seen.insert(*id)));
            burst.iter().for_each(|id| drop(waiters.remove(*id)));
            assert_eq!(waiters.in_use(), 0);
            assert!(waiters.allocated() <= 64);
        }
    }

    #[test]
    fn waiters_that_come_and_go_in_any_order_take_a_step_each_at_most() {
        const COUNT: usize = 100_000;
        let mut waiters = Waiters::default();
        let (steps, newcomers) = steps_of(|| {
            let burst: Vec<WaiterId> = (0..COUNT).map(|_| waiters.insert()).collect();
            // In no order, and each once: the factor has no divisor in common with the count.
            let scattered = (0..COUNT).map(|index| burst[index * 48_271 % COUNT]);
            let mut newcomers = Vec::new();
            for (turn, id) in (0..).zip(scattered) {
                match turn % 3 {
                    0 => assert!(matches!(waiters.remove(id), (None, None))),
                    1 => {
                        assert!(matches!(waiters.resolve(id, Completion::Closed), Resolved::Kept(None)));
                        assert!(matches!(waiters.poll(id, &mut None), Polled::Ready(_)));
                    }
                    _ => {
                        assert!(waiters.notify(id).is_none());
                        drop(waiters.remove(id));
                    }
                }
                newcomers.extend((turn % 2 == 0).then(|| waiters.insert()));
            }
            newcomers
        });
        assert!(steps <= COUNT as u64, "{steps} steps");
        assert_eq!(waiters.in_use(), newcomers.len());
        newcomers.into_iter().for_each(|id| drop(waiters.remove(id)));
        assert_eq!(waiters.in_use(), 0);
        assert!(waiters.allocated() <= 64);
    }

    #[test]
    fn a_confirm_in_flight_is_small() {
        // A slot with its generation; a handle. The entry of the ring, which is not seen here, has
        // 24 bytes.
        let slot = size_of::<Slot>() + size_of::<u64>();
        let handle = size_of::<crate::Confirm>();
        assert!(slot + handle + 24 <= 87, "{slot} and {handle}");
    }
}
