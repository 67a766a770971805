//! Consuming, getting and settling: the methods of the basic class except publish.

use std::time::Instant;

use super::direct_reply_to::DIRECT_REPLY_TO;
use super::queue::count;
use crate::broker::keys::{ChannelKey, ConsumerKey};
use crate::broker::model::Access;
use crate::broker::session::{Mode, Notice, Outcome, Settlement, Unacked, visible};
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::protocol::{ReplyCode, basic};
use crate::wire::ShortString;

impl State {
    pub(super) fn basic_qos(&mut self, key: ChannelKey, qos: &basic::Qos) -> Result<(), Refusal> {
        if qos.prefetch_size != 0 {
            let text = format!("prefetch_size!=0 ({})", qos.prefetch_size);
            return Err(Refusal::connection(ReplyCode::NOT_IMPLEMENTED, text));
        }
        if let Some(channel) = self.channel_mut(key) {
            if qos.global {
                channel.limit(qos.prefetch_count);
            } else {
                channel.prefetch = qos.prefetch_count;
                // Setting one limit removes the other.
                channel.global_prefetch = 0;
            }
        }
        self.send(key, &basic::QosOk::default());
        self.mark_consumed(key);
        Ok(())
    }

    pub(super) fn basic_consume(
        &mut self,
        key: ChannelKey,
        consume: &basic::Consume,
        now: Instant,
    ) -> Result<(), Refusal> {
        let tag = consume.consumer_tag.clone();
        let wants_replies = consume.queue == *DIRECT_REPLY_TO;
        let in_use = self.channel(key).is_some_and(|channel| {
            let replies = channel.replies.as_ref().filter(|_| !wants_replies);
            channel.consumers.contains_key(&tag) || replies.is_some_and(|replies| replies.tag == tag)
        });
        if in_use {
            let text = format!("attempt to reuse consumer tag '{tag}'");
            return Err(Refusal::connection(ReplyCode::NOT_ALLOWED, text));
        }
        let tag = if tag.is_empty() { ShortString::from(self.random.name("amq.ctag-")) } else { tag };
        if wants_replies {
            return self.consume_replies(key, tag, consume);
        }
        let name = self.meant_queue(key, &consume.queue)?;
        self.allow_queue(key, Access::Read, &name)?;
        let queue = self.reach_queue(key, &name)?;
        if let Some(hosted) = self.queues.get_mut(&queue) {
            hosted.queue.add_consumer(ConsumerKey { channel: key, tag: tag.clone() }, consume)?;
        }
        if let Some(channel) = self.channel_mut(key) {
            channel.subscribe(tag.clone(), queue, consume.no_ack);
        }
        if !consume.no_wait {
            self.notify(key, Notice::Consuming(basic::ConsumeOk::default().consumer_tag(tag), false), now);
        }
        self.mark(queue);
        Ok(())
    }

    pub(super) fn basic_cancel(&mut self, key: ChannelKey, cancel: basic::Cancel, now: Instant) -> Result<(), Refusal> {
        self.cancel_replies(key, &cancel.consumer_tag);
        let late = self.take_late_delivery(key, &cancel.consumer_tag, now);
        let consumer = self.channel_mut(key).and_then(|channel| channel.consumers.remove(&cancel.consumer_tag));
        let ok = basic::CancelOk::default().consumer_tag(&cancel.consumer_tag);
        let Some(consumer) = consumer else {
            // No queue is involved, so the answer is immediate.
            self.reply(key, cancel.no_wait, &ok);
            return Ok(());
        };
        if let Some(connection) = self.connections.get_mut(&key.connection) {
            connection.turn.cancel(key.number, &cancel.consumer_tag);
        }
        if !cancel.no_wait {
            self.notify(key, Notice::Cancelled(ok), now);
        }
        if let Some(late) = late {
            self.notify(key, Notice::Delivery(late), now);
        }
        self.leave_queue(consumer.queue, &ConsumerKey { channel: key, tag: cancel.consumer_tag }, now);
        Ok(())
    }

    pub(super) fn basic_get(&mut self, key: ChannelKey, get: &basic::Get, now: Instant) -> Result<(), Refusal> {
        let name = self.meant_queue(key, &get.queue)?;
        self.allow_queue(key, Access::Read, &name)?;
        let queue = self.reach_queue(key, &name)?;
        let Some(hosted) = self.queues.get_mut(&queue) else { return Err(Refusal::internal()) };
        hosted.queue.touch(now);
        let (entry, dropped) = hosted.queue.pop(now);
        let left = hosted.queue.ready_count();
        if entry.is_some() && get.no_ack {
            hosted.queue.settle();
        }
        self.drop_messages(queue, dropped, now);
        self.mark(queue);
        let Some(entry) = entry else {
            self.send(key, &basic::GetEmpty::default());
            return Ok(());
        };
        let Some(channel) = self.channel_mut(key) else { return Ok(()) };
        let message = entry.message.clone();
        let tag = channel.next_delivery();
        let ok = basic::GetOk::default()
            .delivery_tag(tag)
            .redelivered(entry.redelivered)
            .exchange(&message.exchange)
            .routing_key(&message.routing_key)
            .message_count(count(left));
        if !get.no_ack {
            channel.unacked.insert(tag, Unacked { queue, entry, consumer: None, delivered: now });
        }
        self.send_content(key, &ok, &visible(&message));
        Ok(())
    }

    pub(super) fn basic_ack(&mut self, key: ChannelKey, ack: &basic::Ack, now: Instant) -> Result<(), Refusal> {
        self.settle_tags(key, ack.delivery_tag, ack.multiple, Outcome::Acknowledged, now)
    }

    pub(super) fn basic_nack(&mut self, key: ChannelKey, nack: &basic::Nack, now: Instant) -> Result<(), Refusal> {
        let outcome = if nack.requeue { Outcome::Requeued } else { Outcome::Rejected };
        self.settle_tags(key, nack.delivery_tag, nack.multiple, outcome, now)
    }

    pub(super) fn basic_reject(
        &mut self,
        key: ChannelKey,
        reject: &basic::Reject,
        now: Instant,
    ) -> Result<(), Refusal> {
        let outcome = if reject.requeue { Outcome::Requeued } else { Outcome::Rejected };
        self.settle_tags(key, reject.delivery_tag, false, outcome, now)
    }

    fn settle_tags(
        &mut self,
        key: ChannelKey,
        tag: u64,
        multiple: bool,
        outcome: Outcome,
        now: Instant,
    ) -> Result<(), Refusal> {
        let Some(channel) = self.channel_mut(key) else { return Ok(()) };
        let deliveries = channel.take(tag, multiple);
        let deliveries = deliveries.ok_or_else(|| Refusal::precondition(format!("unknown delivery tag {tag}")))?;
        let settlement = Settlement { deliveries, outcome };
        if let Mode::Transaction(transaction) = &mut channel.mode {
            transaction.settlements.push(settlement);
        } else {
            self.settle_on_channel(key, settlement, now);
        }
        Ok(())
    }

    /// Applies a settlement of deliveries of a channel, whose consumers may then take more.
    pub(super) fn settle_on_channel(&mut self, key: ChannelKey, settlement: Settlement, now: Instant) {
        let Settlement { deliveries, outcome } = settlement;
        if let Some(channel) = self.channel_mut(key) {
            deliveries.iter().for_each(|(_, unacked)| channel.forget(unacked));
            if channel.global_prefetch > 0 {
                self.mark_consumed(key);
            }
        }
        self.settle_deliveries(deliveries, outcome, now);
    }

    pub(super) fn basic_recover(
        &mut self,
        key: ChannelKey,
        requeue: bool,
        answered: bool,
        now: Instant,
    ) -> Result<(), Refusal> {
        if !requeue {
            return Err(Refusal::connection(ReplyCode::NOT_IMPLEMENTED, "requeue=false"));
        }
        let deliveries = self.channel_mut(key).and_then(|channel| channel.take(0, true)).unwrap_or_default();
        self.reply(key, !answered, &basic::RecoverOk::default());
        self.settle_on_channel(key, Settlement { deliveries, outcome: Outcome::Requeued }, now);
        Ok(())
    }
}
