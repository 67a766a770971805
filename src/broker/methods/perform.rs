//! Methods on an open channel.

use std::time::Instant;

use crate::broker::keys::ChannelKey;
use crate::broker::model::{Access, VirtualHost};
use crate::broker::session::{Incoming, Mode};
use crate::broker::state::State;
use crate::broker::words::{Refusal, short_text};
use crate::protocol::{Method, ProtocolMethod, ReplyCode, basic, channel, confirm, connection};
use crate::wire::ShortString;

impl State {
    /// Performs a method.
    pub(in crate::broker) fn perform(&mut self, key: ChannelKey, method: Method, now: Instant) -> Result<(), Refusal> {
        check_text(&method)?;
        self.check_commit(key, &method)?;
        match method {
            Method::ChannelOpen(_) => Err(Refusal::second_open()),
            Method::ChannelFlow(flow) if flow.active => {
                self.send(key, &channel::FlowOk::default().active(true));
                Ok(())
            }
            Method::ChannelFlow(_) => Err(Refusal::connection(ReplyCode::NOT_IMPLEMENTED, "active=false")),
            Method::ChannelClose(_) => {
                self.end_channel(key, now);
                self.send(key, &channel::CloseOk::default());
                Ok(())
            }
            Method::ExchangeDeclare(declare) => self.exchange_declare(key, &declare),
            Method::ExchangeDelete(delete) => self.exchange_delete(key, &delete),
            Method::ExchangeBind(bind) => self.exchange_bind(key, &bind),
            Method::ExchangeUnbind(unbind) => self.exchange_unbind(key, &unbind),
            Method::QueueDeclare(declare) => self.queue_declare(key, &declare, now),
            Method::QueueBind(bind) => self.queue_bind(key, bind),
            Method::QueueUnbind(unbind) => self.queue_unbind(key, unbind),
            Method::QueuePurge(purge) => self.queue_purge(key, &purge),
            Method::QueueDelete(delete) => self.queue_delete(key, &delete, now),
            Method::BasicPublish(publish) => {
                self.begin_publish(key, publish);
                Ok(())
            }
            other => self.perform_more(key, other, now),
        }
    }

    fn perform_more(&mut self, key: ChannelKey, method: Method, now: Instant) -> Result<(), Refusal> {
        match method {
            Method::BasicQos(qos) => self.basic_qos(key, &qos),
            Method::BasicConsume(consume) => self.basic_consume(key, &consume, now),
            Method::BasicCancel(cancel) => self.basic_cancel(key, cancel, now),
            Method::BasicCancelOk(ok) => self.cancel_agreed(key, &ok),
            Method::BasicGet(get) => self.basic_get(key, &get, now),
            Method::BasicAck(ack) => self.basic_ack(key, &ack, now),
            Method::BasicNack(nack) => self.basic_nack(key, &nack, now),
            Method::BasicReject(reject) => self.basic_reject(key, &reject, now),
            Method::BasicRecover(recover) => self.basic_recover(key, recover.requeue, true, now),
            Method::BasicRecoverAsync(recover) => self.basic_recover(key, recover.requeue, false, now),
            Method::ConfirmSelect(select) => self.confirm_select(key, &select),
            Method::TxSelect(_) => self.tx_select(key),
            Method::TxCommit(_) => self.tx_commit(key, now),
            Method::TxRollback(_) => self.tx_rollback(key),
            _ => Err(Refusal::connection(ReplyCode::COMMAND_INVALID, "unimplemented method")),
        }
    }

    /// Begins a publish, whose content follows.
    pub(in crate::broker) fn begin_publish(&mut self, key: ChannelKey, publish: basic::Publish) {
        if let Some(channel) = self.channel_mut(key) {
            channel.incoming = Some(Incoming { publish, content: None });
        }
    }

    /// During an alarm, stops reading from a connection that publishes, beginning with what follows
    /// the header of the content.
    pub(in crate::broker) fn hold_back(&mut self, key: ChannelKey) {
        let Some(reason) = self.faults.alarm().map(str::to_owned) else { return };
        let Some(connection) = self.connections.get_mut(&key.connection) else { return };
        connection.blocked = true;
        if connection.is_capable("connection.blocked") {
            self.send(ChannelKey { number: 0, ..key }, &connection::Blocked::default().reason(short_text(&reason)));
        }
        self.wake(key.connection);
    }

    fn confirm_select(&mut self, key: ChannelKey, select: &confirm::Select) -> Result<(), Refusal> {
        let Some(channel) = self.channel_mut(key) else { return Ok(()) };
        match channel.mode {
            Mode::Transaction(_) | Mode::Committing => {
                return Err(Refusal::precondition("cannot switch from tx to confirm mode"));
            }
            Mode::Plain => channel.mode = Mode::Confirm { last: 0, decided: Vec::new() },
            Mode::Confirm { .. } => {}
        }
        self.reply(key, select.no_wait, &confirm::SelectOk::default());
        Ok(())
    }

    /// Sends an answer, unless no-wait is set.
    pub(super) fn reply<M: ProtocolMethod>(&mut self, key: ChannelKey, no_wait: bool, method: &M) {
        if !no_wait {
            self.send(key, method);
        }
    }

    /// The name of the virtual host of a connection.
    pub(super) fn virtual_host_name(&self, key: ChannelKey) -> ShortString {
        self.connections.get(&key.connection).map(|connection| connection.virtual_host.clone()).unwrap_or_default()
    }

    /// The virtual host of a connection.
    pub(super) fn host(&self, key: ChannelKey) -> Result<&VirtualHost, Refusal> {
        let connection = self.connections.get(&key.connection);
        connection.and_then(|connection| self.virtual_hosts.get(&connection.virtual_host)).ok_or_else(Refusal::internal)
    }

    /// The virtual host of a connection.
    pub(super) fn host_mut(&mut self, key: ChannelKey) -> Result<&mut VirtualHost, Refusal> {
        let connection = self.connections.get(&key.connection);
        let host = connection.and_then(|connection| self.virtual_hosts.get_mut(&connection.virtual_host));
        host.ok_or_else(Refusal::internal)
    }

    /// Refuses with 403 unless the user may access an exchange in this way.
    pub(super) fn allow_exchange(&self, key: ChannelKey, access: Access, name: &ShortString) -> Result<(), Refusal> {
        let default = ShortString::from_static("amq.default");
        self.allow(key, access, "exchange", if name.is_empty() { &default } else { name })
    }

    /// Refuses with 403 unless the user may access a queue in this way.
    pub(super) fn allow_queue(&self, key: ChannelKey, access: Access, name: &ShortString) -> Result<(), Refusal> {
        self.allow(key, access, "queue", name)
    }

    fn allow(&self, key: ChannelKey, access: Access, kind: &str, name: &ShortString) -> Result<(), Refusal> {
        let Some(connection) = self.connections.get(&key.connection) else { return Ok(()) };
        let user = self.users.get(connection.user.to_str().unwrap_or_default());
        let host = connection.virtual_host.to_str().unwrap_or_default();
        let permissions = user.and_then(|user| user.permissions.get(host));
        if permissions.is_some_and(|permissions| permissions.allows(access, name.as_bytes())) {
            return Ok(());
        }
        let (host, user) = (&connection.virtual_host, &connection.user);
        let text = format!("access to {kind} '{name}' in vhost '{host}' refused for user '{user}'");
        Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, text))
    }
}

/// Refuses short strings that are not UTF-8, except in content methods, which RabbitMQ does not
/// check.
fn check_text(method: &Method) -> Result<(), Refusal> {
    let texts: Vec<&ShortString> = match method {
        Method::ExchangeDeclare(declare) => vec![&declare.exchange, &declare.kind],
        Method::ExchangeDelete(delete) => vec![&delete.exchange],
        Method::ExchangeBind(bind) => vec![&bind.destination, &bind.source, &bind.routing_key],
        Method::ExchangeUnbind(unbind) => vec![&unbind.destination, &unbind.source, &unbind.routing_key],
        Method::QueueDeclare(declare) => vec![&declare.queue],
        Method::QueueBind(bind) => vec![&bind.queue, &bind.exchange, &bind.routing_key],
        Method::QueueUnbind(unbind) => vec![&unbind.queue, &unbind.exchange, &unbind.routing_key],
        Method::QueuePurge(purge) => vec![&purge.queue],
        Method::QueueDelete(delete) => vec![&delete.queue],
        Method::BasicConsume(consume) => vec![&consume.queue, &consume.consumer_tag],
        Method::BasicCancel(cancel) => vec![&cancel.consumer_tag],
        Method::BasicGet(get) => vec![&get.queue],
        _ => Vec::new(),
    };
    if texts.iter().all(|text| text.to_str().is_ok()) { Ok(()) } else { Err(Refusal::malformed_text().without_blame()) }
}
