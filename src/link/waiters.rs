//! The waiters of the engine, in slots with generations.
//!
//! One mechanism serves every way to wait, because each is a [`Waker`]: that of a task, of a parked
//! thread (by [`std::task::Wake`]), or of a continuation that queues itself on its loop.

use std::sync::Arc;
use std::task::Waker;

use crate::engine::slots::{Place, Slab};
use crate::engine::{Closure, Completion, Confirmation, Failure, Fate, WaiterId};

/// The table of waiters.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    slots: Slab<Slot>,
}

/// A slot. All variants but the first hold a completion that was not taken. A million unconfirmed
/// publishes need as many slots, so frequent completions are stored in place and the rest in a box.
#[derive(Debug)]
enum Slot {
    /// It has not completed. Holds the waker of its last poll.
    Waiting(Option<Waker>),
    /// The broker acknowledged the publish.
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
    /// Takes the waker of a slot that has not completed.
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

/// The result of polling a waiter.
#[derive(Debug)]
pub(crate) enum Polled {
    /// It has not completed. Returns the waker that was replaced, to be dropped while no lock is
    /// held.
    Pending(Option<Waker>),
    /// It has completed, and the slot is free.
    Ready(Completion),
    /// The slot belongs to another waiter by now.
    Stale,
}

/// What happened to a completion.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// It was stored for its waiter. Returns the waker to wake.
    Kept(Option<Waker>),
    /// Its waiter was removed. Returns the completion.
    Abandoned(Completion),
}

impl Waiters {
    /// Adds a waiter.
    pub(crate) fn insert(&mut self) -> WaiterId {
        let Place { slot, generation } = self.slots.insert(Slot::Waiting(None));
        WaiterId { slot, generation }
    }

    /// The number of slots that are not free.
    pub(crate) fn in_use(&self) -> usize {
        self.slots.len()
    }

    /// The number of slots for which memory is allocated.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        self.slots.allocated()
    }

    /// Polls a waiter, and stores `waker` if it has not completed. The waker is replaced only if it
    /// would wake another task.
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

    /// Stores a completion for its waiter.
    #[inline]
    pub(crate) fn resolve(&mut self, id: WaiterId, completion: Completion) -> Resolved {
        let slot = self.slots.get_mut(id.into());
        let Some((slot, waker)) = slot.and_then(Slot::waiting) else {
            // A timeout was followed by the answer. The waiter gets the first of the two.
            return Resolved::Abandoned(completion);
        };
        *slot = completion.into();
        Resolved::Kept(waker)
    }

    /// Takes the waker of a standing waiter, to wake it.
    pub(crate) fn notify(&mut self, id: WaiterId) -> Option<Waker> {
        match self.slots.get_mut(id.into())? {
            Slot::Waiting(waker) => waker.take(),
            _ => None,
        }
    }

    /// Removes a waiter. Returns its completion, if there is one, and its waker.
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
