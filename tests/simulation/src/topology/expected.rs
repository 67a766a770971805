//! What a broker has to have after all connections were lost and recovered, and what it may have.

use std::collections::{BTreeMap, BTreeSet};

use super::{Binding, Exchange, Queue, Topology, consumer_name, exchange_name, queue_name};

/// What is expected after a loss.
#[derive(Debug)]
pub struct Expected {
    /// What has to be there.
    pub certain: Topology,
    /// The names of what may be there. What has to be there is among them.
    pub possible: BTreeSet<String>,
}

/// What is known of the names of queues and exchanges.
struct Names<'a> {
    before: &'a Topology,
    records: &'a [Topology],
    /// What the broker keeps.
    kept_queues: BTreeMap<String, Queue>,
    kept_exchanges: BTreeMap<String, Exchange>,
    /// What the broker keeps or deletes, whatever comes first.
    unsure_exchanges: BTreeSet<String>,
}

impl Expected {
    /// Expects the broker to keep of `before` what a loss of all connections leaves, or of the
    /// broker's `crash`, and to have what the connections have recorded.
    ///
    /// Connections come back in any order. So what one of them makes is certain only if it needs
    /// nothing that another one makes, and if no other makes the same name in another way.
    pub fn after_loss(before: &Topology, records: &[Topology], crash: bool) -> Self {
        let names = Names::new(before, records, crash);
        let certain = names.certain();
        let mut possible: BTreeSet<String> = certain.entities().into_keys().collect();
        possible.extend(names.kept_exchanges.keys().map(|name| exchange_name(name)));
        possible.extend(names.unsure_exchanges.iter().map(|name| exchange_name(name)));
        let may_stay = |it: &&Binding| {
            let exchange =
                |name: &String| names.kept_exchanges.contains_key(name) || names.unsure_exchanges.contains(name);
            exchange(&it.source)
                && if it.to_exchange {
                    exchange(&it.destination)
                } else {
                    names.kept_queues.contains_key(&it.destination)
                }
        };
        possible.extend(before.bindings.iter().filter(may_stay).map(ToString::to_string));
        possible.extend(records.iter().flat_map(|record| record.entities().into_keys()));
        Self { certain, possible }
    }

    /// What a connection had recorded may be there.
    pub fn allow(&mut self, record: &Topology) {
        self.possible.extend(record.entities().into_keys());
    }

    /// What was reported as not restored need not be there.
    pub fn excuse(&mut self, failed: &BTreeSet<String>) {
        let Topology { exchanges, queues, bindings, consumers } = &mut self.certain;
        exchanges.retain(|name, _| !failed.contains(&exchange_name(name)));
        queues.retain(|name, _| !failed.contains(&queue_name(name)));
        bindings.retain(|it| !failed.iter().any(|failed| it.to_string().starts_with(&**failed)));
        consumers.retain(|tag, _| !failed.contains(&consumer_name(tag)));
    }

    /// Returns what differs: what is gone, what is otherwise, and what was not to come back.
    pub fn differences(&self, after: &Topology) -> Vec<String> {
        let there = after.entities();
        let mut found = Vec::new();
        for (name, was) in self.certain.entities() {
            match there.get(&name) {
                None => found.push(format!("{name} was there before the loss and is gone: {was}")),
                Some(is) if *is != was => found.push(format!("{name} was {was} before the loss and is {is}")),
                Some(_) => {}
            }
        }
        let more = there.keys().filter(|name| !self.possible.contains(*name));
        found.extend(more.map(|name| format!("{name} is there after the loss, and nobody wanted it back")));
        found
    }
}

impl<'a> Names<'a> {
    fn new(before: &'a Topology, records: &'a [Topology], crash: bool) -> Self {
        let used = |name: &String| before.consumers.values().any(|consumer| consumer.queue == *name);
        let stays = |(name, queue): &(&String, &Queue)| match crash {
            true => queue.durable,
            false => !(queue.exclusive || (queue.auto_delete && used(name))),
        };
        let clone = |(name, queue): (&String, &Queue)| (name.clone(), queue.clone());
        let kept_queues: BTreeMap<_, _> = before.queues.iter().filter(stays).map(clone).collect();
        let mut kept_exchanges = before.exchanges.clone();
        kept_exchanges.retain(|_, exchange| !crash || exchange.durable);
        // An auto-delete exchange goes with its last binding, and others go with it.
        let passing = kept_exchanges.iter().filter(|(_, exchange)| exchange.auto_delete);
        let unsure_exchanges: BTreeSet<String> = passing.map(|(name, _)| name.clone()).collect();
        kept_exchanges.retain(|name, _| !unsure_exchanges.contains(name));
        Self { before, records, kept_queues, kept_exchanges, unsure_exchanges }
    }

    fn certain(&self) -> Topology {
        let (queues, exchanges) = (self.queues(), self.exchanges());
        let mut bindings: BTreeSet<Binding> =
            self.before.bindings.iter().filter(|it| self.keeps(it)).cloned().collect();
        let mut consumers = BTreeMap::new();
        for record in self.records {
            let has_queue = |name: &String| match (self.kept_queues.get(name), record.queues.get(name)) {
                // One that others have in its place refuses its bindings.
                (Some(kept), Some(own)) => kept.exclusive == own.exclusive,
                (kept, own) => kept.is_some() || (own.is_some() && queues.contains_key(name)),
            };
            let has_exchange = |name: &String| {
                let unsure = self.unsure_exchanges.contains(name) && !record.exchanges.contains_key(name);
                !unsure
                    && exchanges.contains_key(name)
                    && (self.kept_exchanges.contains_key(name) || record.exchanges.contains_key(name))
            };
            let has_both = |it: &&Binding| {
                has_exchange(&it.source)
                    && if it.to_exchange { has_exchange(&it.destination) } else { has_queue(&it.destination) }
            };
            bindings.extend(record.bindings.iter().filter(has_both).filter(|it| !self.is_unsteady(it)).cloned());
            let starts =
                record.consumers.iter().filter(|(_, it)| has_queue(&it.queue) && !self.is_contested(&it.queue));
            consumers.extend(starts.map(|(tag, it)| (tag.clone(), it.clone())));
        }
        Topology { exchanges, queues, bindings, consumers }
    }

    /// Whether another connection may delete and make again what a binding names, so that the
    /// binding goes with it.
    fn is_unsteady(&self, binding: &Binding) -> bool {
        let shared = |name: &String| {
            let passes = |record: &&Topology| record.exchanges.get(name).is_some_and(|it| it.auto_delete);
            self.unsure_exchanges.contains(name) || self.records.iter().filter(passes).count() > 1
        };
        let several = self.records.len() > 1;
        several && (shared(&binding.source) || (binding.to_exchange && shared(&binding.destination)))
    }

    /// Whether a consumer may keep others out of a queue.
    fn is_contested(&self, queue: &String) -> bool {
        let of_queue = || self.records.iter().flat_map(|it| it.consumers.values()).filter(|it| it.queue == *queue);
        of_queue().any(|consumer| consumer.exclusive) && of_queue().count() > 1
    }

    /// Whether the broker keeps a binding.
    fn keeps(&self, binding: &Binding) -> bool {
        self.kept_exchanges.contains_key(&binding.source)
            && match binding.to_exchange {
                true => self.kept_exchanges.contains_key(&binding.destination),
                false => self.kept_queues.contains_key(&binding.destination),
            }
    }

    fn queues(&self) -> BTreeMap<String, Queue> {
        let mut queues = self.kept_queues.clone();
        for (name, queue) in self.records.iter().flat_map(|record| &record.queues) {
            let makers = || self.records.iter().filter_map(|record| record.queues.get(name));
            let alone = makers().all(|other| other == queue) && (!queue.exclusive || makers().count() == 1);
            if alone {
                queues.entry(name.clone()).or_insert_with(|| queue.clone());
            }
        }
        queues
    }

    fn exchanges(&self) -> BTreeMap<String, Exchange> {
        let mut exchanges = self.kept_exchanges.clone();
        for (name, exchange) in self.records.iter().flat_map(|record| &record.exchanges) {
            let mut makers = self.records.iter().filter_map(|record| record.exchanges.get(name));
            let unsure = self.unsure_exchanges.contains(name) && self.before.exchanges.get(name) != Some(exchange);
            if makers.all(|other| other == exchange) && !unsure {
                exchanges.entry(name.clone()).or_insert_with(|| exchange.clone());
            }
        }
        // One that goes with its last binding goes after it was made again, if another connection
        // had bound it.
        exchanges.retain(|_, exchange| !exchange.auto_delete || self.records.len() < 2);
        exchanges
    }
}
