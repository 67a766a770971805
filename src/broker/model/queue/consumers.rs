//! The consumers of a queue, and their order of service.

use std::cmp::Reverse;
use std::time::Instant;

use crate::broker::keys::ConsumerKey;
use crate::broker::words::Refusal;
use crate::protocol::{ReplyCode, basic};
use crate::wire::FieldTable;

use super::Queue;
use super::arguments::Arguments;

impl Queue {
    /// The number of consumers.
    pub(in crate::broker) fn consumer_count(&self) -> usize {
        self.consumers.len()
    }

    /// Its consumers, in the order in which they subscribed.
    pub(in crate::broker) fn consumers(&self) -> impl Iterator<Item = ConsumerView<'_>> {
        self.consumers.iter()
    }

    /// Subscribes a consumer.
    ///
    /// # Errors
    ///
    /// Refuses with 406 for an argument of the consumer, and with 403 if another consumer has
    /// exclusive use of the queue or if this one requests it and cannot get it.
    pub(in crate::broker) fn add_consumer(
        &mut self,
        key: ConsumerKey,
        consume: &basic::Consume,
    ) -> Result<(), Refusal> {
        let described = self.described();
        self.consumers.add(key, consume, &described)
    }

    /// Removes a consumer. Returns `true` if an auto-delete queue has lost its last consumer and is
    /// to be deleted.
    pub(in crate::broker) fn remove_consumer(&mut self, key: &ConsumerKey, now: Instant) -> bool {
        if !self.consumers.remove(key) || self.consumers.len() > 0 {
            return false;
        }
        self.touch(now);
        self.auto_delete
    }

    /// Removes all consumers without any consequence for the queue, and returns them in the order
    /// in which they subscribed.
    pub(in crate::broker) fn take_consumers(&mut self) -> Vec<ConsumerKey> {
        let none = Consumers::new(self.settings.single_active_consumer);
        std::mem::replace(&mut self.consumers, none).into_keys()
    }

    /// Puts consumers that were skipped and can take a message again after those of the same
    /// priority, in the order in which this is seen.
    pub(in crate::broker) fn queue_up_again(&mut self, can_take: impl FnMut(&ConsumerKey) -> bool) {
        self.consumers.queue_up_again(can_take);
    }

    /// The consumer for the next message, among those that can take one: of the highest priority,
    /// and with equal priority the one that has waited longest. It then counts as served, and moves
    /// after those of the same priority.
    pub(in crate::broker) fn next_consumer(
        &mut self,
        can_take: impl FnMut(&ConsumerKey) -> bool,
    ) -> Option<ConsumerKey> {
        self.consumers.next(can_take)
    }
}

/// A consumer, for inspection.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) struct ConsumerView<'a> {
    pub(in crate::broker) key: &'a ConsumerKey,
    /// Whether messages may be delivered to it; `false` for those that wait for a single active
    /// consumer to end.
    pub(in crate::broker) active: bool,
    pub(in crate::broker) priority: i64,
    pub(in crate::broker) exclusive: bool,
    pub(in crate::broker) no_ack: bool,
    pub(in crate::broker) arguments: &'a FieldTable,
}

/// A consumer.
#[derive(Debug)]
struct Consumer {
    key: ConsumerKey,
    priority: i64,
    exclusive: bool,
    no_ack: bool,
    arguments: FieldTable,
    /// With equal priority, the consumer with the smallest turn is served first.
    turn: u64,
    /// Whether it could not take a message in its turn. It gets a new turn when it can.
    blocked: bool,
}

/// All consumers of a queue.
#[derive(Debug)]
pub(super) struct Consumers {
    /// In the order in which they subscribed.
    all: Vec<Consumer>,
    /// Whether one consumer gets all messages; `active` is that consumer.
    single_active: bool,
    active: Option<ConsumerKey>,
    next_turn: u64,
}

impl Consumers {
    /// Creates an empty set.
    pub(super) fn new(single_active: bool) -> Self {
        Self { all: Vec::new(), single_active, active: None, next_turn: 0 }
    }

    /// The number of consumers.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// In the order in which they subscribed.
    pub(super) fn iter(&self) -> impl Iterator<Item = ConsumerView<'_>> {
        self.all.iter().map(|consumer| ConsumerView {
            key: &consumer.key,
            active: !self.single_active || self.active.as_ref() == Some(&consumer.key),
            priority: consumer.priority,
            exclusive: consumer.exclusive,
            no_ack: consumer.no_ack,
            arguments: &consumer.arguments,
        })
    }

    /// Their keys, in the order in which they subscribed.
    pub(super) fn into_keys(self) -> Vec<ConsumerKey> {
        self.all.into_iter().map(|consumer| consumer.key).collect()
    }

    /// Subscribes a consumer; `queue` is how texts name the queue.
    pub(super) fn add(&mut self, key: ConsumerKey, consume: &basic::Consume, queue: &str) -> Result<(), Refusal> {
        let priority = read_priority(&consume.arguments, queue)?;
        let taken = self.all.iter().any(|consumer| consumer.exclusive);
        if taken || (consume.exclusive && (self.single_active || !self.all.is_empty())) {
            return Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, format!("{queue} in exclusive use")));
        }
        if self.single_active && self.active.is_none() {
            self.active = Some(key.clone());
        }
        let turn = self.take_turn();
        self.all.push(Consumer {
            key,
            priority,
            exclusive: consume.exclusive,
            no_ack: consume.no_ack,
            arguments: consume.arguments.clone(),
            turn,
            blocked: false,
        });
        Ok(())
    }

    /// Removes a consumer. Returns `false` if there is none with this key.
    pub(super) fn remove(&mut self, key: &ConsumerKey) -> bool {
        let before = self.all.len();
        self.all.retain(|consumer| consumer.key != *key);
        if self.active.as_ref() == Some(key) {
            self.active = self.first(|_| true).map(|consumer| consumer.key.clone());
        }
        self.all.len() < before
    }

    /// The consumer for the next message.
    pub(super) fn next(&mut self, mut can_take: impl FnMut(&ConsumerKey) -> bool) -> Option<ConsumerKey> {
        if self.single_active {
            return self.active.clone().filter(|active| can_take(active));
        }
        self.queue_up_again(&mut can_take);
        loop {
            let turn = self.next_turn;
            let consumer = self.first(|consumer| !consumer.blocked)?;
            if can_take(&consumer.key) {
                consumer.turn = turn;
                let key = consumer.key.clone();
                self.next_turn += 1;
                return Some(key);
            }
            consumer.blocked = true;
        }
    }

    /// Puts consumers that were blocked and can take a message again after those of the same
    /// priority.
    pub(super) fn queue_up_again(&mut self, mut can_take: impl FnMut(&ConsumerKey) -> bool) {
        for consumer in &mut self.all {
            if consumer.blocked && can_take(&consumer.key) {
                consumer.blocked = false;
                consumer.turn = self.next_turn;
                self.next_turn += 1;
            }
        }
    }

    /// The first in the order of service for which `eligible` returns `true`.
    fn first(&mut self, mut eligible: impl FnMut(&Consumer) -> bool) -> Option<&mut Consumer> {
        self.all
            .iter_mut()
            .filter(|consumer| eligible(consumer))
            .min_by_key(|consumer| (Reverse(consumer.priority), consumer.turn))
    }

    fn take_turn(&mut self) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        turn
    }
}

/// Checks the arguments of a consumer, and returns its priority.
fn read_priority(table: &FieldTable, queue: &str) -> Result<i64, Refusal> {
    let arguments = Arguments { table, queue };
    let priority = arguments.integer("x-priority")?.unwrap_or(0);
    arguments.boolean("x-cancel-on-ha-failover")?;
    if table.contains_key("x-stream-offset") {
        return Err(arguments.of_other_type("x-stream-offset"));
    }
    Ok(priority)
}
