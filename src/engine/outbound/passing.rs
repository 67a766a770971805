//! The limit on bytes that wait for the socket besides publishes: calls, acknowledgements, and
//! answers to the broker. The gate limits publishes.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::steps::step;
use crate::engine::{Closure, Completion, Engine, Event, Failure, WaiterId};

/// Counts bytes that do not wait at the gate and have not been written.
///
/// Over the limit, requests of the application are refused, so that a broker that does not read
/// cannot make the queue grow without end. What the engine itself queues (answers to the broker,
/// returned deliveries) is not refused. At twice the limit, reading pauses
/// ([`Engine::poll_reading`]): a broker that does not read answers gets no more of its frames
/// answered.
#[derive(Debug)]
pub(in crate::engine) struct Passing {
    limit: u64,
    /// Bytes of publishes among those that the driver has not taken.
    published: u64,
    /// Bytes of publishes that were dropped, because the transport was lost before the driver took
    /// them.
    dropped: u64,
    /// Bytes other than publishes among those that were taken, until everything that was taken is
    /// written.
    taken: u64,
    /// The waiters for room. Their order does not matter, because they all continue together.
    waiting: BTreeSet<WaiterId>,
}

impl Passing {
    pub(in crate::engine) fn new(limit: u64) -> Self {
        Self { limit, published: 0, dropped: 0, taken: 0, waiting: BTreeSet::new() }
    }

    /// Counts `len` bytes of a publish that were queued.
    #[inline]
    pub(super) fn published(&mut self, len: u64) {
        self.published += len;
    }

    /// Records that everything that was queued, `len` bytes, was taken. `was_written` is whether
    /// everything before is written.
    pub(in crate::engine) fn taken(&mut self, len: u64, was_written: bool) {
        let passing = len.saturating_sub(self.published);
        self.taken = if was_written { passing } else { self.taken + passing };
        self.published = 0;
    }

    /// The number of waiters for room.
    pub(in crate::engine) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Records that what was not taken is dropped.
    pub(in crate::engine) fn drop_untaken(&mut self) {
        self.dropped += std::mem::take(&mut self.published);
    }

    /// Records that everything that was taken is written.
    pub(in crate::engine) fn all_written(&mut self) {
        self.taken = 0;
    }

    /// Takes the number of bytes of publishes that were dropped.
    pub(in crate::engine) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// The bytes that wait besides publishes; `untaken` is the number that was not taken.
    #[inline]
    fn queued(&self, untaken: usize) -> u64 {
        (self.taken + untaken as u64).saturating_sub(self.published)
    }
}

impl Engine {
    /// The bytes that wait besides publishes, including what channels hold for commits.
    #[inline]
    fn passing_queued(&self) -> u64 {
        self.passing.queued(self.outbound.len()).saturating_add(self.holding.passing())
    }

    /// Returns an error if a request of the application must not be queued now.
    #[inline]
    pub(in crate::engine) fn check_room(&self) -> Result<(), Failure> {
        if self.passing_queued() < self.passing.limit {
            return Ok(());
        }
        Err(Failure::WriteLimit { limit: self.passing.limit })
    }

    /// Waits for room after a [`Failure::WriteLimit`]: `waiter` completes with [`Completion::Room`]
    /// when at most half of `write_limit` is in use.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is closed.
    pub fn wait_for_room(&mut self, waiter: WaiterId) -> Result<(), Failure> {
        self.check_open()?;
        self.passing.waiting.insert(waiter);
        self.complete_waiters_for_room();
        Ok(())
    }

    /// Removes a waiter for room.
    pub(in crate::engine) fn stop_waiting_for_room(&mut self, waiter: WaiterId) {
        self.passing.waiting.remove(&waiter);
    }

    /// Completes all waiters for room, if there is room.
    #[inline]
    pub(in crate::engine) fn complete_waiters_for_room(&mut self) {
        if !self.passing.waiting.is_empty() && self.passing_queued() <= self.passing.limit / 2 {
            let waiting = std::mem::take(&mut self.passing.waiting);
            for waiter in waiting {
                step();
                self.events.push_back(Event::Completed(waiter, Completion::Room));
            }
        }
    }

    /// Fails all waiters for room.
    pub(in crate::engine) fn fail_waiters_for_room(&mut self, closure: &Arc<Closure>) {
        for waiter in std::mem::take(&mut self.passing.waiting) {
            step();
            self.complete(Some(waiter), Completion::Failed(Failure::refused(closure)));
        }
    }

    /// Whether the broker does not read: twice the limit waits for the socket besides publishes.
    #[inline]
    pub(in crate::engine) fn is_unread(&self) -> bool {
        // What channels hold for commits does not count: it waits for an answer, which has to be
        // read.
        self.passing.queued(self.outbound.len()) >= self.passing.limit.saturating_mul(2)
    }
}
