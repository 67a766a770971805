//! I5 for exchanges, queues, bindings and consumers, with their arguments: what connections have
//! recorded is what the broker has, and it has that after a loss too.

use std::collections::BTreeSet;

use crate::application::Record;
use crate::ledger::{Entities, Owner};
use crate::topology::{Binding, Expected, Topology, exchange_name, queue_name};

/// I5: the broker has what a connection has recorded, and a connection has recorded what it made,
/// unless somebody removed it or made it otherwise. `complete` is whether everything is recorded.
pub(super) fn i5_records_are_what_the_broker_has(
    entities: &Entities,
    broker: &Topology,
    records: &[Record],
    complete: bool,
) -> (Vec<String>, u64) {
    let (there, mut found, mut compared) = (broker.entities(), Vec::new(), 0);
    if entities.all_removed {
        return (found, compared);
    }
    for Record { owner, topology } in records {
        let known = Known { entities, owner: *owner, broker };
        let recorded = topology.entities();
        for (name, wanted) in &recorded {
            let differs = there.get(name) != Some(wanted);
            if !differs {
                compared += 1;
            } else if !known.may_differ(name, topology) {
                let is = there.get(name);
                found.push(format!("I5: {owner:?} has recorded {name} as {wanted}, and the broker has {is:?}"));
            }
        }
        let made = entities.made.iter().filter(|(_, by)| complete && by.contains(owner)).map(|(name, _)| name);
        for name in made.filter(|name| !known.is_renamed(name) && !recorded.contains_key(*name)) {
            if !known.is_removed(name) {
                found.push(format!("I5: {owner:?} made {name}, and has not recorded it"));
            }
        }
    }
    (found, compared)
}

/// I5: after a loss of all connections, the broker has what it kept and what connections have
/// recorded, and nothing else.
pub(super) fn i5_the_loss_changes_nothing(expected: &Expected, after: &Topology) -> Vec<String> {
    expected.differences(after).into_iter().map(|difference| format!("I5: {difference}")).collect()
}

/// What may explain a difference of a connection's record.
struct Known<'a> {
    entities: &'a Entities,
    owner: Owner,
    broker: &'a Topology,
}

impl Known<'_> {
    /// Whether somebody else may have removed or made an entity, or what it is part of.
    fn may_differ(&self, name: &str, record: &Topology) -> bool {
        // Consumers are compared with those that listen.
        if name.starts_with("the consumer ") || self.is_unsteady(name) {
            return true;
        }
        let binding = record.bindings.iter().find(|it| it.to_string() == name);
        binding.is_some_and(|it| parts(it).iter().any(|part| self.is_unsteady(part)))
    }

    fn is_unsteady(&self, name: &str) -> bool {
        let others = |by: Option<&BTreeSet<Owner>>| by.is_some_and(|by| by.iter().any(|by| *by != self.owner));
        let touched = self.entities.touched.get(name).into_iter().flatten();
        others(self.entities.made.get(name))
            || touched.into_iter().any(|by| *by != Some(self.owner))
            || self.entities.failed.contains(name)
            || self.is_gone_with_its_maker(name)
    }

    /// Whether a queue that this connection only uses is not there: it went with its connection, or
    /// with the broker.
    fn is_gone_with_its_maker(&self, name: &str) -> bool {
        let made = self.entities.made.get(name).is_some_and(|by| by.contains(&self.owner));
        !made && !self.broker.entities().contains_key(name)
    }

    /// Whether an entity or what it is part of was removed.
    fn is_removed(&self, name: &str) -> bool {
        let touched = self.entities.touched.keys().chain(&self.entities.failed);
        // A binding is named after what it is part of.
        touched.into_iter().any(|it| name == it || names(name, it))
    }

    fn is_renamed(&self, name: &str) -> bool {
        self.entities.renames.keys().any(|from| queue_name(from) == *name)
    }
}

/// Whether the name of a binding has the name of this queue or exchange in it.
fn names(binding: &str, part: &str) -> bool {
    let word = part.rsplit(' ').next().unwrap_or_default();
    binding.starts_with("the binding ") && binding.split(' ').any(|it| it == word)
}

/// The names of what a binding is part of.
fn parts(binding: &Binding) -> [String; 2] {
    let destination = &binding.destination;
    let destination = if binding.to_exchange { exchange_name(destination) } else { queue_name(destination) };
    [exchange_name(&binding.source), destination]
}
