//! A queue: its messages, its consumers, and the rules that its arguments set.

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

use crate::protocol::queue;
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
    /// When it was declared, asked for a message, or left by its last consumer: what `x-expires`
    /// counts from.
    used: Instant,
    /// The first message that was pushed since limits were enforced, and when. Until then a
    /// consumer that is ready may take it and those behind it, even where their time to live is
    /// zero.
    fresh: Option<(u64, Instant)>,
}

/// What became of a message that was pushed.
#[derive(Debug)]
pub(in crate::broker) struct Pushed {
    /// The queue took the message. Where it did not (`x-overflow` is `reject-publish` or
    /// `reject-publish-dlx`, and the queue is full) a publisher that asked for confirms is nacked.
    pub(in crate::broker) accepted: bool,
    /// The message itself, where a full queue of `reject-publish-dlx` dead-letters it.
    pub(in crate::broker) dropped: Vec<Dropped>,
}

/// A message that the queue dropped: it is dead-lettered, where the queue has a dead-letter
/// exchange.
#[derive(Debug)]
pub(in crate::broker) struct Dropped {
    pub(in crate::broker) entry: Entry,
    pub(in crate::broker) reason: DropReason,
}

/// Why a message left a queue without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum DropReason {
    /// Its time to live was over.
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
    /// A queue as it is declared.
    ///
    /// # Errors
    ///
    /// 406 for an argument that RabbitMQ refuses, 540 for one that asks for what the embedded
    /// broker does not have.
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

    /// A queue that goes with its connection is not durable, whatever its declaration says.
    fn is_durable(declare: &queue::Declare) -> bool {
        declare.durable && !declare.exclusive
    }

    /// `queue 'name' in vhost '/'`.
    fn described(&self) -> String {
        described(&self.name, &self.vhost)
    }

    /// Its name.
    pub(in crate::broker) fn name(&self) -> &ShortString {
        &self.name
    }

    /// It was declared durable.
    pub(in crate::broker) fn durable(&self) -> bool {
        self.durable
    }

    /// It goes with its last consumer.
    pub(in crate::broker) fn auto_delete(&self) -> bool {
        self.auto_delete
    }

    /// The connection that an exclusive queue belongs to.
    pub(in crate::broker) fn owner(&self) -> Option<ConnectionId> {
        self.owner
    }

    /// The arguments that it was declared with.
    pub(in crate::broker) fn arguments(&self) -> &FieldTable {
        &self.arguments
    }

    /// The exchange that its dropped messages go to.
    pub(in crate::broker) fn dead_letter_exchange(&self) -> Option<&ShortString> {
        self.settings.dead_letter_exchange.as_ref()
    }

    /// The key that its dropped messages are dead-lettered with, instead of their own.
    pub(in crate::broker) fn dead_letter_routing_key(&self) -> Option<&ShortString> {
        self.settings.dead_letter_routing_key.as_ref()
    }

    /// Messages that wait for a consumer.
    pub(in crate::broker) fn ready_count(&self) -> usize {
        self.messages.len()
    }

    /// Messages that were popped and not settled.
    pub(in crate::broker) fn unacked_count(&self) -> usize {
        self.unacked
    }

    /// The ready messages, in the order in which they would be delivered.
    pub(in crate::broker) fn messages(&self) -> impl Iterator<Item = &Entry> {
        self.messages.iter()
    }

    /// Takes a message in. What goes over the limits stays until [`expire`](Self::expire), so that
    /// a consumer that is ready can take it first.
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

    /// Takes the head out, which counts as unacked from now on; what has expired before it, and
    /// right behind it, comes out as dropped.
    pub(in crate::broker) fn pop(&mut self, now: Instant) -> (Option<Entry>, Vec<Dropped>) {
        let mut dropped = self.drop_expired(now, self.fresh);
        let head = self.messages.pop();
        if head.is_some() {
            self.unacked += 1;
            dropped.extend(self.drop_expired(now, self.fresh));
        }
        (head, dropped)
    }

    /// A popped message was acknowledged, or rejected for good.
    pub(in crate::broker) fn settle(&mut self) {
        self.unacked = self.unacked.saturating_sub(1);
    }

    /// Popped messages come back to their places. The limits hold before anything is delivered
    /// again.
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

    /// Drops what is over the limits of length, then what has expired, from the head alone.
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

    /// Drops all ready messages, without dead-lettering; gives their number.
    pub(in crate::broker) fn purge(&mut self) -> usize {
        self.messages.clear()
    }

    /// Ends the queue, which is deleted, without dead-lettering; gives its consumers, in the order
    /// in which they subscribed.
    pub(in crate::broker) fn into_consumers(self) -> Vec<ConsumerKey> {
        self.consumers.into_keys()
    }
}

/// How RabbitMQ names a queue in its texts.
fn described(name: &ShortString, vhost: &ShortString) -> String {
    format!("queue '{name}' in vhost '{vhost}'")
}
