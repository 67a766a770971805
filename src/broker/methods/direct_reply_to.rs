//! Direct reply-to: replies that are sent to the channel of the requester without a queue.

use std::collections::BTreeSet;

use crate::broker::keys::ChannelKey;
use crate::broker::model::Message;
use crate::broker::session::{Connection, DirectReplies, visible};
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::protocol::basic::{self, Properties};
use crate::wire::ShortString;

/// The name of the pseudo-queue for direct replies.
pub(super) const DIRECT_REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The prefix of the addresses of requesters.
const ADDRESS: &str = "amq.rabbitmq.reply-to.";

impl State {
    /// Starts the consumer of direct replies of a channel.
    pub(super) fn consume_replies(
        &mut self,
        key: ChannelKey,
        tag: ShortString,
        consume: &basic::Consume,
    ) -> Result<(), Refusal> {
        if !consume.no_ack {
            return Err(Refusal::precondition("reply consumer cannot acknowledge"));
        }
        if self.channel(key).is_some_and(|channel| channel.replies.is_some()) {
            return Err(Refusal::precondition("reply consumer already set"));
        }
        let address = ShortString::from(self.random.name(ADDRESS));
        self.reply_addresses.insert(address.clone(), key);
        let ok = basic::ConsumeOk::default().consumer_tag(&tag);
        if let Some(channel) = self.channel_mut(key) {
            channel.replies = Some(DirectReplies { tag, address });
        }
        self.reply(key, consume.no_wait, &ok);
        Ok(())
    }

    /// Cancels the consumer of direct replies, if it has this tag.
    pub(super) fn cancel_replies(&mut self, key: ChannelKey, tag: &ShortString) {
        let Some(channel) = self.channel_mut(key) else { return };
        if let Some(replies) = channel.replies.take_if(|replies| replies.tag == *tag) {
            self.reply_addresses.remove(&replies.address);
        }
    }

    /// Replaces the name of the pseudo-queue in `reply_to` of a request by the requester's address.
    /// Returns `true` if it did.
    pub(super) fn address_request(&self, key: ChannelKey, properties: &mut Properties) -> Result<bool, Refusal> {
        if properties.reply_to.as_ref().is_none_or(|reply_to| *reply_to != *DIRECT_REPLY_TO) {
            return Ok(false);
        }
        let replies = self.channel(key).and_then(|channel| channel.replies.as_ref());
        let replies = replies.ok_or_else(|| Refusal::precondition("fast reply consumer does not exist"))?;
        properties.reply_to = Some(replies.address.clone());
        Ok(true)
    }

    /// The addresses of requesters among the keys of a message.
    pub(super) fn requesters(&self, keys: &[ShortString]) -> Vec<ShortString> {
        let addresses: BTreeSet<_> = keys.iter().filter(|key| self.reply_addresses.contains_key(*key)).collect();
        addresses.into_iter().cloned().collect()
    }

    /// Delivers a reply to its requester, if that still exists. RabbitMQ does not count this as a
    /// route: a mandatory reply is returned nevertheless.
    pub(super) fn deliver_reply(&mut self, address: &ShortString, message: &Message) {
        let Some(&key) = self.reply_addresses.get(address) else { return };
        // A requester that does not read its replies loses them, because nothing else bounds what
        // others send to it.
        if self.connections.get(&key.connection).is_none_or(Connection::is_full) {
            return;
        }
        let Some(channel) = self.channel_mut(key) else { return };
        let tag = channel.replies.as_ref().map(|replies| replies.tag.clone()).unwrap_or_default();
        let deliver = basic::Deliver::default()
            .consumer_tag(tag)
            .delivery_tag(channel.next_delivery())
            .routing_key(&message.routing_key);
        self.send_content(key, &deliver, &visible(message));
    }

    /// Handles the declaration of the pseudo-queue or of an address, which shows whether the
    /// requester exists. Returns `None` for another name.
    pub(super) fn declare_reply_address(&self, key: ChannelKey, name: &ShortString) -> Option<Result<(), Refusal>> {
        if *name == *DIRECT_REPLY_TO {
            return Some(Ok(()));
        }
        if !name.as_bytes().starts_with(ADDRESS.as_bytes()) {
            return None;
        }
        let there = self.reply_addresses.contains_key(name);
        Some(if there { Ok(()) } else { Err(Refusal::no_such("queue", name, &self.virtual_host_name(key))) })
    }
}
