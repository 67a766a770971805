//! What a loss may change, and what it may not.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn queue(durable: bool, exclusive: bool) -> Queue {
    Queue { durable, auto_delete: false, exclusive, arguments: "{}".to_owned() }
}

fn exchange(auto_delete: bool) -> Exchange {
    Exchange { kind: "direct".to_owned(), durable: true, auto_delete, arguments: "{}".to_owned() }
}

fn binding(queue: &str) -> Binding {
    let [source, destination, routing_key] = ["x0", queue, "k"].map(str::to_owned);
    Binding { source, destination, to_exchange: false, routing_key, arguments: "{}".to_owned() }
}

fn consumer(queue: &str) -> Consumer {
    let (queue, arguments) = (queue.to_owned(), "{}".to_owned());
    Consumer { queue, no_ack: false, exclusive: false, arguments, prefetch: 5 }
}

/// A durable and an exclusive queue, each with a binding and a consumer.
fn broker() -> Topology {
    Topology {
        exchanges: BTreeMap::from([("x0".to_owned(), exchange(false))]),
        queues: BTreeMap::from([("q0".to_owned(), queue(true, false)), ("own".to_owned(), queue(false, true))]),
        bindings: BTreeSet::from([binding("q0"), binding("own")]),
        consumers: BTreeMap::from([("t0".to_owned(), consumer("q0")), ("t1".to_owned(), consumer("own"))]),
    }
}

/// What differs after a loss of the connection that has recorded this.
fn differences(record: &Topology, crash: bool, after: &Topology) -> Vec<String> {
    Expected::after_loss(&broker(), std::slice::from_ref(record), crash).differences(after)
}

#[test]
fn what_is_recorded_comes_back_and_nothing_differs() {
    for crash in [false, true] {
        assert_eq!(differences(&broker(), crash, &broker()), [""; 0]);
    }
}

#[test]
fn each_thing_that_is_lost_is_found() {
    let lose: [fn(&mut Topology); 5] = [
        |it| drop(it.exchanges.remove("x0")),
        |it| drop(it.queues.remove("own")),
        |it| it.bindings.retain(|it| *it != binding("q0")),
        |it| it.bindings.retain(|it| *it != binding("own")),
        |it| drop(it.consumers.remove("t1")),
    ];
    for (number, lose) in lose.into_iter().enumerate() {
        let mut after = broker();
        lose(&mut after);
        let found = differences(&broker(), number % 2 == 0, &after);
        assert_eq!(found.len(), 1, "{number}: {found:?}");
        assert!(found[0].contains("is gone"), "{found:?}");
    }
}

#[test]
fn what_comes_back_otherwise_is_found() {
    let change: [fn(&mut Topology); 4] = [
        |it| it.exchanges.values_mut().for_each(|it| it.arguments.push('x')),
        |it| it.queues.values_mut().take(1).for_each(|it| it.durable ^= true),
        |it| it.consumers.values_mut().take(1).for_each(|it| it.prefetch = 6),
        |it| it.consumers.values_mut().take(1).for_each(|it| it.exclusive = true),
    ];
    for change in change {
        let mut after = broker();
        change(&mut after);
        let found = differences(&broker(), false, &after);
        assert_eq!(found.len(), 1, "{found:?}");
    }
    // Bindings with other arguments are others.
    let mut after = broker();
    after.bindings.remove(&binding("own"));
    after.bindings.insert(Binding { arguments: "{\"x\": 1}".to_owned(), ..binding("own") });
    assert_eq!(differences(&broker(), false, &after).len(), 2, "one is gone, and nobody wanted the other");
}

#[test]
fn what_nobody_has_recorded_stays_away() {
    let (nothing, mut kept) = (Topology::default(), broker());
    kept.queues.remove("own");
    kept.bindings.remove(&binding("own"));
    kept.consumers.clear();
    assert_eq!(differences(&nothing, true, &kept), [""; 0]);
    let found = differences(&nothing, false, &broker());
    assert_eq!(found.len(), 4, "the queue, its binding, and two consumers: {found:?}");
}

#[test]
fn what_two_connections_made_otherwise_is_not_certain() {
    let with = |arguments: &str| {
        let mut record = Topology::default();
        let queue = Queue { arguments: arguments.to_owned(), ..queue(false, false) };
        record.queues.insert("q1".to_owned(), queue);
        record.consumers.insert(format!("t{arguments}"), consumer("q1"));
        record
    };
    let (before, records) = (Topology::default(), [with("{}"), with("{\"x\": 1}")]);
    let expected = Expected::after_loss(&before, &records, true);
    assert_eq!(expected.differences(&records[0]), [""; 0]);
    assert_eq!(expected.differences(&records[1]), [""; 0]);
    assert_eq!(
        Expected::after_loss(&before, &records[..1], true).differences(&before).len(),
        2,
        "one alone is certain"
    );
}

#[test]
fn a_queue_that_the_broker_names_anew_has_its_bindings_and_consumers_under_that_name() {
    let renames = BTreeMap::from([("own".to_owned(), "second".to_owned()), ("second".to_owned(), "third".to_owned())]);
    let renamed = broker().renamed(&renames);
    assert!(renamed.queues.contains_key("third") && renamed.bindings.contains(&binding("third")));
    assert_eq!(renamed.consumers["t1"].queue, "third");
    assert_eq!(renamed.consumers["t0"].queue, "q0");
}

#[test]
fn what_was_refused_is_excused_with_its_name_alone() {
    let mut expected = Expected::after_loss(&broker(), &[broker()], false);
    let failed = [queue_name("own"), binding("own").to_string(), consumer_name("t1")];
    expected.excuse(&failed.into_iter().collect());
    let mut after = broker();
    after.queues.remove("own");
    after.bindings.remove(&binding("own"));
    after.consumers.remove("t1");
    assert_eq!(expected.differences(&after), [""; 0]);
    after.bindings.clear();
    assert_eq!(expected.differences(&after).len(), 1, "the binding of another queue");
}
