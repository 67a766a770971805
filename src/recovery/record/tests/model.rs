//! A broker that is as simple as possible: after any script, the record has its entities.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::recovery::record::Entity;
use crate::wire::FieldTable;

/// What an application does on its connection. Numbers stand for names.
#[derive(Debug, Clone)]
enum Operation {
    DeclareExchange {
        name: u8,
        auto_delete: bool,
        passive: bool,
    },
    DeleteExchange(u8),
    DeclareQueue {
        name: u8,
        auto_delete: bool,
        passive: bool,
    },
    DeclareServerNamed {
        auto_delete: bool,
    },
    DeleteQueue(u8),
    Bind(Ends),
    Unbind(Ends),
    Consume {
        queue: u8,
        channel: u16,
        recorded: bool,
    },
    Cancel(u8),
    CloseChannel(u16),
    /// The connection is lost, and all is made again: server-named queues have new names.
    Recover,
}

/// The ends of a binding.
#[derive(Debug, Clone)]
struct Ends {
    source: u8,
    destination: u8,
    to_exchange: bool,
    routing_key: u8,
    argument: bool,
}

fn any_ends() -> impl Strategy<Value = Ends> {
    (0..4_u8, 0..6_u8, any::<bool>(), 0..2_u8, prop::bool::weighted(0.2)).prop_map(
        |(source, destination, to_exchange, routing_key, argument)| Ends {
            source,
            destination,
            to_exchange,
            routing_key,
            argument,
        },
    )
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let passive = || prop::bool::weighted(0.1);
    prop_oneof![
        3 => (0..4_u8, any::<bool>(), passive())
            .prop_map(|(name, auto_delete, passive)| Operation::DeclareExchange { name, auto_delete, passive }),
        1 => (0..4_u8).prop_map(Operation::DeleteExchange),
        3 => (0..3_u8, any::<bool>(), passive())
            .prop_map(|(name, auto_delete, passive)| Operation::DeclareQueue { name, auto_delete, passive }),
        1 => any::<bool>().prop_map(|auto_delete| Operation::DeclareServerNamed { auto_delete }),
        1 => (0..6_u8).prop_map(Operation::DeleteQueue),
        6 => any_ends().prop_map(Operation::Bind),
        2 => any_ends().prop_map(Operation::Unbind),
        4 => (0..6_u8, 1..4_u16, prop::bool::weighted(0.8))
            .prop_map(|(queue, channel, recorded)| Operation::Consume { queue, channel, recorded }),
        2 => any::<u8>().prop_map(Operation::Cancel),
        1 => (1..4_u16).prop_map(Operation::CloseChannel),
        1 => Just(Operation::Recover),
    ]
}

#[derive(Debug)]
struct NaiveExchange {
    name: ShortString,
    auto_delete: bool,
    was_bound: bool,
}

#[derive(Debug)]
struct NaiveQueue {
    name: ShortString,
    auto_delete: bool,
    is_server_named: bool,
    was_consumed: bool,
}

#[derive(Debug, PartialEq, Clone)]
struct NaiveBinding {
    source: ShortString,
    destination: ShortString,
    to_exchange: bool,
    routing_key: ShortString,
    argument: bool,
}

#[derive(Debug)]
struct NaiveConsumer {
    key: ConsumerKey,
    channel: u16,
    queue: ShortString,
    recorded: bool,
}

/// The broker: lists, and whatever it deletes by itself is searched for after each operation.
#[derive(Debug, Default)]
struct Naive {
    exchanges: Vec<NaiveExchange>,
    queues: Vec<NaiveQueue>,
    bindings: Vec<NaiveBinding>,
    consumers: Vec<NaiveConsumer>,
    named: u32,
    started: u32,
}

impl Naive {
    /// Performs an operation, and returns the changes that a client sees. One that is refused
    /// changes nothing.
    fn perform(&mut self, operation: Operation) -> Vec<Change> {
        let before: Vec<ConsumerKey> = self.consumers.iter().map(|consumer| consumer.key).collect();
        let change = self.try_perform(operation);
        self.delete_unused();
        let after: BTreeSet<ConsumerKey> = self.consumers.iter().map(|consumer| consumer.key).collect();
        // The broker cancels consumers whose queue is gone.
        let ended = before.into_iter().filter(|key| !after.contains(key)).map(Change::ConsumerEnded);
        change.into_iter().chain(ended).collect()
    }

    fn try_perform(&mut self, operation: Operation) -> Option<Change> {
        match operation {
            Operation::DeclareExchange { name, auto_delete, passive } => {
                self.declare_exchange(exchange_name(name), auto_delete, passive)
            }
            Operation::DeleteExchange(name) => {
                let name = exchange_name(name);
                self.exchanges.retain(|exchange| exchange.name != name);
                Some(Change::ExchangeDeleted(name))
            }
            Operation::DeclareQueue { name, auto_delete, passive } => {
                self.declare_queue(queue_name(name), auto_delete, passive)
            }
            Operation::DeclareServerNamed { auto_delete } => {
                let name = self.next_name();
                let queue = NaiveQueue { name: name.clone(), auto_delete, is_server_named: true, was_consumed: false };
                self.queues.push(queue);
                let request = Box::new(queue::Declare::default().auto_delete(auto_delete));
                Some(Change::QueueDeclared { request, name })
            }
            Operation::DeleteQueue(name) => {
                let name = self.any_queue(name);
                self.queues.retain(|queue| queue.name != name);
                Some(Change::QueueDeleted(name))
            }
            Operation::Bind(ends) => self.bind(&ends),
            Operation::Unbind(ends) => {
                let binding = self.binding(&ends);
                self.bindings.retain(|other| *other != binding);
                Some(binding.unbound())
            }
            Operation::Consume { queue, channel, recorded } => self.consume(self.any_queue(queue), channel, recorded),
            Operation::Cancel(number) => {
                let count = self.consumers.len();
                (count > 0).then(|| Change::ConsumerEnded(self.consumers.remove(usize::from(number) % count).key))
            }
            Operation::CloseChannel(number) => {
                self.consumers.retain(|consumer| consumer.channel != number);
                Some(Change::ChannelClosed(channel(number)))
            }
            Operation::Recover => None,
        }
    }

    fn declare_exchange(&mut self, name: ShortString, auto_delete: bool, passive: bool) -> Option<Change> {
        let known = self.exchanges.iter().find(|exchange| exchange.name == name);
        match known {
            None if passive => return None,
            None => self.exchanges.push(NaiveExchange { name: name.clone(), auto_delete, was_bound: false }),
            Some(known) if !passive && known.auto_delete != auto_delete => return None,
            Some(_) => {}
        }
        let request = exchange::Declare::default().exchange(name).auto_delete(auto_delete).passive(passive);
        Some(Change::ExchangeDeclared(Box::new(request)))
    }

    fn declare_queue(&mut self, name: ShortString, auto_delete: bool, passive: bool) -> Option<Change> {
        let known = self.queues.iter().find(|queue| queue.name == name);
        match known {
            None if passive => return None,
            None => {
                let queue = NaiveQueue { name: name.clone(), auto_delete, is_server_named: false, was_consumed: false };
                self.queues.push(queue);
            }
            Some(known) if !passive && known.auto_delete != auto_delete => return None,
            Some(_) => {}
        }
        let request = queue::Declare::default().queue(name.clone()).auto_delete(auto_delete).passive(passive);
        Some(Change::QueueDeclared { request: Box::new(request), name })
    }

    fn bind(&mut self, ends: &Ends) -> Option<Change> {
        let binding = self.binding(ends);
        let is_there = if binding.to_exchange {
            self.exchanges.iter().any(|exchange| exchange.name == binding.destination)
        } else {
            self.queues.iter().any(|queue| queue.name == binding.destination)
        };
        let source = self.exchanges.iter_mut().find(|exchange| exchange.name == binding.source);
        let source = source.filter(|_| is_there)?;
        source.was_bound = true;
        if !self.bindings.contains(&binding) {
            self.bindings.push(binding.clone());
        }
        Some(binding.bound())
    }

    fn consume(&mut self, name: ShortString, number: u16, recorded: bool) -> Option<Change> {
        let queue = self.queues.iter_mut().find(|queue| queue.name == name)?;
        queue.was_consumed = true;
        self.started += 1;
        let key = consumer(self.started);
        self.consumers.push(NaiveConsumer { key, channel: number, queue: name.clone(), recorded });
        let request = Box::new(basic::Consume::default().queue(name).consumer_tag(self.started.to_string()));
        Some(Change::ConsumerStarted { channel: channel(number), consumer: key, request, prefetch: 1, recorded })
    }

    /// Deletes what an auto-delete entity or a deleted one leaves behind, until nothing changes.
    fn delete_unused(&mut self) {
        loop {
            let before = (self.exchanges.len(), self.queues.len(), self.bindings.len(), self.consumers.len());
            let (bindings, consumers) = (&self.bindings, &self.consumers);
            self.exchanges.retain(|exchange| {
                let is_bound = bindings.iter().any(|binding| binding.source == exchange.name);
                !exchange.auto_delete || !exchange.was_bound || is_bound
            });
            self.queues.retain(|queue| {
                let is_consumed = consumers.iter().any(|consumer| consumer.queue == queue.name);
                !queue.auto_delete || !queue.was_consumed || is_consumed
            });
            let (exchanges, queues) = (&self.exchanges, &self.queues);
            self.consumers.retain(|consumer| queues.iter().any(|queue| queue.name == consumer.queue));
            self.bindings.retain(|binding| {
                let has_destination = if binding.to_exchange {
                    exchanges.iter().any(|exchange| exchange.name == binding.destination)
                } else {
                    queues.iter().any(|queue| queue.name == binding.destination)
                };
                has_destination && exchanges.iter().any(|exchange| exchange.name == binding.source)
            });
            let after = (self.exchanges.len(), self.queues.len(), self.bindings.len(), self.consumers.len());
            if before == after {
                return;
            }
        }
    }

    /// Gives new names to all server-named queues, and returns the old and the new ones.
    fn recover(&mut self) -> Vec<(ShortString, ShortString)> {
        // What does not come back is gone, though its queue was kept by it until now.
        self.consumers.retain(|consumer| consumer.recorded);
        let mut renamed = Vec::new();
        for place in 0..self.queues.len() {
            let to = self.next_name();
            let Some(queue) = self.queues.get_mut(place).filter(|queue| queue.is_server_named) else { continue };
            let from = std::mem::replace(&mut queue.name, to.clone());
            queue.was_consumed = self.consumers.iter().any(|consumer| consumer.queue == from);
            for binding in self.bindings.iter_mut().filter(|it| !it.to_exchange && it.destination == from) {
                binding.destination = to.clone();
                if binding.routing_key == from {
                    binding.routing_key = to.clone();
                }
            }
            for consumer in self.consumers.iter_mut().filter(|consumer| consumer.queue == from) {
                consumer.queue = to.clone();
            }
            renamed.push((from, to));
        }
        // Queues begin anew: one that nobody consumes yet is not deleted.
        for queue in &mut self.queues {
            queue.was_consumed = self.consumers.iter().any(|consumer| consumer.queue == queue.name);
        }
        renamed
    }

    fn next_name(&mut self) -> ShortString {
        self.named += 1;
        format!("amq.gen-{}", self.named).into()
    }

    /// One of the queues with a name of the application's, or else one of all.
    fn any_queue(&self, number: u8) -> ShortString {
        let place = usize::from(number).checked_sub(3);
        let queue = place.and_then(|place| self.queues.iter().filter(|queue| queue.is_server_named).nth(place));
        queue.map_or_else(|| queue_name(number), |queue| queue.name.clone())
    }

    fn binding(&self, ends: &Ends) -> NaiveBinding {
        let destination =
            if ends.to_exchange { exchange_name(ends.destination % 4) } else { self.any_queue(ends.destination) };
        let routing_key = match ends.routing_key {
            0 => name("key"),
            _ => destination.clone(),
        };
        NaiveBinding {
            source: exchange_name(ends.source),
            destination,
            to_exchange: ends.to_exchange,
            routing_key,
            argument: ends.argument,
        }
    }

    /// The entities, in the order of their first declarations.
    fn entities(&self) -> Vec<Entity> {
        let exchanges = self.exchanges.iter().map(|exchange| Entity::Exchange(exchange.name.clone()));
        let queues = self.queues.iter().map(|queue| Entity::Queue(queue.name.clone()));
        let bindings = self.bindings.iter().map(|binding| Entity::Binding {
            source: binding.source.clone(),
            destination: binding.destination.clone(),
            routing_key: binding.routing_key.clone(),
            to_exchange: binding.to_exchange,
        });
        let consumers = self.consumers.iter().filter(|consumer| consumer.recorded).map(|consumer| {
            let tag = consumer.key.slot.to_string().into();
            Entity::Consumer { queue: consumer.queue.clone(), tag }
        });
        exchanges.chain(queues).chain(bindings).chain(consumers).collect()
    }
}

impl NaiveBinding {
    fn arguments(&self) -> FieldTable {
        if self.argument { FieldTable::from([("a", 1)]) } else { FieldTable::new() }
    }

    fn bound(&self) -> Change {
        let (source, destination, key) = (&self.source, &self.destination, &self.routing_key);
        if self.to_exchange {
            let bind = exchange::Bind::default().source(source).destination(destination).routing_key(key);
            return Change::ExchangeBound(Box::new(bind.arguments(self.arguments())));
        }
        let bind = queue::Bind::default().exchange(source).queue(destination).routing_key(key);
        Change::QueueBound(Box::new(bind.arguments(self.arguments())))
    }

    fn unbound(&self) -> Change {
        let (source, destination, key) = (&self.source, &self.destination, &self.routing_key);
        if self.to_exchange {
            let unbind = exchange::Unbind::default().source(source).destination(destination).routing_key(key);
            return Change::ExchangeUnbound(Box::new(unbind.arguments(self.arguments())));
        }
        let unbind = queue::Unbind::default().exchange(source).queue(destination).routing_key(key);
        Change::QueueUnbound(Box::new(unbind.arguments(self.arguments())))
    }
}

fn exchange_name(number: u8) -> ShortString {
    format!("e{number}").into()
}

fn queue_name(number: u8) -> ShortString {
    format!("q{number}").into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_record_has_the_entities_of_the_broker_after_any_script(script in vec(any_operation(), 0..80)) {
        let (mut broker, mut record) = (Naive::default(), record());
        for operation in script {
            if matches!(operation, Operation::Recover) {
                record.handle_connection_lost();
                for (from, to) in broker.recover() {
                    record.rename_queue(&from, &to);
                }
            } else {
                apply(&mut record, broker.perform(operation));
            }
            let recorded: Vec<Entity> = record.snapshot().iter().map(super::super::Recorded::entity).collect();
            prop_assert_eq!(recorded, broker.entities());
            prop_assert_eq!(record.len(), broker.entities().len());
        }
    }
}
