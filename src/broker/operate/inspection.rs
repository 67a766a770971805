//! What the broker contains, for tests.

use bytes::Bytes;

use crate::broker::keys::{ConnectionId, QueueId};
use crate::broker::model::{ExchangeKind, VirtualHost};
use crate::broker::session::Phase;
use crate::broker::state::{HostedQueue, State};
use crate::protocol::basic::Properties;
use crate::wire::{FieldTable, ShortString};

/// A queue.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct QueueInfo {
    /// The name.
    pub name: ShortString,
    /// Whether it survives [`State::restart`]: it was declared durable, and not exclusive.
    pub durable: bool,
    /// Whether it is deleted with its last consumer.
    pub auto_delete: bool,
    /// The connection that has exclusive use of it, if any.
    pub exclusive: Option<ConnectionId>,
    /// Whether [`State::set_queue_down`] has taken it down.
    pub down: bool,
    /// The arguments with which it was declared.
    pub arguments: FieldTable,
    /// The number of messages that wait for a consumer.
    pub ready: usize,
    /// The number of messages that were delivered and not acknowledged.
    pub unacknowledged: usize,
    /// The number of consumers.
    pub consumers: usize,
}

/// A message that waits in a queue.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MessageInfo {
    /// The exchange to which it was published.
    pub exchange: ShortString,
    /// The routing key with which it was published.
    pub routing_key: ShortString,
    /// The properties.
    pub properties: Properties,
    /// The body.
    pub body: Bytes,
    /// Whether it was delivered before and requeued.
    pub redelivered: bool,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExchangeInfo {
    /// The name; empty for the default exchange.
    pub name: ShortString,
    /// The type, such as `topic`.
    pub kind: &'static str,
    /// Whether it was declared durable.
    pub durable: bool,
    /// Whether it is deleted with its last binding.
    pub auto_delete: bool,
    /// Whether only other exchanges can publish to it.
    pub internal: bool,
    /// The arguments with which it was declared.
    pub arguments: FieldTable,
}

/// A binding. The bindings of the default exchange to every queue are not listed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BindingInfo {
    /// The exchange from which messages are routed.
    pub source: ShortString,
    /// The queue or exchange to which they are routed.
    pub destination: BindingDestination,
    /// The routing key or pattern.
    pub routing_key: ShortString,
    /// The arguments, which a headers exchange matches.
    pub arguments: FieldTable,
}

/// The destination of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingDestination {
    /// The queue with this name.
    Queue(ShortString),
    /// The exchange with this name.
    Exchange(ShortString),
}

/// A consumer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// The name of its queue.
    pub queue: ShortString,
    /// The connection.
    pub connection: ConnectionId,
    /// The channel number.
    pub channel: u16,
    /// The consumer tag.
    pub tag: ShortString,
    /// Whether it gets messages. If the queue has a single active consumer, the others wait.
    pub active: bool,
    /// Whether no other consumer may use the queue.
    pub exclusive: bool,
    /// Whether its deliveries need no acknowledgement.
    pub no_ack: bool,
    /// The priority; 0 unless it was set.
    pub priority: i64,
    /// The arguments with which it was started.
    pub arguments: FieldTable,
}

/// A connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The id, for faults.
    pub id: ConnectionId,
    /// The name that the client gave it, `connection_name` in the client properties.
    pub name: Option<String>,
    /// The user; empty before the login.
    pub user: ShortString,
    /// The virtual host; empty before it is opened.
    pub virtual_host: ShortString,
    /// Whether it is open: neither in its handshake nor closing.
    pub open: bool,
    /// Whether it is blocked, and is not read.
    pub blocked: bool,
    /// The numbers of its open channels.
    pub channels: Vec<u16>,
    /// The properties that the client announced.
    pub client_properties: FieldTable,
}

/// Getters.
impl State {
    /// Returns the queues of a virtual host, by name. Empty if there is no such virtual host.
    pub fn queues(&self, virtual_host: &str) -> Vec<QueueInfo> {
        let Some(host) = self.named_host(virtual_host) else { return Vec::new() };
        host.queues().filter_map(|(_, id)| self.queues.get(&id)).map(queue_info).collect()
    }

    /// Returns a queue, if it exists.
    pub fn queue(&self, virtual_host: &str, name: &str) -> Option<QueueInfo> {
        self.named_queue(virtual_host, name).map(queue_info)
    }

    /// Returns the messages that wait in a queue, in the order in which they would be delivered.
    pub fn messages(&self, virtual_host: &str, queue: &str) -> Vec<MessageInfo> {
        let Some(hosted) = self.named_queue(virtual_host, queue) else { return Vec::new() };
        let info = |entry: &crate::broker::model::Entry| MessageInfo {
            exchange: entry.message.exchange.clone(),
            routing_key: entry.message.routing_key.clone(),
            properties: entry.message.properties.clone(),
            body: entry.message.body.clone(),
            redelivered: entry.redelivered,
        };
        hosted.queue.messages().map(info).collect()
    }

    /// Returns the exchanges of a virtual host, by name, including the predeclared ones.
    pub fn exchanges(&self, virtual_host: &str) -> Vec<ExchangeInfo> {
        let Some(host) = self.named_host(virtual_host) else { return Vec::new() };
        let info = |exchange: &crate::broker::model::Exchange| ExchangeInfo {
            name: exchange.name().clone(),
            kind: ExchangeKind::as_str(exchange.kind()),
            durable: exchange.durable(),
            auto_delete: exchange.auto_delete(),
            internal: exchange.internal(),
            arguments: exchange.arguments().clone(),
        };
        host.exchanges().map(info).collect()
    }

    /// Returns the bindings of a virtual host, by source.
    pub fn bindings(&self, virtual_host: &str) -> Vec<BindingInfo> {
        let Some(host) = self.named_host(virtual_host) else { return Vec::new() };
        let info = |binding: crate::broker::model::Binding<'_>| BindingInfo {
            source: binding.source.clone(),
            destination: match binding.destination {
                crate::broker::model::Destination::Queue(name) => BindingDestination::Queue(name.clone()),
                crate::broker::model::Destination::Exchange(name) => BindingDestination::Exchange(name.clone()),
            },
            routing_key: binding.routing_key.clone(),
            arguments: binding.arguments.clone(),
        };
        host.bindings().map(info).collect()
    }

    /// Returns the consumers of a virtual host, by queue, in the order in which they started.
    pub fn consumers(&self, virtual_host: &str) -> Vec<ConsumerInfo> {
        let Some(host) = self.named_host(virtual_host) else { return Vec::new() };
        let hosted = host.queues().filter_map(|(name, id)| Some((name, self.queues.get(&id)?)));
        let infos = hosted.flat_map(|(name, hosted)| {
            hosted.queue.consumers().map(move |consumer| ConsumerInfo {
                queue: name.clone(),
                connection: consumer.key.channel.connection,
                channel: consumer.key.channel.number,
                tag: consumer.key.tag.clone(),
                active: consumer.active,
                exclusive: consumer.exclusive,
                no_ack: consumer.no_ack,
                priority: consumer.priority,
                arguments: consumer.arguments.clone(),
            })
        });
        infos.collect()
    }

    /// Returns the connections, in the order in which they were opened.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        let info = |(&id, connection): (&ConnectionId, &crate::broker::session::Connection)| ConnectionInfo {
            id,
            name: connection.name().map(str::to_owned),
            user: connection.user.clone(),
            virtual_host: connection.virtual_host.clone(),
            open: connection.phase == Phase::Running,
            blocked: connection.blocked,
            channels: connection
                .channels
                .iter()
                .filter(|(_, channel)| !channel.closing)
                .map(|(&number, _)| number)
                .collect(),
            client_properties: connection.client_properties.clone(),
        };
        self.connections.iter().map(info).collect()
    }

    fn named_host(&self, name: &str) -> Option<&VirtualHost> {
        self.virtual_hosts.get(&ShortString::from(name))
    }

    fn named_queue(&self, virtual_host: &str, name: &str) -> Option<&HostedQueue> {
        let id: QueueId = self.named_host(virtual_host)?.queue(&ShortString::from(name))?;
        self.queues.get(&id)
    }
}

fn queue_info(hosted: &HostedQueue) -> QueueInfo {
    let queue = &hosted.queue;
    QueueInfo {
        name: queue.name().clone(),
        durable: queue.durable(),
        auto_delete: queue.auto_delete(),
        exclusive: queue.owner(),
        down: hosted.down,
        arguments: queue.arguments().clone(),
        ready: queue.ready_count(),
        unacknowledged: queue.unacked_count(),
        consumers: queue.consumer_count(),
    }
}
