//! Publishing: what is refused, where messages are routed, and how they are confirmed. Also
//! transactions.

use std::sync::Arc;
use std::time::Instant;

use crate::broker::keys::ChannelKey;
use crate::broker::model::{Access, Message, check_expiration, routing_keys};
use crate::broker::session::{Content, Mode, Notice, Publish, Transaction, visible};
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::protocol::basic::{self, Properties};
use crate::protocol::{DeliveryMode, Method, ReplyCode, tx};

/// The outcome of a publish.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// Whether it was routed to a queue.
    asked: bool,
    /// Whether no queue refused it.
    accepted: bool,
}

impl State {
    /// Handles a message that has arrived completely.
    pub(in crate::broker) fn publish(
        &mut self,
        key: ChannelKey,
        publish: basic::Publish,
        content: Content,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.check_committing(key)?;
        if publish.immediate {
            return Err(Refusal::connection(ReplyCode::NOT_IMPLEMENTED, "immediate=true"));
        }
        self.allow_exchange(key, Access::Write, &publish.exchange)?;
        self.host(key)?.check_publish(&publish.exchange)?;
        let Content { mut properties, encoded, body, .. } = content;
        let changed = self.address_request(key, &mut properties)?;
        self.check_user_id(key, &properties)?;
        check_expiration(&properties)?;
        let number = self.number_publish(key);
        let message = Message {
            exchange: publish.exchange,
            routing_key: publish.routing_key,
            properties,
            encoded_properties: (!changed).then_some(encoded),
            body: body.freeze(),
        };
        let keys = routing_keys(&message)?;
        check_delivery_mode(&message.properties)?;
        let host = self.host(key)?;
        let names = host.route(&message.exchange, &keys, message.properties.headers.as_ref());
        let queues = names.iter().filter_map(|name| host.queue(name)).collect();
        let replies = if message.exchange.is_empty() { self.requesters(&keys) } else { Vec::new() };
        let publish = Publish { message: Arc::new(message), queues, replies, mandatory: publish.mandatory };
        let channel = self.channel_mut(key);
        if let Some(Mode::Transaction(transaction)) = channel.map(|channel| &mut channel.mode) {
            transaction.publishes.push(publish);
            return Ok(());
        }
        let fate = match number.is_some() && self.faults.nack() {
            true => Fate { asked: true, accepted: false },
            false => self.distribute(key, &publish, now),
        };
        self.decide(key, number, fate);
        Ok(())
    }

    /// Puts a message into its queues. If there are none and it is mandatory, it is returned.
    fn distribute(&mut self, key: ChannelKey, publish: &Publish, now: Instant) -> Fate {
        let lost = self.faults.unroute();
        let mut accepted = true;
        let mut routed = false;
        if !lost {
            for address in &publish.replies {
                self.deliver_reply(address, &publish.message);
            }
            for &queue in &publish.queues {
                routed |= self.queues.contains_key(&queue);
                accepted &= self.enqueue(queue, &publish.message, now);
            }
        }
        if lost || (publish.mandatory && !routed) {
            self.send_back(key, &publish.message);
        }
        Fate { asked: routed, accepted }
    }

    fn send_back(&mut self, key: ChannelKey, message: &Message) {
        let back = basic::Return::default()
            .reply_code(ReplyCode::NO_ROUTE)
            .reply_text("NO_ROUTE")
            .exchange(&message.exchange)
            .routing_key(&message.routing_key);
        let message = self.returned(visible(message));
        self.send_content(key, &back, &message);
    }

    /// Refuses a message that names another user as its sender.
    fn check_user_id(&self, key: ChannelKey, properties: &Properties) -> Result<(), Refusal> {
        let Some(claimed) = &properties.user_id else { return Ok(()) };
        let Some(connection) = self.connections.get(&key.connection) else { return Ok(()) };
        if *claimed == connection.user {
            return Ok(());
        }
        let user = &connection.user;
        let text = format!("user_id property set to '{claimed}' but authenticated user was '{user}'");
        Err(Refusal::precondition(text))
    }

    /// The number of this publish, on a channel with confirms.
    fn number_publish(&mut self, key: ChannelKey) -> Option<u64> {
        match &mut self.channel_mut(key)?.mode {
            Mode::Confirm { last, .. } => {
                *last += 1;
                Some(*last)
            }
            Mode::Plain | Mode::Transaction(_) | Mode::Committing => None,
        }
    }

    /// A publish that no queue was involved in is confirmed at once. The confirms of queues arrive
    /// later.
    fn decide(&mut self, key: ChannelKey, number: Option<u64>, fate: Fate) {
        let Some(number) = number else { return };
        let Fate { asked, accepted } = fate;
        if !asked && accepted && self.settings.late_answers {
            self.send(key, &basic::Ack::default().delivery_tag(number));
            return;
        }
        let Some(channel) = self.channel_mut(key) else { return };
        if let Mode::Confirm { decided, .. } = &mut channel.mode {
            decided.push((number, accepted));
            self.deciding.insert(key);
        }
    }

    /// Sends confirms. Consecutive publishes with the same outcome are confirmed together.
    pub(in crate::broker) fn send_confirms(&mut self) {
        while let Some(key) = self.deciding.pop_first() {
            let Some(channel) = self.channel_mut(key) else { continue };
            let Mode::Confirm { decided, .. } = &mut channel.mode else { continue };
            let decided = std::mem::take(decided);
            for alike in decided.chunk_by(|(_, one), (_, other)| one == other) {
                let Some(&(number, accepted)) = alike.last() else { continue };
                if accepted {
                    self.send(key, &basic::Ack::default().delivery_tag(number).multiple(alike.len() > 1));
                } else {
                    // RabbitMQ sets both flags, although they have no meaning to a publisher.
                    self.send(key, &basic::Nack::default().delivery_tag(number).multiple(true).requeue(true));
                }
            }
        }
    }

    pub(super) fn tx_select(&mut self, key: ChannelKey) -> Result<(), Refusal> {
        let Some(channel) = self.channel_mut(key) else { return Ok(()) };
        match channel.mode {
            Mode::Confirm { .. } => return Err(Refusal::precondition("cannot switch from confirm to tx mode")),
            Mode::Plain => channel.mode = Mode::Transaction(Transaction::default()),
            Mode::Transaction(_) | Mode::Committing => {}
        }
        self.send(key, &tx::SelectOk::default());
        Ok(())
    }

    pub(super) fn tx_commit(&mut self, key: ChannelKey, now: Instant) -> Result<(), Refusal> {
        let transaction = self.take_transaction(key)?;
        let mut accepted = true;
        let mut asked = false;
        for publish in &transaction.publishes {
            asked |= publish.queues.iter().any(|queue| self.queues.contains_key(queue));
            accepted &= self.distribute(key, publish, now).accepted;
        }
        for settlement in transaction.settlements {
            self.settle_on_channel(key, settlement, now);
        }
        if !asked {
            self.send(key, &tx::CommitOk::default());
            return Ok(());
        }
        if let Some(channel) = self.channel_mut(key) {
            channel.mode = Mode::Committing;
        }
        self.notify(key, Notice::Committed(accepted), now);
        Ok(())
    }

    /// Refuses with 504 what arrives while `tx.commit` waits for its queues.
    fn check_committing(&self, key: ChannelKey) -> Result<(), Refusal> {
        if self.channel(key).is_some_and(|channel| matches!(channel.mode, Mode::Committing)) {
            let text = "unexpected command while processing 'tx.commit'";
            return Err(Refusal::connection(ReplyCode::CHANNEL_ERROR, text));
        }
        Ok(())
    }

    /// The same for methods. A close of the channel is allowed at any time, and a publish counts
    /// when it has arrived completely.
    pub(super) fn check_commit(&self, key: ChannelKey, method: &Method) -> Result<(), Refusal> {
        match method {
            Method::ChannelOpen(_) | Method::ChannelClose(_) | Method::BasicPublish(_) => Ok(()),
            _ => self.check_committing(key),
        }
    }

    pub(super) fn tx_rollback(&mut self, key: ChannelKey) -> Result<(), Refusal> {
        let transaction = self.take_transaction(key)?;
        if let Some(channel) = self.channel_mut(key) {
            for (tag, unacked) in transaction.settlements.into_iter().flat_map(|settlement| settlement.deliveries) {
                // It has counted as unacknowledged for its consumer in the meantime.
                channel.unacked.insert(tag, unacked);
            }
        }
        self.send(key, &tx::RollbackOk::default());
        Ok(())
    }

    fn take_transaction(&mut self, key: ChannelKey) -> Result<Transaction, Refusal> {
        match self.channel_mut(key).map(|channel| &mut channel.mode) {
            Some(Mode::Transaction(transaction)) => Ok(std::mem::take(transaction)),
            _ => Err(Refusal::precondition("channel is not transactional")),
        }
    }
}

/// Refuses delivery modes other than transient and persistent, as RabbitMQ does.
fn check_delivery_mode(properties: &Properties) -> Result<(), Refusal> {
    match properties.delivery_mode {
        None | Some(DeliveryMode::TRANSIENT | DeliveryMode::PERSISTENT) => Ok(()),
        Some(other) => {
            Err(Refusal::precondition(format!("invalid message: {{delivery_mode_unknown,{}}}", other.code())))
        }
    }
}
