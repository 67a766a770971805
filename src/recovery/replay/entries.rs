//! The plan: the entities in the order in which they come back, and what each of them needs.

use std::collections::BTreeMap;

use super::Phase;
use super::entry::{Entry, Index, Task};
use crate::recovery::record::{Item, RecordedTopology, entity_name};
use crate::wire::ShortString;

/// The queue of direct reply-to, which needs no declaration and has no name of its own.
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The entries of a plan while it is made.
#[derive(Default)]
struct Plan {
    entries: Vec<Entry>,
    exchanges: BTreeMap<ShortString, Index>,
    queues: BTreeMap<ShortString, Index>,
}

/// Makes the entries of a topology. An entry is after those that it needs.
pub(super) fn entries(topology: RecordedTopology) -> Vec<Entry> {
    let (mut plan, mut consumers) = (Plan::default(), Vec::new());
    for recorded in topology {
        if let Item::Consumer { request, .. } = &recorded.item {
            consumers.push((entity_name(&request.queue), recorded));
        } else {
            plan.add_entity(Task::Make(recorded));
        }
    }
    let (reply_to, consumers): (Vec<_>, Vec<_>) = consumers.into_iter().partition(|(queue, _)| queue == REPLY_TO);
    for (_, recorded) in reply_to {
        plan.add(Task::Make(recorded), Phase::ReplyTo, []);
    }
    for (queue, _) in &consumers {
        plan.add_check(queue);
    }
    for (queue, recorded) in consumers {
        let queue = plan.queues.get(&queue).copied();
        plan.add(Task::Make(recorded), Phase::Consumers, queue);
    }
    plan.entries
}

impl Plan {
    fn add(&mut self, task: Task, phase: Phase, parents: impl IntoIterator<Item = Index>) -> Index {
        let index = self.entries.len();
        let mut entry = Entry::new(task, phase);
        for parent in parents {
            entry.parents.push(parent);
            if let Some(parent) = self.entries.get_mut(parent) {
                parent.children.push(index);
            }
        }
        self.entries.push(entry);
        index
    }

    fn add_entity(&mut self, task: Task) {
        let Task::Make(recorded) = &task else { return };
        let (exchanges, queues) = (&self.exchanges, &self.queues);
        let exchange = |name| exchanges.get(&entity_name(name)).copied();
        let mut parents = Vec::new();
        let (mut new_exchange, mut new_queue) = (None, None);
        match &recorded.item {
            Item::Exchange(request) => new_exchange = Some(entity_name(&request.exchange)),
            Item::Queue { name, .. } => new_queue = Some(name.clone()),
            Item::QueueBinding(request) => {
                parents.extend(exchange(&request.exchange));
                parents.extend(queues.get(&entity_name(&request.queue)).copied());
            }
            Item::ExchangeBinding(request) => {
                parents.extend(exchange(&request.source));
                parents.extend(exchange(&request.destination).filter(|_| request.source != request.destination));
            }
            Item::Consumer { .. } => {}
        }
        let index = self.add(task, Phase::Topology, parents);
        self.exchanges.extend(new_exchange.map(|name| (name, index)));
        self.queues.extend(new_queue.map(|name| (name, index)));
    }

    /// Adds the check of a queue that the plan does not declare.
    fn add_check(&mut self, queue: &ShortString) {
        if !self.queues.contains_key(queue) {
            let index = self.add(Task::Check(queue.clone()), Phase::Consumers, []);
            self.queues.insert(queue.clone(), index);
        }
    }
}
