//! The life of a consumer: it starts with consume-ok, takes deliveries, and ends by either side or with its channel.

use std::collections::VecDeque;

use super::channel::{ChannelLife, Effect, Ending, Expected};
use super::consumers::Consumer;
use super::{ChannelKey, ConsumerEnd, ConsumerKey, Delivery, Engine, Event, Failure, Settle, WaiterId};
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

impl Engine {
    /// Puts a consumer that the broker accepted into the tables.
    pub(super) fn start_consumer(
        &mut self,
        channel: ChannelKey,
        tag: ShortString,
        no_ack: bool,
    ) -> Option<ConsumerKey> {
        let consumer = Consumer {
            channel,
            tag: tag.clone(),
            no_ack,
            ready: VecDeque::new(),
            oversize: VecDeque::new(),
            waiter: None,
            told: false,
            claimed: false,
            abandoned: false,
            end: None,
        };
        let key = self.consumers.insert(consumer)?;
        self.channels.get_mut(channel)?.consumers.insert(tag, key);
        Some(key)
    }

    /// The consumer with this tag on this channel that nobody listens to, for whoever started it by a plain call.
    pub fn claim_consumer(&mut self, channel: ChannelKey, tag: &ShortString) -> Option<ConsumerKey> {
        let key = self.channels.get(channel)?.consumers.get(tag).copied()?;
        let consumer = self.consumers.get_mut(key).filter(|consumer| !consumer.claimed)?;
        consumer.claimed = true;
        Some(key)
    }

    /// The consumer's messages need no acknowledgement.
    pub fn is_no_ack(&self, key: ConsumerKey) -> bool {
        self.consumers.get(key).is_some_and(|consumer| consumer.no_ack)
    }

    /// Nobody listens to the consumer any more.
    pub(super) fn is_abandoned(&self, key: ConsumerKey) -> bool {
        self.consumers.get(key).is_some_and(|consumer| consumer.abandoned)
    }

    /// Takes all that waits for a consumer, by swapping it for `empty`. Where nothing did, `waiter` hears when
    /// something does.
    pub fn take_deliveries(&mut self, key: ConsumerKey, empty: &mut VecDeque<Delivery>, waiter: WaiterId) -> Taken {
        let limit = self.settings.max_message_size;
        let Some(consumer) = self.consumers.get_mut(key) else { return Taken::End(ConsumerEnd::Cancelled) };
        consumer.waiter = Some(waiter);
        consumer.claimed = true;
        consumer.told = false;
        if let Some(size) = consumer.oversize.pop_front() {
            return Taken::Oversize(Failure::MessageTooLarge { size, limit });
        }
        if empty.is_empty() {
            std::mem::swap(&mut consumer.ready, empty);
        }
        match &consumer.end {
            Some(end) if empty.is_empty() => Taken::End(end.clone()),
            _ => Taken::Nothing,
        }
    }

    /// Tells a consumer of a message over the limit.
    pub(super) fn report_oversize(&mut self, key: ConsumerKey, size: u64) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        consumer.oversize.push_back(size);
        let told = consumer.tell();
        self.events.extend(told.map(Event::Readable));
    }

    /// Asks the broker to end a consumer; `waiter` hears when it has. What waits for it can still be taken.
    ///
    /// # Errors
    ///
    /// The consumer has ended, or its channel is closed.
    pub fn cancel_consumer(
        &mut self,
        key: ConsumerKey,
        waiter: WaiterId,
        now: std::time::Instant,
    ) -> Result<(), Failure> {
        let known = self.consumers.get_mut(key).filter(|consumer| consumer.end.is_none());
        let consumer = known.ok_or(Failure::NoSuchConsumer)?;
        consumer.claimed = true;
        let (channel, tag) = (consumer.channel, consumer.tag.clone());
        let cancel = Method::from(basic::Cancel::default().consumer_tag(tag));
        self.call(channel, &cancel, basic::Cancel::REPLIES, waiter, now)
    }

    /// Nobody listens to a consumer any more: it is cancelled, and what waits for it or still comes goes back to its
    /// queue.
    pub fn drop_consumer(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        consumer.abandoned = true;
        consumer.waiter = None;
        let (channel, no_ack, ended) = (consumer.channel, consumer.no_ack, consumer.end.is_some());
        let tag = consumer.tag.clone();
        let waiting = std::mem::take(&mut consumer.ready);
        let open = self.channels.get(channel).is_some_and(|channel| channel.state == ChannelLife::Open);
        if open && !no_ack {
            for delivery in waiting {
                self.requeue(channel, delivery.delivery_tag);
            }
        }
        // Where nothing can be sent any more, nothing comes either.
        if ended || !open || self.cancel_without_waiter(channel, Ending::Known(key), tag).is_err() {
            self.consumers.remove(key);
        }
    }

    /// Cancels a consumer; nobody waits for the broker to agree.
    pub(super) fn cancel_without_waiter(
        &mut self,
        channel: ChannelKey,
        ending: Ending,
        tag: ShortString,
    ) -> Result<(), Failure> {
        let cancel = Method::from(basic::Cancel::default().consumer_tag(tag));
        let position = self.position();
        self.check_channel(channel)?;
        self.encoder.any_method(&mut self.outbound, channel.number, &cancel)?;
        if let Some(channel) = self.channels.get_mut(channel) {
            let expected = Expected::of(&cancel, basic::Cancel::REPLIES);
            channel.expect(expected, None, Effect::Cancel(ending), position);
        }
        Ok(())
    }

    /// Gives a delivery back to its queue. Where the channel is closed, the broker does so by itself.
    pub(super) fn requeue(&mut self, channel: ChannelKey, delivery_tag: u64) {
        let settled = self.settle(channel, delivery_tag, Settle::Nack { multiple: false, requeue: true });
        debug_assert!(settled.is_ok() || self.check_channel(channel).is_err(), "a nack always fits a frame");
    }

    /// A consumer gets no more. It stays in the table until its listener has heard.
    pub(super) fn end_consumer(&mut self, key: ConsumerKey, end: ConsumerEnd) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let (channel_key, tag) = (consumer.channel, consumer.tag.clone());
        let abandoned = consumer.abandoned;
        if let (ConsumerEnd::Closed(_), false) = (&end, consumer.no_ack) {
            // They cannot be acknowledged any more, and the broker delivers them again.
            self.discarded.deliveries.push(std::mem::take(&mut consumer.ready));
        }
        // Nobody can get at an unclaimed consumer that is cancelled: what waits for it goes back.
        let forlorn = end == ConsumerEnd::Cancelled && !consumer.claimed;
        let waiting = if forlorn { std::mem::take(&mut consumer.ready) } else { VecDeque::new() };
        let no_ack = consumer.no_ack;
        consumer.end.get_or_insert(end);
        let told = consumer.tell();
        if let Some(channel) = self.channels.get_mut(channel_key) {
            // A successor may have the same tag by now.
            if channel.consumers.get(&tag) == Some(&key) {
                channel.consumers.remove(&tag);
            }
            channel.recent = channel.recent.filter(|recent| *recent != key);
        }
        if abandoned || forlorn {
            self.consumers.remove(key);
        }
        for delivery in waiting.iter().filter(|_| !no_ack) {
            self.requeue(channel_key, delivery.delivery_tag);
        }
        self.events.extend(told.map(Event::Readable));
    }

    /// Hands a delivery to its consumer.
    #[inline]
    pub(super) fn deliver(&mut self, key: ConsumerKey, delivery: Delivery) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if consumer.abandoned {
            let (channel, no_ack) = (consumer.channel, consumer.no_ack);
            if !no_ack {
                self.requeue(channel, delivery.delivery_tag);
            }
            return;
        }
        consumer.ready.push_back(delivery);
        if let Some(waiter) = consumer.tell() {
            self.events.push_back(Event::Readable(waiter));
        }
    }
}
