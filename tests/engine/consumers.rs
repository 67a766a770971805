//! Consumers: deliveries, the end from either side, and what a dropped consumer gives back.

use leveret::ReplyCode;
use leveret::engine::{Completion, ConsumerEnd, Failure, Settle, Taken};
use leveret::protocol::basic::{self, Properties};
use leveret::protocol::{Method, Request, channel};
use leveret_test_support::frames::{body_octets, header_octets};

use crate::session::{Sent, Session, sent};

fn cancel(tag: &str) -> basic::Cancel {
    basic::Cancel::default().consumer_tag(tag)
}

fn requeue(delivery_tag: u64) -> basic::Nack {
    basic::Nack::default().delivery_tag(delivery_tag).requeue(true)
}

fn tags(deliveries: &[leveret::engine::Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.delivery_tag).collect()
}

#[test]
fn deliveries_wait_in_order_until_they_are_taken_all_at_once() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    for tag in 1..=3 {
        session.deliver(1, "c", tag, "body");
    }
    assert_eq!(session.readable(), [], "nobody listens so far");
    let waiter = session.waiter();
    let (deliveries, taken) = session.take_deliveries(consumer, waiter);
    assert_eq!((tags(&deliveries), taken), (vec![1, 2, 3], Taken::Nothing));
    assert_eq!(session.take_deliveries(consumer, waiter).0.len(), 0);
}

#[test]
fn a_listener_is_told_once_for_all_that_comes_before_it_looks() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let waiter = session.waiter();
    session.take_deliveries(consumer, waiter);
    session.deliver(1, "c", 1, "body");
    session.deliver(1, "c", 2, "body");
    assert_eq!(session.readable(), [waiter]);
    session.take_deliveries(consumer, waiter);
    session.deliver(1, "c", 3, "body");
    assert_eq!(session.readable(), [waiter]);
}

#[test]
fn consumers_of_one_channel_get_each_its_own() {
    let mut session = Session::open();
    let key = session.channel();
    let (a, b) = (session.consumer(key, "a", false), session.consumer(key, "b", false));
    for (delivery_tag, tag) in (1..).zip(["a", "b", "b", "a"]) {
        session.deliver(1, tag, delivery_tag, "body");
    }
    let waiter = session.waiter();
    assert_eq!(tags(&session.take_deliveries(a, waiter).0), [1, 4]);
    assert_eq!(tags(&session.take_deliveries(b, waiter).0), [2, 3]);
}

#[test]
fn a_delivery_for_a_consumer_that_never_was_ends_its_channel_alone() {
    let mut session = Session::open();
    let (key, other) = (session.channel(), session.channel());
    session.consumer(key, "c", false);
    session.deliver(1, "other", 1, "body");
    let Some(Sent::Method(1, Method::ChannelClose(close))) = session.sent().pop() else { panic!("no close") };
    assert_eq!(close.reply_code, ReplyCode::COMMAND_INVALID);
    session.say(1, channel::CloseOk::default());
    assert!(session.engine.channel_closure(key).is_some());
    assert_eq!((session.engine.channel_closure(other), session.engine.closure()), (None, None));
}

#[test]
fn a_cancelled_consumer_ends_at_cancel_ok_and_keeps_what_came_before() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let waiter = session.waiter();
    session.engine.cancel_consumer(consumer, waiter, session.now).unwrap();
    assert_eq!(session.sent(), [sent(1, cancel("c"))]);
    session.deliver(1, "c", 1, "on its way");
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    session.reply(waiter);
    let (deliveries, _) = session.take_deliveries(consumer, waiter);
    assert_eq!(tags(&deliveries), [1]);
    assert_eq!(session.take_deliveries(consumer, waiter).1, Taken::End(ConsumerEnd::Cancelled));
    session.engine.cancel_consumer(consumer, waiter, session.now).unwrap();
    assert!(matches!(session.heard(waiter), Completion::Closed), "it is cancelled already");
    session.engine.settle(key, 1, Settle::Ack { multiple: false }).unwrap();
}

#[test]
fn a_consumer_that_the_broker_cancels_ends_and_its_listener_is_told() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let waiter = session.waiter();
    session.take_deliveries(consumer, waiter);
    session.say(1, cancel("c").no_wait(true));
    assert_eq!((session.readable(), session.sent()), (vec![waiter], vec![sent(1, cancel("c"))]));
    assert_eq!(session.take_deliveries(consumer, waiter).1, Taken::End(ConsumerEnd::CancelledByBroker));
    session.consumer(key, "c", false);
}

/// RabbitMQ 4.3 keeps a consumer that timed out until the client cancels it.
#[test]
fn a_tag_whose_consumer_the_broker_cancelled_is_free_behind_our_own_cancel() {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", false);
    let former = session.engine.claim_consumer(key, &"c".into()).unwrap();
    session.say(1, cancel("c").no_wait(true));
    assert_eq!(session.sent(), [sent(1, cancel("c"))]);
    let no_wait = Method::from(basic::Consume::default().consumer_tag("c").no_wait(true));
    assert_eq!(session.engine.send(key, &no_wait, true), Err(Failure::ConsumerTagInUse("c".into())));
    let consuming = session.call(key, basic::Consume::default().consumer_tag("c"));
    session.deliver(1, "c", 1, "of the former, woken by an acknowledgement");
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    session.deliver(1, "c", 2, "of the successor");
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    let successor = session.reply(consuming).consumer.unwrap();
    let waiter = session.waiter();
    assert_eq!(tags(&session.take_deliveries(successor, waiter).0), [2]);
    assert_eq!(session.take_deliveries(former, waiter).1, Taken::End(ConsumerEnd::CancelledByBroker));
    assert!(session.sent().contains(&sent(1, requeue(1))));
}

#[test]
fn a_cancel_of_the_brokers_without_no_wait_is_answered() {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", false);
    session.say(1, cancel("c"));
    assert_eq!(session.sent(), [sent(1, basic::CancelOk::default().consumer_tag("c"))]);
    session.say(1, cancel("c").no_wait(true));
    assert_eq!(session.engine.closure(), None, "a second one hurts nobody");
}

#[test]
fn a_dropped_consumer_gives_back_what_waits_and_what_still_comes_together_and_after_cancel_ok() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    session.deliver(1, "c", 1, "waits");
    session.deliver(1, "c", 2, "waits");
    session.engine.drop_consumer(consumer, [], None);
    assert_eq!(session.sent(), [sent(1, cancel("c"))]);
    session.deliver(1, "c", 3, "still comes");
    assert_eq!(session.sent(), []);
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    assert_eq!(session.sent(), [sent(1, requeue(3).multiple(true))]);
    session.consumer(key, "c", false);
    assert!(session.completions().is_empty());
}

#[test]
fn a_consumer_dropped_in_the_middle_of_a_delivery_requeues_that_too() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    session.say(1, basic::Deliver::default().consumer_tag("c").delivery_tag(5));
    session.octets(&header_octets(1, 4, &Properties::default()));
    session.engine.drop_consumer(consumer, [], None);
    assert_eq!(session.sent(), [sent(1, cancel("c"))]);
    session.octets(&body_octets(1, b"body", 3));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    assert_eq!(session.sent(), [sent(1, requeue(5))]);
}

#[test]
fn a_dropped_consumer_without_acknowledgements_requeues_nothing() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", true);
    session.deliver(1, "c", 1, "waits");
    session.engine.drop_consumer(consumer, [], None);
    session.deliver(1, "c", 2, "still comes");
    assert_eq!(session.sent(), [sent(1, cancel("c"))]);
}

#[test]
fn a_consumer_that_ended_requeues_what_nobody_took_when_it_is_dropped() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    session.deliver(1, "c", 1, "waits");
    session.say(1, cancel("c").no_wait(true));
    session.engine.drop_consumer(consumer, [], None);
    assert_eq!(session.sent(), [sent(1, cancel("c")), sent(1, requeue(1))]);
    let waiter = session.waiter();
    assert_eq!(session.take_deliveries(consumer, waiter).1, Taken::End(ConsumerEnd::Cancelled));
}

#[test]
fn a_cancel_without_wait_is_answered_all_the_same_because_deliveries_cross_it() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    session.engine.send(key, &cancel("c").no_wait(true).into(), true).unwrap();
    assert_eq!(session.sent(), [sent(1, cancel("c"))]);
    session.deliver(1, "c", 1, "on its way");
    assert_eq!(session.engine.closure(), None);
    let waiter = session.waiter();
    let (deliveries, taken) = session.take_deliveries(consumer, waiter);
    assert_eq!((tags(&deliveries), taken), (vec![1], Taken::Nothing));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    assert_eq!(session.readable(), [waiter]);
    assert_eq!(session.take_deliveries(consumer, waiter).1, Taken::End(ConsumerEnd::Cancelled));
    session.consumer(key, "c", false);
}

#[test]
fn a_tag_in_use_is_refused_at_the_call() {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", false);
    let waiter = session.waiter();
    let again = Method::from(basic::Consume::default().consumer_tag("c"));
    let refused = session.engine.call(key, &again, basic::Consume::REPLIES, waiter, session.now);
    assert_eq!(refused, Err(Failure::ConsumerTagInUse("c".into())));
    let again = Method::from(basic::Consume::default().consumer_tag("c").no_wait(true));
    assert_eq!(session.engine.send(key, &again, true), Err(Failure::ConsumerTagInUse("c".into())));
    assert_eq!(session.sent(), []);
    let other = session.channel();
    session.consumer(other, "c", false);
}

#[test]
fn a_tag_that_another_call_is_about_to_use_is_refused_too() {
    let mut session = Session::open();
    let key = session.channel();
    session.call(key, basic::Consume::default().consumer_tag("c"));
    let waiter = session.waiter();
    let again = Method::from(basic::Consume::default().consumer_tag("c"));
    let refused = session.engine.call(key, &again, basic::Consume::REPLIES, waiter, session.now);
    assert_eq!(refused, Err(Failure::ConsumerTagInUse("c".into())));
}

#[test]
fn the_broker_names_consumers_that_have_no_tag() {
    let mut session = Session::open();
    let key = session.channel();
    let first = session.call(key, basic::Consume::default());
    let second = session.call(key, basic::Consume::default());
    session.say(1, basic::ConsumeOk::default().consumer_tag("one"));
    session.say(1, basic::ConsumeOk::default().consumer_tag("two"));
    let (first, second) = (session.reply(first).consumer.unwrap(), session.reply(second).consumer.unwrap());
    session.deliver(1, "two", 1, "body");
    let waiter = session.waiter();
    assert_eq!(session.take_deliveries(first, waiter).0.len(), 0);
    assert_eq!(session.take_deliveries(second, waiter).0.len(), 1);
}

#[test]
fn a_consumer_started_without_wait_needs_a_tag_and_takes_deliveries_at_once() {
    let mut session = Session::open();
    let key = session.channel();
    let nameless = Method::from(basic::Consume::default().no_wait(true));
    assert_eq!(session.engine.send(key, &nameless, true), Err(Failure::ConsumerTagMissing));
    let named = Method::from(basic::Consume::default().consumer_tag("c").no_wait(true));
    session.engine.send(key, &named, true).unwrap();
    session.deliver(1, "c", 1, "body");
    let consumer = session.engine.claim_consumer(key, &"c".into()).unwrap();
    assert_eq!(session.engine.claim_consumer(key, &"c".into()), None, "it is claimed once");
    let waiter = session.waiter();
    assert_eq!(session.take_deliveries(consumer, waiter).0.len(), 1);
}

#[test]
fn consumers_end_with_their_channel_and_what_can_no_longer_be_acknowledged_goes() {
    let mut session = Session::open();
    let key = session.channel();
    let (acks, none) = (session.consumer(key, "acks", false), session.consumer(key, "none", true));
    for tag in ["acks", "none"] {
        session.engine.claim_consumer(key, &tag.into()).expect("somebody listens");
    }
    session.deliver(1, "acks", 1, "comes again");
    session.deliver(1, "none", 2, "is ours");
    let waiter = session.waiter();
    session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND));
    let closure = session.engine.channel_closure(key).unwrap();
    let (deliveries, taken) = session.take_deliveries(acks, waiter);
    assert_eq!((tags(&deliveries), taken), (vec![], Taken::End(ConsumerEnd::Closed(closure.clone()))));
    assert_eq!(session.take_deliveries(none, waiter).0.len(), 1);
    assert_eq!(session.take_deliveries(none, waiter).1, Taken::End(ConsumerEnd::Closed(closure)));
}

#[test]
fn settling_goes_out_as_it_was_asked_for() {
    let mut session = Session::open();
    let key = session.channel();
    let cases: [(Settle, Method); 5] = [
        (Settle::Ack { multiple: false }, basic::Ack::default().delivery_tag(1).into()),
        (Settle::Ack { multiple: true }, basic::Ack::default().delivery_tag(2).multiple(true).into()),
        (
            Settle::Nack { multiple: true, requeue: false },
            basic::Nack::default().delivery_tag(3).multiple(true).requeue(false).into(),
        ),
        (Settle::Nack { multiple: false, requeue: true }, requeue(4).into()),
        (Settle::Reject { requeue: true }, basic::Reject::default().delivery_tag(5).requeue(true).into()),
    ];
    session.consumer(key, "c", false);
    for (delivery_tag, (settle, method)) in (1..).zip(cases) {
        session.deliver(1, "c", delivery_tag, "body");
        session.engine.settle(key, delivery_tag, settle).unwrap();
        assert_eq!(session.sent(), [sent(1, method)]);
    }
}

#[test]
fn a_cancel_that_crosses_the_brokers_own_is_answered_all_the_same() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let waiter = session.waiter();
    session.engine.cancel_consumer(consumer, waiter, session.now).unwrap();
    session.say(1, cancel("c").no_wait(true));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    assert!(matches!(session.heard(waiter), Completion::Reply(_)));
    assert_eq!(session.take_deliveries(consumer, waiter).1, Taken::End(ConsumerEnd::CancelledByBroker));
}

#[test]
fn a_late_cancel_ok_does_not_end_a_successor_with_the_same_tag() {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", false);
    let (first, second) = (session.call(key, cancel("c")), session.call(key, cancel("c")));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    session.reply(first);
    let consuming = session.call(key, basic::Consume::default().consumer_tag("c"));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    session.reply(second);
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    let consumer = session.reply(consuming).consumer.unwrap();
    session.deliver(1, "c", 1, "for the successor");
    let waiter = session.waiter();
    assert_eq!(session.take_deliveries(consumer, waiter).0.len(), 1);
}
