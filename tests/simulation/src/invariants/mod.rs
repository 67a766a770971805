//! What holds in every run (I1 to I8).

mod topology;

use std::collections::{BTreeMap, BTreeSet};

use leveret::broker::State;

use crate::application::{Application, Record};
use crate::ledger::{Got, Ledger, Published, message_of};
use crate::tap::Tap;
use crate::topology::{Expected, Topology};
use topology::{i5_records_are_what_the_broker_has, i5_the_loss_changes_nothing};

const HOST: &str = "/";

/// Checks what holds while connections are open and nothing disturbs them any more.
pub fn check_at_rest(application: &Application) -> Vec<String> {
    let recovering = application.recovering();
    let ledger = application.ledger();
    let world = application.network.world();
    let mut found = i2_every_future_resolves(&ledger, false);
    found.extend(recovering.into_iter().map(|client| format!("I2: client={client} is recovering without end")));
    found.extend(i5_topology_is_what_the_application_made(&ledger, &world.broker));
    found.extend(i7_one_connection_for_each_client(world.connected(), world.held(), world.broker.connections().len()));
    found
}

/// What the broker has, and what connections have recorded, before a loss.
pub struct BeforeLoss {
    broker: Topology,
    records: Vec<Record>,
}

impl BeforeLoss {
    /// Looks at both, and compares them.
    pub fn look(application: &Application) -> (Self, Vec<String>) {
        let (broker, records) = (topology_of(application), application.records());
        let settings = application.settings();
        let complete = settings.recovery == 1 && settings.record == 0;
        let mut ledger = application.ledger();
        let (found, compared) = i5_records_are_what_the_broker_has(&ledger.entities, &broker, &records, complete);
        *ledger.counts.entry("recorded as the broker has it".to_owned()).or_default() += compared;
        ledger.entities.failed.clear();
        (Self { broker, records }, found)
    }

    /// Compares what the broker has after all connections were lost, and recovered.
    pub fn compare(self, application: &Application, crash: bool) -> Vec<String> {
        let (after, open) = (topology_of(application), application.records());
        let mut ledger = application.ledger();
        // A request that the script has refused may be one of the replay.
        let refuses = ledger.counts.contains_key("broker-fail-next");
        let renames = &ledger.entities.renames;
        let is_open = |record: &Record| open.iter().any(|it| it.owner == record.owner);
        let (stayed, ended): (Vec<_>, Vec<_>) = self.records.into_iter().partition(is_open);
        let renamed = |records: Vec<Record>| records.into_iter().map(|it| it.topology.renamed(renames)).collect();
        let mut found = Vec::new();
        found.extend(ended.iter().filter(|_| !refuses).map(|it| format!("I5: {:?} has not come back", it.owner)));
        let (stayed, ended): (Vec<Topology>, Vec<Topology>) = (renamed(stayed), renamed(ended));
        let before = self.broker.renamed(renames);
        let mut expected = Expected::after_loss(&before, &stayed, crash);
        ended.iter().for_each(|record| expected.allow(record));
        if refuses {
            let lost_with_channels = ledger.entities.touched.keys().filter(|name| name.starts_with("the consumer "));
            let failed = ledger.entities.failed.iter().chain(lost_with_channels);
            expected.excuse(&failed.map(|name| now_called(name, renames)).collect());
        }
        found.extend(i5_the_loss_changes_nothing(&expected, &after));
        let (was, is) = (before.entities(), after.entities());
        let gone = |name: &&String| was.contains_key(*name) && !is.contains_key(*name);
        let away = ledger.entities.unrecorded.iter().filter(gone).count() as u64;
        let again = expected.certain.entities().len() as u64;
        let counts = [("not recorded, and not there after the loss", away), ("there after the loss as before", again)];
        counts.into_iter().for_each(|(what, count)| *ledger.counts.entry(what.to_owned()).or_default() += count);
        found
    }
}

/// The name of an entity with the present names of queues in it.
fn now_called(name: &str, renames: &BTreeMap<String, String>) -> String {
    let from = renames.keys().find(|from| name.contains(&***from));
    from.map_or_else(|| name.to_owned(), |from| now_called(&name.replace(&**from, &renames[from]), renames))
}

fn topology_of(application: &Application) -> Topology {
    let world = application.network.world();
    Topology::of_broker(&world.broker, HOST, &world.tap.prefetches)
}

/// Checks what holds after all connections were closed.
pub fn check_at_the_end(application: &Application) -> Vec<String> {
    let leftovers = application.leftovers();
    let ledger = application.ledger();
    let world = application.network.world();
    let mut found = i1_what_was_confirmed_is_kept(&ledger, &world.tap, &world.broker);
    found.extend(i1_what_was_not_sent_is_nowhere(&ledger, &world.tap, &world.broker));
    found.extend(i2_every_future_resolves(&ledger, true));
    found.extend(i3_only_what_was_settled_is_settled(&ledger, &world.tap));
    found.extend(i4_no_delivery_is_repeated_unflagged(&ledger, &world.tap));
    found.extend(i6_order_is_kept(&ledger, &world.tap));
    found.extend(i7_no_connection_after_close(world.held(), world.broker.connections().len()));
    found.extend(i8_nothing_is_left(leftovers));
    found.extend(ledger.violations.iter().cloned());
    found.extend(world.tap.violations.iter().cloned());
    found
}

/// The messages in all queues.
fn queued(broker: &State) -> BTreeSet<(String, u64)> {
    let queues = broker.queues(HOST);
    let messages = queues.iter().flat_map(|queue| {
        let messages = broker.messages(HOST, &queue.name.to_string());
        messages.into_iter().filter_map(|message| Some((queue.name.to_string(), message_of(&message.body)?)))
    });
    messages.collect()
}

/// I1: a confirmed message is in its queue, or was settled by an application that got it, unless
/// the queue lost it for a known reason.
fn i1_what_was_confirmed_is_kept(ledger: &Ledger, tap: &Tap, broker: &State) -> Vec<String> {
    let queued = queued(broker);
    let removed: BTreeSet<u64> = tap
        .settled
        .iter()
        .filter(|settled| !settled.how.requeue)
        .flat_map(|settled| settled.messages.iter().copied())
        .collect();
    let lost = ledger.messages.iter().filter(|(number, message)| {
        let Some(queue) = &message.queue else { return false };
        message.fate == Published::Confirmed
            && ledger.keeps(queue, message.at)
            && ledger.outlives(message)
            // A broker that returns what need not be routed is a fault; its confirm stays a
            // confirm.
            && (message.mandatory || !tap.returned.contains(*number))
            && !queued.contains(&(queue.clone(), **number))
            && !removed.contains(number)
    });
    lost.map(|(number, message)| format!("I1: m{number} was confirmed and is lost: {message:?}")).collect()
}

/// I1: each message in a queue was published, and the broker has none that is said not to have been
/// sent, or to have been refused.
fn i1_what_was_not_sent_is_nowhere(ledger: &Ledger, tap: &Tap, broker: &State) -> Vec<String> {
    let read = tap.published.values().flatten().copied();
    let read = read.map(|message| (message, "read by the broker"));
    let queued = queued(broker).into_iter().map(|(_, message)| (message, "in a queue"));
    let got = ledger.got.iter().filter_map(|got| Some((got.message?, "delivered")));
    // A broker that returns what need not be routed is a fault, and no publish can be known by it.
    let mut returned = tap.returned.iter().filter_map(|message| ledger.messages.get(message));
    let returns_as_asked = returned.all(|message| message.mandatory);
    let mut found = Vec::new();
    for (message, place) in read.chain(queued).chain(got) {
        let fate = ledger.messages.get(&message).map(|message| message.fate);
        let wrong = match fate {
            None | Some(Published::NotSent) => true,
            Some(Published::Nacked) => place != "read by the broker",
            Some(Published::Returned) => returns_as_asked && place != "read by the broker",
            _ => false,
        };
        if wrong {
            found.push(format!("I1: m{message} is {place}, and its publisher heard {fate:?}"));
        }
    }
    found
}

/// I2: no future is unresolved after all deadlines. Streams may wait while their connection is
/// open.
fn i2_every_future_resolves(ledger: &Ledger, streams: bool) -> Vec<String> {
    let left = ledger.unresolved.values().filter(|what| streams || !what.starts_with("stream "));
    left.map(|what| format!("I2: unresolved: {what}")).collect()
}

/// I3: the broker was sent only settlements that an application made, each at most as often, and
/// for the message that the application had.
fn i3_only_what_was_settled_is_settled(ledger: &Ledger, tap: &Tap) -> Vec<String> {
    let mut sent: BTreeMap<_, u32> = BTreeMap::new();
    // The client itself returns, with requeue, what nobody can settle any more.
    for settled in tap.settled.iter().filter(|settled| !settled.how.requeue) {
        let settle = (settled.client, settled.channel, settled.tag, settled.message, settled.how);
        *sent.entry(settle).or_default() += 1;
    }
    let unasked = sent.iter().filter(|(settle, count)| ledger.settles.get(*settle).copied().unwrap_or(0) < **count);
    unasked.map(|(settle, count)| format!("I3: the broker read {settle:?} {count} times, unasked")).collect()
}

/// I4: an application gets what the broker sent, as it was flagged, and no message twice from a
/// consumer unless it is flagged as delivered before.
fn i4_no_delivery_is_repeated_unflagged(ledger: &Ledger, tap: &Tap) -> Vec<String> {
    let mut sent: BTreeMap<_, u32> = BTreeMap::new();
    for delivery in &tap.deliveries {
        let key = (delivery.client, &*delivery.consumer, delivery.tag, Some(delivery.message), delivery.redelivered);
        *sent.entry(key).or_default() += 1;
    }
    let mut found = Vec::new();
    let mut first = BTreeSet::new();
    for got in &ledger.got {
        let Got { client, consumer, tag, message, redelivered } = got;
        match sent.get_mut(&(*client, &**consumer, *tag, *message, *redelivered)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => found.push(format!("I4: {got:?} was not sent, or not so often")),
        }
        // One message may be in several queues; a consumer has one.
        if !redelivered && !consumer.is_empty() && !first.insert((consumer, message)) {
            found.push(format!("I4: {got:?} is a second first delivery"));
        }
    }
    found
}

/// I5: what the application declared and nobody removed is there, and the broker's consumers are
/// those that applications listen to.
fn i5_topology_is_what_the_application_made(ledger: &Ledger, broker: &State) -> Vec<String> {
    let missing = ledger.lasting().filter(|queue| broker.queue(HOST, queue).is_none());
    let mut found: Vec<String> = missing.map(|queue| format!("I5: {queue} was declared and is gone")).collect();
    let consumers = broker.consumers(HOST);
    let at_broker: BTreeMap<String, _> =
        consumers.iter().map(|consumer| (consumer.tag.to_string(), consumer)).collect();
    for (tag, listening) in &ledger.listening {
        let same = at_broker.get(tag).is_some_and(|consumer| {
            (consumer.channel, consumer.no_ack, consumer.exclusive, format!("{:?}", consumer.arguments))
                == (listening.channel, listening.no_ack, listening.exclusive, listening.arguments.clone())
        });
        if !same {
            found.push(format!("I5: the broker has {:?} for {tag} of {listening:?}", at_broker.get(tag)));
        }
    }
    let phantoms = at_broker.keys().filter(|tag| !ledger.listening.contains_key(*tag));
    found.extend(phantoms.map(|tag| format!("I5: nobody listens to the consumer {tag}")));
    found
}

/// I6: the broker reads the messages of a channel in the order in which they were published, and a
/// consumer hands out what the broker sent it in that order.
fn i6_order_is_kept(ledger: &Ledger, tap: &Tap) -> Vec<String> {
    let mut found = Vec::new();
    for ((_, number), messages) in &tap.published {
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for message in messages {
            let Some(channel) = ledger.messages.get(message).map(|message| message.channel) else { continue };
            let before = last.insert(channel, *message);
            if before.is_some_and(|before| before > *message) {
                found.push(format!("I6: m{message} came after m{before:?} on channel {number}"));
            }
        }
    }
    let mut sent: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for delivery in &tap.deliveries {
        sent.entry(&delivery.consumer).or_default().push((delivery.tag, delivery.message));
    }
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    for got in ledger.got.iter().filter(|got| !got.consumer.is_empty()) {
        let sent = sent.get(&*got.consumer).map_or(&[][..], Vec::as_slice);
        let at = next.entry(&got.consumer).or_default();
        let delivery = (got.tag, got.message.unwrap_or_default());
        match sent.iter().skip(*at).position(|sent| *sent == delivery) {
            Some(skipped) => *at += skipped + 1,
            None => found.push(format!("I6: {got:?} is out of order")),
        }
    }
    found
}

/// I7: a client has at most one transport, and the broker no connection besides.
fn i7_one_connection_for_each_client(connected: impl Iterator<Item = usize>, held: usize, open: usize) -> Vec<String> {
    let mut clients = BTreeSet::new();
    let twice = connected.filter(|client| !clients.insert(*client));
    let mut found: Vec<_> = twice.map(|client| format!("I7: client={client} has two transports")).collect();
    if open > held {
        found.push(format!("I7: the broker has {open} connections, the clients {held}"));
    }
    found
}

/// I7: no connection is left after all were closed.
fn i7_no_connection_after_close(held: usize, open: usize) -> Vec<String> {
    if (held, open) == (0, 0) {
        return Vec::new();
    }
    vec![format!("I7: the broker has {open} connections, the clients {held}, after all were closed")]
}

/// I8: a connection that has ended holds nothing.
fn i8_nothing_is_left(leftovers: Vec<String>) -> Vec<String> {
    leftovers.into_iter().map(|left| format!("I8: {left}")).collect()
}

#[cfg(test)]
mod tests;
