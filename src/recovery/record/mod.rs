//! The record of topology: the exchanges, queues, bindings and consumers that this connection has
//! made, so that they can be made again after it was lost.
//!
//! Every change costs `O(log n)`, or in proportion to what it removes.

mod bindings;
mod consumers;
mod recorded;
#[cfg(test)]
pub(super) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::steps::step;
use crate::engine::{Change, ChannelKey, ConsumerKey};
use crate::protocol::{basic, exchange, queue};
use crate::wire::ShortString;

pub(crate) use crate::engine::Entity;
pub(super) use recorded::Item;
pub use recorded::{Recorded, RecordedTopology};

use bindings::{BindingKey, Bindings, Destination, Request};
use consumers::{Consumer, Consumers};

/// A place in the order of first declarations. No two entities have the same.
pub(super) type Order = u64;

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Outcome {
    /// There is nothing to report.
    Applied,
    /// The entity is not recorded because the record is full. This is reported for the first of
    /// them, and again only after the record was half empty.
    LimitReached,
}

/// The record of a connection.
#[derive(Debug)]
pub(crate) struct Topology {
    exchanges: BTreeMap<ShortString, Declared<exchange::Declare>>,
    queues: BTreeMap<ShortString, Declared<queue::Declare>>,
    bindings: Bindings,
    consumers: Consumers,
    next: Order,
    limit: usize,
    /// Whether it was reported that the record is full.
    reported: bool,
}

/// An exchange or queue, with its last declaration.
#[derive(Debug)]
struct Declared<D> {
    order: Order,
    request: Arc<D>,
}

impl Topology {
    /// Creates a record of at most `limit` entities.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            exchanges: BTreeMap::new(),
            queues: BTreeMap::new(),
            bindings: Bindings::default(),
            consumers: Consumers::default(),
            next: 0,
            limit,
            reported: false,
        }
    }

    /// How many entities are recorded.
    pub(crate) fn len(&self) -> usize {
        self.exchanges.len() + self.queues.len() + self.bindings.len() + self.consumers.recorded()
    }

    /// Whether a consumer comes back after the connection is lost.
    pub(crate) fn is_recorded(&self, consumer: ConsumerKey) -> bool {
        self.consumers.order(consumer).is_some()
    }

    /// Copies the record. Requests are shared with it.
    pub(crate) fn snapshot(&self) -> RecordedTopology {
        let exchanges = in_order(&self.exchanges, |_, request| Item::Exchange(request));
        let queues = in_order(&self.queues, |name, request| Item::Queue { name, request });
        let entities = exchanges.chain(queues).chain(self.bindings.items()).chain(self.consumers.items());
        RecordedTopology { entities: entities.collect() }
    }

    /// Whether an entity of an earlier snapshot is still recorded.
    pub(crate) fn contains(&self, recorded: &Recorded) -> bool {
        let order = match &recorded.item {
            Item::Exchange(request) => self.exchanges.get(&entity_name(&request.exchange)).map(|it| it.order),
            Item::Queue { name, .. } => self.queues.get(name).map(|it| it.order),
            Item::QueueBinding(_) | Item::ExchangeBinding(_) => {
                Some(recorded.order).filter(|order| self.bindings.has(*order))
            }
            Item::Consumer { consumer, .. } => self.consumers.order(*consumer),
        };
        order == Some(recorded.order)
    }

    /// Applies a change.
    pub(crate) fn apply(&mut self, change: Change) -> Outcome {
        match change {
            Change::ExchangeDeclared(request) => return self.declare_exchange(request),
            Change::QueueDeclared { request, name } => return self.declare_queue(request, entity_name(&name)),
            Change::QueueBound(request) => {
                return self.bind(BindingKey::of_bind(&request), Request::Queue(request.into()));
            }
            Change::ExchangeBound(request) => {
                return self.bind(BindingKey::of_exchange_bind(&request), Request::Exchange(request.into()));
            }
            Change::ConsumerStarted { channel, consumer, request, prefetch, recorded } => {
                return self.start_consumer(consumer, channel, request, prefetch, recorded);
            }
            Change::ExchangeDeleted(name) => self.remove_exchange(entity_name(&name)),
            Change::QueueDeleted(name) => self.remove_queue(&entity_name(&name)),
            Change::QueueUnbound(request) => self.unbind(&BindingKey::of_unbind(&request)),
            Change::ExchangeUnbound(request) => self.unbind(&BindingKey::of_exchange_unbind(&request)),
            Change::ConsumerEnded(consumer) => {
                let unused = self.consumers.remove(consumer);
                self.remove_unused_queues(unused);
            }
            Change::ChannelClosed(channel) => {
                let unused = self.consumers.remove_channel(channel);
                self.remove_unused_queues(unused);
            }
        }
        self.reported &= self.len() > self.limit / 2;
        Outcome::Applied
    }

    /// Applies the loss of the connection: the consumers that do not come back are gone. Their
    /// auto-delete queues stay recorded, because it was not the application that ended their use.
    pub(crate) fn handle_connection_lost(&mut self) {
        self.consumers.remove_unrecorded();
    }

    /// Replaces the name of a queue that the broker has named anew, wherever it occurs.
    pub(crate) fn rename_queue(&mut self, from: &ShortString, to: &ShortString) {
        if from == to {
            return;
        }
        if let Some(queue) = self.queues.remove(from) {
            self.queues.insert(to.clone(), queue);
            self.bindings.rename_queue(from, to);
            self.consumers.rename_queue(from, to);
        }
    }

    /// Whether the queue of this name was declared on the connection.
    pub(crate) fn has_queue(&self, name: &ShortString) -> bool {
        self.queues.contains_key(&entity_name(name))
    }

    /// Removes a queue as if it had been deleted. Returns `false` if it was not recorded.
    pub(crate) fn forget_queue(&mut self, name: &ShortString) -> bool {
        let is_known = self.has_queue(name);
        let _applied = self.apply(Change::QueueDeleted(name.clone()));
        is_known
    }

    /// Removes an exchange as if it had been deleted. Returns `false` if it was not recorded.
    pub(crate) fn forget_exchange(&mut self, name: &ShortString) -> bool {
        let is_known = self.exchanges.contains_key(&entity_name(name));
        let _applied = self.apply(Change::ExchangeDeleted(name.clone()));
        is_known
    }

    fn declare_exchange(&mut self, request: Box<exchange::Declare>) -> Outcome {
        let name = entity_name(&request.exchange);
        // The broker declares these itself, and refuses to declare one that it has not.
        if request.passive || name.is_empty() || name.as_bytes().starts_with(b"amq.") {
            return Outcome::Applied;
        }
        if let Some(exchange) = self.exchanges.get_mut(&name) {
            exchange.request = request.into();
            return Outcome::Applied;
        }
        let Some(order) = self.room() else { return self.refuse() };
        self.exchanges.insert(name, Declared { order, request: request.into() });
        Outcome::Applied
    }

    fn declare_queue(&mut self, mut request: Box<queue::Declare>, name: ShortString) -> Outcome {
        if request.passive || name.is_empty() {
            return Outcome::Applied;
        }
        if let Some(queue) = self.queues.get_mut(&name) {
            // The broker has named this one. It refuses a declaration by such a name after the
            // queue is gone.
            if queue.request.queue.is_empty() {
                request.queue = ShortString::new();
            }
            queue.request = request.into();
            return Outcome::Applied;
        }
        let Some(order) = self.room() else { return self.refuse() };
        self.queues.insert(name, Declared { order, request: request.into() });
        Outcome::Applied
    }

    fn bind(&mut self, key: BindingKey, request: Request) -> Outcome {
        // The broker refuses bindings of the default exchange.
        if key.source().is_empty() {
            return Outcome::Applied;
        }
        let is_known = self.bindings.contains(&key);
        let order = if is_known { Some(self.next) } else { self.room() };
        let Some(order) = order else { return self.refuse() };
        self.bindings.insert(order, key, request);
        Outcome::Applied
    }

    fn start_consumer(
        &mut self,
        key: ConsumerKey,
        channel: ChannelKey,
        request: Box<basic::Consume>,
        prefetch: u16,
        recorded: bool,
    ) -> Outcome {
        let known = self.consumers.order(key).filter(|_| recorded);
        let order = known.or_else(|| if recorded { self.room() } else { None });
        self.consumers.insert(key, Consumer { channel, request: request.into(), prefetch, order });
        if recorded && order.is_none() { self.refuse() } else { Outcome::Applied }
    }

    fn unbind(&mut self, key: &BindingKey) {
        if self.bindings.remove(key) {
            self.remove_unused_exchanges([key.source().clone()]);
        }
    }

    /// Removes a queue, its bindings and its consumers.
    fn remove_queue(&mut self, name: &ShortString) {
        self.queues.remove(name);
        self.consumers.remove_queue(name);
        let sources = self.bindings.remove_destination(&Destination::Queue(name.clone()));
        self.remove_unused_exchanges(sources);
    }

    /// Removes the auto-delete queues among these, whose last consumer has ended.
    fn remove_unused_queues(&mut self, names: impl IntoIterator<Item = ShortString>) {
        for name in names {
            step();
            if self.queues.get(&name).is_some_and(|queue| queue.request.auto_delete) {
                self.remove_queue(&name);
            }
        }
    }

    /// Removes an exchange, the bindings from it and those to it.
    fn remove_exchange(&mut self, name: ShortString) {
        self.exchanges.remove(&name);
        self.bindings.remove_source(&name);
        let sources = self.bindings.remove_destination(&Destination::Exchange(name));
        self.remove_unused_exchanges(sources);
    }

    /// Removes the auto-delete exchanges among these that are the source of no binding any more,
    /// and repeats this along the bindings to them. It does not recurse, because the application
    /// determines how long the chain is.
    fn remove_unused_exchanges(&mut self, sources: impl IntoIterator<Item = ShortString>) {
        let mut candidates: Vec<ShortString> = sources.into_iter().collect();
        while let Some(name) = candidates.pop() {
            step();
            let is_auto_delete = self.exchanges.get(&name).is_some_and(|exchange| exchange.request.auto_delete);
            if is_auto_delete && !self.bindings.has_source(&name) {
                self.exchanges.remove(&name);
                candidates.extend(self.bindings.remove_destination(&Destination::Exchange(name)));
            }
        }
    }

    /// The place of another entity, if there is room for it.
    fn room(&mut self) -> Option<Order> {
        if self.len() >= self.limit {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }

    /// The outcome for an entity that there is no room for.
    fn refuse(&mut self) -> Outcome {
        if std::mem::replace(&mut self.reported, true) { Outcome::Applied } else { Outcome::LimitReached }
    }
}

/// Exchanges or queues, in the order of their first declarations.
fn in_order<D>(
    entities: &BTreeMap<ShortString, Declared<D>>,
    item: impl Fn(ShortString, Arc<D>) -> Item,
) -> impl Iterator<Item = Recorded> {
    let in_order: BTreeMap<Order, _> = entities.iter().map(|(name, entity)| (entity.order, (name, entity))).collect();
    in_order.into_iter().map(move |(order, (name, entity))| {
        let item = item(name.clone(), Arc::clone(&entity.request));
        Recorded { order, item }
    })
}

/// The name of an exchange or queue as the broker stores it: without carriage returns and line
/// feeds.
pub(super) fn entity_name(name: &ShortString) -> ShortString {
    let is_removed = |byte: &u8| matches!(byte, b'\r' | b'\n');
    if !name.as_bytes().iter().any(is_removed) {
        return name.clone();
    }
    let kept: Vec<u8> = name.as_bytes().iter().copied().filter(|byte| !is_removed(byte)).collect();
    kept.into()
}
