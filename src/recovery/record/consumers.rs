//! The running consumers, by key, by queue and by channel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bindings::remove_from;
use super::recorded::{Item, Recorded};
use super::{Order, entity_name};
use crate::engine::steps::step;
use crate::engine::{ChannelKey, ConsumerKey};
use crate::protocol::basic;
use crate::wire::ShortString;

/// A running consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) channel: ChannelKey,
    pub(super) request: Arc<basic::Consume>,
    pub(super) prefetch: u16,
    /// Its place, if it is recorded. One that is not is known too, because an auto-delete queue
    /// exists until its last consumer ends.
    pub(super) order: Option<Order>,
}

/// The running consumers.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    all: BTreeMap<ConsumerKey, Consumer>,
    by_queue: BTreeMap<ShortString, BTreeSet<ConsumerKey>>,
    by_channel: BTreeMap<ChannelKey, BTreeSet<ConsumerKey>>,
    recorded: usize,
}

impl Consumers {
    /// How many are recorded.
    pub(super) fn recorded(&self) -> usize {
        self.recorded
    }

    /// The place of a consumer that is recorded.
    pub(super) fn order(&self, key: ConsumerKey) -> Option<Order> {
        self.all.get(&key)?.order
    }

    /// Adds a consumer, in place of what has its key.
    pub(super) fn insert(&mut self, key: ConsumerKey, consumer: Consumer) {
        self.remove(key);
        self.recorded += usize::from(consumer.order.is_some());
        self.by_queue.entry(entity_name(&consumer.request.queue)).or_default().insert(key);
        self.by_channel.entry(consumer.channel).or_default().insert(key);
        self.all.insert(key, consumer);
    }

    /// Removes a consumer. Returns its queue if that has no other.
    pub(super) fn remove(&mut self, key: ConsumerKey) -> Option<ShortString> {
        step();
        let consumer = self.all.remove(&key)?;
        self.recorded -= usize::from(consumer.order.is_some());
        let queue = entity_name(&consumer.request.queue);
        remove_from(&mut self.by_queue, &queue, &key);
        remove_from(&mut self.by_channel, &consumer.channel, &key);
        (!self.by_queue.contains_key(&queue)).then_some(queue)
    }

    /// Removes the consumers of a channel, and returns the queues that have no others.
    pub(super) fn remove_channel(&mut self, channel: ChannelKey) -> Vec<ShortString> {
        let keys = self.by_channel.get(&channel).cloned().into_iter().flatten();
        keys.filter_map(|key| self.remove(key)).collect()
    }

    /// Removes the consumers of a queue.
    pub(super) fn remove_queue(&mut self, queue: &ShortString) {
        for key in self.by_queue.get(queue).cloned().into_iter().flatten() {
            self.remove(key);
        }
    }

    /// Removes the consumers that are not recorded.
    pub(super) fn remove_unrecorded(&mut self) {
        let unrecorded: Vec<_> = self.all.iter().filter(|(_, it)| it.order.is_none()).map(|(key, _)| *key).collect();
        for key in unrecorded {
            self.remove(key);
        }
    }

    /// Replaces the name of a queue in its consumers.
    pub(super) fn rename_queue(&mut self, from: &ShortString, to: &ShortString) {
        let Some(keys) = self.by_queue.remove(from) else { return };
        for key in &keys {
            step();
            if let Some(consumer) = self.all.get_mut(key) {
                Arc::make_mut(&mut consumer.request).queue = to.clone();
            }
        }
        self.by_queue.entry(to.clone()).or_default().extend(keys);
    }

    /// The recorded consumers, in the order in which they first started.
    pub(super) fn items(&self) -> impl Iterator<Item = Recorded> {
        let recorded = self.all.iter().filter_map(|(key, consumer)| Some((consumer.order?, (key, consumer))));
        let in_order: BTreeMap<Order, _> = recorded.collect();
        in_order.into_iter().map(|(order, (key, consumer))| {
            let Consumer { channel, ref request, prefetch, .. } = *consumer;
            let item = Item::Consumer { consumer: *key, channel, request: Arc::clone(request), prefetch };
            Recorded { order, item }
        })
    }
}
