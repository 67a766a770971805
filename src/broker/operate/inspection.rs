//! What is in the broker, for tests to look at.

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
    /// Its name.
    pub name: ShortString,
    /// It was declared durable; nothing outlives the broker all the same.
    pub durable: bool,
    /// It goes with its last consumer.
    pub auto_delete: bool,
    /// The connection that alone may use it.
    pub exclusive: Option<ConnectionId>,
    /// The arguments that it was declared with.
    pub arguments: FieldTable,
    /// Messages that wait for a consumer.
    pub ready: usize,
    /// Messages that were delivered, and not acknowledged so far.
    pub unacknowledged: usize,
    /// How many consumers it has.
    pub consumers: usize,
}

/// A message that waits in a queue.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MessageInfo {
    /// The exchange that it was published to.
    pub exchange: ShortString,
    /// The key that it was published with.
    pub routing_key: ShortString,
    /// Its properties.
    pub properties: Properties,
    /// Its body.
    pub body: Bytes,
    /// It was delivered before, and came back.
    pub redelivered: bool,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExchangeInfo {
    /// Its name, empty for the default exchange.
    pub name: ShortString,
    /// Its type, such as `topic`.
    pub kind: &'static str,
    /// It was declared durable.
    pub durable: bool,
    /// It goes with its last binding.
    pub auto_delete: bool,
    /// Only other exchanges publish to it.
    pub internal: bool,
    /// The arguments that it was declared with.
    pub arguments: FieldTable,
}

/// A binding; those that the default exchange has to every queue are not listed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BindingInfo {
    /// The exchange that messages come from.
    pub source: ShortString,
    /// Where they go.
    pub destination: BindingDestination,
    /// The routing key or pattern.
    pub routing_key: ShortString,
    /// The arguments, which headers exchanges match.
    pub arguments: FieldTable,
}

/// Where a binding leads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingDestination {
    /// To a queue.
    Queue(ShortString),
    /// To another exchange.
    Exchange(ShortString),
}

/// A consumer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// The queue that it consumes.
    pub queue: ShortString,
    /// Its connection.
    pub connection: ConnectionId,
    /// Its channel.
    pub channel: u16,
    /// Its tag.
    pub tag: ShortString,
    /// It gets messages: with a single active consumer, the others wait.
    pub active: bool,
    /// Nobody else may consume the queue.
    pub exclusive: bool,
    /// It does not acknowledge.
    pub no_ack: bool,
    /// Its priority, 0 unless it gave one.
    pub priority: i64,
    /// The arguments that it was started with.
    pub arguments: FieldTable,
}

/// A connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its id, for faults.
    pub id: ConnectionId,
    /// The name that the client gave it, `connection_name` in its properties.
    pub name: Option<String>,
    /// Who logged in, empty before that.
    pub user: ShortString,
    /// The virtual host, empty before it is open.
    pub virtual_host: ShortString,
    /// It is open: neither in its handshake nor closing.
    pub open: bool,
    /// It was told that it is blocked, and is not read.
    pub blocked: bool,
    /// The numbers of its open channels.
    pub channels: Vec<u16>,
    /// What the client said of itself.
    pub client_properties: FieldTable,
}

/// Getters.
impl State {
    /// The queues of a virtual host, by name; none where there is no such virtual host.
    pub fn queues(&self, virtual_host: &str) -> Vec<QueueInfo> {
        let Some(host) = self.named_host(virtual_host) else { return Vec::new() };
        host.queues().filter_map(|(_, id)| self.queues.get(&id)).map(queue_info).collect()
    }

    /// A queue.
    pub fn queue(&self, virtual_host: &str, name: &str) -> Option<QueueInfo> {
        self.named_queue(virtual_host, name).map(queue_info)
    }

    /// The messages that wait in a queue, in the order in which they would be delivered.
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

    /// The exchanges of a virtual host, by name, the predeclared ones included.
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

    /// The bindings of a virtual host, by source.
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

    /// The consumers of a virtual host, by queue, in the order in which they started.
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

    /// The connections, in the order in which they came.
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
        arguments: queue.arguments().clone(),
        ready: queue.ready_count(),
        unacknowledged: queue.unacked_count(),
        consumers: queue.consumer_count(),
    }
}
