//! When the transport is read, and what becomes of consumers that do not keep up with what is read.

use std::time::{Duration, Instant};

use crate::engine::channel::Ending;
use crate::engine::consume::{ConsumerLife, DeliveryTags, Overflow};
use crate::engine::{ChannelNotice, ConnectionNotice, ConsumerKey, Engine, Event};

/// What reading depends on: how much waits for consumers, and what the broker has to answer.
#[derive(Debug)]
pub(in crate::engine) struct Reading {
    /// Bytes that may wait for consumers.
    limit: u64,
    /// How long more may wait.
    timeout: Duration,
    /// Bytes that wait for consumers which are not over.
    waiting: u64,
    /// While more waits than may: when that has lasted too long.
    until: Option<Instant>,
    /// Observers were notified of a pause, and not of its end.
    notified: bool,
    /// Calls, and closes of channels, that the broker has not answered.
    unanswered: usize,
}

impl Reading {
    pub(in crate::engine) fn new(limit: u64, timeout: Duration) -> Self {
        Self { limit, timeout, waiting: 0, until: None, notified: false, unanswered: 0 }
    }

    /// So many bytes more wait for consumers.
    #[inline]
    pub(in crate::engine) fn count(&mut self, size: u64) {
        self.waiting += size;
    }

    /// Bytes that wait for consumers.
    pub(in crate::engine) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// More waits than may.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.waiting > self.limit
    }

    /// As much waits as may in no case.
    fn is_at_bound(&self) -> bool {
        self.is_over() && self.waiting >= self.limit.saturating_mul(2)
    }

    /// When the consumer for which most waits is cancelled.
    pub(in crate::engine) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// A call was made, or a channel is closing.
    #[inline]
    pub(in crate::engine) fn await_answer(&mut self) {
        self.unanswered += 1;
    }

    /// So many of these have come to an end.
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
    /// Whether the transport is to be read at `now`.
    ///
    /// Reading pauses in two cases:
    ///
    /// * The peer does not read: what waits for the socket besides publishes is twice
    ///   `write_limit`, which takes as much of answers to the peer as the application itself may
    ///   queue. The pause ends when the socket has accepted enough.
    /// * Consumers do not keep up: more of what was read waits for them than `read_limit`. The
    ///   pause ends when they have taken enough, or when one of them has ended, which the one for
    ///   which most waits does after `overflow_timeout`.
    ///
    /// In the second case reading goes on as long as something is awaited that only reading can
    /// bring:
    ///
    /// * the answer to a call, the opening of a channel and `tx.commit` included, whether or not
    ///   its caller still waits;
    /// * the end of the close of a channel or of the connection;
    /// * the confirm of a publish, and with it whether a mandatory message came back;
    /// * the answer to a new secret;
    /// * the end of the broker's block of the connection, or of the stop of a channel for which a
    ///   publish waits.
    ///
    /// What arrives meanwhile is kept, up to twice the limit: then the consumer for which most
    /// waits ends at once. A program that always has a confirm in flight is therefore not held back
    /// by TCP; a prefetch holds it back.
    ///
    /// Either pause is interrupted while something is due for lack of input, such as the peer's
    /// heartbeat: nothing is read to its end in a pause, so [`Engine::handle_timeout`] could not
    /// judge it. Our own heartbeats go out in any case.
    pub fn poll_reading(&mut self, now: Instant) -> bool {
        if self.may_read() {
            return true;
        }
        self.report_pause();
        self.silence_deadline().is_some_and(|at| at <= now)
    }

    /// Whether the transport is to be read, whatever the time. A driver that pauses has to look
    /// again whenever the application has done something: what it takes may end the pause, and so
    /// may what it asks for.
    #[inline]
    pub fn may_read(&self) -> bool {
        self.state.is_closed() || !(self.is_unread() || self.is_held_up())
    }

    /// Consumers do not keep up, and nothing is awaited that only reading can bring.
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

    /// Observers are notified once, however often the pause is interrupted.
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
    /// So many bytes wait for consumers no more.
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
        // Not at the limit itself: a slow consumer is there all the time.
        if self.reading.notified && self.reading.waiting <= self.reading.limit / 2 {
            self.reading.notified = false;
            self.tell_connection(&ConnectionNotice::ReadingResumed);
        }
    }

    /// More waits than may, after input was handled.
    #[cold]
    pub(super) fn handle_overflow(&mut self, now: Instant) {
        while self.reading.is_at_bound() && self.end_largest() {}
        if self.reading.is_over() {
            self.reading.until.get_or_insert(now + self.reading.timeout);
        } else {
            self.consumers.end_ranking();
        }
    }

    /// Ends as many consumers as it takes, those first for which most waits, where more than may
    /// has waited for too long.
    pub(in crate::engine) fn end_overflow(&mut self, now: Instant) {
        if self.reading.until.is_none_or(|at| at > now) {
            return;
        }
        while self.reading.is_over() && self.end_largest() {}
        self.reading.until = None;
        self.consumers.end_ranking();
    }

    /// Ends the consumer for which most waits; tells whether there was one.
    fn end_largest(&mut self) -> bool {
        let largest = self.consumers.take_largest();
        if let Some(key) = largest {
            self.overflow(key);
        }
        largest.is_some()
    }

    /// Ends a consumer that does not keep up. Its listener is notified at once, the broker is asked
    /// to send no more, and nothing more is kept. What waits is given back when the broker has
    /// agreed; without acknowledgements it would be lost, so it can still be taken, and counts no
    /// more.
    fn overflow(&mut self, key: ConsumerKey) {
        let limit = self.reading.limit;
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let waited = consumer.ready.uncount();
        let mut unseen = DeliveryTags::default();
        if !consumer.terms.no_ack {
            self.discarded.deliveries.extend(consumer.take_back(&mut unseen));
        }
        consumer.overflow = Some(Box::new(Overflow { waited, limit, unseen }));
        let (channel, tag, told) = (consumer.channel, consumer.tag.clone(), consumer.tell());
        let is_cancelled = consumer.life == ConsumerLife::Cancelling;
        self.uncount(waited);
        self.events.extend(told.map(Event::Readable));
        if !is_cancelled {
            let cancelled = self.cancel_without_waiter(channel, Ending::Known(key), tag.clone());
            // Where nothing can be sent any more, the connection is closing, and the consumer ends
            // with it.
            debug_assert!(cancelled.is_ok() || self.check_channel(channel).is_err(), "a known tag fits a frame");
        }
        self.tell_channel(channel, &ChannelNotice::ConsumerOverflowed(tag));
    }

    /// The broker sends no more to a consumer that overflowed, or its channel ended: gives back
    /// what nobody has seen. The consumer stays until its listener lets go of it.
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
