//! What dead-lettering does to a message; field orders are those of a RabbitMQ 3.10 node.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::time::Instant;

use crate::protocol::basic::Properties;
use crate::protocol::queue;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(7);

fn queue_named(name: &str, arguments: impl Into<FieldTable>) -> Queue {
    let declare = queue::Declare::default().arguments(arguments.into());
    Queue::declare(&declare, name.into(), None, &"/".into(), Instant::now()).unwrap()
}

fn queue() -> Queue {
    queue_named("q", [("x-dead-letter-exchange", "dlx")])
}

fn message(properties: Properties) -> Message {
    Message {
        exchange: "x".into(),
        routing_key: "k".into(),
        properties,
        encoded_properties: Some("as they came".into()),
        body: "body".into(),
    }
}

fn with_headers(headers: impl Into<FieldTable>) -> Message {
    message(Properties::default().headers(headers.into()))
}

fn keys(names: &[&str]) -> FieldValue {
    FieldValue::Array(names.iter().map(|name| FieldValue::from(*name)).collect())
}

fn headers(message: &Message) -> &FieldTable {
    message.properties.headers.as_ref().unwrap()
}

fn deaths(message: &Message) -> Vec<&FieldTable> {
    headers(message).get(X_DEATH).unwrap().as_array().unwrap().iter().filter_map(FieldValue::as_table).collect()
}

fn names(table: &FieldTable) -> Vec<String> {
    table.keys().map(ToString::to_string).collect()
}

#[test]
fn a_queue_without_a_dead_letter_exchange_has_no_dead_letters() {
    let queue = queue_named("q", [("x-max-length", 1)]);
    assert_eq!(dead_letter(&queue, &message(Properties::default()), DropReason::MaxLength, NOW), None);
}

#[test]
fn a_first_death_is_told_in_headers_of_its_own() {
    let published = message(Properties::default().expiration("10").message_id("m"));
    let dead = dead_letter(&queue(), &published, DropReason::Expired, NOW).unwrap();
    assert_eq!((dead.exchange.clone(), dead.routing_key.clone()), ("dlx".into(), "k".into()));
    assert_eq!((dead.properties.expiration.clone(), dead.properties.message_id.clone()), (None, Some("m".into())));
    assert_eq!(dead.encoded_properties, None);
    let death = FieldTable::from([
        ("count", FieldValue::from(1_i64)),
        ("reason", "expired".into()),
        ("queue", "q".into()),
        ("time", NOW.into()),
        ("exchange", "x".into()),
        ("routing-keys", keys(&["k"])),
        ("original-expiration", "10".into()),
    ]);
    let expected = FieldTable::from([
        ("x-death", FieldValue::Array(vec![death.into()])),
        ("x-first-death-exchange", "x".into()),
        ("x-first-death-queue", "q".into()),
        ("x-first-death-reason", "expired".into()),
    ]);
    assert_eq!(headers(&dead), &expected);
}

#[test]
fn headers_are_sorted_octet_by_octet() {
    let dead =
        dead_letter(&queue(), &with_headers([("zz", 1), ("aa", 2), ("Mm", 3)]), DropReason::Rejected, NOW).unwrap();
    let first = ["x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"];
    assert_eq!(names(headers(&dead)), ["Mm", "aa", "x-death", first[0], first[1], first[2], "zz"]);
}

#[test]
fn the_same_death_is_counted() {
    let once = dead_letter(&queue(), &message(Properties::default()), DropReason::Rejected, NOW).unwrap();
    let twice = dead_letter(&queue(), &once, DropReason::Rejected, Timestamp::from_secs(9)).unwrap();
    let deaths = deaths(&twice);
    assert_eq!(deaths.len(), 1);
    assert_eq!(names(deaths[0]), ["count", "exchange", "queue", "reason", "routing-keys", "time"]);
    assert_eq!(deaths[0].get("count"), Some(&FieldValue::I64(2)));
    assert_eq!(deaths[0].get("time"), Some(&NOW.into()));
    assert_eq!(deaths[0].get("exchange"), Some(&"x".into()));
}

#[test]
fn another_death_stands_in_front() {
    let queue = queue();
    let rejected = dead_letter(&queue, &message(Properties::default()), DropReason::Rejected, NOW).unwrap();
    let expired = dead_letter(&queue, &rejected, DropReason::Expired, NOW).unwrap();
    let reasons: Vec<_> = deaths(&expired).iter().map(|death| death.get("reason").cloned()).collect();
    assert_eq!(reasons, [Some("expired".into()), Some("rejected".into())]);
    assert_eq!(names(deaths(&expired)[0]), ["count", "exchange", "queue", "reason", "routing-keys", "time"]);
    assert_eq!(names(deaths(&expired)[1]), ["count", "reason", "queue", "time", "exchange", "routing-keys"]);
    assert_eq!(headers(&expired).get("x-first-death-reason"), Some(&"rejected".into()));
    let again = dead_letter(&queue, &expired, DropReason::Rejected, NOW).unwrap();
    assert_eq!(deaths(&again)[0].get("count"), Some(&FieldValue::I64(2)));
    assert_eq!(deaths(&again)[1].get("reason"), Some(&"expired".into()));
}

#[test]
fn a_record_that_is_no_array_is_replaced() {
    let dead = dead_letter(&queue(), &with_headers([("x-death", "text")]), DropReason::Rejected, NOW).unwrap();
    assert_eq!(names(headers(&dead)), ["x-death"]);
    assert_eq!(deaths(&dead).len(), 1);
}

#[test]
fn copies_stay_where_the_routing_key_stays() {
    let published = with_headers([("CC", keys(&["c"])), ("BCC", keys(&["b"]))]);
    let dead = dead_letter(&queue(), &published, DropReason::Rejected, NOW).unwrap();
    assert!(headers(&dead).contains_key("CC") && headers(&dead).contains_key("BCC"));
    assert_eq!(deaths(&dead)[0].get("routing-keys"), Some(&keys(&["k", "c"])));
}

#[test]
fn copies_go_where_the_routing_key_is_replaced() {
    let queue = queue_named("q", [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", "other")]);
    let published = with_headers([("CC", keys(&["c"])), ("BCC", keys(&["b"]))]);
    let dead = dead_letter(&queue, &published, DropReason::Rejected, NOW).unwrap();
    assert_eq!((dead.exchange.clone(), dead.routing_key.clone()), ("".into(), "other".into()));
    assert!(!headers(&dead).contains_key("CC") && !headers(&dead).contains_key("BCC"));
    assert_eq!(deaths(&dead)[0].get("routing-keys"), Some(&keys(&["k", "c"])));
}

#[test]
fn a_message_that_nobody_rejected_does_not_go_round() {
    let expired = dead_letter(&queue(), &message(Properties::default()), DropReason::Expired, NOW).unwrap();
    assert!(is_cycle(&expired, &"q".into()));
    assert!(!is_cycle(&expired, &"other".into()));
    assert!(!is_cycle(&message(Properties::default()), &"q".into()));
    let second = queue_named("second", [("x-dead-letter-exchange", "dlx")]);
    let further = dead_letter(&second, &expired, DropReason::MaxLength, NOW).unwrap();
    assert!(is_cycle(&further, &"q".into()) && is_cycle(&further, &"second".into()));
}

#[test]
fn a_rejection_on_the_way_round_breaks_the_cycle() {
    let expired = dead_letter(&queue(), &message(Properties::default()), DropReason::Expired, NOW).unwrap();
    let second = queue_named("second", [("x-dead-letter-exchange", "dlx")]);
    let rejected = dead_letter(&second, &expired, DropReason::Rejected, NOW).unwrap();
    assert!(!is_cycle(&rejected, &"q".into()) && !is_cycle(&rejected, &"second".into()));
    let third = queue_named("third", [("x-dead-letter-exchange", "dlx")]);
    let further = dead_letter(&third, &rejected, DropReason::Expired, NOW).unwrap();
    assert!(is_cycle(&further, &"third".into()) && !is_cycle(&further, &"q".into()));
}
