//! Messages that the broker changed before it returned them: none of them passes for taken.

use leveret::engine::{ChannelKey, Completion, Confirmation, Settled, WaiterId};
use leveret::frame::{Body, Publish};
use leveret::protocol::basic::{self, Properties};
use leveret::wire::{Decimal, FieldValue, Timestamp};
use leveret::{FieldTable, ReplyCode};

use crate::session::{Session, negotiated};

fn back() -> basic::Return {
    basic::Return::default().reply_code(ReplyCode::NO_ROUTE).reply_text("NO_ROUTE").routing_key("key")
}

fn header(name: &'static str, value: impl Into<FieldValue>) -> Properties {
    Properties::default().headers(FieldTable::from([(name, value.into())]))
}

fn publish(session: &mut Session, key: ChannelKey, properties: &Properties, body: &str) -> WaiterId {
    session.publish_as(key, true, Some(properties), body).unwrap()
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    Returned,
    Unknown,
}

fn outcome(session: &mut Session, waiter: WaiterId) -> Outcome {
    match session.confirmation(waiter) {
        Confirmation::Ack => Outcome::Taken,
        Confirmation::Returned(_) => Outcome::Returned,
        Confirmation::Unknown => Outcome::Unknown,
        Confirmation::Nack => panic!("it was not refused"),
    }
}

/// A channel that confirms, and somebody who listens for what no confirm brings.
fn listening() -> (Session, ChannelKey, WaiterId) {
    let mut session = Session::open();
    let key = session.confirming();
    let listener = session.waiter();
    session.engine.listen_for_returns(key, listener);
    (session, key, listener)
}

fn heard(session: &mut Session, key: ChannelKey, listener: WaiterId) -> usize {
    let mut heard = 0;
    while session.engine.take_returned(key, listener).is_ready() {
        heard += 1;
    }
    heard
}

#[test]
fn whatever_the_broker_makes_of_a_message_it_is_not_confirmed_as_taken() {
    let plain = Properties::default;
    let stamped = plain().timestamp(Timestamp::from_secs(1_764_000_000));
    let cases = [
        // What interceptors and plugins of RabbitMQ 4 do.
        (plain(), stamped.clone().headers(FieldTable::from([("timestamp_in_ms", FieldValue::I64(1))]))),
        (plain().timestamp(Timestamp::from_secs(1)), stamped),
        (plain(), header("x-routed-by", "rabbit@one")),
        (header("a", 1), header("b", 2)),
        (plain().expiration("0060"), plain().expiration("60")),
        (plain().delivery_mode(2).priority(1), plain()),
        (plain().message_id("m"), plain().message_id("n")),
    ];
    for (published, returned) in cases {
        let (mut session, key, listener) = listening();
        let waiter = publish(&mut session, key, &published, "body");
        session.say_content(1, back(), &returned, b"body");
        session.ack(1, 1, false);
        assert_eq!(outcome(&mut session, waiter), Outcome::Returned, "{published:?} came back as {returned:?}");
        assert_eq!(heard(&mut session, key, listener), 0, "its confirm brought it");
    }
}

#[test]
fn a_body_or_route_that_changed_does_not_hide_the_only_publish_that_it_can_be() {
    let changed = [(back(), "another body", Outcome::Returned), (back().routing_key("k"), "body", Outcome::Unknown)];
    for (back, body, expected) in changed {
        let (mut session, key, listener) = listening();
        let waiter = publish(&mut session, key, &Properties::default(), "body");
        session.say_content(1, back, &Properties::default(), body.as_bytes());
        session.ack(1, 1, false);
        let heard = heard(&mut session, key, listener);
        assert_eq!((heard, outcome(&mut session, waiter)), (usize::from(expected == Outcome::Unknown), expected));
    }
}

#[test]
fn what_is_published_after_a_return_is_not_suspected() {
    let (mut session, key, _) = listening();
    let before = publish(&mut session, key, &Properties::default(), "body");
    session.say_content(1, back().routing_key("another"), &Properties::default(), b"body");
    let after = publish(&mut session, key, &Properties::default(), "body");
    session.ack(1, 2, true);
    assert_eq!([before, after].map(|waiter| outcome(&mut session, waiter)), [Outcome::Unknown, Outcome::Taken]);
}

#[test]
fn of_equal_routes_the_body_and_then_what_brokers_do_not_stamp_tell_which_came_back() {
    let stamp = |properties: Properties| properties.timestamp(Timestamp::from_secs(1));
    let (one, two) = (Properties::default().message_id("one"), Properties::default().message_id("two"));
    for (first, second) in [((&one, "first"), (&one, "second")), ((&one, "same"), (&two, "same"))] {
        let (mut session, key, _) = listening();
        let waiters = [first, second].map(|(properties, body)| publish(&mut session, key, properties, body));
        session.say_content(1, back(), &stamp(second.0.clone()), second.1.as_bytes());
        session.ack(1, 2, true);
        assert_eq!(waiters.map(|waiter| outcome(&mut session, waiter)), [Outcome::Taken, Outcome::Returned]);
    }
}

#[test]
fn where_it_cannot_be_told_which_came_back_none_of_them_passes_for_taken() {
    let (mut session, key, listener) = listening();
    let ids = ["a", "b", "c"].map(|id| Properties::default().message_id(id));
    let waiters = ids.each_ref().map(|id| publish(&mut session, key, id, "same"));
    let other = publish(&mut session, key, &ids[0], "another");
    session.say_content(1, back(), &Properties::default().message_id("changed"), b"same");
    session.ack(1, 4, true);
    let expected = [Outcome::Returned, Outcome::Unknown, Outcome::Unknown];
    assert_eq!(waiters.map(|waiter| outcome(&mut session, waiter)), expected);
    assert_eq!(outcome(&mut session, other), Outcome::Taken, "that one has another body");
    assert_eq!((session.readable(), heard(&mut session, key, listener)), (vec![listener], 1));
    let watcher = session.waiter();
    let settled = session.engine.wait_for_confirms(key, watcher).unwrap();
    assert_eq!(settled, Some(Settled { nacked: 0, returned: 1, unknown: 2 }));
}

#[test]
fn equal_publishes_stand_for_each_other_however_the_broker_changes_them() {
    let (mut session, key, _) = listening();
    let waiters = [(); 3].map(|()| publish(&mut session, key, &Properties::default(), "ping"));
    session.say_content(1, back(), &header("x-stamp", 1), b"ping");
    session.ack(1, 3, true);
    let outcomes = waiters.map(|waiter| outcome(&mut session, waiter));
    assert_eq!(outcomes, [Outcome::Returned, Outcome::Taken, Outcome::Taken], "as many as came back");
}

#[test]
fn numbers_are_equal_by_value_whatever_their_width() {
    let pairs: [(FieldValue, FieldValue); 5] = [
        (FieldValue::U8(5), FieldValue::I64(5)),
        (FieldValue::I16(-5), FieldValue::I32(-5)),
        (FieldValue::F32(1.5), FieldValue::F64(1.5)),
        (FieldValue::F64(0.0), FieldValue::F64(-0.0)),
        (FieldValue::Decimal(Decimal::new(1, 50)), FieldValue::Decimal(Decimal::new(0, 5))),
    ];
    for (published, returned) in pairs {
        let (mut session, key, _) = listening();
        // The first is like the message but for the number; it is not taken for it.
        let other = publish(&mut session, key, &header("n", 77), "body");
        let equal = publish(&mut session, key, &header("n", published), "body");
        session.say_content(1, back(), &header("n", returned.clone()), b"body");
        session.ack(1, 2, true);
        let outcomes = [other, equal].map(|waiter| outcome(&mut session, waiter));
        assert_eq!(outcomes, [Outcome::Taken, Outcome::Returned], "{returned:?}");
    }
}

#[test]
fn a_message_that_no_confirm_waits_for_goes_to_the_listener_of_a_confirming_channel() {
    let (mut session, key, listener) = listening();
    let body = Body::from("plain");
    let plain = Publish { exchange: b"", routing_key: b"key", mandatory: true, properties: None, body: &body };
    session.engine.publish(key, &plain, None).unwrap();
    let confirmed = session.publish_mandatory(key, "confirmed");
    session.say_content(1, back(), &Properties::default(), b"plain");
    assert_eq!(session.readable(), [listener]);
    session.ack(1, 2, true);
    assert_eq!((outcome(&mut session, confirmed), heard(&mut session, key, listener)), (Outcome::Taken, 1));
}

#[test]
fn a_return_over_the_limit_that_is_like_nothing_published_makes_all_unknown() {
    let mut session = Session::with(negotiated(), |settings| settings.max_message_size = 10);
    let key = session.confirming();
    let waiter = session.publish_mandatory(key, "short");
    session.say_content(1, back(), &Properties::default(), &[7; 50]);
    session.ack(1, 1, false);
    assert_eq!(outcome(&mut session, waiter), Outcome::Unknown);
}

#[test]
fn every_one_of_many_changed_messages_fails_its_confirm() {
    const COUNT: usize = 16_000;
    let (mut session, key, _) = listening();
    let id = |number: usize| Properties::default().message_id(number.to_string().as_str());
    let waiters: Vec<_> = (0..COUNT).map(|number| publish(&mut session, key, &id(number), "same")).collect();
    for number in 0..COUNT {
        session.say_content(1, back(), &id(number).timestamp(Timestamp::from_secs(1)), b"same");
    }
    session.ack(1, COUNT as u64, true);
    let mut completions: std::collections::BTreeMap<WaiterId, Completion> = session.completions().into_iter().collect();
    for waiter in waiters {
        let completion = completions.remove(&waiter);
        assert!(matches!(completion, Some(Completion::Confirmed(Confirmation::Returned(_)))), "{completion:?}");
    }
}
