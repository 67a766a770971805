//! A virtual host: its exchanges, its bindings, the names of its queues, and how messages are
//! routed.

use std::collections::{BTreeMap, BTreeSet};

use super::bindings::{Binding, Bindings, Destination};
use super::exchange::{Exchange, ExchangeKind};
use super::{exchange, routing};
use crate::broker::keys::QueueId;
use crate::broker::words::Refusal;
use crate::protocol::{self, ReplyCode};
use crate::wire::{FieldTable, ShortString};

/// The names and bindings of a virtual host. The queues themselves are stored elsewhere, by id.
#[derive(Debug)]
pub(in crate::broker) struct VirtualHost {
    name: ShortString,
    exchanges: BTreeMap<ShortString, Exchange>,
    queues: BTreeMap<ShortString, QueueId>,
    bindings: Bindings,
    /// The largest number of connections to it.
    max_connections: Option<u32>,
}

impl VirtualHost {
    /// Creates a virtual host with the predeclared exchanges and no queue.
    pub(in crate::broker) fn new(name: ShortString) -> Self {
        Self {
            name,
            exchanges: Exchange::predeclared().map(|exchange| (exchange.name().clone(), exchange)).collect(),
            queues: BTreeMap::new(),
            bindings: Bindings::default(),
            max_connections: None,
        }
    }

    /// The largest number of connections to it; `None` for any number.
    pub(in crate::broker) fn max_connections(&self) -> Option<u32> {
        self.max_connections
    }

    pub(in crate::broker) fn limit_connections(&mut self, limit: Option<u32>) {
        self.max_connections = limit;
    }

    pub(in crate::broker) fn queue(&self, name: &ShortString) -> Option<QueueId> {
        self.queues.get(name).copied()
    }

    /// The queues, by name.
    pub(in crate::broker) fn queues(&self) -> impl Iterator<Item = (&ShortString, QueueId)> {
        self.queues.iter().map(|(name, id)| (name, *id))
    }

    pub(in crate::broker) fn exchange(&self, name: &ShortString) -> Option<&Exchange> {
        self.exchanges.get(name)
    }

    /// The exchanges, by name.
    pub(in crate::broker) fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.values()
    }

    /// The bindings, by source, key and destination, without those of the default exchange to every
    /// queue.
    pub(in crate::broker) fn bindings(&self) -> impl Iterator<Item = Binding<'_>> {
        self.bindings.iter()
    }

    pub(in crate::broker) fn insert_queue(&mut self, name: ShortString, id: QueueId) {
        self.queues.insert(name, id);
    }

    /// Removes a queue and its bindings. Returns the names of the auto-delete exchanges that were
    /// deleted with them.
    pub(in crate::broker) fn remove_queue(&mut self, name: &ShortString) -> Vec<ShortString> {
        self.queues.remove(name);
        self.remove_destination(&Destination::Queue(name.clone()))
    }

    /// Removes the exchanges that are not durable, the queues for which `is_kept` returns `false`,
    /// and the bindings of both. No auto-delete exchange is deleted because of that.
    pub(in crate::broker) fn keep_durable(&mut self, mut is_kept: impl FnMut(QueueId) -> bool) {
        let Self { exchanges, queues, bindings, .. } = self;
        exchanges.retain(|_, exchange| exchange.durable());
        queues.retain(|_, id| is_kept(*id));
        bindings.retain(|source, destination| {
            exchanges.contains_key(source)
                && match destination {
                    Destination::Queue(name) => queues.contains_key(name),
                    Destination::Exchange(name) => exchanges.contains_key(name),
                }
        });
    }

    /// Creates an exchange, or checks that the existing one matches the declaration.
    pub(in crate::broker) fn declare_exchange(&mut self, declare: &protocol::exchange::Declare) -> Result<(), Refusal> {
        exchange::check_declare(declare)?;
        let name = exchange::entity_name(&declare.exchange);
        match self.exchanges.get(&name) {
            Some(_) if declare.passive => Ok(()),
            Some(exchange) => exchange.check_equivalent(declare, &self.name),
            None if declare.passive => Err(self.no_exchange(&name)),
            None => {
                self.exchanges.insert(name, Exchange::declare(declare, &self.name)?);
                Ok(())
            }
        }
    }

    /// Deletes an exchange. Returns the names of all exchanges that were deleted, this one first;
    /// none if it did not exist.
    pub(in crate::broker) fn delete_exchange(
        &mut self,
        name: &ShortString,
        if_unused: bool,
    ) -> Result<Vec<ShortString>, Refusal> {
        exchange::check_delete(name, &self.name)?;
        let name = exchange::entity_name(name);
        if !self.exchanges.contains_key(&name) {
            return Ok(Vec::new());
        }
        if if_unused && self.bindings.has_source(&name) {
            return Err(Refusal::precondition(format!("{} in use", exchange::title(&name, &self.name))));
        }
        self.exchanges.remove(&name);
        self.bindings.remove_source(&name);
        let mut gone = vec![name.clone()];
        gone.extend(self.remove_destination(&Destination::Exchange(name)));
        Ok(gone)
    }

    /// Refuses a binding of the default exchange, of what does not exist, or with arguments that
    /// the exchange does not accept.
    pub(in crate::broker) fn check_bind(
        &self,
        source: &ShortString,
        destination: &Destination,
        arguments: &FieldTable,
    ) -> Result<(), Refusal> {
        let (source, destination) = (exchange::entity_name(source), destination.entity());
        check_not_default(&source, &destination)?;
        let Some(exchange) = self.exchanges.get(&source) else { return Err(self.no_exchange(&source)) };
        match &destination {
            Destination::Queue(name) if !self.queues.contains_key(name) => {
                return Err(Refusal::no_such("queue", name, &self.name));
            }
            Destination::Exchange(name) if !self.exchanges.contains_key(name) => return Err(self.no_exchange(name)),
            Destination::Queue(_) | Destination::Exchange(_) => {}
        }
        match exchange.kind() {
            ExchangeKind::Headers => routing::headers::check_arguments(arguments),
            ExchangeKind::Direct | ExchangeKind::Fanout | ExchangeKind::Topic => Ok(()),
        }
    }

    /// Binds a queue or an exchange to an exchange. An existing binding is not changed.
    pub(in crate::broker) fn bind(
        &mut self,
        source: &ShortString,
        destination: &Destination,
        routing_key: &ShortString,
        arguments: &FieldTable,
    ) -> Result<(), Refusal> {
        self.check_bind(source, destination, arguments)?;
        self.bindings.insert(&exchange::entity_name(source), destination.entity(), routing_key, arguments);
        Ok(())
    }

    pub(in crate::broker) fn is_bound(
        &self,
        source: &ShortString,
        destination: &Destination,
        routing_key: &ShortString,
        arguments: &FieldTable,
    ) -> bool {
        self.bindings.contains(&exchange::entity_name(source), &destination.entity(), routing_key, arguments)
    }

    /// Removes a binding, if it exists. Returns the names of the auto-delete exchanges that were
    /// deleted with it.
    pub(in crate::broker) fn unbind(
        &mut self,
        source: &ShortString,
        destination: &Destination,
        routing_key: &ShortString,
        arguments: &FieldTable,
    ) -> Result<Vec<ShortString>, Refusal> {
        let (source, destination) = (exchange::entity_name(source), destination.entity());
        check_not_default(&source, &destination)?;
        if self.bindings.remove(&source, &destination, routing_key, arguments) {
            return Ok(self.delete_if_unused(BTreeSet::from([source])));
        }
        Ok(Vec::new())
    }

    /// Checks that an exchange accepts messages from publishers.
    pub(in crate::broker) fn check_publish(&self, exchange: &ShortString) -> Result<(), Refusal> {
        match self.exchanges.get(exchange) {
            None => Err(self.no_exchange(exchange)),
            Some(found) if found.internal() => {
                let text = format!("cannot publish to internal {}", exchange::title(exchange, &self.name));
                Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, text))
            }
            Some(_) => Ok(()),
        }
    }

    /// The queues of a message, each once, by name. An exchange that does not exist routes to none.
    pub(in crate::broker) fn route(
        &self,
        exchange: &ShortString,
        keys: &[ShortString],
        headers: Option<&FieldTable>,
    ) -> BTreeSet<ShortString> {
        if exchange.is_empty() {
            return keys.iter().filter(|key| self.queues.contains_key(*key)).cloned().collect();
        }
        let mut queues = BTreeSet::new();
        let mut seen = BTreeSet::from([exchange.clone()]);
        let mut waiting = vec![exchange.clone()];
        while let Some(name) = waiting.pop() {
            let Some(exchange) = self.exchanges.get(&name) else { continue };
            let destinations = routing::destinations(&self.bindings, exchange, keys, headers);
            if destinations.is_empty() {
                waiting.extend(exchange.alternate().filter(|name| seen.insert(name.clone())));
            }
            for destination in destinations {
                match destination {
                    Destination::Queue(name) => drop(queues.insert(name.clone())),
                    Destination::Exchange(name) => waiting.extend(seen.insert(name.clone()).then(|| name.clone())),
                }
            }
        }
        queues
    }

    /// Removes the bindings to a destination that was deleted, and the auto-delete exchanges that
    /// had no other.
    fn remove_destination(&mut self, destination: &Destination) -> Vec<ShortString> {
        let sources = self.bindings.remove_destination(destination);
        self.delete_if_unused(sources)
    }

    /// Deletes those auto-delete exchanges that are the source of no binding, and repeats this
    /// along the bindings to them.
    fn delete_if_unused(&mut self, mut candidates: BTreeSet<ShortString>) -> Vec<ShortString> {
        let mut gone = Vec::new();
        while let Some(name) = candidates.pop_first() {
            let is_unused =
                self.exchanges.get(&name).is_some_and(Exchange::auto_delete) && !self.bindings.has_source(&name);
            if is_unused {
                self.exchanges.remove(&name);
                candidates.append(&mut self.bindings.remove_destination(&Destination::Exchange(name.clone())));
                gone.push(name);
            }
        }
        gone
    }

    fn no_exchange(&self, name: &ShortString) -> Refusal {
        Refusal::no_such("exchange", name, &self.name)
    }
}

fn check_not_default(source: &ShortString, destination: &Destination) -> Result<(), Refusal> {
    if let Destination::Exchange(name) = destination {
        exchange::check_not_default(name)?;
    }
    exchange::check_not_default(source)
}

#[cfg(test)]
mod tests;
