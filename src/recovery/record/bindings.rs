//! The recorded bindings, by what identifies them, by source and by destination.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::recorded::{Item, Recorded, rename_in_bind};
use super::{Order, entity_name};
use crate::engine::steps::step;
use crate::protocol::{exchange, queue};
use crate::wire::{FieldTable, ShortString, Writer};

/// What a binding passes messages to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Destination {
    Queue(ShortString),
    Exchange(ShortString),
}

/// What identifies a binding to the broker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BindingKey {
    source: ShortString,
    destination: Destination,
    routing_key: ShortString,
    /// The encoded arguments, sorted by name as the broker compares them.
    arguments: Vec<u8>,
}

impl BindingKey {
    fn new(source: &ShortString, destination: Destination, routing_key: &ShortString, arguments: &FieldTable) -> Self {
        let routing_key = routing_key.clone();
        Self { source: entity_name(source), destination, routing_key, arguments: identity(arguments) }
    }

    pub(super) fn of_bind(bind: &queue::Bind) -> Self {
        let destination = Destination::Queue(entity_name(&bind.queue));
        Self::new(&bind.exchange, destination, &bind.routing_key, &bind.arguments)
    }

    pub(super) fn of_unbind(unbind: &queue::Unbind) -> Self {
        let destination = Destination::Queue(entity_name(&unbind.queue));
        Self::new(&unbind.exchange, destination, &unbind.routing_key, &unbind.arguments)
    }

    pub(super) fn of_exchange_bind(bind: &exchange::Bind) -> Self {
        let destination = Destination::Exchange(entity_name(&bind.destination));
        Self::new(&bind.source, destination, &bind.routing_key, &bind.arguments)
    }

    pub(super) fn of_exchange_unbind(unbind: &exchange::Unbind) -> Self {
        let destination = Destination::Exchange(entity_name(&unbind.destination));
        Self::new(&unbind.source, destination, &unbind.routing_key, &unbind.arguments)
    }

    pub(super) fn source(&self) -> &ShortString {
        &self.source
    }
}

/// The bytes that are equal for tables that the broker takes for equal. Its order of fields does
/// not matter, but that of equal names does.
fn identity(arguments: &FieldTable) -> Vec<u8> {
    if arguments.is_empty() {
        return Vec::new();
    }
    let mut fields: Vec<_> = arguments.clone().into_iter().collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    let sorted: FieldTable = fields.into_iter().collect();
    let mut bytes = Vec::new();
    if Writer::new(&mut bytes).table(&sorted).is_err() {
        // A request that could not be encoded was not sent, so that this is never used.
        bytes = format!("{sorted:?}").into_bytes();
    }
    bytes
}

#[derive(Debug)]
struct Binding {
    key: BindingKey,
    request: Request,
}

/// The request that made a binding.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Queue(Arc<queue::Bind>),
    Exchange(Arc<exchange::Bind>),
}

/// The recorded bindings. Their place in the order of first declarations identifies them.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    all: BTreeMap<Order, Binding>,
    by_key: BTreeMap<BindingKey, Order>,
    by_source: BTreeMap<ShortString, BTreeSet<Order>>,
    by_destination: BTreeMap<Destination, BTreeSet<Order>>,
}

impl Bindings {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is a binding in this place.
    pub(super) fn has(&self, order: Order) -> bool {
        self.all.contains_key(&order)
    }

    pub(super) fn contains(&self, key: &BindingKey) -> bool {
        self.by_key.contains_key(key)
    }

    /// Records a binding. One that is recorded keeps its place.
    pub(super) fn insert(&mut self, next: Order, key: BindingKey, request: Request) {
        let order = *self.by_key.entry(key.clone()).or_insert(next);
        self.by_source.entry(key.source.clone()).or_default().insert(order);
        self.by_destination.entry(key.destination.clone()).or_default().insert(order);
        self.all.insert(order, Binding { key, request });
    }

    /// Removes a binding. Returns `false` if it was not recorded.
    pub(super) fn remove(&mut self, key: &BindingKey) -> bool {
        let order = self.by_key.get(key).copied();
        order.is_some_and(|order| self.remove_at(order).is_some())
    }

    /// Whether an exchange is the source of a binding.
    pub(super) fn has_source(&self, source: &ShortString) -> bool {
        self.by_source.contains_key(source)
    }

    /// Removes the bindings from an exchange.
    pub(super) fn remove_source(&mut self, source: &ShortString) {
        for order in self.by_source.get(source).cloned().into_iter().flatten() {
            self.remove_at(order);
        }
    }

    /// Removes the bindings to a destination, and returns their sources.
    pub(super) fn remove_destination(&mut self, destination: &Destination) -> BTreeSet<ShortString> {
        let orders = self.by_destination.get(destination).cloned().into_iter().flatten();
        orders.filter_map(|order| self.remove_at(order)).collect()
    }

    /// Replaces the name of a queue in its bindings.
    pub(super) fn rename_queue(&mut self, from: &ShortString, to: &ShortString) {
        let destination = Destination::Queue(from.clone());
        for order in self.by_destination.get(&destination).cloned().into_iter().flatten() {
            let Some(Binding { request: Request::Queue(mut request), .. }) = self.take(order) else { continue };
            rename_in_bind(Arc::make_mut(&mut request), from, to);
            let key = BindingKey::of_bind(&request);
            self.insert(order, key, Request::Queue(request));
        }
    }

    /// All bindings, in the order of their first declarations.
    pub(super) fn items(&self) -> impl Iterator<Item = Recorded> {
        self.all.iter().map(|(order, binding)| {
            let item = match &binding.request {
                Request::Queue(request) => Item::QueueBinding(Arc::clone(request)),
                Request::Exchange(request) => Item::ExchangeBinding(Arc::clone(request)),
            };
            Recorded { order: *order, item }
        })
    }

    /// Removes the binding in this place, and returns its source.
    fn remove_at(&mut self, order: Order) -> Option<ShortString> {
        self.take(order).map(|binding| binding.key.source)
    }

    fn take(&mut self, order: Order) -> Option<Binding> {
        step();
        let binding = self.all.remove(&order)?;
        self.by_key.remove(&binding.key);
        remove_from(&mut self.by_source, &binding.key.source, &order);
        remove_from(&mut self.by_destination, &binding.key.destination, &order);
        Some(binding)
    }
}

/// Removes a value from the set of a key, and a set that is empty.
pub(super) fn remove_from<K: Ord, V: Ord>(sets: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}
