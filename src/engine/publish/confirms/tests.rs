//! The confirms of a channel.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use std::num::NonZeroU32;

fn waiter(slot: u32) -> WaiterId {
    WaiterId { slot, generation: NonZeroU32::MIN }
}

fn published(count: u32) -> Confirms {
    let mut confirms = Confirms::default();
    for slot in 1..=count {
        assert_eq!(confirms.push(Some(waiter(slot)), 0, None), u64::from(slot));
    }
    confirms
}

fn slots(confirms: &mut Confirms, tag: u64, multiple: bool, verdict: Verdict) -> Vec<(u32, bool)> {
    let mut decided = Decided::default();
    confirms.decide(tag, multiple, verdict, &mut decided).unwrap();
    let acked = |confirmation: &Confirmation| matches!(confirmation, Confirmation::Ack);
    decided.confirmed.iter().map(|(waiter, confirmation)| (waiter.slot, acked(confirmation))).collect()
}

#[test]
fn confirms_out_of_order_reach_each_publish_once() {
    let mut confirms = published(4);
    assert_eq!(slots(&mut confirms, 3, false, Verdict::Ack), [(3, true)]);
    assert_eq!(slots(&mut confirms, 3, false, Verdict::Ack), []);
    assert_eq!(slots(&mut confirms, 1, false, Verdict::Nack), [(1, false)]);
    assert_eq!(slots(&mut confirms, 4, true, Verdict::Ack), [(2, true), (4, true)]);
    assert_eq!(slots(&mut confirms, 2, false, Verdict::Ack), []);
}

#[test]
fn multiple_with_tag_zero_decides_about_everything() {
    let mut confirms = published(3);
    assert_eq!(slots(&mut confirms, 0, true, Verdict::Nack), [(1, false), (2, false), (3, false)]);
}

#[test]
fn a_tag_that_was_never_published_is_refused() {
    let mut confirms = published(2);
    let mut decided = Decided::default();
    assert_eq!(confirms.decide(3, true, Verdict::Ack, &mut decided), Err(3));
    assert_eq!(confirms.decide(0, false, Verdict::Ack, &mut decided), Err(0));
}

#[test]
fn a_watcher_hears_when_all_before_it_is_decided_and_what_failed() {
    let mut confirms = published(3);
    assert_eq!(confirms.watch(waiter(9)), None);
    let mut decided = Decided::default();
    confirms.decide(3, false, Verdict::Nack, &mut decided).unwrap();
    assert!(decided.watchers.is_empty());
    confirms.decide(2, true, Verdict::Ack, &mut decided).unwrap();
    assert_eq!(decided.watchers, [(waiter(9), Settled { nacked: 1, ..Settled::default() })]);
    assert_eq!(confirms.watch(waiter(9)), Some(Settled::default()));
}

/// A mandatory publish, and the same as it is returned with a timestamp.
fn mandatory(body: &'static str) -> Option<Box<Mandatory>> {
    Some(Box::new(Mandatory::new(b"e", b"k", vec![0, 0], Bytes::from_static(body.as_bytes()))))
}

fn stamped(body: &str) -> Box<Returned> {
    use crate::engine::Message;
    use crate::engine::inbound::Head;

    // `priority` is 1.
    let properties = [0x08, 0x00, 1];
    let data = [&b"ek"[..], &properties, body.as_bytes()].concat();
    let head = Head { exchange: 1, routing_key: 1, properties: properties.len() };
    let message = Message::new(data.into(), head, None);
    Box::new(Returned { reply_code: crate::protocol::ReplyCode::NO_ROUTE, reply_text: "".into(), message })
}

#[test]
fn changed_messages_that_come_back_cost_a_few_steps_each_however_many_are_in_flight() {
    const COUNT: u64 = 100_000;
    let mut confirms = Confirms::default();
    for slot in 0..COUNT {
        confirms.push(Some(waiter(u32::try_from(slot).unwrap())), 0, mandatory("same"));
    }
    let (steps, ()) = crate::engine::steps::steps_of(|| {
        (0..COUNT).for_each(|_| assert!(confirms.tie(stamped("same")).is_none()));
        let mut decided = Decided::default();
        confirms.decide(COUNT, true, Verdict::Ack, &mut decided).unwrap();
        assert!(decided.confirmed.iter().all(|(_, it)| matches!(it, Confirmation::Returned(_))));
    });
    assert!(steps <= 10 * COUNT, "{steps} steps");
    assert_eq!((confirms.ring.len(), confirms.returns.known.is_none()), (0, true));
    assert!(confirms.ring.capacity() <= 2048, "a burst gives its memory back");
}

#[test]
fn whoever_stops_waiting_for_confirms_leaves_in_one_step() {
    const COUNT: u32 = 100_000;
    let mut confirms = published(1);
    (0..COUNT).for_each(|slot| assert_eq!(confirms.watch(waiter(slot)), None));
    let (steps, ()) = crate::engine::steps::steps_of(|| (0..COUNT).for_each(|slot| confirms.unwatch(waiter(slot))));
    assert_eq!((steps, confirms.watchers.len()), (COUNT.into(), 0));
}

#[test]
fn a_confirm_in_flight_is_small() {
    assert!(size_of::<Entry>() <= 24, "{}", size_of::<Entry>());
}
