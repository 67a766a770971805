//! A channel of a client: what it has been sent, what it consumes, and the modes that it is in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::broker::keys::QueueId;
use crate::broker::model::{Entry, Message};
use crate::protocol::basic::{self, Properties};
use crate::wire::ShortString;

/// A channel.
#[derive(Debug, Default)]
pub(in crate::broker) struct Channel {
    /// The broker has closed it, and awaits channel.close-ok.
    pub(in crate::broker) closing: bool,
    /// The number of the last delivery.
    last_delivery: u64,
    /// The number of the last consumer.
    last_consumer: u64,
    /// Deliveries to consumers that wait for an acknowledgement, consumers that were cancelled
    /// included.
    consumed: u32,
    /// Deliveries that wait for an acknowledgement.
    pub(in crate::broker) unacked: BTreeMap<u64, Unacked>,
    pub(in crate::broker) consumers: BTreeMap<ShortString, Consumer>,
    /// Consumers that the broker has cancelled, and of which it awaits basic.cancel-ok.
    pub(in crate::broker) cancelled: BTreeSet<ShortString>,
    /// For consumers that are started from now on.
    pub(in crate::broker) prefetch: u16,
    /// For all consumers of the channel together.
    pub(in crate::broker) global_prefetch: u16,
    pub(in crate::broker) incoming: Option<Incoming>,
    pub(in crate::broker) mode: Mode,
    /// The queue that the empty name means.
    pub(in crate::broker) last_queue: Option<ShortString>,
    /// The consumer of direct replies, and the address at which they reach it.
    pub(in crate::broker) replies: Option<DirectReplies>,
}

/// What a channel promises about publishes.
#[derive(Debug, Default)]
pub(in crate::broker) enum Mode {
    /// Nothing.
    #[default]
    Plain,
    /// Each gets a confirm.
    Confirm {
        /// The number of the last publish.
        last: u64,
        /// Those that are decided and not told: number, and whether it was accepted.
        decided: Vec<(u64, bool)>,
    },
    /// They wait for tx.commit.
    Transaction(Transaction),
    /// tx.commit has come, and waits for the queues that its messages went to.
    Committing,
}

/// What tx.commit is to bring about.
#[derive(Debug, Default)]
pub(in crate::broker) struct Transaction {
    pub(in crate::broker) publishes: Vec<Publish>,
    pub(in crate::broker) settlements: Vec<Settlement>,
}

/// A message that is published, and where it goes.
#[derive(Debug)]
pub(in crate::broker) struct Publish {
    pub(in crate::broker) message: Arc<Message>,
    pub(in crate::broker) queues: Vec<QueueId>,
    /// The addresses of those who get it as a direct reply.
    pub(in crate::broker) replies: Vec<ShortString>,
    pub(in crate::broker) mandatory: bool,
}

/// Deliveries that are settled alike.
#[derive(Debug)]
pub(in crate::broker) struct Settlement {
    pub(in crate::broker) deliveries: Vec<(u64, Unacked)>,
    pub(in crate::broker) outcome: Outcome,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum Outcome {
    /// It is done.
    Acknowledged,
    /// It goes back to its queue.
    Requeued,
    /// It is dead-lettered or dropped.
    Rejected,
}

/// A delivery that waits for an acknowledgement.
#[derive(Debug)]
pub(in crate::broker) struct Unacked {
    pub(in crate::broker) queue: QueueId,
    pub(in crate::broker) entry: Entry,
    /// Whose it is; none for basic.get.
    pub(in crate::broker) consumer: Option<Subscription>,
}

/// One consumer among all that had this tag on the channel.
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

/// Who gets direct replies, and under which name.
#[derive(Debug)]
pub(in crate::broker) struct DirectReplies {
    pub(in crate::broker) tag: ShortString,
    pub(in crate::broker) address: ShortString,
}

/// A publish of which not everything has come.
#[derive(Debug)]
pub(in crate::broker) struct Incoming {
    pub(in crate::broker) publish: basic::Publish,
    /// Once the header has come.
    pub(in crate::broker) content: Option<Content>,
}

/// Properties, and the body so far.
#[derive(Debug)]
pub(in crate::broker) struct Content {
    pub(in crate::broker) properties: Properties,
    pub(in crate::broker) encoded: Bytes,
    pub(super) body_size: u64,
    /// How much of it has come. More than was announced is possible; RabbitMQ then waits for an end
    /// that cannot come.
    pub(in crate::broker) received: u64,
    pub(in crate::broker) body: BytesMut,
}

impl Channel {
    /// What is left of a channel that the broker has closed: the rest of a content may still come.
    pub(in crate::broker) fn closing(incoming: Option<Incoming>) -> Self {
        Self { closing: true, incoming, ..Self::default() }
    }

    pub(in crate::broker) fn next_delivery(&mut self) -> u64 {
        self.last_delivery += 1;
        self.last_delivery
    }

    /// Room for one more delivery to this consumer.
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

    /// Limits the deliveries of all consumers together, beginning with those that are not settled
    /// now, messages that were got included; 0 lifts the limit.
    pub(in crate::broker) fn limit(&mut self, prefetch: u16) {
        self.global_prefetch = prefetch;
        self.consumed = u32::try_from(self.unacked.len()).unwrap_or(u32::MAX);
    }

    /// Counts a delivery for a consumer, which has to acknowledge it; none where it has not.
    pub(super) fn reserve(&mut self, tag: &ShortString) -> Option<Subscription> {
        let consumer = self.consumers.get_mut(tag).filter(|consumer| !consumer.no_ack)?;
        consumer.unacked = consumer.unacked.saturating_add(1);
        self.consumed += 1;
        Some(Subscription { tag: tag.clone(), number: consumer.number })
    }

    /// Takes the deliveries that an acknowledgement means: one, or all up to it, of which 0 stands
    /// for all. None where there is no such delivery. They count for their consumers until
    /// [`forget`](Self::forget) says otherwise.
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

    /// A delivery no longer counts for its consumer.
    pub(in crate::broker) fn forget(&mut self, unacked: &Unacked) {
        let Some(subscription) = &unacked.consumer else { return };
        self.consumed = self.consumed.saturating_sub(1);
        if let Some(consumer) = self.consumer_mut(subscription) {
            consumer.unacked = consumer.unacked.saturating_sub(1);
        }
    }
}
