//! How channels and connections end, and what ends with them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::channel::{Channel, Incoming, Mode, Outcome, Unacked};
use super::connection::Phase;
use super::turn::{Handover, Notice};
use crate::broker::keys::{ChannelKey, ConnectionId, ConsumerKey, QueueId};
use crate::broker::state::State;
use crate::broker::words::{Refusal, Scope, short_text};
use crate::protocol::{Method, MethodId, ProtocolMethod, ReplyCode, basic, channel, connection};

/// How long `connection.close-ok` is awaited.
const CLOSING: Duration = Duration::from_secs(30);

impl State {
    /// Handles a method on channel 0 of an open connection.
    pub(super) fn connection_method(&mut self, id: ConnectionId, method: &Method, now: Instant) {
        let key = ChannelKey { connection: id, number: 0 };
        if method.id() == connection::UpdateSecret::ID
            && let Err(refusal) = self.intercept(key, method.id())
        {
            return self.refuse_connection(id, &refusal, method.id(), now);
        }
        match method {
            Method::ConnectionClose(_) => {
                self.end_session(id, now);
                self.send(key, &connection::CloseOk::default());
                self.await_transport_end(id, now);
            }
            Method::ConnectionUpdateSecret(_) => self.send(key, &connection::UpdateSecretOk::default()),
            other => {
                let text = "unexpected method in connection state running";
                self.refuse_connection(id, &Refusal::connection(ReplyCode::CHANNEL_ERROR, text), other.id(), now);
            }
        }
    }

    pub(super) fn method_while_closing(&mut self, id: ConnectionId, method: MethodId, now: Instant) {
        if method == connection::Close::ID {
            self.send(ChannelKey { connection: id, number: 0 }, &connection::CloseOk::default());
        } else if method == connection::CloseOk::ID && self.phase(id) == Some(Phase::Closing) {
            self.finish(id, now);
        }
    }

    fn phase(&self, id: ConnectionId) -> Option<Phase> {
        self.connections.get(&id).map(|connection| connection.phase)
    }

    /// Waits for the client, which has closed the connection, to close the transport (AMQP 0-9-1
    /// §2.2.4).
    fn await_transport_end(&mut self, id: ConnectionId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Closed;
            connection.phase_deadline = Some(now + CLOSING);
        }
    }

    /// Refuses what arrived on a channel: the channel or the whole connection is closed for it.
    pub(super) fn refuse(&mut self, key: ChannelKey, refusal: &Refusal, blamed: MethodId, now: Instant) {
        match refusal.scope {
            Scope::Channel => self.close_by_broker(key, refusal.code, &refusal.text(), refusal.blamed(blamed), now),
            Scope::Connection => self.refuse_connection(key.connection, refusal, blamed, now),
        }
    }

    /// Sends confirms before a close, unless they are late: what queues would confirm later is then
    /// lost with the channel.
    fn send_confirms_unless_late(&mut self) {
        if !self.settings.late_answers {
            self.send_confirms();
        }
    }

    /// Closes a channel. What arrives on it before `channel.close-ok` is ignored.
    pub(in crate::broker) fn close_by_broker(
        &mut self,
        key: ChannelKey,
        code: ReplyCode,
        text: &str,
        blamed: MethodId,
        now: Instant,
    ) {
        self.send_confirms_unless_late();
        let incoming = self.end_channel(key, now);
        let close = channel::Close::default()
            .reply_code(code)
            .reply_text(short_text(text))
            .class_id(blamed.class)
            .method_id(blamed.method);
        self.send(key, &close);
        if let Some(connection) = self.connections.get_mut(&key.connection) {
            connection.channels.insert(key.number, Channel::closing(incoming));
        }
    }

    /// Closes the channels of a connection on which an acknowledgement is overdue.
    pub(in crate::broker) fn close_overdue(&mut self, id: ConnectionId, now: Instant) {
        let Some(timeout) = self.settings.consumer_timeout else { return };
        let overdue = self.connections.get(&id).map(|connection| connection.overdue(timeout, now)).unwrap_or_default();
        for number in overdue {
            let text = format!(
                "delivery acknowledgement on channel {number} timed out. Timeout value used: {} ms. \
                 This timeout value can be configured, see consumers doc guide to learn more",
                timeout.as_millis()
            );
            let refusal = Refusal::precondition(text).without_blame();
            self.refuse(ChannelKey { connection: id, number }, &refusal, MethodId::new(0, 0), now);
        }
    }

    pub(in crate::broker) fn refuse_connection(
        &mut self,
        id: ConnectionId,
        refusal: &Refusal,
        blamed: MethodId,
        now: Instant,
    ) {
        self.close_connection_by_broker(id, refusal.code, &refusal.text(), refusal.blamed(blamed), now);
    }

    /// Closes a connection. Only the answer counts from now on.
    pub(in crate::broker) fn close_connection_by_broker(
        &mut self,
        id: ConnectionId,
        code: ReplyCode,
        text: &str,
        blamed: MethodId,
        now: Instant,
    ) {
        self.send_confirms_unless_late();
        self.end_session(id, now);
        let close = connection::Close::default()
            .reply_code(code)
            .reply_text(short_text(text))
            .class_id(blamed.class)
            .method_id(blamed.method);
        self.send(ChannelKey { connection: id, number: 0 }, &close);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Closing;
            connection.phase_deadline = Some(now + CLOSING);
            connection.blocked = false;
        }
    }

    /// Ends a connection: what waits is written, and then the transport is closed.
    pub(in crate::broker) fn finish(&mut self, id: ConnectionId, now: Instant) {
        self.end_session(id, now);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Ending;
            connection.phase_deadline = None;
            connection.link.finish();
        }
        self.wake(id);
    }

    /// Drops the transport without a close. A transport that was made silent by a fault stays open.
    pub(in crate::broker) fn cut(&mut self, id: ConnectionId, now: Instant) {
        self.end_session(id, now);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Ending;
            connection.phase_deadline = None;
            if !connection.link.is_silent() {
                connection.link.cut();
            }
        }
        self.wake(id);
    }

    /// Ends all channels of a connection, and deletes its exclusive queues.
    pub(in crate::broker) fn end_session(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.drop_held();
        let numbers: Vec<_> = connection.channels.keys().copied().collect();
        for number in numbers {
            self.end_channel(ChannelKey { connection: id, number }, now);
        }
        let own = |(queue, hosted): (&QueueId, &crate::broker::state::HostedQueue)| {
            (hosted.queue.owner() == Some(id)).then_some(*queue)
        };
        let own: Vec<_> = self.queues.iter().filter_map(own).collect();
        for queue in own {
            self.remove_queue(queue, now);
        }
    }

    /// Ends a channel: removes its consumers, and then requeues what it had not acknowledged.
    /// Returns the publish that has not arrived completely.
    pub(in crate::broker) fn end_channel(&mut self, key: ChannelKey, now: Instant) -> Option<Incoming> {
        let connection = self.connections.get_mut(&key.connection)?;
        let mut channel = connection.channels.remove(&key.number)?;
        let unsent_notices = connection.turn.take(key.number);
        let incoming = channel.incoming.take();
        if let Some(replies) = channel.replies.take() {
            self.reply_addresses.remove(&replies.address);
        }
        for (tag, consumer) in std::mem::take(&mut channel.consumers) {
            self.leave_queue(consumer.queue, &ConsumerKey { channel: key, tag }, now);
        }
        let unsent = unsent_notices.into_iter().filter_map(|notice| unsent(notice, now)).map(|unacked| (0, unacked));
        let back = unsettled(channel).into_iter().chain(unsent).collect();
        self.settle_deliveries(back, Outcome::Requeued, now);
        incoming
    }

    /// Removes a consumer from its queue. An auto-delete queue is deleted with the last one.
    pub(in crate::broker) fn leave_queue(&mut self, queue: QueueId, consumer: &ConsumerKey, now: Instant) {
        let Some(hosted) = self.queues.get_mut(&queue) else { return };
        if hosted.queue.remove_consumer(consumer, now) {
            self.remove_queue(queue, now);
        } else {
            self.mark(queue);
        }
    }

    /// Deletes a queue with its bindings. Its consumers are cancelled.
    pub(in crate::broker) fn remove_queue(&mut self, queue: QueueId, now: Instant) {
        let Some(hosted) = self.queues.remove(&queue) else { return };
        self.deadlines.set(super::deadlines::Waiting::Queue(queue), None);
        if let Some(host) = self.virtual_hosts.get_mut(&hosted.virtual_host) {
            host.remove_queue(hosted.queue.name());
        }
        self.cancel_consumers(hosted.queue.into_consumers(), now);
    }

    /// Cancels the consumers of a queue that has ended.
    pub(in crate::broker) fn cancel_consumers(&mut self, consumers: Vec<ConsumerKey>, now: Instant) {
        for consumer in consumers {
            let Some(channel) = self.channel_mut(consumer.channel) else { continue };
            channel.consumers.remove(&consumer.tag);
            let connection = self.connections.get(&consumer.channel.connection);
            if connection.is_some_and(|connection| connection.is_capable("consumer_cancel_notify")) {
                let cancel = basic::Cancel::default().consumer_tag(consumer.tag).no_wait(true);
                self.notify(consumer.channel, Notice::Ended(cancel), now);
            }
        }
    }
}

/// A delivery that was not sent to its channel and that would have to be acknowledged.
fn unsent(notice: Notice, now: Instant) -> Option<Unacked> {
    match notice {
        Notice::Delivery(Handover { queue, entry, subscription: Some(consumer), .. }) => {
            Some(Unacked { queue, entry, consumer: Some(consumer), delivered: now })
        }
        _ => None,
    }
}

/// Everything that a channel has not acknowledged, and what it acknowledged in a transaction that
/// is not committed, in the order of delivery.
fn unsettled(channel: Channel) -> Vec<(u64, Unacked)> {
    let mut all = channel.unacked;
    if let Mode::Transaction(transaction) = channel.mode {
        all.extend(transaction.settlements.into_iter().flat_map(|settlement| settlement.deliveries));
    }
    let ordered: BTreeMap<_, _> = all;
    ordered.into_iter().collect()
}
