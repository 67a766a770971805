//! Moving messages: into queues, to consumers, back to queues, and to dead-letter exchanges.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::channel::{Outcome, Subscription, Unacked};
use super::deadlines::Waiting;
use super::turn::{Handover, Notice};
use crate::broker::keys::{ChannelKey, ConsumerKey, QueueId};
use crate::broker::model::{DropReason, Dropped, Entry, Message, dead_letter, is_cycle, routing_keys, strip_bcc};
use crate::broker::state::State;
use crate::wire::ShortString;

impl State {
    /// Puts a message into a queue. Returns `false` if the queue is full and refuses it, or is
    /// down.
    pub(in crate::broker) fn enqueue(&mut self, queue: QueueId, message: &Arc<Message>, now: Instant) -> bool {
        let Some(hosted) = self.queues.get_mut(&queue) else { return true };
        if hosted.down {
            return false;
        }
        let pushed = hosted.queue.push(Arc::clone(message), now);
        self.drop_messages(queue, pushed.dropped, now);
        self.mark(queue);
        pushed.accepted
    }

    /// Delivers messages of a queue to its consumers as long as they take any, and then drops
    /// expired messages and those over the limits.
    pub(in crate::broker) fn serve(&mut self, queue: QueueId, now: Instant) {
        while let Some((consumer, entry)) = self.next_delivery(queue, now) {
            self.deliver(queue, consumer, entry, now);
        }
        let Some(hosted) = self.queues.get_mut(&queue) else { return };
        let dropped = hosted.queue.expire(now);
        self.drop_messages(queue, dropped, now);
        let deadline = self.queues.get(&queue).and_then(|hosted| hosted.queue.deadline());
        self.deadlines.set(Waiting::Queue(queue), deadline);
    }

    fn next_delivery(&mut self, queue: QueueId, now: Instant) -> Option<(ConsumerKey, Entry)> {
        let Self { queues, connections, .. } = self;
        let hosted = queues.get_mut(&queue)?;
        let mut can_take = |consumer: &ConsumerKey| {
            let Some(connection) = connections.get_mut(&consumer.channel.connection) else { return false };
            let channel = connection.channels.get(&consumer.channel.number);
            let wanted = channel.is_some_and(|channel| channel.can_take(&consumer.tag));
            if wanted && !connection.has_room() {
                connection.held_back.insert(queue);
                return false;
            }
            wanted
        };
        if hosted.queue.ready_count() == 0 {
            hosted.queue.queue_up_again(can_take);
            return None;
        }
        let consumer = hosted.queue.next_consumer(&mut can_take)?;
        let (entry, dropped) = hosted.queue.pop(now);
        self.drop_messages(queue, dropped, now);
        entry.map(|entry| (consumer, entry))
    }

    fn deliver(&mut self, queue: QueueId, consumer: ConsumerKey, entry: Entry, now: Instant) {
        let ConsumerKey { channel: key, tag } = consumer;
        let subscription = self.reserve(queue, key, &tag);
        self.notify(key, Notice::Delivery(Handover { queue, entry, tag, subscription }), now);
    }

    /// Counts a delivery for the consumer that has to acknowledge it. If no acknowledgement is
    /// needed, it is settled in the queue.
    pub(in crate::broker) fn reserve(
        &mut self,
        queue: QueueId,
        key: ChannelKey,
        tag: &ShortString,
    ) -> Option<Subscription> {
        let subscription = self.channel_mut(key).and_then(|channel| channel.reserve(tag));
        if subscription.is_none()
            && let Some(hosted) = self.queues.get_mut(&queue)
        {
            hosted.queue.settle();
        }
        subscription
    }

    /// Applies an outcome to deliveries.
    pub(in crate::broker) fn settle_deliveries(
        &mut self,
        deliveries: Vec<(u64, Unacked)>,
        outcome: Outcome,
        now: Instant,
    ) {
        let mut by_queue: BTreeMap<QueueId, Vec<Entry>> = BTreeMap::new();
        for (_, unacked) in deliveries {
            by_queue.entry(unacked.queue).or_default().push(unacked.entry);
        }
        for (id, entries) in by_queue {
            let Some(hosted) = self.queues.get_mut(&id) else { continue };
            let dropped = match outcome {
                Outcome::Requeued => hosted.queue.requeue(entries, now),
                Outcome::Acknowledged => {
                    entries.iter().for_each(|_| hosted.queue.settle());
                    Vec::new()
                }
                Outcome::Rejected => {
                    let rejected = |entry| {
                        hosted.queue.settle();
                        Dropped { entry, reason: DropReason::Rejected }
                    };
                    entries.into_iter().map(rejected).collect()
                }
            };
            self.drop_messages(id, dropped, now);
            self.mark(id);
        }
    }

    /// Records that the consumers of a channel may take more.
    pub(in crate::broker) fn mark_consumed(&mut self, key: ChannelKey) {
        let Some(channel) = self.channel(key) else { return };
        let queues: Vec<_> = channel.consumers.values().map(|consumer| consumer.queue).collect();
        queues.into_iter().for_each(|queue| self.mark(queue));
    }

    /// Dead-letters what a queue dropped, if it has a dead-letter exchange. The messages are only
    /// queued here, and are routed before the present call ends: a message that is dropped again
    /// does not add to the depth of the call stack.
    pub(in crate::broker) fn drop_messages(&mut self, queue: QueueId, dropped: Vec<Dropped>, now: Instant) {
        let time = self.time_of_day(now);
        let Some(hosted) = self.queues.get(&queue) else { return };
        let dead = |dropped: Dropped| dead_letter(&hosted.queue, &dropped.entry.message, dropped.reason, time);
        let dead: Vec<_> = dropped.into_iter().filter_map(dead).collect();
        let virtual_host = &hosted.virtual_host;
        self.dead_letters.extend(dead.into_iter().map(|message| (virtual_host.clone(), message)));
    }

    /// Routes a message that a queue dropped.
    pub(in crate::broker) fn route_dead_letter(&mut self, virtual_host: &ShortString, message: Message, now: Instant) {
        let Some(host) = self.virtual_hosts.get(virtual_host) else { return };
        let keys = routing_keys(&message).unwrap_or_else(|_| vec![message.routing_key.clone()]);
        let names = host.route(&message.exchange, &keys, message.properties.headers.as_ref());
        let targets: Vec<_> =
            names.iter().filter(|name| !is_cycle(&message, name)).filter_map(|name| host.queue(name)).collect();
        let message = Arc::new(message);
        for target in targets {
            self.enqueue(target, &message, now);
        }
    }

    /// Handles the deadline of a queue: its messages, or the queue itself, may have expired.
    pub(in crate::broker) fn queue_timeout(&mut self, queue: QueueId, now: Instant) {
        let Some(hosted) = self.queues.get(&queue) else { return };
        if hosted.queue.is_expired(now) {
            self.remove_queue(queue, now);
        } else {
            self.mark(queue);
        }
    }
}

/// A message as consumers see it: without `BCC`.
pub(in crate::broker) fn visible(message: &Message) -> Cow<'_, Message> {
    if message.properties.headers.as_ref().is_none_or(|headers| !headers.contains_key("BCC")) {
        return Cow::Borrowed(message);
    }
    let mut message = message.clone();
    strip_bcc(&mut message.properties);
    message.encoded_properties = None;
    Cow::Owned(message)
}
