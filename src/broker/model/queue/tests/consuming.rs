//! Consumers: which may subscribe, and their order of service.

use crate::protocol::ReplyCode;
use crate::protocol::basic::Consume;

use super::*;

fn subscribe(queue: &mut Queue, tag: &str, consume: &Consume) -> Result<(), Refusal> {
    queue.add_consumer(key(tag), consume)
}

fn of_priority(priority: i32) -> Consume {
    Consume::default().arguments(FieldTable::from([("x-priority", priority)]))
}

/// A queue with these consumers.
fn consumed(consumers: &[(&str, i32)]) -> Queue {
    let (mut queue, _) = queue([("x-foo", 1)]);
    for (tag, priority) in consumers {
        subscribe(&mut queue, tag, &of_priority(*priority)).unwrap();
    }
    queue
}

/// The consumers of the next messages, if those in `busy` can take none.
fn served(queue: &mut Queue, busy: &[&str], count: usize) -> Vec<String> {
    let next = |_| queue.next_consumer(|key| !busy.iter().any(|tag| key.tag == *tag));
    (0..count).filter_map(next).map(|key| key.tag.to_string()).collect()
}

#[test]
fn equal_consumers_take_turns_in_the_order_of_subscription() {
    let mut queue = consumed(&[("b", 0), ("a", 0), ("c", 0)]);
    assert_eq!(served(&mut queue, &[], 5), ["b", "a", "c", "b", "a"]);
}

#[test]
fn a_higher_priority_is_served_as_long_as_it_can_take() {
    let mut queue = consumed(&[("low", -1), ("high", 5), ("none", 0)]);
    assert_eq!(served(&mut queue, &[], 2), ["high", "high"]);
    assert_eq!(served(&mut queue, &["high"], 2), ["none", "none"]);
    assert_eq!(served(&mut queue, &["high", "none"], 1), ["low"]);
    assert_eq!(served(&mut queue, &[], 1), ["high"]);
    assert!(served(&mut queue, &["high", "none", "low"], 1).is_empty());
}

#[test]
fn a_consumer_that_missed_its_turn_stands_behind_its_equals() {
    let mut queue = consumed(&[("a", 0), ("b", 0), ("c", 0)]);
    assert_eq!(served(&mut queue, &[], 3), ["a", "b", "c"]);
    assert_eq!(served(&mut queue, &["a"], 2), ["b", "c"]);
    assert_eq!(served(&mut queue, &[], 3), ["b", "c", "a"]);
}

#[test]
fn a_queue_in_exclusive_use_takes_no_other_consumer() {
    let text = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use";
    let (mut queue, now) = queue([("x-foo", 1)]);
    subscribe(&mut queue, "a", &Consume::default().exclusive(true)).unwrap();
    let refusal = subscribe(&mut queue, "b", &Consume::default()).unwrap_err();
    assert_eq!((refusal.code, refusal.text().as_str()), (ReplyCode::ACCESS_REFUSED, text));
    queue.remove_consumer(&key("a"), now);
    subscribe(&mut queue, "b", &Consume::default()).unwrap();
    let refusal = subscribe(&mut queue, "c", &Consume::default().exclusive(true)).unwrap_err();
    assert_eq!(refusal.text(), text);
    assert_eq!(queue.consumer_count(), 1);
}

#[test]
fn arguments_of_consumers_are_checked() {
    let (mut queue, _) = queue([("x-foo", 1)]);
    let mut refused = |name: &str, value: &str| {
        let consume = Consume::default().arguments(FieldTable::from([(name, value)]));
        subscribe(&mut queue, "a", &consume).unwrap_err().text().replace(" for queue 'q' in vhost '/'", "")
    };
    let prefix = "PRECONDITION_FAILED - invalid arg";
    assert_eq!(refused("x-priority", "1"), format!("{prefix} 'x-priority': \"expected integer, got longstr\""));
    let expected = format!("{prefix} 'x-cancel-on-ha-failover': {{unacceptable_type,longstr}}");
    assert_eq!(refused("x-cancel-on-ha-failover", "1"), expected);
    let expected = format!("{prefix} 'x-stream-offset' of queue type rabbit_classic_queue");
    assert_eq!(refused("x-stream-offset", "1"), expected);
}

#[test]
fn a_single_active_consumer_gets_all_until_it_goes() {
    let (mut queue, now) = queue([("x-single-active-consumer", true)]);
    subscribe(&mut queue, "a", &Consume::default()).unwrap();
    subscribe(&mut queue, "b", &Consume::default()).unwrap();
    subscribe(&mut queue, "high", &of_priority(5)).unwrap();
    assert_eq!(served(&mut queue, &[], 3), ["a", "a", "a"]);
    assert!(served(&mut queue, &["a"], 1).is_empty());
    queue.remove_consumer(&key("a"), now);
    assert_eq!(served(&mut queue, &[], 1), ["high"]);
    queue.remove_consumer(&key("high"), now);
    assert_eq!(served(&mut queue, &[], 1), ["b"]);
    queue.remove_consumer(&key("b"), now);
    assert!(served(&mut queue, &[], 1).is_empty());
    subscribe(&mut queue, "c", &Consume::default()).unwrap();
    assert_eq!(served(&mut queue, &[], 1), ["c"]);
}

#[test]
fn a_queue_with_a_single_active_consumer_has_no_exclusive_one() {
    let (mut queue, _) = queue([("x-single-active-consumer", true)]);
    let refusal = subscribe(&mut queue, "a", &Consume::default().exclusive(true)).unwrap_err();
    assert_eq!(refusal.text(), "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use");
}

#[test]
fn consumers_are_shown_in_the_order_of_subscription() {
    let (mut queue, _) = queue([("x-single-active-consumer", true)]);
    subscribe(&mut queue, "b", &of_priority(1).no_ack(true)).unwrap();
    subscribe(&mut queue, "a", &of_priority(2)).unwrap();
    served(&mut queue, &[], 1);
    let shown = queue.consumers().map(|shown| (shown.key.tag.to_string(), shown.active, shown.priority, shown.no_ack));
    assert!(shown.eq([("b".into(), true, 1, true), ("a".into(), false, 2, false)]));
    assert!(queue.consumers().all(|shown| !shown.exclusive && shown.arguments.contains_key("x-priority")));
}

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer() {
    let now = Instant::now();
    let mut queue = declare(&queue::Declare::default().auto_delete(true)).unwrap();
    assert!(!queue.remove_consumer(&key("a"), now));
    subscribe(&mut queue, "a", &Consume::default()).unwrap();
    subscribe(&mut queue, "b", &Consume::default()).unwrap();
    assert!(!queue.remove_consumer(&key("a"), now));
    assert!(!queue.remove_consumer(&key("a"), now));
    assert!(queue.remove_consumer(&key("b"), now));
}

#[test]
fn a_queue_that_is_not_auto_delete_stays() {
    let mut queue = consumed(&[("a", 0)]);
    assert!(!queue.remove_consumer(&key("a"), Instant::now()));
}
