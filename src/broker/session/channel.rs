//! A channel of a client: its deliveries, its consumers, and its mode.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::broker::keys::QueueId;
use crate::broker::model::{Entry, Message};
use crate::protocol::basic::{self, Properties};
use crate::wire::ShortString;

/// A channel.
#[derive(Debug, Default)]
pub(in crate::broker) struct Channel {
    /// Whether the broker has closed it and awaits `channel.close-ok`.
    pub(in crate::broker) closing: bool,
    /// The number of the last delivery.
    last_delivery: u64,
    /// The number of the last consumer.
    last_consumer: u64,
    /// The number of unacknowledged deliveries to consumers, including those that were cancelled.
    consumed: u32,
    /// The unacknowledged deliveries.
    pub(in crate::broker) unacked: BTreeMap<u64, Unacked>,
    pub(in crate::broker) consumers: BTreeMap<ShortString, Consumer>,
    /// Consumers that the broker has cancelled and whose `basic.cancel-ok` it awaits.
    pub(in crate::broker) cancelled: BTreeSet<ShortString>,
    /// The limit for consumers that are started from now on.
    pub(in crate::broker) prefetch: u16,
    /// The limit for all consumers of the channel together.
    pub(in crate::broker) global_prefetch: u16,
    pub(in crate::broker) incoming: Option<Incoming>,
    pub(in crate::broker) mode: Mode,
    /// The queue for which the empty name stands.
    pub(in crate::broker) last_queue: Option<ShortString>,
    /// The consumer of direct replies, and its address.
    pub(in crate::broker) replies: Option<DirectReplies>,
}

/// How a channel handles publishes.
#[derive(Debug, Default)]
pub(in crate::broker) enum Mode {
    /// Without confirms or transactions.
    #[default]
    Plain,
    /// Each publish is confirmed.
    Confirm {
        /// The number of the last publish.
        last: u64,
        /// The publishes that are decided and not confirmed: number, and whether it was accepted.
        decided: Vec<(u64, bool)>,
    },
    /// Publishes wait for `tx.commit`.
    Transaction(Transaction),
    /// `tx.commit` has arrived, and waits for the queues of its messages.
    Committing,
}

/// What `tx.commit` performs.
#[derive(Debug, Default)]
pub(in crate::broker) struct Transaction {
    pub(in crate::broker) publishes: Vec<Publish>,
    pub(in crate::broker) settlements: Vec<Settlement>,
}

/// A published message, and its destinations.
#[derive(Debug)]
pub(in crate::broker) struct Publish {
    pub(in crate::broker) message: Arc<Message>,
    pub(in crate::broker) queues: Vec<QueueId>,
    /// The addresses to which it is sent as a direct reply.
    pub(in crate::broker) replies: Vec<ShortString>,
    pub(in crate::broker) mandatory: bool,
}

/// Deliveries that are settled in the same way.
#[derive(Debug)]
pub(in crate::broker) struct Settlement {
    pub(in crate::broker) deliveries: Vec<(u64, Unacked)>,
    pub(in crate::broker) outcome: Outcome,
}

/// How a delivery is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum Outcome {
    /// It is acknowledged.
    Acknowledged,
    /// It returns to its queue.
    Requeued,
    /// It is dead-lettered or dropped.
    Rejected,
}

/// An unacknowledged delivery.
#[derive(Debug)]
pub(in crate::broker) struct Unacked {
    pub(in crate::broker) queue: QueueId,
    pub(in crate::broker) entry: Entry,
    /// Its consumer; `None` for `basic.get`.
    pub(in crate::broker) consumer: Option<Subscription>,
    /// When it was sent.
    pub(in crate::broker) delivered: Instant,
}

/// Identifies one consumer among all that had this tag on the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::broker) struct Subscription {
    pub(in crate::broker) tag: ShortString,
    pub(in crate::broker) number: u64,
}

/// A consumer, as its channel knows it.
#[derive(Debug)]
pub(in crate::broker) struct Consumer {
    pub(in crate::broker) queue: QueueId,
    number: u64,
    pub(in crate::broker) no_ack: bool,
    /// 0 for no limit.
    pub(in crate::broker) prefetch: u16,
    unacked: u16,
}

/// The consumer of direct replies, and its address.
#[derive(Debug)]
pub(in crate::broker) struct DirectReplies {
    pub(in crate::broker) tag: ShortString,
    pub(in crate::broker) address: ShortString,
}

/// A publish that has not arrived completely.
#[derive(Debug)]
pub(in crate::broker) struct Incoming {
    pub(in crate::broker) publish: basic::Publish,
    /// Set when the header has arrived.
    pub(in crate::broker) content: Option<Content>,
}

/// The properties, and the body as far as it has arrived.
#[derive(Debug)]
pub(in crate::broker) struct Content {
    pub(in crate::broker) properties: Properties,
    pub(in crate::broker) encoded: Bytes,
    pub(super) body_size: u64,
    /// How many bytes of it have arrived. They may be more than announced; RabbitMQ then waits for
    /// an end that cannot arrive.
    pub(in crate::broker) received: u64,
    pub(in crate::broker) body: BytesMut,
}

impl Channel {
    /// Creates the state of a channel that the broker has closed: the rest of a content may still
    /// arrive.
    pub(in crate::broker) fn closing(incoming: Option<Incoming>) -> Self {
        Self { closing: true, incoming, ..Self::default() }
    }

    pub(in crate::broker) fn next_delivery(&mut self) -> u64 {
        self.last_delivery += 1;
        self.last_delivery
    }

    /// When the oldest delivery that is not acknowledged has waited for `timeout`.
    pub(super) fn acknowledgement_deadline(&self, timeout: Duration) -> Option<Instant> {
        let (_, oldest) = self.unacked.first_key_value()?;
        oldest.delivered.checked_add(timeout)
    }

    /// Whether one more delivery may be sent to this consumer.
    pub(in crate::broker) fn can_take(&self, tag: &ShortString) -> bool {
        let Some(consumer) = self.consumers.get(tag) else { return false };
        if consumer.no_ack {
            return true;
        }
        let own = consumer.prefetch == 0 || consumer.unacked < consumer.prefetch;
        own && (self.global_prefetch == 0 || self.consumed < u32::from(self.global_prefetch))
    }

    /// Starts a consumer.
    pub(in crate::broker) fn subscribe(&mut self, tag: ShortString, queue: QueueId, no_ack: bool) {
        self.last_consumer += 1;
        let consumer = Consumer { queue, number: self.last_consumer, no_ack, prefetch: self.prefetch, unacked: 0 };
        self.consumers.insert(tag, consumer);
    }

    fn consumer_mut(&mut self, subscription: &Subscription) -> Option<&mut Consumer> {
        self.consumers.get_mut(&subscription.tag).filter(|consumer| consumer.number == subscription.number)
    }

    /// Limits the deliveries of all consumers together. Those that are unacknowledged now count,
    /// including messages from `basic.get`; 0 removes the limit.
    pub(in crate::broker) fn limit(&mut self, prefetch: u16) {
        self.global_prefetch = prefetch;
        self.consumed = u32::try_from(self.unacked.len()).unwrap_or(u32::MAX);
    }

    /// Counts a delivery for a consumer. Returns `None` if the consumer need not acknowledge it.
    pub(super) fn reserve(&mut self, tag: &ShortString) -> Option<Subscription> {
        let consumer = self.consumers.get_mut(tag).filter(|consumer| !consumer.no_ack)?;
        consumer.unacked = consumer.unacked.saturating_add(1);
        self.consumed += 1;
        Some(Subscription { tag: tag.clone(), number: consumer.number })
    }

    /// Takes the deliveries of an acknowledgement: one, or all up to it; 0 stands for all. Returns
    /// `None` if there is no such delivery. They count for their consumers until
    /// [`forget`](Self::forget) is called.
    pub(in crate::broker) fn take(&mut self, tag: u64, multiple: bool) -> Option<Vec<(u64, Unacked)>> {
        let taken: Vec<(u64, Unacked)>;
        if multiple {
            if tag == 0 {
                taken = std::mem::take(&mut self.unacked).into_iter().collect();
            } else {
                if !self.unacked.contains_key(&tag) {
                    return None;
                }
                let later = self.unacked.split_off(&tag.saturating_add(1));
                taken = std::mem::replace(&mut self.unacked, later).into_iter().collect();
            }
        } else {
            taken = vec![self.unacked.remove_entry(&tag)?];
        }
        Some(taken)
    }

    /// Stops counting a delivery for its consumer.
    pub(in crate::broker) fn forget(&mut self, unacked: &Unacked) {
        let Some(subscription) = &unacked.consumer else { return };
        self.consumed = self.consumed.saturating_sub(1);
        if let Some(consumer) = self.consumer_mut(subscription) {
            consumer.unacked = consumer.unacked.saturating_sub(1);
        }
    }
}
