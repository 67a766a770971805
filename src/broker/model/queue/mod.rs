//! A queue: its messages, its consumers, and the settings from its arguments.

mod arguments;
mod consumers;
mod equivalence;
mod erlang;
mod expiry;
mod messages;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use crate::protocol::{DeliveryMode, queue};
use crate::wire::{FieldTable, ShortString};

use super::message::{Entry, Message};
use crate::broker::keys::{ConnectionId, ConsumerKey};
use crate::broker::words::Refusal;
use arguments::{Overflow, Settings};
use consumers::Consumers;
use messages::Messages;

pub(in crate::broker) use expiry::check_expiration;

/// A classic queue, kept in memory.
#[derive(Debug)]
pub(in crate::broker) struct Queue {
    name: ShortString,
    vhost: ShortString,
    durable: bool,
    auto_delete: bool,
    owner: Option<ConnectionId>,
    arguments: FieldTable,
    settings: Settings,
    messages: Messages,
    unacked: usize,
    consumers: Consumers,
    /// When it was last declared, polled by `basic.get`, or left by its last consumer: the start of
    /// `x-expires`.
    used: Instant,
    /// The position of the first message that was pushed since limits were enforced, and when that
    /// was. Until they are enforced again, a ready consumer may take it and those after it, even if
    /// their time to live is zero.
    fresh: Option<(u64, Instant)>,
}

/// The result of a push.
#[derive(Debug)]
pub(in crate::broker) struct Pushed {
    /// Whether the queue accepted the message. If not (`x-overflow` is `reject-publish` or
    /// `reject-publish-dlx`, and the queue is full), the publish is nacked on a channel with
    /// confirms.
    pub(in crate::broker) accepted: bool,
    /// The message itself, if a full queue with `reject-publish-dlx` dead-letters it.
    pub(in crate::broker) dropped: Vec<Dropped>,
}

/// A message that the queue dropped. It is dead-lettered if the queue has a dead-letter exchange.
#[derive(Debug)]
pub(in crate::broker) struct Dropped {
    pub(in crate::broker) entry: Entry,
    pub(in crate::broker) reason: DropReason,
}

/// Why a message left a queue without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum DropReason {
    /// Its time to live has passed.
    Expired,
    /// The queue was full.
    MaxLength,
    /// A consumer rejected it, without requeue.
    Rejected,
}

impl DropReason {
    /// The word for it in `x-death`.
    pub(in crate::broker) const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::Rejected => "rejected",
        }
    }
}

impl Queue {
    /// Creates a queue from its declaration.
    ///
    /// # Errors
    ///
    /// Refuses with 406 an argument that RabbitMQ refuses, and with 540 one that requests what the
    /// embedded broker does not support.
    pub(in crate::broker) fn declare(
        declare: &queue::Declare,
        name: ShortString,
        owner: Option<ConnectionId>,
        vhost: &ShortString,
        now: Instant,
    ) -> Result<Self, Refusal> {
        let settings = Settings::read(declare, &described(&name, vhost))?;
        Ok(Self {
            name,
            vhost: vhost.clone(),
            durable: Self::is_durable(declare),
            auto_delete: declare.auto_delete,
            owner,
            arguments: declare.arguments.clone(),
            messages: Messages::new(settings.max_priority),
            consumers: Consumers::new(settings.single_active_consumer),
            settings,
            unacked: 0,
            used: now,
            fresh: None,
        })
    }

    /// Whether a declared queue is durable. An exclusive queue is not, whatever its declaration
    /// says.
    fn is_durable(declare: &queue::Declare) -> bool {
        declare.durable && !declare.exclusive
    }

    /// `queue 'name' in vhost '/'`.
    fn described(&self) -> String {
        described(&self.name, &self.vhost)
    }

    /// The name.
    pub(in crate::broker) fn name(&self) -> &ShortString {
        &self.name
    }

    /// Whether it is durable.
    pub(in crate::broker) fn durable(&self) -> bool {
        self.durable
    }

    /// Whether it is deleted with its last consumer.
    pub(in crate::broker) fn auto_delete(&self) -> bool {
        self.auto_delete
    }

    /// The connection that owns an exclusive queue.
    pub(in crate::broker) fn owner(&self) -> Option<ConnectionId> {
        self.owner
    }

    /// The arguments with which it was declared.
    pub(in crate::broker) fn arguments(&self) -> &FieldTable {
        &self.arguments
    }

    /// The exchange for its dropped messages.
    pub(in crate::broker) fn dead_letter_exchange(&self) -> Option<&ShortString> {
        self.settings.dead_letter_exchange.as_ref()
    }

    /// The routing key of its dropped messages, if it replaces their own.
    pub(in crate::broker) fn dead_letter_routing_key(&self) -> Option<&ShortString> {
        self.settings.dead_letter_routing_key.as_ref()
    }

    /// The number of messages that wait for a consumer.
    pub(in crate::broker) fn ready_count(&self) -> usize {
        self.messages.len()
    }

    /// The number of messages that were popped and not settled.
    pub(in crate::broker) fn unacked_count(&self) -> usize {
        self.unacked
    }

    /// The ready messages, in the order in which they would be delivered.
    pub(in crate::broker) fn messages(&self) -> impl Iterator<Item = &Entry> {
        self.messages.iter()
    }

    /// Adds a message. Messages over the limits stay until [`expire`](Self::expire), so that a
    /// ready consumer can take them first.
    pub(in crate::broker) fn push(&mut self, message: Arc<Message>, now: Instant) -> Pushed {
        let expires = self.expiry_of(&message, now);
        let size = message.body.len();
        let entry = self.messages.entry(message, expires);
        if self.settings.overflow == Overflow::DropHead
            || !self.settings.is_over(self.messages.len() + 1, self.messages.size() + size)
        {
            let fresh = self.fresh.filter(|(_, since)| *since == now);
            self.fresh = fresh.or(Some((entry.position, now)));
            self.messages.insert(entry);
            return Pushed { accepted: true, dropped: Vec::new() };
        }
        let dead_letters = self.settings.overflow == Overflow::RejectPublishDlx;
        let dropped = dead_letters.then_some(Dropped { entry, reason: DropReason::MaxLength });
        Pushed { accepted: false, dropped: dropped.into_iter().collect() }
    }

    /// Removes the head, which then counts as unacknowledged. Messages that have expired before it
    /// and directly after it are returned as dropped.
    pub(in crate::broker) fn pop(&mut self, now: Instant) -> (Option<Entry>, Vec<Dropped>) {
        let mut dropped = self.drop_expired(now, self.fresh);
        let head = self.messages.pop();
        if head.is_some() {
            self.unacked += 1;
            dropped.extend(self.drop_expired(now, self.fresh));
        }
        (head, dropped)
    }

    /// Counts a popped message as acknowledged, or rejected without requeue.
    pub(in crate::broker) fn settle(&mut self) {
        self.unacked = self.unacked.saturating_sub(1);
    }

    /// Returns popped messages to their places. The limits are enforced before anything is
    /// delivered again.
    pub(in crate::broker) fn requeue(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        now: Instant,
    ) -> Vec<Dropped> {
        for mut entry in entries {
            self.settle();
            entry.redelivered = true;
            self.messages.insert(entry);
        }
        self.expire(now)
    }

    /// Drops messages over the limits of length, and then expired ones, only from the head.
    pub(in crate::broker) fn expire(&mut self, now: Instant) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        if self.settings.overflow == Overflow::DropHead {
            while self.settings.is_over(self.messages.len(), self.messages.size()) {
                let Some(entry) = self.messages.pop() else { break };
                dropped.push(Dropped { entry, reason: DropReason::MaxLength });
            }
        }
        self.fresh = None;
        dropped.extend(self.drop_expired(now, None));
        dropped
    }

    /// Drops all ready messages without dead-lettering, and returns their number.
    pub(in crate::broker) fn purge(&mut self) -> usize {
        self.messages.clear()
    }

    /// Drops the messages that do not survive a restart, and starts the time of disuse.
    pub(in crate::broker) fn keep_persistent(&mut self, now: Instant) {
        self.messages.retain(|message| message.properties.delivery_mode == Some(DeliveryMode::PERSISTENT));
        self.fresh = None;
        self.touch(now);
    }

    /// Records that all ready messages may have been delivered before.
    pub(in crate::broker) fn mark_redelivered(&mut self) {
        self.messages.iter_mut().for_each(|entry| entry.redelivered = true);
    }

    /// Ends a deleted queue without dead-lettering, and returns its consumers in the order in which
    /// they subscribed.
    pub(in crate::broker) fn into_consumers(self) -> Vec<ConsumerKey> {
        self.consumers.into_keys()
    }
}

/// How RabbitMQ names a queue in its texts.
fn described(name: &ShortString, vhost: &ShortString) -> String {
    format!("queue '{name}' in vhost '{vhost}'")
}
