//! Messages that come back: each is tied to its publish, whatever the broker did to its headers.

use std::task::Poll;

use leveret::engine::{ChannelKey, Confirmation, WaiterId};
use leveret::protocol::basic::{self, Properties};
use leveret::wire::FieldValue;
use leveret::{FieldTable, ReplyCode};

use crate::session::{Session, negotiated};

fn back() -> basic::Return {
    basic::Return::default().reply_code(ReplyCode::NO_ROUTE).reply_text("NO_ROUTE").routing_key("key")
}

fn come_back(session: &mut Session, body: &str) {
    session.say_content(1, back(), &Properties::default(), body.as_bytes());
}

/// What a listener takes: the body of a message, or the end; `None` where it has to wait.
fn taken(session: &mut Session, key: ChannelKey, listener: WaiterId) -> Option<Option<String>> {
    match session.engine.take_returned(key, listener) {
        Poll::Ready(returned) => {
            Some(returned.map(|returned| String::from_utf8_lossy(returned.message.body()).into_owned()))
        }
        Poll::Pending => None,
    }
}

fn with_headers(fields: &[(&'static str, FieldValue)]) -> Properties {
    let mut headers = FieldTable::new();
    for (name, value) in fields {
        headers.push(*name, value.clone());
    }
    Properties::default().headers(headers)
}

fn is_returned(confirmation: &Confirmation) -> bool {
    matches!(confirmation, Confirmation::Returned(_))
}

#[test]
fn a_mandatory_publish_that_came_back_is_confirmed_as_returned() {
    let mut session = Session::open();
    let key = session.confirming();
    let taken = session.publish_mandatory(key, "taken");
    let back = session.publish_mandatory(key, "back");
    come_back(&mut session, "back");
    assert!(session.is_waiting(back), "the ack decides");
    session.ack(1, 2, true);
    assert!(matches!(session.confirmation(taken), Confirmation::Ack));
    let Confirmation::Returned(returned) = session.confirmation(back) else { panic!("it came back") };
    assert_eq!((returned.reply_code, returned.reply_text), (ReplyCode::NO_ROUTE, "NO_ROUTE".into()));
    assert_eq!(returned.message.body(), b"back");
}

#[test]
fn a_return_need_not_come_directly_before_its_ack() {
    let mut session = Session::open();
    let key = session.confirming();
    let waiters = ["a", "b", "c", "d"].map(|body| session.publish_mandatory(key, body));
    come_back(&mut session, "b");
    come_back(&mut session, "d");
    session.ack(1, 4, false);
    session.ack(1, 3, true);
    let returned = waiters.map(|waiter| is_returned(&session.confirmation(waiter)));
    assert_eq!(returned, [false, true, false, true]);
}

#[test]
fn equal_publishes_that_all_come_back_are_all_told() {
    let mut session = Session::open();
    let key = session.confirming();
    let waiters = [(); 3].map(|()| session.publish_mandatory(key, "same"));
    for _ in 0..3 {
        come_back(&mut session, "same");
    }
    session.ack(1, 3, true);
    assert_eq!(waiters.map(|waiter| is_returned(&session.confirmation(waiter))), [true; 3]);
}

#[test]
fn of_equal_publishes_as_many_are_told_as_came_back() {
    let mut session = Session::open();
    let key = session.confirming();
    let waiters = [(); 3].map(|()| session.publish_mandatory(key, "same"));
    come_back(&mut session, "same");
    session.ack(1, 1, false);
    come_back(&mut session, "same");
    session.ack(1, 3, true);
    let told = waiters.map(|waiter| is_returned(&session.confirmation(waiter)));
    assert_eq!(told.iter().filter(|told| **told).count(), 2);
}

#[test]
fn what_the_broker_does_to_headers_does_not_hide_a_publish() {
    let table = |fields: &[(&'static str, FieldValue)]| FieldValue::Table(with_headers(fields).headers.unwrap());
    let cases: [(Properties, Properties); 7] = [
        // BCC is stripped, and may leave an empty table, or none.
        (with_headers(&[("a", 1.into()), ("BCC", "x".into())]), with_headers(&[("a", 1.into())])),
        (with_headers(&[("BCC", "x".into())]), with_headers(&[])),
        (with_headers(&[("BCC", "x".into())]), Properties::default()),
        // Sorted.
        (with_headers(&[("b", 1.into()), ("a", true.into())]), with_headers(&[("a", true.into()), ("b", 1.into())])),
        // Integers are written in another width.
        (
            with_headers(&[("a", 5_u8.into()), ("b", 6_i32.into())]),
            with_headers(&[("a", 5_i64.into()), ("b", 6_i64.into())]),
        ),
        // The same deeper down.
        (
            with_headers(&[("t", table(&[("y", 1_i16.into()), ("x", vec![FieldValue::from(2_u16)].into())]))]),
            with_headers(&[("t", table(&[("x", vec![FieldValue::from(2_i64)].into()), ("y", 1_i64.into())]))]),
        ),
        // Of a name that comes twice, the first is kept.
        (with_headers(&[("a", 1.into()), ("a", 2.into())]), with_headers(&[("a", 1.into())])),
    ];
    for (published, returned) in cases {
        let mut session = Session::open();
        let key = session.confirming();
        let published = published.message_id("m").delivery_mode(2);
        let returned = returned.message_id("m").delivery_mode(2);
        let waiter = session.publish_as(key, true, Some(&published), "body").unwrap();
        session.say_content(1, back(), &returned, b"body");
        session.ack(1, 1, false);
        assert!(is_returned(&session.confirmation(waiter)), "{published:?} came back as {returned:?}");
    }
}

#[test]
fn returns_come_in_the_order_of_publishes() {
    let mut session = Session::open();
    let key = session.confirming();
    let waiters = ["a", "b", "a"].map(|body| session.publish_mandatory(key, body));
    come_back(&mut session, "b");
    come_back(&mut session, "a");
    session.ack(1, 3, true);
    assert_eq!(waiters.map(|waiter| is_returned(&session.confirmation(waiter))), [false, true, true]);
}

#[test]
fn a_listener_of_an_earlier_incarnation_gets_nothing_of_the_next() {
    let mut session = Session::open();
    let stale = session.channel();
    session.say(1, leveret::protocol::channel::Close::default());
    let fresh = session.channel();
    assert_eq!(fresh.number, stale.number);
    let listener = session.waiter();
    session.engine.listen_for_returns(stale, listener);
    come_back(&mut session, "body");
    assert_eq!(session.readable(), []);
    assert_eq!(taken(&mut session, stale, listener), Some(None));
}

#[test]
fn a_publish_that_is_not_mandatory_is_never_returned() {
    let mut session = Session::open();
    let key = session.confirming();
    let plain = session.publish(key, "same").unwrap();
    let mandatory = session.publish_mandatory(key, "same");
    come_back(&mut session, "same");
    session.ack(1, 2, true);
    assert!(matches!(session.confirmation(plain), Confirmation::Ack));
    assert!(is_returned(&session.confirmation(mandatory)));
}

#[test]
fn a_returned_message_over_the_limit_still_tells_its_publish() {
    let mut session = Session::with(negotiated(), |settings| settings.max_message_size = 10);
    let key = session.confirming();
    let long = "x".repeat(5000);
    let waiter = session.publish_mandatory(key, &long);
    come_back(&mut session, &long);
    session.ack(1, 1, false);
    assert!(is_returned(&session.confirmation(waiter)), "a message that no queue took must not pass for taken");
}

#[test]
fn without_confirms_returned_messages_go_to_the_listener_in_order() {
    let mut session = Session::open();
    let key = session.channel();
    come_back(&mut session, "before anybody listens");
    let listener = session.waiter();
    session.engine.listen_for_returns(key, listener);
    come_back(&mut session, "one");
    come_back(&mut session, "two");
    assert_eq!(session.readable(), [listener, listener]);
    for expected in [Some(Some("one".to_owned())), Some(Some("two".to_owned())), None] {
        assert_eq!(taken(&mut session, key, listener), expected);
    }
    session.engine.stop_returns(key, listener);
    come_back(&mut session, "three");
    assert_eq!(taken(&mut session, key, listener), Some(None));
}

#[test]
fn a_listener_that_was_replaced_takes_nothing_of_what_its_successor_is_kept() {
    let mut session = Session::open();
    let key = session.channel();
    let [earlier, later] = [session.waiter(), session.waiter()];
    session.engine.listen_for_returns(key, earlier);
    session.engine.listen_for_returns(key, later);
    come_back(&mut session, "body");
    assert_eq!(taken(&mut session, key, earlier), Some(None));
    assert_eq!(taken(&mut session, key, later), Some(Some("body".to_owned())));
}

#[test]
fn a_listener_that_does_not_keep_up_loses_the_oldest_and_is_told_how_many() {
    let mut session = Session::open();
    let key = session.channel();
    let listener = session.waiter();
    session.engine.listen_for_returns(key, listener);
    for index in 0..4100 {
        come_back(&mut session, &index.to_string());
    }
    assert_eq!(session.engine.lost_returns(key), 4);
    assert_eq!(taken(&mut session, key, listener), Some(Some("4".to_owned())));
}
