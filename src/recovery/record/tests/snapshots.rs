//! What an application sees of the record.

use super::*;
use crate::recovery::record::{Entity, Recorded, RecordedTopology};

fn some_of_each() -> RecordedTopology {
    let mut record = record();
    apply(&mut record, [consume(1, 1, "q"), bind_exchange("f", "e"), bind("q", "e", "k"), queue("q"), exchange("e")]);
    record.snapshot()
}

#[test]
fn an_entity_has_the_request_of_its_own_kind_alone() {
    let snapshot = some_of_each();
    let requests = |recorded: &Recorded| {
        [
            recorded.exchange().is_some(),
            recorded.queue().is_some(),
            recorded.queue_binding().is_some(),
            recorded.exchange_binding().is_some(),
            recorded.consumer().is_some() && recorded.prefetch() == Some(10),
        ]
    };
    let found: Vec<_> = snapshot.iter().map(|recorded| (recorded.entity().to_string(), requests(recorded))).collect();
    let expected = [
        ("the exchange e", [true, false, false, false, false]),
        ("the queue q", [false, true, false, false, false]),
        ("the binding of the exchange f to the exchange e", [false, false, false, true, false]),
        ("the binding of the queue q to the exchange e by k", [false, false, true, false, false]),
        ("the consumer tag-1 of the queue q", [false, false, false, false, true]),
    ];
    assert!(found.iter().map(|(name, requests)| (name.as_str(), *requests)).eq(expected), "{found:?}");
}

#[test]
fn a_snapshot_lists_each_kind() {
    let snapshot = some_of_each();
    assert!(snapshot.exchanges().map(|request| &request.exchange).eq(["e"]));
    assert!(snapshot.queues().map(|(name, _)| name).eq(["q"]));
    assert!(snapshot.queue_bindings().map(|request| &request.routing_key).eq(["k"]));
    assert!(snapshot.exchange_bindings().map(|request| &request.destination).eq(["f"]));
    assert!(snapshot.consumers().map(|request| &request.consumer_tag).eq(["tag-1"]));
    assert_eq!(snapshot.len(), 5);
    assert!(!snapshot.is_empty() && RecordedTopology::default().is_empty());
}

#[test]
fn a_filter_removes_entities_and_returns_the_consumers_among_them() {
    let mut snapshot = some_of_each();
    assert_eq!(snapshot.retain(|recorded| !matches!(recorded.entity(), Entity::Binding { .. })), []);
    assert_eq!(snapshot.len(), 3);
    assert_eq!(snapshot.retain(|recorded| recorded.consumer().is_none()), [consumer(1)]);
    assert_eq!(snapshot.len(), 2);
}
