//! What a broker has besides messages, and what it has to have after its connections were lost.

mod expected;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use leveret::broker::{BindingDestination, State};
use leveret::{Entity, RecordedTopology};

pub use expected::Expected;

/// Exchanges, queues, bindings and consumers: those of a broker, or those that a connection has
/// recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// The exchanges, by name.
    pub exchanges: BTreeMap<String, Exchange>,
    /// The queues, by name.
    pub queues: BTreeMap<String, Queue>,
    /// The bindings.
    pub bindings: BTreeSet<Binding>,
    /// The consumers, by tag.
    pub consumers: BTreeMap<String, Consumer>,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The type.
    pub kind: String,
    /// Whether it outlives the broker.
    pub durable: bool,
    /// Whether it goes with its last binding.
    pub auto_delete: bool,
    /// The arguments, as text.
    pub arguments: String,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Whether it outlives the broker.
    pub durable: bool,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// Whether it goes with its connection.
    pub exclusive: bool,
    /// The arguments, as text.
    pub arguments: String,
}

/// A binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The exchange from which it takes messages.
    pub source: String,
    /// The queue or exchange to which it passes them.
    pub destination: String,
    /// Whether that is an exchange.
    pub to_exchange: bool,
    /// The routing key.
    pub routing_key: String,
    /// The arguments, as text.
    pub arguments: String,
}

/// A consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The queue.
    pub queue: String,
    /// Whether its messages need no settlement.
    pub no_ack: bool,
    /// Whether it has the queue to itself.
    pub exclusive: bool,
    /// The arguments, as text.
    pub arguments: String,
    /// The prefetch that was in force when it started.
    pub prefetch: u16,
}

impl Topology {
    /// Returns what a virtual host of the broker has. `prefetches` are those of the consumers, by
    /// tag, which a broker does not list.
    pub fn of_broker(broker: &State, host: &str, prefetches: &BTreeMap<String, u16>) -> Self {
        let exchanges = broker.exchanges(host).into_iter().map(|it| {
            let (kind, arguments) = (it.kind.to_owned(), text(&it.arguments));
            (it.name.to_string(), Exchange { kind, durable: it.durable, auto_delete: it.auto_delete, arguments })
        });
        let queues = broker.queues(host).into_iter().map(|it| {
            let (exclusive, arguments) = (it.exclusive.is_some(), text(&it.arguments));
            (it.name.to_string(), Queue { durable: it.durable, auto_delete: it.auto_delete, exclusive, arguments })
        });
        let bindings = broker.bindings(host).into_iter().map(|it| {
            let (destination, to_exchange) = match it.destination {
                BindingDestination::Queue(name) => (name, false),
                BindingDestination::Exchange(name) => (name, true),
                other => panic!("a binding to {other:?}"),
            };
            let (source, destination) = (it.source.to_string(), destination.to_string());
            let (routing_key, arguments) = (it.routing_key.to_string(), text(&it.arguments));
            Binding { source, destination, to_exchange, routing_key, arguments }
        });
        let consumers = broker.consumers(host).into_iter().map(|it| {
            let (tag, queue, arguments) = (it.tag.to_string(), it.queue.to_string(), text(&it.arguments));
            let prefetch = prefetches.get(&tag).copied().unwrap_or_default();
            (tag, Consumer { queue, no_ack: it.no_ack, exclusive: it.exclusive, arguments, prefetch })
        });
        Self {
            exchanges: exchanges.collect(),
            queues: queues.collect(),
            bindings: bindings.collect(),
            consumers: consumers.collect(),
        }
    }

    /// Returns what a connection has recorded.
    pub fn of_record(record: &RecordedTopology) -> Self {
        let mut topology = Self::default();
        for (name, it) in record.queues() {
            let (durable, arguments) = (it.durable && !it.exclusive, text(&it.arguments));
            let queue = Queue { durable, auto_delete: it.auto_delete, exclusive: it.exclusive, arguments };
            topology.queues.insert(name.to_string(), queue);
        }
        for it in record.exchanges() {
            let (kind, arguments) = (it.kind.to_string(), text(&it.arguments));
            let exchange = Exchange { kind, durable: it.durable, auto_delete: it.auto_delete, arguments };
            topology.exchanges.insert(it.exchange.to_string(), exchange);
        }
        topology.bindings.extend(record.queue_bindings().map(|it| Binding {
            source: it.exchange.to_string(),
            destination: it.queue.to_string(),
            to_exchange: false,
            routing_key: it.routing_key.to_string(),
            arguments: text(&it.arguments),
        }));
        topology.bindings.extend(record.exchange_bindings().map(|it| Binding {
            source: it.source.to_string(),
            destination: it.destination.to_string(),
            to_exchange: true,
            routing_key: it.routing_key.to_string(),
            arguments: text(&it.arguments),
        }));
        for recorded in record.iter() {
            let (Some(it), Some(prefetch)) = (recorded.consumer(), recorded.prefetch()) else { continue };
            // Direct reply-to has no queue, and no broker lists its consumers.
            if it.queue == REPLY_TO {
                continue;
            }
            let (queue, arguments) = (it.queue.to_string(), text(&it.arguments));
            let prefetch = if it.no_ack { 0 } else { prefetch };
            let consumer = Consumer { queue, no_ack: it.no_ack, exclusive: it.exclusive, arguments, prefetch };
            topology.consumers.insert(it.consumer_tag.to_string(), consumer);
        }
        topology
    }

    /// Gives queues the names that the broker has given them since.
    #[must_use]
    pub fn renamed(self, renames: &BTreeMap<String, String>) -> Self {
        let rename = |mut name: String| {
            while let Some(to) = renames.get(&name) {
                name.clone_from(to);
            }
            name
        };
        let bindings = self.bindings.into_iter().map(|mut it| {
            if !it.to_exchange {
                // A bind without queue and key has the name as both.
                it.routing_key = rename(it.routing_key);
                it.destination = rename(it.destination);
            }
            it
        });
        let consumers =
            self.consumers.into_iter().map(|(tag, it)| (tag, Consumer { queue: rename(it.queue.clone()), ..it }));
        Self {
            exchanges: self.exchanges,
            queues: self.queues.into_iter().map(|(name, queue)| (rename(name), queue)).collect(),
            bindings: bindings.collect(),
            consumers: consumers.collect(),
        }
    }

    /// Returns the names of all its entities, as [`name_of`] gives them, with what they are.
    pub fn entities(&self) -> BTreeMap<String, String> {
        let exchanges = self.exchanges.iter().map(|(name, it)| (exchange_name(name), text(it)));
        let queues = self.queues.iter().map(|(name, it)| (queue_name(name), text(it)));
        let bindings = self.bindings.iter().map(|it| (it.to_string(), it.arguments.clone()));
        let consumers = self.consumers.iter().map(|(tag, it)| (consumer_name(tag), text(it)));
        exchanges.chain(queues).chain(bindings).chain(consumers).collect()
    }
}

impl std::fmt::Display for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.to_exchange { "exchange" } else { "queue" };
        write!(f, "the binding of {kind} {} to {} by {:?}", self.destination, self.source, self.routing_key)?;
        match &*self.arguments {
            "" | "{}" => Ok(()),
            arguments => write!(f, " with {arguments}"),
        }
    }
}

/// The queue of direct reply-to.
pub const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The name of an exchange among those of all entities.
pub fn exchange_name(name: &str) -> String {
    format!("the exchange {name}")
}

/// The name of a queue.
pub fn queue_name(name: &str) -> String {
    format!("the queue {name}")
}

/// The name of a consumer.
pub fn consumer_name(tag: &str) -> String {
    format!("the consumer {tag}")
}

/// The name of an entity that an event names.
pub fn name_of(entity: &Entity) -> String {
    match entity {
        Entity::Exchange(name) => exchange_name(&name.to_string()),
        Entity::Queue(name) => queue_name(&name.to_string()),
        Entity::Binding { source, destination, routing_key, to_exchange, .. } => Binding {
            source: source.to_string(),
            destination: destination.to_string(),
            to_exchange: *to_exchange,
            routing_key: routing_key.to_string(),
            arguments: String::new(),
        }
        .to_string(),
        Entity::Consumer { tag, .. } => consumer_name(&tag.to_string()),
        other => panic!("{other:?} is not known here"),
    }
}

fn text(what: &impl Debug) -> String {
    format!("{what:?}")
}
