//! The limit for what waits for the socket besides publishes, which the gate holds back: calls,
//! acknowledgements, and answers to the peer.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::steps::step;
use crate::engine::{Closure, Completion, Engine, Event, Failure, WaiterId};

/// Counts what passes the gate and has not been written.
///
/// What the application asks for is refused over the limit, so that a broker that does not read
/// cannot make the queue grow without end. What the engine itself queues (answers to the peer,
/// messages that go back) is not refused; once there is as much again of it, reading pauses
/// ([`Engine::poll_reading`]): a peer that does not read answers gets no more of its frames
/// answered.
#[derive(Debug)]
pub(in crate::engine) struct Passing {
    limit: u64,
    /// Bytes of publishes among those that nobody took so far.
    published: u64,
    /// Other bytes among those that were taken, until all that was taken is written.
    taken: u64,
    /// They wait until there is room. The order does not matter: all of them go on together.
    waiting: BTreeSet<WaiterId>,
}

impl Passing {
    pub(in crate::engine) fn new(limit: u64) -> Self {
        Self { limit, published: 0, taken: 0, waiting: BTreeSet::new() }
    }

    /// So many bytes of a publish were queued.
    #[inline]
    pub(super) fn published(&mut self, len: u64) {
        self.published += len;
    }

    /// All that was queued, `len` bytes, was taken to be written; whether everything before is
    /// written already.
    pub(in crate::engine) fn taken(&mut self, len: u64, was_written: bool) {
        let passing = len.saturating_sub(self.published);
        self.taken = if was_written { passing } else { self.taken + passing };
        self.published = 0;
    }

    /// How many wait for room.
    pub(in crate::engine) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What nobody took is dropped.
    pub(in crate::engine) fn drop_untaken(&mut self) {
        self.published = 0;
    }

    /// All that was taken is written.
    pub(in crate::engine) fn all_written(&mut self) {
        self.taken = 0;
    }

    /// Bytes that wait, `untaken` being what nobody took.
    #[inline]
    fn queued(&self, untaken: usize) -> u64 {
        (self.taken + untaken as u64).saturating_sub(self.published)
    }
}

impl Engine {
    /// Bytes that wait besides publishes, what channels hold back included.
    #[inline]
    fn passing_queued(&self) -> u64 {
        self.passing.queued(self.outbound.len()).saturating_add(self.holding.passing())
    }

    /// What the application asks for now may be queued.
    #[inline]
    pub(in crate::engine) fn check_room(&self) -> Result<(), Failure> {
        if self.passing_queued() < self.passing.limit {
            return Ok(());
        }
        Err(Failure::WriteLimit { limit: self.passing.limit })
    }

    /// Tells `waiter` by [`Completion::Room`] when half of the limit is free again after a
    /// [`Failure::WriteLimit`].
    ///
    /// # Errors
    ///
    /// The connection is closed.
    pub fn wait_for_room(&mut self, waiter: WaiterId) -> Result<(), Failure> {
        self.check_open()?;
        self.passing.waiting.insert(waiter);
        self.let_pass();
        Ok(())
    }

    /// A waiter gives up waiting for room.
    pub(in crate::engine) fn stop_waiting_for_room(&mut self, waiter: WaiterId) {
        self.passing.waiting.remove(&waiter);
    }

    /// Lets everybody go on who waits for room, where there is some.
    #[inline]
    pub(in crate::engine) fn let_pass(&mut self) {
        if !self.passing.waiting.is_empty() && self.passing_queued() <= self.passing.limit / 2 {
            let waiting = std::mem::take(&mut self.passing.waiting);
            for waiter in waiting {
                step();
                self.events.push_back(Event::Completed(waiter, Completion::Room));
            }
        }
    }

    /// Nobody can go on any more.
    pub(in crate::engine) fn fail_who_wait_for_room(&mut self, closure: &Arc<Closure>) {
        for waiter in std::mem::take(&mut self.passing.waiting) {
            step();
            self.complete(Some(waiter), Completion::Failed(Failure::refused(closure)));
        }
    }

    /// The peer does not read: what waits for the socket besides publishes is twice the limit.
    #[inline]
    pub(in crate::engine) fn is_unread(&self) -> bool {
        // What channels hold back waits for an answer of the peer's, which has to be read.
        self.passing.queued(self.outbound.len()) >= self.passing.limit.saturating_mul(2)
    }
}
