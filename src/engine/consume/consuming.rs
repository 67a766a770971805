//! The life of a consumer: it starts with `consume-ok`, takes deliveries, and ends by a cancel of
//! either side or with its channel.

use std::collections::VecDeque;
use std::time::Instant;

use super::consumers::{Consumer, ConsumerLife, Leaving, Listener, Stream, Terms};
use super::tags::DeliveryTags;
use crate::engine::changes::Change;
use crate::engine::channel::{Effect, Ending, Expected, Starting};
use crate::engine::connection::Awaited;
use crate::engine::inbound::Oversize;
use crate::engine::{ChannelKey, Completion, ConsumerEnd, ConsumerKey, Delivery, Engine, Event, Failure, WaiterId};
use crate::protocol::{Method, ProtocolMethod, Request, basic};
use crate::wire::ShortString;

/// What a listener takes besides deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Nothing.
    Nothing,
    /// A message was larger than its limit, and was rejected without requeue.
    Oversize(Failure),
    /// The consumer has ended; nothing more arrives.
    End(ConsumerEnd),
}

/// Starting.
impl Engine {
    /// Makes a consumer running that the broker has accepted, or accepts for certain. A consumer
    /// that already has a delivery is in the table.
    pub(in crate::engine) fn start_consumer(
        &mut self,
        channel: ChannelKey,
        tag: &ShortString,
        starting: &Starting,
    ) -> Option<ConsumerKey> {
        let generation = self.channel_generation(channel);
        let early = self
            .consumer_of(channel, tag)
            .filter(|key| self.consumers.get(*key).is_some_and(|consumer| consumer.life == ConsumerLife::Starting));
        let key = match early {
            Some(key) => key,
            None => self.insert_consumer(channel, tag, starting.terms)?,
        };
        let consumer = self.consumers.get_mut(key)?;
        consumer.life = ConsumerLife::Running;
        if starting.claimed {
            consumer.claim();
        }
        consumer.generation = generation;
        if !starting.again {
            consumer.restart.clone_from(&starting.restart);
            self.record_consumer(key);
            self.count_started();
        }
        Some(key)
    }

    fn insert_consumer(&mut self, channel: ChannelKey, tag: &ShortString, terms: Terms) -> Option<ConsumerKey> {
        let of_channel = &mut self.channels.get_mut(channel)?.consumers;
        let key = self.consumers.insert(Consumer::new(channel, tag.clone(), terms, ConsumerLife::Starting));
        of_channel.insert(tag.clone(), key);
        Some(key)
    }

    /// Adds a consumer whose first delivery arrived before its `consume-ok`.
    pub(in crate::engine) fn start_early(&mut self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        let terms = self.channels.get(channel)?.calls.starting(tag)?.terms;
        self.insert_consumer(channel, tag, terms)
    }

    /// The consumer of a channel with this tag.
    pub(in crate::engine) fn consumer_of(&self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        self.channels.get(channel)?.consumers.get(tag).copied()
    }

    /// Claims the consumer with this tag on this channel, for the application that started it by a
    /// plain call. Returns `None` if there is no such consumer, or if it was claimed before. A
    /// claimed consumer has one listener, and no other can claim it.
    pub fn claim_consumer(&mut self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        let key = self.consumer_of(channel, tag)?;
        let consumer = self.consumers.get_mut(key)?;
        let free = matches!(consumer.listener, Listener::Unclaimed) && consumer.life != ConsumerLife::Starting;
        if free {
            consumer.claim();
        }
        free.then_some(key)
    }

    /// Returns `true` if the consumer's deliveries need no acknowledgement.
    pub fn is_no_ack(&self, key: ConsumerKey) -> bool {
        self.consumers.get(key).is_some_and(|consumer| consumer.terms.no_ack)
    }

    /// Whether the consumer's listener was dropped.
    pub(in crate::engine) fn is_abandoned(&self, key: ConsumerKey) -> bool {
        self.consumers.get(key).is_some_and(Consumer::is_abandoned)
    }
}

/// Delivering.
impl Engine {
    /// Takes waiting deliveries of a consumer by swapping them for `empty`: all of them, or about
    /// 64 KiB of the oldest if there are more. What was taken no longer counts against
    /// `read_limit`. Messages that were larger than their limit are reported first, one at a time.
    /// `waiter` becomes the consumer's waiter: after a take, the next delivery is reported to it by
    /// [`Event::Readable`].
    pub fn take_deliveries(&mut self, key: ConsumerKey, empty: &mut VecDeque<Delivery>, waiter: WaiterId) -> Taken {
        let Some(consumer) = self.consumers.get_mut(key) else { return Taken::End(ConsumerEnd::Cancelled) };
        consumer.waiter = Some(waiter);
        consumer.claim();
        consumer.notified = false;
        if let Some((oversize, size)) = consumer.ready.take_report() {
            self.uncount(size);
            return Taken::Oversize(self.too_large(oversize));
        }
        let size = if empty.is_empty() { consumer.ready.take(empty) } else { 0 };
        let end = if empty.is_empty() { consumer.end() } else { None };
        self.uncount(size);
        end.map_or(Taken::Nothing, Taken::End)
    }

    /// Adds a delivery to what waits for its consumer.
    #[inline]
    pub(in crate::engine) fn deliver(&mut self, key: ConsumerKey, delivery: Delivery) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if consumer.turns_away(delivery.delivery_tag) {
            consumer.terms.stream = consumer.terms.stream.max(Stream::of(&delivery.message));
            return self.give_back_excess(key);
        }
        if consumer.is_closed() {
            // Its channel ended while the message was arriving.
            self.discarded.deliveries.push(VecDeque::from([delivery]));
            return;
        }
        self.reading.count(consumer.ready.push(delivery));
        if let Some(waiter) = consumer.notify() {
            self.events.push_back(Event::Readable(waiter));
        }
        self.consumers.note_growth(key);
    }

    /// Returns unseen deliveries before the broker has answered the cancel, if there are many. A
    /// broker that keeps sending and does not answer must not fill the memory.
    #[cold]
    pub(in crate::engine) fn give_back_excess(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Some(excess) = consumer.take_excess() else { return };
        let (channel, terms) = (consumer.channel, consumer.terms);
        self.give_back(channel, excess, terms);
    }

    /// Reports a message that was larger than its limit to its consumer.
    pub(in crate::engine) fn report_oversize(&mut self, key: ConsumerKey, oversize: Oversize) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if consumer.is_closed() {
            return;
        }
        self.reading.count(consumer.ready.report(oversize));
        let notified = consumer.notify();
        self.events.extend(notified.map(Event::Readable));
        self.consumers.note_growth(key);
    }
}

/// Ending.
impl Engine {
    /// Cancels a consumer. `waiter` completes with [`Completion::Reply`] when the broker has
    /// answered, or with [`Completion::Closed`] if the consumer was already cancelled, by either
    /// side. Waiting deliveries can still be taken.
    ///
    /// # Errors
    ///
    /// Returns an error if the consumer's channel is closed, if the consumer was dropped
    /// ([`Engine::drop_consumer`]), or for the reasons of [`Engine::call`].
    pub fn cancel_consumer(&mut self, key: ConsumerKey, waiter: WaiterId, now: Instant) -> Result<(), Failure> {
        let consumer = self.consumers.get_mut(key).ok_or(Failure::NoSuchConsumer)?;
        consumer.claim();
        match &consumer.life {
            ConsumerLife::Ended(ConsumerEnd::Closed(closure)) => return Err(Failure::refused(closure)),
            ConsumerLife::Ended(_) => {
                self.complete(Some(waiter), Completion::Closed);
                return Ok(());
            }
            // A consumer that overflowed has ended only for its listener. The broker has not
            // agreed.
            ConsumerLife::Starting | ConsumerLife::Running | ConsumerLife::Cancelling => {}
        }
        let (channel, tag) = (consumer.channel, consumer.tag.clone());
        if self.is_suspended(channel) {
            self.end_consumer(key, ConsumerEnd::Cancelled);
            self.complete(Some(waiter), Completion::Closed);
            return Ok(());
        }
        let cancel = Method::from(basic::Cancel::default().consumer_tag(tag));
        self.call(channel, &cancel, basic::Cancel::REPLIES, waiter, now)
    }

    /// Drops the listener of a consumer. The consumer is cancelled. When the broker has answered,
    /// its waiting deliveries, those that still arrived, and `unseen`, which were taken and not
    /// handed out, return to the queue. The waiter, given with the present time, completes with
    /// [`Completion::Closed`] after that, or with [`Completion::Failed`] when `call_timeout` has
    /// passed.
    pub fn drop_consumer<'a>(
        &mut self,
        key: ConsumerKey,
        unseen: impl IntoIterator<Item = &'a Delivery>,
        waiter: Option<(WaiterId, Instant)>,
    ) {
        let Some(consumer) = self.consumers.get_mut(key) else {
            return self.complete(waiter.map(|(waiter, _)| waiter), Completion::Closed);
        };
        let size = consumer.ready.uncount();
        let mut tags = consumer.overflow.take().map_or_else(DeliveryTags::default, |overflow| overflow.unseen);
        unseen.into_iter().for_each(|delivery| consumer.leave_unseen(delivery, &mut tags));
        self.discarded.deliveries.extend(consumer.take_back(&mut tags));
        consumer.ready.drop_reports();
        consumer.waiter = None;
        let timeout = self.settings.call_timeout;
        let waiters = waiter.into_iter().map(|(waiter, now)| {
            let add = |timeout| {
                self.deadlines.add(now + timeout, waiter, Awaited::Answer(<basic::Cancel as ProtocolMethod>::NAME))
            };
            (waiter, timeout.map(add))
        });
        consumer.listener = Listener::Dropped(Leaving { unseen: tags, waiters: waiters.collect() });
        let (channel, tag, life) = (consumer.channel, consumer.tag.clone(), consumer.life.clone());
        self.uncount(size);
        match life {
            ConsumerLife::Starting | ConsumerLife::Cancelling => {}
            ConsumerLife::Running if self.is_suspended(channel) => self.end_consumer(key, ConsumerEnd::Cancelled),
            ConsumerLife::Running if self.cancel_without_waiter(channel, Ending::Known(key), tag).is_ok() => {}
            // If nothing can be sent, nothing arrives either. It ends here, so that it does not
            // come back on a channel that is being opened again.
            ConsumerLife::Running => self.end_consumer(key, ConsumerEnd::Cancelled),
            ConsumerLife::Ended(_) => self.let_go(key),
        }
    }

    /// Cancels a consumer without a waiter for the answer.
    pub(in crate::engine) fn cancel_without_waiter(
        &mut self,
        channel: ChannelKey,
        ending: Ending,
        tag: ShortString,
    ) -> Result<(), Failure> {
        self.check_channel(channel)?;
        let expected = Expected {
            id: <basic::Cancel as ProtocolMethod>::ID,
            name: <basic::Cancel as ProtocolMethod>::NAME,
            replies: basic::Cancel::REPLIES,
        };
        let position = self.encode_cancel(channel, &tag)?;
        self.begin_cancelling(ending);
        self.push_call(channel, expected, None, Effect::Cancel { tag, ending }, position, None);
        Ok(())
    }

    /// Records that a cancel was sent.
    pub(in crate::engine) fn begin_cancelling(&mut self, ending: Ending) {
        if let Ending::Known(key) = ending
            && let Some(consumer) =
                self.consumers.get_mut(key).filter(|consumer| consumer.life == ConsumerLife::Running)
        {
            consumer.life = ConsumerLife::Cancelling;
        }
    }

    /// Ends a consumer. It stays in the table until its listener has taken the end.
    pub(in crate::engine) fn end_consumer(&mut self, key: ConsumerKey, end: ConsumerEnd) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let (channel_key, tag, terms) = (consumer.channel, consumer.tag.clone(), consumer.terms);
        // Nothing is added to what waits, so it cannot grow. The application may leave it there for
        // as long as it likes, and must not hold up reading with it.
        let size = consumer.ready.uncount();
        if let (ConsumerEnd::Closed(_), false) = (&end, terms.no_ack) {
            // These deliveries cannot be acknowledged any more, and the broker delivers them again.
            self.discarded.deliveries.extend(consumer.ready.take_all());
        }
        if !matches!(consumer.life, ConsumerLife::Ended(_)) {
            consumer.life = ConsumerLife::Ended(end);
            if consumer.restart.take().is_some() {
                self.push_change(Change::ConsumerEnded(key));
            }
        }
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        // A consumer that was not claimed can no longer be, because its tag is gone. What waits for
        // it returns to the queue.
        let is_unclaimed = matches!(consumer.listener, Listener::Unclaimed);
        let notified = consumer.notify();
        self.uncount(size);
        if let Some(channel) = self.channels.get_mut(channel_key) {
            // A later consumer may have the same tag by now.
            if channel.consumers.get(&tag) == Some(&key) {
                channel.consumers.remove(&tag);
            }
            channel.recent = channel.recent.filter(|recent| *recent != key);
            channel.departed.push(tag, terms);
        }
        if is_unclaimed {
            self.drop_consumer(key, [], None);
        } else if self.is_abandoned(key) {
            self.let_go(key);
        } else {
            self.give_back_overflow(key);
        }
        self.events.extend(notified.map(Event::Readable));
    }

    /// Removes a consumer that has ended and has no listener, and returns its unseen deliveries.
    fn let_go(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.remove(key) else { return };
        // The channel may still exist while it ends, but takes no requests.
        let is_closed = consumer.is_closed();
        let Listener::Dropped(Leaving { unseen, waiters }) = consumer.listener else { return };
        if !is_closed {
            self.give_back(consumer.channel, unseen, consumer.terms);
        }
        for (waiter, deadline) in waiters {
            // A waiter that timed out has already been completed.
            let waiter = self.deadlines.end(deadline).then_some(waiter);
            self.complete(waiter, Completion::Closed);
        }
    }
}
