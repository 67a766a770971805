//! The life of a consumer: it starts with consume-ok, takes deliveries, and ends by either side or with its channel.

use std::collections::VecDeque;
use std::time::Instant;

use super::calls::{Effect, Ending, Expected, Starting};
use super::consumers::{Consumer, ConsumerLife, Leaving, Listener, Stream, Terms};
use super::{ChannelKey, Completion, ConsumerEnd, ConsumerKey, Delivery, Engine, Event, Failure, WaiterId};
use crate::protocol::{Method, Request, basic};
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
    /// A consumer runs that the broker has accepted, or accepts for certain. One that has a delivery already is in the
    /// table.
    pub(super) fn start_consumer(
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
        let key = self.consumers.insert(Consumer::new(channel, tag.clone(), terms, ConsumerLife::Starting))?;
        self.channels.get_mut(channel)?.consumers.insert(tag.clone(), key);
        Some(key)
    }

    /// A delivery arrived before the consume-ok of its consumer.
    pub(super) fn start_early(&mut self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        let terms = self.channels.get(channel)?.calls.starting(tag)?.terms;
        self.insert_consumer(channel, tag, terms)
    }

    /// The consumer of a channel that has this tag.
    pub(super) fn consumer_of(&self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        self.channels.get(channel)?.consumers.get(tag).copied()
    }

    /// The consumer with this tag on this channel that nobody listens to, for whoever started it by a plain call.
    pub fn claim_consumer(&mut self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        let key = self.consumer_of(channel, tag)?;
        let consumer = self.consumers.get_mut(key)?;
        let free = matches!(consumer.listener, Listener::Nobody) && consumer.life != ConsumerLife::Starting;
        consumer.claim();
        free.then_some(key)
    }

    /// The consumer's messages need no acknowledgement.
    pub fn is_no_ack(&self, key: ConsumerKey) -> bool {
        self.consumers.get(key).is_some_and(|consumer| consumer.terms.no_ack)
    }

    /// Nobody listens to the consumer any more.
    pub(super) fn is_abandoned(&self, key: ConsumerKey) -> bool {
        self.consumers.get(key).is_some_and(Consumer::is_abandoned)
    }
}

/// Delivering.
impl Engine {
    /// Takes all that waits for a consumer, by swapping it for `empty`. Where nothing did, `waiter` hears when
    /// something does.
    pub fn take_deliveries(&mut self, key: ConsumerKey, empty: &mut VecDeque<Delivery>, waiter: WaiterId) -> Taken {
        let limit = self.settings.max_message_size;
        let Some(consumer) = self.consumers.get_mut(key) else { return Taken::End(ConsumerEnd::Cancelled) };
        consumer.waiter = Some(waiter);
        consumer.claim();
        consumer.told = false;
        if let Some(size) = consumer.oversize.pop_front() {
            return Taken::Oversize(Failure::MessageTooLarge { size, limit });
        }
        if empty.is_empty() {
            std::mem::swap(&mut consumer.ready, empty);
        }
        match consumer.end() {
            Some(end) if empty.is_empty() => Taken::End(end.clone()),
            _ => Taken::Nothing,
        }
    }

    /// Hands a delivery to its consumer.
    #[inline]
    pub(super) fn deliver(&mut self, key: ConsumerKey, delivery: Delivery) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if let Listener::Gone(leaving) = &mut consumer.listener {
            leaving.unseen.insert(delivery.delivery_tag);
            consumer.terms.stream = consumer.terms.stream.max(Stream::of(&delivery.message));
            return;
        }
        consumer.ready.push_back(delivery);
        if let Some(waiter) = consumer.tell() {
            self.events.push_back(Event::Readable(waiter));
        }
    }

    /// Tells a consumer of a message over the limit.
    pub(super) fn report_oversize(&mut self, key: ConsumerKey, size: u64) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        consumer.oversize.push_back(size);
        let told = consumer.tell();
        self.events.extend(told.map(Event::Readable));
    }
}

/// Ending.
impl Engine {
    /// Asks the broker to end a consumer; `waiter` hears when it has. What waits for it can still be taken. One that was
    /// cancelled already, by either side, is cancelled.
    ///
    /// # Errors
    ///
    /// Its channel is closed, or the consumer was let go of.
    pub fn cancel_consumer(&mut self, key: ConsumerKey, waiter: WaiterId, now: Instant) -> Result<(), Failure> {
        let consumer = self.consumers.get_mut(key).ok_or(Failure::NoSuchConsumer)?;
        consumer.claim();
        match consumer.end() {
            Some(ConsumerEnd::Closed(closure)) => return Err(Failure::refused(closure)),
            Some(_) => {
                self.complete(Some(waiter), Completion::Closed);
                return Ok(());
            }
            None => {}
        }
        let (channel, tag) = (consumer.channel, consumer.tag.clone());
        let cancel = Method::from(basic::Cancel::default().consumer_tag(tag));
        self.call(channel, &cancel, basic::Cancel::REPLIES, waiter, now)
    }

    /// Nobody listens to a consumer any more. It is cancelled; once the broker agrees, what waits for it, what arrived
    /// in between and `unseen`, which were taken and not handed out, go back to the queue. `waiter` hears when they do.
    pub fn drop_consumer<'a>(
        &mut self,
        key: ConsumerKey,
        unseen: impl IntoIterator<Item = &'a Delivery>,
        waiter: Option<WaiterId>,
    ) {
        let Some(consumer) = self.consumers.get_mut(key) else { return self.complete(waiter, Completion::Closed) };
        let waiting = std::mem::take(&mut consumer.ready);
        let mut leaving = Leaving { waiters: waiter.into_iter().collect(), ..Leaving::default() };
        let mut keep = |delivery: &Delivery| {
            consumer.terms.stream = consumer.terms.stream.max(Stream::of(&delivery.message));
            leaving.unseen.insert(delivery.delivery_tag);
        };
        unseen.into_iter().for_each(&mut keep);
        waiting.iter().for_each(keep);
        consumer.waiter = None;
        consumer.listener = Listener::Gone(leaving);
        let (channel, tag, life) = (consumer.channel, consumer.tag.clone(), consumer.life.clone());
        self.discarded.deliveries.push(waiting);
        match life {
            ConsumerLife::Starting | ConsumerLife::Cancelling => {}
            // Where nothing can be sent any more, nothing arrives either.
            ConsumerLife::Running if self.cancel_without_waiter(channel, Ending::Known(key), tag).is_ok() => {}
            ConsumerLife::Running | ConsumerLife::Ended(_) => self.let_go(key),
        }
    }

    /// Cancels a consumer; nobody waits for the broker to agree.
    pub(super) fn cancel_without_waiter(
        &mut self,
        channel: ChannelKey,
        ending: Ending,
        tag: ShortString,
    ) -> Result<(), Failure> {
        self.check_channel(channel)?;
        let expected = Expected {
            id: <basic::Cancel as crate::protocol::ProtocolMethod>::ID,
            name: <basic::Cancel as crate::protocol::ProtocolMethod>::NAME,
            replies: basic::Cancel::REPLIES,
        };
        let position = self.encode_cancel(channel, &tag)?;
        self.begin_cancelling(ending);
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.calls.push(expected, None, Effect::Cancel { tag, ending }, position);
        }
        Ok(())
    }

    /// A cancel is on its way.
    pub(super) fn begin_cancelling(&mut self, ending: Ending) {
        if let Ending::Known(key) = ending
            && let Some(consumer) =
                self.consumers.get_mut(key).filter(|consumer| consumer.life == ConsumerLife::Running)
        {
            consumer.life = ConsumerLife::Cancelling;
        }
    }

    /// A consumer gets no more. It stays in the table until its listener has heard.
    pub(super) fn end_consumer(&mut self, key: ConsumerKey, end: ConsumerEnd) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let (channel_key, tag, terms) = (consumer.channel, consumer.tag.clone(), consumer.terms);
        if let (ConsumerEnd::Closed(_), false) = (&end, terms.no_ack) {
            // They cannot be acknowledged any more, and the broker delivers them again.
            self.discarded.deliveries.push(std::mem::take(&mut consumer.ready));
        }
        if consumer.end().is_none() {
            consumer.life = ConsumerLife::Ended(end);
        }
        // Nobody can get at one that nobody has claimed: what waits for it goes back.
        let forlorn = matches!(consumer.listener, Listener::Nobody);
        let told = consumer.tell();
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
        }
        self.events.extend(told.map(Event::Readable));
    }

    /// Gives back what a consumer that has ended left unseen, and forgets it.
    fn let_go(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.remove(key) else { return };
        let Listener::Gone(Leaving { unseen, waiters }) = consumer.listener else { return };
        self.give_back(consumer.channel, unseen, consumer.terms);
        for waiter in waiters {
            self.complete(Some(waiter), Completion::Closed);
        }
    }
}
