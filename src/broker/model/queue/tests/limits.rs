//! Limits of length, and what a full queue does.

use super::*;

#[test]
fn a_full_queue_drops_its_head() {
    let (mut queue, now) = queue([("x-max-length", 2)]);
    assert_eq!(fill(&mut queue, &["a", "b", "c", "d"], now), ["a maxlen", "b maxlen"]);
    assert_eq!(bodies(&queue), ["c", "d"]);
}

#[test]
fn octets_of_ready_bodies_count_for_the_limit_in_octets() {
    let (mut queue, now) = queue([("x-max-length-bytes", 4)]);
    assert!(fill(&mut queue, &["aa", "bb"], now).is_empty());
    assert_eq!(fill(&mut queue, &["c"], now), ["aa maxlen"]);
    pop(&mut queue, now);
    assert!(fill(&mut queue, &["ddd"], now).is_empty());
    assert_eq!(fill(&mut queue, &["longer than all"], now), ["c maxlen", "ddd maxlen", "longer than all maxlen"]);
}

#[test]
fn a_consumer_takes_what_a_queue_has_no_room_for() {
    let (mut queue, now) = queue([("x-max-length", 0)]);
    assert!(queue.push(message("a"), now).accepted);
    assert_eq!(pop(&mut queue, now), (Some("a".into()), Vec::new()));
    assert_eq!(fill(&mut queue, &["b"], now), ["b maxlen"]);
}

#[test]
fn the_head_of_a_full_queue_is_of_the_highest_priority() {
    let (mut queue, now) = queue([("x-max-priority", 5), ("x-max-length", 2)]);
    let mut dropped = Vec::new();
    for message in [prioritised("1", 1), prioritised("3", 3), prioritised("2", 2), prioritised("1 again", 1)] {
        queue.push(message, now);
        dropped.extend(queue.expire(now));
    }
    assert_eq!(told_all(&dropped), ["3 maxlen", "2 maxlen"]);
}

#[test]
fn requeued_messages_have_to_fit() {
    let (mut queue, now) = queue([("x-max-length", 2)]);
    fill(&mut queue, &["a", "b"], now);
    let popped: Vec<_> = (0..2).filter_map(|_| queue.pop(now).0).collect();
    assert!(fill(&mut queue, &["c"], now).is_empty());
    assert_eq!(told_all(&queue.requeue(popped, now)), ["a maxlen"]);
    assert_eq!(bodies(&queue), ["b", "c"]);
}

#[test]
fn a_full_queue_that_rejects_refuses_the_message() {
    let rejecting = FieldTable::from([("x-overflow", "reject-publish")]);
    let (mut queue, now) = queue(with_length(rejecting, 1));
    assert!(queue.push(message("a"), now).accepted);
    let pushed = queue.push(message("b"), now);
    assert!(!pushed.accepted && pushed.dropped.is_empty());
    assert!(queue.expire(now).is_empty());
    assert_eq!(bodies(&queue), ["a"]);
}

#[test]
fn a_full_queue_may_dead_letter_what_it_refuses() {
    let rejecting = FieldTable::from([("x-overflow", "reject-publish-dlx")]);
    let (mut queue, now) = queue(with_length(rejecting, 0));
    let pushed = queue.push(message("a"), now);
    assert!(!pushed.accepted);
    assert_eq!(told_all(&pushed.dropped), ["a maxlen"]);
    assert!(pushed.dropped.iter().all(|dropped| dropped.reason == DropReason::MaxLength));
}

#[test]
fn a_queue_that_rejects_takes_back_what_it_delivered() {
    let rejecting = FieldTable::from([("x-overflow", "reject-publish")]);
    let (mut queue, now) = queue(with_length(rejecting, 1));
    queue.push(message("a"), now);
    let (entry, _) = queue.pop(now);
    queue.push(message("b"), now);
    assert!(queue.requeue(entry, now).is_empty());
    assert_eq!(bodies(&queue), ["a", "b"]);
}

fn with_length(mut arguments: FieldTable, length: i32) -> FieldTable {
    arguments.insert("x-max-length", length);
    arguments
}

#[test]
fn deletion_gives_the_consumers_that_are_to_be_told() {
    let (mut queue, now) = queue([("x-dead-letter-exchange", "dlx")]);
    fill(&mut queue, &["a", "b", "c"], now);
    for tag in ["z", "a"] {
        queue.add_consumer(key(tag), &Default::default()).unwrap();
    }
    assert_eq!(queue.into_consumers(), [key("z"), key("a")]);
}
