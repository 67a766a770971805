//! Messages: their order, how they are settled, and their expiry.

use super::super::check_expiration;
use super::*;

#[test]
fn messages_come_in_the_order_of_their_publishing() {
    let (mut queue, now) = queue([("x-foo", 1)]);
    fill(&mut queue, &["a", "b"], now);
    assert_eq!(pop(&mut queue, now).0.as_deref(), Some("a"));
    assert_eq!(pop(&mut queue, now).0.as_deref(), Some("b"));
    assert_eq!(pop(&mut queue, now).0, None);
    assert_eq!((queue.ready_count(), queue.unacked_count()), (0, 2));
}

#[test]
fn a_requeued_message_goes_back_to_its_place() {
    let (mut queue, now) = queue([("x-foo", 1)]);
    fill(&mut queue, &["a", "b", "c", "d"], now);
    let popped: Vec<_> = (0..3).filter_map(|_| queue.pop(now).0).collect();
    assert!(queue.requeue(popped.into_iter().rev(), now).is_empty());
    assert_eq!(bodies(&queue), ["a", "b", "c", "d"]);
    assert!(queue.messages().map(|entry| entry.redelivered).eq([true, true, true, false]));
    assert_eq!(queue.unacked_count(), 0);
}

#[test]
fn a_settled_message_is_no_longer_unacked() {
    let (mut queue, now) = queue([("x-foo", 1)]);
    fill(&mut queue, &["a", "b"], now);
    pop(&mut queue, now);
    pop(&mut queue, now);
    queue.settle();
    assert_eq!(queue.unacked_count(), 1);
}

#[test]
fn purging_drops_ready_messages_alone() {
    let (mut queue, now) = queue([("x-max-length-bytes", 2)]);
    fill(&mut queue, &["a", "b", "c"], now);
    pop(&mut queue, now);
    assert_eq!(queue.purge(), 1);
    assert_eq!((queue.ready_count(), queue.unacked_count()), (0, 1));
    assert!(fill(&mut queue, &["d", "e"], now).is_empty());
}

#[test]
fn a_higher_priority_comes_first_and_equals_in_order() {
    let (mut queue, now) = queue([("x-max-priority", 5)]);
    for message in
        [message("none"), prioritised("5", 5), prioritised("200", 200), prioritised("1", 1), prioritised("0", 0)]
    {
        queue.push(message, now);
    }
    assert_eq!(bodies(&queue), ["5", "200", "1", "none", "0"]);
    let (entry, _) = queue.pop(now);
    queue.requeue(entry, now);
    assert_eq!(bodies(&queue), ["5", "200", "1", "none", "0"]);
}

#[test]
fn without_levels_priorities_count_for_nothing() {
    let (mut queue, now) = queue([("x-max-priority", 0)]);
    queue.push(prioritised("1", 1), now);
    queue.push(prioritised("9", 9), now);
    assert_eq!(bodies(&queue), ["1", "9"]);
}

#[test]
fn the_smaller_time_to_live_counts() {
    let (mut queue, now) = queue([("x-message-ttl", 100)]);
    queue.push(expiring("short", "50"), now);
    queue.push(expiring("long", "5000"), now);
    assert_eq!(queue.deadline(), Some(now + ms(50)));
    assert!(queue.expire(now + ms(49)).is_empty());
    assert_eq!(told_all(&queue.expire(now + ms(50))), ["short expired"]);
    assert_eq!(queue.deadline(), Some(now + ms(100)));
    assert_eq!(told_all(&queue.expire(now + ms(100))), ["long expired"]);
    assert_eq!(queue.deadline(), None);
}

#[test]
fn messages_expire_at_the_head_alone() {
    let (mut queue, now) = queue([("x-foo", 1)]);
    queue.push(expiring("long", "100"), now);
    queue.push(expiring("short", "10"), now);
    queue.push(message("for ever"), now);
    assert!(queue.expire(now + ms(99)).is_empty());
    assert_eq!(queue.ready_count(), 3);
    assert_eq!(told_all(&queue.expire(now + ms(100))), ["long expired", "short expired"]);
}

#[test]
fn what_is_popped_has_not_expired_and_what_is_left_at_the_head_neither() {
    let (mut queue, now) = queue([("x-max-priority", 5)]);
    queue.push(expiring("head", "10"), now);
    queue.push(message("next"), now);
    queue.push(expiring("behind", "10"), now);
    queue.push(message("last"), now);
    let (next, dropped) = pop(&mut queue, now + ms(10));
    assert_eq!((next.as_deref(), dropped), (Some("next"), vec!["head expired".into(), "behind expired".into()]));
    assert_eq!(bodies(&queue), ["last"]);
}

#[test]
fn no_time_to_live_is_enough_for_a_consumer_that_is_ready() {
    let (mut queue, now) = queue([("x-message-ttl", 0)]);
    queue.push(message("a"), now);
    let (entry, dropped) = queue.pop(now);
    assert!(dropped.is_empty());
    assert_eq!(told_all(&queue.requeue(entry, now)), ["a expired"]);
    for body in ["b", "c", "d"] {
        queue.push(message(body), now);
    }
    assert_eq!(pop(&mut queue, now), (Some("b".into()), Vec::new()));
    assert_eq!(told_all(&queue.expire(now)), ["c expired", "d expired"]);
}

#[test]
fn an_expiration_is_a_number_of_milliseconds() {
    let check =
        |text: &str| check_expiration(&Properties::default().expiration(text)).err().map(|refusal| refusal.text());
    for text in ["0", "-0", "+5", "0005", "315360000000"] {
        assert_eq!(check(text), None, "{text}");
    }
    for (text, reason) in [
        ("", "no_integer"),
        ("-", "no_integer"),
        (" 5", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("1.5", "{leftover_string,\".5\"}"),
        ("5\\", "{leftover_string,\"\\\\\"}"),
        ("5\u{1}", "{leftover_string,[1]}"),
        ("315360000001", "{value_too_large,315360000001}"),
        ("099999999999999999999999999", "{value_too_large,99999999999999999999999999}"),
    ] {
        assert_eq!(check(text), Some(format!("PRECONDITION_FAILED - invalid expiration '{text}': {reason}")));
    }
}

#[test]
fn a_queue_expires_where_nobody_uses_it() {
    let (mut queue, now) = queue([("x-expires", 100)]);
    queue.push(message("a"), now + ms(50));
    assert_eq!(queue.deadline(), Some(now + ms(100)));
    assert!(!queue.is_expired(now + ms(99)) && queue.is_expired(now + ms(100)));
    queue.touch(now + ms(60));
    assert!(!queue.is_expired(now + ms(159)) && queue.is_expired(now + ms(160)));
}

#[test]
fn a_queue_with_consumers_does_not_expire() {
    let (mut queue, now) = queue([("x-expires", 100)]);
    queue.add_consumer(key("c"), &Default::default()).unwrap();
    assert!(!queue.is_expired(now + ms(1000)) && queue.deadline().is_none());
    queue.remove_consumer(&key("c"), now + ms(1000));
    assert_eq!(queue.deadline(), Some(now + ms(1100)));
}
