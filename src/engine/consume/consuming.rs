//! The life of a consumer: it starts with consume-ok, takes deliveries, and ends by either side or
//! with its channel.

use std::collections::VecDeque;
use std::time::Instant;

use super::consumers::{Consumer, ConsumerLife, Leaving, Listener, Stream, Terms};
use super::tags::DeliveryTags;
use crate::engine::channel::{Effect, Ending, Expected, Starting};
use crate::engine::connection::Awaited;
use crate::engine::inbound::Oversize;
use crate::engine::{ChannelKey, Completion, ConsumerEnd, ConsumerKey, Delivery, Engine, Event, Failure, WaiterId};
use crate::protocol::{Method, ProtocolMethod, Request, basic};
use crate::wire::ShortString;

/// What there is for a consumer besides deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Nothing.
    Nothing,
    /// A message was over the limit, and was rejected without requeue.
    Oversize(Failure),
    /// Nothing more will come.
    End(ConsumerEnd),
}

/// Starting.
impl Engine {
    /// A consumer runs that the broker has accepted, or accepts for certain. One that has a
    /// delivery already is in the table.
    pub(in crate::engine) fn start_consumer(
        &mut self,
        channel: ChannelKey,
        tag: &ShortString,
        starting: &Starting,
    ) -> Option<ConsumerKey> {
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
        Some(key)
    }

    fn insert_consumer(&mut self, channel: ChannelKey, tag: &ShortString, terms: Terms) -> Option<ConsumerKey> {
        let of_channel = &mut self.channels.get_mut(channel)?.consumers;
        let key = self.consumers.insert(Consumer::new(channel, tag.clone(), terms, ConsumerLife::Starting));
        of_channel.insert(tag.clone(), key);
        Some(key)
    }

    /// A delivery arrived before the consume-ok of its consumer.
    pub(in crate::engine) fn start_early(&mut self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        let terms = self.channels.get(channel)?.calls.starting(tag)?.terms;
        self.insert_consumer(channel, tag, terms)
    }

    /// The consumer of a channel that has this tag.
    pub(in crate::engine) fn consumer_of(&self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        self.channels.get(channel)?.consumers.get(tag).copied()
    }

    /// The consumer with this tag on this channel that nobody listens to, for whoever started it by
    /// a plain call.
    pub fn claim_consumer(&mut self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        let key = self.consumer_of(channel, tag)?;
        let consumer = self.consumers.get_mut(key)?;
        let free = matches!(consumer.listener, Listener::Nobody) && consumer.life != ConsumerLife::Starting;
        if free {
            consumer.claim();
        }
        free.then_some(key)
    }

    /// The consumer's messages need no acknowledgement.
    pub fn is_no_ack(&self, key: ConsumerKey) -> bool {
        self.consumers.get(key).is_some_and(|consumer| consumer.terms.no_ack)
    }

    /// Nobody listens to the consumer any more.
    pub(in crate::engine) fn is_abandoned(&self, key: ConsumerKey) -> bool {
        self.consumers.get(key).is_some_and(Consumer::is_abandoned)
    }
}

/// Delivering.
impl Engine {
    /// Takes what waits for a consumer, some 64 KiB of the oldest where there is more, by swapping
    /// it for `empty`. Where nothing waits, `waiter` hears when something does. What was taken does
    /// not count against the limit for reading any more. Messages that were over their own limit
    /// are reported first, one at a time.
    pub fn take_deliveries(&mut self, key: ConsumerKey, empty: &mut VecDeque<Delivery>, waiter: WaiterId) -> Taken {
        let Some(consumer) = self.consumers.get_mut(key) else { return Taken::End(ConsumerEnd::Cancelled) };
        consumer.waiter = Some(waiter);
        consumer.claim();
        consumer.told = false;
        if let Some((oversize, size)) = consumer.ready.take_report() {
            self.uncount(size);
            return Taken::Oversize(self.too_large(oversize));
        }
        let size = if empty.is_empty() { consumer.ready.take(empty) } else { 0 };
        let end = if empty.is_empty() { consumer.end() } else { None };
        self.uncount(size);
        end.map_or(Taken::Nothing, Taken::End)
    }

    /// Hands a delivery to its consumer.
    #[inline]
    pub(in crate::engine) fn deliver(&mut self, key: ConsumerKey, delivery: Delivery) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if consumer.turns_away(delivery.delivery_tag) {
            consumer.terms.stream = consumer.terms.stream.max(Stream::of(&delivery.message));
            return self.give_back_excess(key);
        }
        if consumer.is_closed() {
            // Its channel ended in the middle of it.
            self.discarded.deliveries.push(VecDeque::from([delivery]));
            return;
        }
        self.reading.count(consumer.ready.push(delivery));
        if let Some(waiter) = consumer.tell() {
            self.events.push_back(Event::Readable(waiter));
        }
        self.consumers.note_growth(key);
    }

    /// The broker goes on sending to a consumer that has ended, and does not answer its cancel:
    /// what has come goes back before the answer, so that the memory of it is bounded.
    #[cold]
    pub(in crate::engine) fn give_back_excess(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Some(excess) = consumer.take_excess() else { return };
        let (channel, terms) = (consumer.channel, consumer.terms);
        self.give_back(channel, excess, terms);
    }

    /// Tells a consumer of a message over the limit.
    pub(in crate::engine) fn report_oversize(&mut self, key: ConsumerKey, oversize: Oversize) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if consumer.is_closed() {
            return;
        }
        self.reading.count(consumer.ready.report(oversize));
        let told = consumer.tell();
        self.events.extend(told.map(Event::Readable));
        self.consumers.note_growth(key);
    }
}

/// Ending.
impl Engine {
    /// Asks the broker to end a consumer; `waiter` hears when it has. What waits for it can still
    /// be taken. One that was cancelled already, by either side, is cancelled.
    ///
    /// # Errors
    ///
    /// Its channel is closed, or the consumer was let go of.
    pub fn cancel_consumer(&mut self, key: ConsumerKey, waiter: WaiterId, now: Instant) -> Result<(), Failure> {
        let consumer = self.consumers.get_mut(key).ok_or(Failure::NoSuchConsumer)?;
        consumer.claim();
        match &consumer.life {
            ConsumerLife::Ended(ConsumerEnd::Closed(closure)) => return Err(Failure::refused(closure)),
            ConsumerLife::Ended(_) => {
                self.complete(Some(waiter), Completion::Closed);
                return Ok(());
            }
            // One that overflowed has ended for its listener alone: the broker has not agreed.
            ConsumerLife::Starting | ConsumerLife::Running | ConsumerLife::Cancelling => {}
        }
        let (channel, tag) = (consumer.channel, consumer.tag.clone());
        let cancel = Method::from(basic::Cancel::default().consumer_tag(tag));
        self.call(channel, &cancel, basic::Cancel::REPLIES, waiter, now)
    }

    /// Nobody listens to a consumer any more. It is cancelled; once the broker agrees, what waits
    /// for it, what arrived in between and `unseen`, which were taken and not handed out, go back
    /// to the queue. Whoever waits since this time hears when they do, or that the call's timeout
    /// is over.
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
        consumer.listener = Listener::Gone(Leaving { unseen: tags, waiters: waiters.collect() });
        let (channel, tag, life) = (consumer.channel, consumer.tag.clone(), consumer.life.clone());
        self.uncount(size);
        match life {
            ConsumerLife::Starting | ConsumerLife::Cancelling => {}
            // Where nothing can be sent any more, nothing arrives either.
            ConsumerLife::Running if self.cancel_without_waiter(channel, Ending::Known(key), tag).is_ok() => {}
            ConsumerLife::Running | ConsumerLife::Ended(_) => self.let_go(key),
        }
    }

    /// Cancels a consumer; nobody waits for the broker to agree.
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

    /// A cancel is on its way.
    pub(in crate::engine) fn begin_cancelling(&mut self, ending: Ending) {
        if let Ending::Known(key) = ending
            && let Some(consumer) =
                self.consumers.get_mut(key).filter(|consumer| consumer.life == ConsumerLife::Running)
        {
            consumer.life = ConsumerLife::Cancelling;
        }
    }

    /// A consumer gets no more. It stays in the table until its listener has heard.
    pub(in crate::engine) fn end_consumer(&mut self, key: ConsumerKey, end: ConsumerEnd) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let (channel_key, tag, terms) = (consumer.channel, consumer.tag.clone(), consumer.terms);
        // Nothing is added to what waits: it cannot grow, and whoever has the consumer may leave it
        // there for as long as it likes.
        let size = consumer.ready.uncount();
        if let (ConsumerEnd::Closed(_), false) = (&end, terms.no_ack) {
            // They cannot be acknowledged any more, and the broker delivers them again.
            self.discarded.deliveries.extend(consumer.ready.take_all());
        }
        if !matches!(consumer.life, ConsumerLife::Ended(_)) {
            consumer.life = ConsumerLife::Ended(end);
        }
        // Nobody can get at one that nobody has claimed: what waits for it goes back.
        let forlorn = matches!(consumer.listener, Listener::Nobody);
        let told = consumer.tell();
        self.uncount(size);
        if let Some(channel) = self.channels.get_mut(channel_key) {
            // A successor may have the same tag by now.
            if channel.consumers.get(&tag) == Some(&key) {
                channel.consumers.remove(&tag);
            }
            channel.recent = channel.recent.filter(|recent| *recent != key);
            channel.departed.push(tag, terms);
        }
        if forlorn {
            self.drop_consumer(key, [], None);
        } else if self.is_abandoned(key) {
            self.let_go(key);
        } else {
            self.give_back_overflow(key);
        }
        self.events.extend(told.map(Event::Readable));
    }

    /// Gives back what a consumer that has ended left unseen, and forgets it.
    fn let_go(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.remove(key) else { return };
        // The channel may be there still while it ends, and takes nothing any more.
        let is_closed = consumer.is_closed();
        let Listener::Gone(Leaving { unseen, waiters }) = consumer.listener else { return };
        if !is_closed {
            self.give_back(consumer.channel, unseen, consumer.terms);
        }
        for (waiter, deadline) in waiters {
            // One whose time was over has heard that.
            let waiter = self.deadlines.end(deadline).then_some(waiter);
            self.complete(waiter, Completion::Closed);
        }
    }
}
