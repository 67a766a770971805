//! What an application sees of the record: its entities with their requests.

use std::sync::Arc;

use super::{Entity, Order};
use crate::engine::{ChannelKey, ConsumerKey};
use crate::protocol::{basic, exchange, queue};
use crate::wire::ShortString;

/// An exchange, queue, binding or consumer that is to come back after the connection is lost, with
/// the request that makes it.
///
/// The request is the one with which the application made it last. A queue or routing key that the
/// application left empty is filled in, but the request of a queue whose name the broker chose has
/// an empty name.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its place in the order of first declarations, which identifies it.
    pub(in crate::recovery) order: Order,
    pub(in crate::recovery) item: Item,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::recovery) enum Item {
    Exchange(Arc<exchange::Declare>),
    Queue { name: ShortString, request: Arc<queue::Declare> },
    QueueBinding(Arc<queue::Bind>),
    ExchangeBinding(Arc<exchange::Bind>),
    Consumer { consumer: ConsumerKey, channel: ChannelKey, request: Arc<basic::Consume>, prefetch: u16 },
}

impl Recorded {
    /// Returns what identifies it.
    pub fn entity(&self) -> Entity {
        match &self.item {
            Item::Exchange(request) => Entity::Exchange(request.exchange.clone()),
            Item::Queue { name, .. } => Entity::Queue(name.clone()),
            Item::QueueBinding(request) => Entity::Binding {
                source: request.exchange.clone(),
                destination: request.queue.clone(),
                routing_key: request.routing_key.clone(),
                to_exchange: false,
            },
            Item::ExchangeBinding(request) => Entity::Binding {
                source: request.source.clone(),
                destination: request.destination.clone(),
                routing_key: request.routing_key.clone(),
                to_exchange: true,
            },
            Item::Consumer { request, .. } => {
                Entity::Consumer { queue: request.queue.clone(), tag: request.consumer_tag.clone() }
            }
        }
    }

    /// Returns the declaration of an exchange, or `None` for anything else.
    pub fn exchange(&self) -> Option<&exchange::Declare> {
        match &self.item {
            Item::Exchange(request) => Some(request),
            _ => None,
        }
    }

    /// Returns the declaration of a queue, or `None` for anything else. Its name is empty if the
    /// broker chose the name; [`entity`](Self::entity) has the present one.
    pub fn queue(&self) -> Option<&queue::Declare> {
        match &self.item {
            Item::Queue { request, .. } => Some(request),
            _ => None,
        }
    }

    /// Returns the request that bound a queue, or `None` for anything else.
    pub fn queue_binding(&self) -> Option<&queue::Bind> {
        match &self.item {
            Item::QueueBinding(request) => Some(request),
            _ => None,
        }
    }

    /// Returns the request that bound an exchange to an exchange, or `None` for anything else.
    pub fn exchange_binding(&self) -> Option<&exchange::Bind> {
        match &self.item {
            Item::ExchangeBinding(request) => Some(request),
            _ => None,
        }
    }

    /// Returns the request that started a consumer, with its tag, or `None` for anything else.
    pub fn consumer(&self) -> Option<&basic::Consume> {
        match &self.item {
            Item::Consumer { request, .. } => Some(request),
            _ => None,
        }
    }

    /// Returns the prefetch count that was in force when a consumer started, 0 for no limit, or
    /// `None` for anything else than a consumer.
    pub fn prefetch(&self) -> Option<u16> {
        match &self.item {
            Item::Consumer { prefetch, .. } => Some(*prefetch),
            _ => None,
        }
    }
}

impl Item {
    /// Replaces the name of a queue in a binding or consumer of the queue, and in the name of the
    /// queue.
    pub(in crate::recovery) fn rename_queue(&mut self, from: &ShortString, to: &ShortString) {
        match self {
            Self::Queue { name, .. } => *name = to.clone(),
            Self::QueueBinding(request) => rename_in_bind(Arc::make_mut(request), from, to),
            Self::Consumer { request, .. } => Arc::make_mut(request).queue = to.clone(),
            Self::Exchange(_) | Self::ExchangeBinding(_) => {}
        }
    }
}

/// Replaces the name of a queue in its binding, and in a routing key that stands for the queue: a
/// bind without a queue and a routing key has the name of the queue as both.
pub(super) fn rename_in_bind(bind: &mut queue::Bind, from: &ShortString, to: &ShortString) {
    bind.queue = to.clone();
    if bind.routing_key == *from {
        bind.routing_key = to.clone();
    }
}

/// All entities that are to come back after the connection is lost, as they were when this was
/// made.
///
/// They are in the order in which they come back: exchanges, queues, bindings of both kinds, and
/// consumers, each in the order in which the application first made them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedTopology {
    pub(super) entities: Vec<Recorded>,
}

impl RecordedTopology {
    /// Returns an iterator over all entities, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Recorded> + ExactSizeIterator {
        self.entities.iter()
    }

    /// Returns an iterator over the declarations of exchanges.
    pub fn exchanges(&self) -> impl DoubleEndedIterator<Item = &exchange::Declare> {
        self.iter().filter_map(Recorded::exchange)
    }

    /// Returns an iterator over the present names of queues and their declarations, in which the
    /// name is empty if the broker chose it.
    pub fn queues(&self) -> impl DoubleEndedIterator<Item = (&ShortString, &queue::Declare)> {
        self.iter().filter_map(|recorded| match &recorded.item {
            Item::Queue { name, request } => Some((name, &**request)),
            _ => None,
        })
    }

    /// Returns an iterator over the requests that bound queues.
    pub fn queue_bindings(&self) -> impl DoubleEndedIterator<Item = &queue::Bind> {
        self.iter().filter_map(Recorded::queue_binding)
    }

    /// Returns an iterator over the requests that bound exchanges to exchanges.
    pub fn exchange_bindings(&self) -> impl DoubleEndedIterator<Item = &exchange::Bind> {
        self.iter().filter_map(Recorded::exchange_binding)
    }

    /// Returns an iterator over the requests that started consumers.
    pub fn consumers(&self) -> impl DoubleEndedIterator<Item = &basic::Consume> {
        self.iter().filter_map(Recorded::consumer)
    }

    /// Returns the number of entities.
    pub fn len(&self) -> usize {
        self.entities.len()
    }

    /// Returns `true` if there are no entities.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// Removes the entities for which `keeps` returns `false`, and returns the consumers among
    /// them.
    pub(crate) fn retain(&mut self, mut keeps: impl FnMut(&Recorded) -> bool) -> Vec<ConsumerKey> {
        let removed = self.entities.extract_if(.., |recorded| !keeps(recorded));
        removed
            .filter_map(|recorded| match recorded.item {
                Item::Consumer { consumer, .. } => Some(consumer),
                _ => None,
            })
            .collect()
    }
}

impl IntoIterator for RecordedTopology {
    type Item = Recorded;
    type IntoIter = std::vec::IntoIter<Recorded>;

    fn into_iter(self) -> Self::IntoIter {
        self.entities.into_iter()
    }
}
