//! When the transport is read, and what happens to consumers that do not keep up with it.

use std::time::{Duration, Instant};

use crate::engine::channel::Ending;
use crate::engine::consume::{ConsumerLife, DeliveryTags, Overflow};
use crate::engine::{ChannelNotice, ConnectionNotice, ConsumerKey, Engine, Event};

/// What reading depends on: how much waits for consumers, and what the broker has to answer.
#[derive(Debug)]
pub(in crate::engine) struct Reading {
    /// Bytes that may wait for consumers.
    limit: u64,
    /// How long more than the limit may wait.
    timeout: Duration,
    /// Bytes that wait for consumers that have not ended.
    waiting: u64,
    /// When the largest consumer is cancelled, while more waits than the limit.
    until: Option<Instant>,
    /// Whether observers were notified of a pause and not yet of its end.
    notified: bool,
    /// Calls and closes of channels that the broker has not answered.
    unanswered: usize,
}

impl Reading {
    pub(in crate::engine) fn new(limit: u64, timeout: Duration) -> Self {
        Self { limit, timeout, waiting: 0, until: None, notified: false, unanswered: 0 }
    }

    /// Counts `size` more bytes that wait for consumers.
    #[inline]
    pub(in crate::engine) fn count(&mut self, size: u64) {
        self.waiting += size;
    }

    /// Bytes that wait for consumers.
    pub(in crate::engine) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Whether more waits than the limit.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.waiting > self.limit
    }

    /// Whether twice the limit waits, which is the bound in all cases.
    fn is_at_bound(&self) -> bool {
        self.is_over() && self.waiting >= self.limit.saturating_mul(2)
    }

    /// When the consumer with the most waiting bytes is cancelled.
    pub(in crate::engine) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// Counts a call or a close of a channel.
    #[inline]
    pub(in crate::engine) fn await_answer(&mut self) {
        self.unanswered += 1;
    }

    /// Counts `count` calls and closes as ended.
    #[inline]
    pub(in crate::engine) fn answered(&mut self, count: usize) {
        debug_assert!(count <= self.unanswered, "each was counted when it was made");
        self.unanswered = self.unanswered.saturating_sub(count);
    }

    /// Calls and closes of channels that are not answered.
    pub(in crate::engine) fn unanswered(&self) -> usize {
        self.unanswered
    }
}

/// Whether to read.
impl Engine {
    /// Returns `true` if the transport is to be read at `now`.
    ///
    /// Reading pauses in two cases:
    ///
    /// * The broker does not read: twice `write_limit` bytes wait for the socket besides publishes.
    ///   That is as much for answers to the broker as the application itself may queue. The pause
    ///   ends when the socket has accepted enough.
    /// * Consumers do not keep up: more bytes of messages wait for them than `read_limit`. The
    ///   pause ends when they have taken enough, or when one of them has ended: the one with the
    ///   most waiting bytes is cancelled after `overflow_timeout`.
    ///
    /// In the second case reading continues as long as something is awaited that only reading can
    /// bring:
    ///
    /// * the answer to a call, including the opening of a channel and `tx.commit`, even if its
    ///   caller no longer waits;
    /// * the end of the close of a channel or of the connection;
    /// * the confirm of a publish, and with it whether a mandatory message is returned;
    /// * the answer to a new secret;
    /// * the end of the broker's block of the connection, or of the stop of a channel
    ///   (`channel.flow`) for which a publish waits.
    ///
    /// What arrives in the meantime is kept, up to twice the limit; at that point the consumer with
    /// the most waiting bytes is cancelled at once. So TCP does not hold back the broker if the
    /// application always has a confirm in flight; a prefetch does.
    ///
    /// Either pause is interrupted while something times out for lack of input, such as the
    /// heartbeat of the broker: during a pause the input is not read to its end, so
    /// [`Engine::handle_timeout`] could not decide it. Our own heartbeats are sent in any case.
    pub fn poll_reading(&mut self, now: Instant) -> bool {
        if self.may_read() {
            return true;
        }
        self.report_pause();
        self.silence_deadline().is_some_and(|at| at <= now)
    }

    /// Returns `true` if the transport is to be read, regardless of the time. After a pause has
    /// begun, a driver checks again whenever the application has done something: a take or a
    /// request may end the pause.
    #[inline]
    pub fn may_read(&self) -> bool {
        self.state.is_closed() || !(self.is_unread() || self.is_held_up())
    }

    /// Whether consumers do not keep up and nothing is awaited that only reading can bring.
    #[inline]
    fn is_held_up(&self) -> bool {
        self.reading.is_over() && !self.awaits_input()
    }

    fn awaits_input(&self) -> bool {
        self.reading.unanswered > 0
            || self.gate.awaits_broker()
            || self.secret_updates.is_waiting()
            || self.state.closure().is_some()
    }

    /// Notifies the observers of the pause, once, however often it is interrupted.
    #[cold]
    fn report_pause(&mut self) {
        if !self.reading.notified && self.is_held_up() {
            self.reading.notified = true;
            self.tell_connection(&ConnectionNotice::ReadingPaused { waiting: self.reading.waiting });
        }
    }
}

/// Consumers that do not keep up.
impl Engine {
    /// Subtracts `size` bytes that no longer wait for consumers.
    #[inline]
    pub(in crate::engine) fn uncount(&mut self, size: u64) {
        debug_assert!(size <= self.reading.waiting, "all of it was counted");
        self.reading.waiting = self.reading.waiting.saturating_sub(size);
        if self.reading.until.is_some() || self.reading.notified {
            self.relax();
        }
    }

    #[cold]
    fn relax(&mut self) {
        if !self.reading.is_over() {
            self.reading.until = None;
            self.consumers.end_ranking();
        }
        // The end of the pause is not reported at the limit itself, because a slow consumer stays
        // near it and would cause many reports.
        if self.reading.notified && self.reading.waiting <= self.reading.limit / 2 {
            self.reading.notified = false;
            self.tell_connection(&ConnectionNotice::ReadingResumed);
        }
    }

    /// Handles that more waits than the limit after input was handled.
    #[cold]
    pub(super) fn handle_overflow(&mut self, now: Instant) {
        while self.reading.is_at_bound() && self.end_largest() {}
        if self.reading.is_over() {
            self.reading.until.get_or_insert(now + self.reading.timeout);
        } else {
            self.consumers.end_ranking();
        }
    }

    /// Cancels consumers, those with the most waiting bytes first, if more than the limit has
    /// waited for too long, until no more than the limit waits.
    pub(in crate::engine) fn end_overflow(&mut self, now: Instant) {
        if self.reading.until.is_none_or(|at| at > now) {
            return;
        }
        while self.reading.is_over() && self.end_largest() {}
        self.reading.until = None;
        self.consumers.end_ranking();
    }

    /// Cancels the consumer with the most waiting bytes. Returns `true` if there was one.
    fn end_largest(&mut self) -> bool {
        let largest = self.consumers.take_largest();
        if let Some(key) = largest {
            self.overflow(key);
        }
        largest.is_some()
    }

    /// Cancels a consumer that does not keep up. Its listener is notified at once, the broker is
    /// asked to send no more, and no more deliveries are kept. Waiting deliveries are returned when
    /// the broker has answered. Without acknowledgements they would be lost, so they can still be
    /// taken, and no longer count.
    fn overflow(&mut self, key: ConsumerKey) {
        let limit = self.reading.limit;
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let waited = consumer.ready.uncount();
        let mut unseen = DeliveryTags::default();
        if !consumer.terms.no_ack {
            self.discarded.deliveries.extend(consumer.take_back(&mut unseen));
        }
        consumer.overflow = Some(Box::new(Overflow { waited, limit, unseen }));
        let (channel, tag, notified) = (consumer.channel, consumer.tag.clone(), consumer.notify());
        let is_cancelled = consumer.life == ConsumerLife::Cancelling;
        self.uncount(waited);
        self.events.extend(notified.map(Event::Readable));
        if !is_cancelled {
            let cancelled = self.cancel_without_waiter(channel, Ending::Known(key), tag.clone());
            // If nothing can be sent any more, the connection is closing, and the consumer ends
            // with it.
            debug_assert!(cancelled.is_ok() || self.check_channel(channel).is_err(), "a known tag fits a frame");
        }
        self.tell_channel(channel, &ChannelNotice::ConsumerOverflowed(tag));
    }

    /// Returns the unseen deliveries of a consumer that overflowed, after the broker has answered
    /// the cancel or the channel has ended. The consumer stays until its listener is dropped.
    pub(in crate::engine) fn give_back_overflow(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Some(overflow) = &mut consumer.overflow else { return };
        let unseen = std::mem::take(&mut overflow.unseen);
        let (channel, terms, is_closed) = (consumer.channel, consumer.terms, consumer.is_closed());
        if !is_closed {
            self.give_back(channel, unseen, terms);
        }
    }
}
