//! The bindings of a virtual host: from which exchange to what, by which routing key and arguments.

use std::collections::{BTreeMap, BTreeSet};

use super::exchange::entity_name;
use crate::wire::{FieldTable, ShortString};

/// The destination of a binding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::broker) enum Destination {
    /// A queue.
    Queue(ShortString),
    /// Another exchange.
    Exchange(ShortString),
}

impl Destination {
    /// The destination with its name as RabbitMQ stores it.
    pub(super) fn entity(&self) -> Self {
        match self {
            Self::Queue(name) => Self::Queue(entity_name(name)),
            Self::Exchange(name) => Self::Exchange(entity_name(name)),
        }
    }
}

/// A borrowed binding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::broker) struct Binding<'a> {
    pub(in crate::broker) source: &'a ShortString,
    pub(in crate::broker) destination: &'a Destination,
    pub(in crate::broker) routing_key: &'a ShortString,
    /// Sorted by name, as RabbitMQ keeps them.
    pub(in crate::broker) arguments: &'a FieldTable,
}

/// The bindings of one source, by routing key. Tables have no order, so bindings that differ only
/// in arguments are in a list.
type BySource = BTreeMap<ShortString, BTreeMap<Destination, Vec<FieldTable>>>;

/// All bindings of a virtual host.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    sources: BTreeMap<ShortString, BySource>,
}

impl Bindings {
    /// Adds a binding. Returns `false` if it existed.
    pub(super) fn insert(
        &mut self,
        source: &ShortString,
        destination: Destination,
        routing_key: &ShortString,
        arguments: &FieldTable,
    ) -> bool {
        let keys = self.sources.entry(source.clone()).or_default();
        let tables = keys.entry(routing_key.clone()).or_default().entry(destination).or_default();
        let arguments = sorted(arguments);
        if tables.contains(&arguments) {
            return false;
        }
        tables.push(arguments);
        true
    }

    /// Removes a binding. Returns `false` if it did not exist.
    pub(super) fn remove(
        &mut self,
        source: &ShortString,
        destination: &Destination,
        routing_key: &ShortString,
        arguments: &FieldTable,
    ) -> bool {
        let arguments = sorted(arguments);
        let Some(tables) = self.tables_mut(source, destination, routing_key) else { return false };
        let Some(place) = tables.iter().position(|table| *table == arguments) else { return false };
        tables.remove(place);
        self.prune(source, destination, routing_key);
        true
    }

    pub(in crate::broker) fn contains(
        &self,
        source: &ShortString,
        destination: &Destination,
        routing_key: &ShortString,
        arguments: &FieldTable,
    ) -> bool {
        let arguments = sorted(arguments);
        let tables = self.sources.get(source).and_then(|keys| keys.get(routing_key)?.get(destination));
        tables.is_some_and(|tables| tables.contains(&arguments))
    }

    /// Removes all bindings of an exchange.
    pub(super) fn remove_source(&mut self, source: &ShortString) {
        self.sources.remove(source);
    }

    /// Removes all bindings to a destination, and returns the exchanges that have no binding left.
    pub(super) fn remove_destination(&mut self, destination: &Destination) -> BTreeSet<ShortString> {
        for keys in self.sources.values_mut() {
            keys.retain(|_, destinations| {
                destinations.remove(destination);
                !destinations.is_empty()
            });
        }
        self.sources.extract_if(.., |_, keys| keys.is_empty()).map(|(source, _)| source).collect()
    }

    /// Removes the bindings for which `is_kept` returns `false`.
    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&ShortString, &Destination) -> bool) {
        self.sources.retain(|source, keys| {
            keys.retain(|_, destinations| {
                destinations.retain(|destination, _| is_kept(source, destination));
                !destinations.is_empty()
            });
            !keys.is_empty()
        });
    }

    /// Whether an exchange is the source of a binding.
    pub(super) fn has_source(&self, source: &ShortString) -> bool {
        self.sources.contains_key(source)
    }

    /// The bindings of an exchange, by key and destination.
    pub(super) fn of<'a>(&'a self, source: &ShortString) -> impl Iterator<Item = Binding<'a>> {
        self.sources.get_key_value(source).into_iter().flat_map(|(source, keys)| of_source(source, keys))
    }

    /// The destinations of the bindings of an exchange with exactly this routing key.
    pub(super) fn with_key<'a>(
        &'a self,
        source: &ShortString,
        routing_key: &ShortString,
    ) -> impl Iterator<Item = &'a Destination> {
        self.sources.get(source).and_then(|keys| keys.get(routing_key)).into_iter().flat_map(BTreeMap::keys)
    }

    /// All bindings, by source, key and destination.
    pub(in crate::broker) fn iter(&self) -> impl Iterator<Item = Binding<'_>> {
        self.sources.iter().flat_map(|(source, keys)| of_source(source, keys))
    }

    fn tables_mut(
        &mut self,
        source: &ShortString,
        destination: &Destination,
        routing_key: &ShortString,
    ) -> Option<&mut Vec<FieldTable>> {
        self.sources.get_mut(source)?.get_mut(routing_key)?.get_mut(destination)
    }

    /// Removes empty maps: an exchange has an entry only if it has a binding.
    fn prune(&mut self, source: &ShortString, destination: &Destination, routing_key: &ShortString) {
        let Some(keys) = self.sources.get_mut(source) else { return };
        if let Some(destinations) = keys.get_mut(routing_key) {
            if destinations.get(destination).is_some_and(Vec::is_empty) {
                destinations.remove(destination);
            }
            if destinations.is_empty() {
                keys.remove(routing_key);
            }
        }
        if keys.is_empty() {
            self.sources.remove(source);
        }
    }
}

fn of_source<'a>(source: &'a ShortString, keys: &'a BySource) -> impl Iterator<Item = Binding<'a>> {
    keys.iter().flat_map(move |(routing_key, destinations)| {
        destinations.iter().flat_map(move |(destination, tables)| {
            tables.iter().map(move |arguments| Binding { source, destination, routing_key, arguments })
        })
    })
}

/// Sorts arguments, because bindings whose arguments differ only in order are the same.
fn sorted(arguments: &FieldTable) -> FieldTable {
    let mut fields: Vec<_> = arguments.clone().into_iter().collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    fields.into_iter().collect()
}
