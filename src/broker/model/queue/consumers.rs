//! The consumers of a queue, and whose turn it is.

use std::cmp::Reverse;
use std::time::Instant;

use crate::broker::keys::ConsumerKey;
use crate::broker::words::Refusal;
use crate::protocol::{ReplyCode, basic};
use crate::wire::FieldTable;

use super::Queue;
use super::arguments::Arguments;

impl Queue {
    /// How many consumers it has.
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
    /// 406 for an argument of the consumer, 403 where the queue is, or would have to be, another
    /// one's alone.
    pub(in crate::broker) fn add_consumer(
        &mut self,
        key: ConsumerKey,
        consume: &basic::Consume,
    ) -> Result<(), Refusal> {
        let described = self.described();
        self.consumers.add(key, consume, &described)
    }

    /// Takes a consumer out. True where an auto-delete queue has lost its last consumer: it is to
    /// be deleted.
    pub(in crate::broker) fn remove_consumer(&mut self, key: &ConsumerKey, now: Instant) -> bool {
        if !self.consumers.remove(key) || self.consumers.len() > 0 {
            return false;
        }
        self.touch(now);
        self.auto_delete
    }

    /// Consumers that were passed over and have room again stand behind their equals, in the order
    /// in which this is seen.
    pub(in crate::broker) fn queue_up_again(&mut self, can_take: impl FnMut(&ConsumerKey) -> bool) {
        self.consumers.queue_up_again(can_take);
    }

    /// The consumer that the next message goes to, among those that can take one: of the highest
    /// priority, and of equals the one that has waited longest. It is served from now on, so it
    /// moves behind its equals.
    pub(in crate::broker) fn next_consumer(
        &mut self,
        can_take: impl FnMut(&ConsumerKey) -> bool,
    ) -> Option<ConsumerKey> {
        self.consumers.next(can_take)
    }
}

/// A consumer, for whoever looks at the queue.
#[derive(Debug, Clone, Copy)]
pub(in crate::broker) struct ConsumerView<'a> {
    pub(in crate::broker) key: &'a ConsumerKey,
    /// Messages may go to it: false for those that wait behind a single active consumer.
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
    /// The one with the smallest turn is served first among equals.
    turn: u64,
    /// It could not take a message when it was its turn; it queues up again when it can.
    blocked: bool,
}

/// All consumers of a queue.
#[derive(Debug)]
pub(super) struct Consumers {
    /// In the order in which they subscribed.
    all: Vec<Consumer>,
    /// Where one consumer gets all messages: which one.
    single_active: bool,
    active: Option<ConsumerKey>,
    next_turn: u64,
}

impl Consumers {
    /// No consumers.
    pub(super) fn new(single_active: bool) -> Self {
        Self { all: Vec::new(), single_active, active: None, next_turn: 0 }
    }

    /// How many there are.
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

    /// Subscribes one; `queue` is what texts call the queue.
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

    /// Takes one out; false where there is none of that key.
    pub(super) fn remove(&mut self, key: &ConsumerKey) -> bool {
        let before = self.all.len();
        self.all.retain(|consumer| consumer.key != *key);
        if self.active.as_ref() == Some(key) {
            self.active = self.first(|_| true).map(|consumer| consumer.key.clone());
        }
        self.all.len() < before
    }

    /// The one that the next message goes to.
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

    /// Those that were blocked and can take a message again stand behind their equals.
    pub(super) fn queue_up_again(&mut self, mut can_take: impl FnMut(&ConsumerKey) -> bool) {
        for consumer in &mut self.all {
            if consumer.blocked && can_take(&consumer.key) {
                consumer.blocked = false;
                consumer.turn = self.next_turn;
                self.next_turn += 1;
            }
        }
    }

    /// The first in the order of service, of those that `eligible` lets pass.
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

/// Checks the arguments of a consumer; gives its priority.
fn read_priority(table: &FieldTable, queue: &str) -> Result<i64, Refusal> {
    let arguments = Arguments { table, queue };
    let priority = arguments.integer("x-priority")?.unwrap_or(0);
    arguments.boolean("x-cancel-on-ha-failover")?;
    if table.contains_key("x-stream-offset") {
        return Err(arguments.of_other_type("x-stream-offset"));
    }
    Ok(priority)
}
