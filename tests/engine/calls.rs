//! Calls: replies in order, calls that are refused, and calls that nobody answers in time.

use std::time::Duration;

use leveret::ReplyCode;
use leveret::engine::{Completion, Failure};
use leveret::protocol::{Method, Request, basic, channel, confirm, exchange, queue};

use crate::session::{Session, negotiated, sent};

fn declare(name: &str) -> queue::Declare {
    queue::Declare::default().queue(name)
}

#[test]
fn replies_answer_the_calls_in_the_order_in_which_these_were_made() {
    let mut session = Session::open();
    let key = session.channel();
    let first = session.call(key, declare("a"));
    let second = session.call(key, declare("b"));
    let third = session.call(key, exchange::Declare::default().exchange("e").kind("fanout"));
    session.say(1, queue::DeclareOk::default().queue("a"));
    assert!(session.is_waiting(second));
    session.say(1, queue::DeclareOk::default().queue("b").message_count(7));
    session.say(1, exchange::DeclareOk::default());
    assert_eq!(session.reply(first).method, queue::DeclareOk::default().queue("a").into());
    assert_eq!(session.reply(second).method, queue::DeclareOk::default().queue("b").message_count(7).into());
    assert_eq!(session.reply(third).method, exchange::DeclareOk::default().into());
}

#[test]
fn channels_are_answered_independently_of_each_other() {
    let mut session = Session::open();
    let (one, two) = (session.channel(), session.channel());
    let first = session.call(one, declare("a"));
    let second = session.call(two, declare("b"));
    session.say(2, queue::DeclareOk::default().queue("b"));
    assert_eq!(session.reply(second).channel, two);
    assert!(session.is_waiting(first));
}

#[test]
fn a_reply_that_nobody_asked_for_closes_the_connection_with_503() {
    let mut session = Session::open();
    session.channel();
    session.say(1, queue::DeclareOk::default());
    let close = session.sent_close();
    assert_eq!((close.reply_code, close.class_id, close.method_id), (ReplyCode::COMMAND_INVALID, 50, 11));
}

#[test]
fn a_reply_out_of_order_is_taken_for_the_oldest_call_that_it_can_answer() {
    let mut session = Session::open();
    let key = session.channel();
    let first = session.call(key, declare("a"));
    let second = session.call(key, exchange::Declare::default().exchange("e"));
    session.say(1, exchange::DeclareOk::default());
    session.reply(second);
    assert!(session.is_waiting(first));
    session.say(1, queue::DeclareOk::default().queue("a"));
    session.reply(first);
    assert_eq!(session.engine.closure(), None);
}

#[test]
fn a_reply_that_answers_none_of_the_calls_closes_the_connection_with_503() {
    let mut session = Session::open();
    let key = session.channel();
    let first = session.call(key, declare("a"));
    session.sent();
    session.say(1, exchange::DeclareOk::default());
    assert_eq!(session.sent_close().reply_code, ReplyCode::COMMAND_INVALID);
    session.closed(first);
}

#[test]
fn a_request_with_no_wait_is_sent_and_not_called() {
    let mut session = Session::open();
    let key = session.channel();
    let waiter = session.waiter();
    let request = Method::from(declare("q").no_wait(true));
    let refused = session.engine.call(key, &request, queue::Declare::REPLIES, waiter, session.now);
    assert_eq!(refused, Err(Failure::NoWaitCall("queue.declare")));
    assert_eq!(session.sent(), []);
    session.engine.send(key, &request, true).unwrap();
    assert_eq!(session.sent(), [sent(1, declare("q").no_wait(true))]);
    let answered = Method::from(declare("q"));
    assert_eq!(session.engine.send(key, &answered, true), Err(Failure::ReplyExpected("queue.declare")));
    assert_eq!(session.sent(), []);
}

#[test]
fn a_value_that_cannot_be_encoded_is_an_error_at_the_call_and_leaves_no_place_in_the_queue() {
    let mut session = Session::open();
    let key = session.channel();
    let waiter = session.waiter();
    let request = Method::from(declare(&"q".repeat(256)));
    let refused = session.engine.call(key, &request, queue::Declare::REPLIES, waiter, session.now);
    assert!(matches!(refused, Err(Failure::Encode(_))), "{refused:?}");
    assert_eq!(session.sent(), []);
    let next = session.call(key, exchange::Declare::default().exchange("e"));
    session.say(1, exchange::DeclareOk::default());
    session.reply(next);
    assert!(session.is_waiting(waiter));
}

#[test]
fn a_method_that_does_not_fit_a_frame_is_an_error_at_the_call_and_one_that_just_fits_is_sent() {
    let mut session = Session::open();
    let key = session.channel();
    // Ids, reserved, name, flags, and the table around the value take 20 octets of the 4088.
    for (len, fits) in [(5000, false), (4069, false), (4068, true)] {
        let mut arguments = leveret::FieldTable::new();
        arguments.insert("x", "v".repeat(len));
        let waiter = session.waiter();
        let request = Method::from(declare("q").arguments(arguments));
        let called = session.engine.call(key, &request, queue::Declare::REPLIES, waiter, session.now);
        assert_eq!(called.is_ok(), fits, "{len} octets: {called:?}");
        assert!(fits || matches!(called, Err(Failure::Encode(_))));
        assert_eq!(session.sent().len(), usize::from(fits));
    }
}

#[test]
fn a_call_that_times_out_keeps_its_place_so_that_later_replies_find_theirs() {
    let mut session = Session::with(negotiated(), |settings| settings.call_timeout = Some(Duration::from_secs(5)));
    let key = session.channel();
    let slow = session.call(key, declare("slow"));
    session.now += Duration::from_secs(3);
    let quick = session.call(key, declare("quick"));
    assert_eq!(session.engine.poll_deadline(), Some(session.now + Duration::from_secs(2)));
    session.pass(Duration::from_secs(2));
    assert_eq!(session.failure(slow), Failure::TimedOut("queue.declare"));
    assert!(session.is_waiting(quick));
    session.say(1, queue::DeclareOk::default().queue("slow"));
    session.say(1, queue::DeclareOk::default().queue("quick"));
    assert_eq!(session.reply(quick).method, queue::DeclareOk::default().queue("quick").into());
    assert_eq!(session.engine.poll_deadline(), None);
}

#[test]
fn a_call_that_was_answered_has_no_deadline() {
    let mut session = Session::with(negotiated(), |settings| settings.call_timeout = Some(Duration::from_secs(5)));
    let key = session.channel();
    let waiter = session.call(key, declare("q"));
    session.say(1, queue::DeclareOk::default());
    session.reply(waiter);
    assert_eq!(session.engine.poll_deadline(), None);
    session.pass(Duration::from_secs(60));
    assert!(session.completions().is_empty());
}

#[test]
fn calls_on_several_channels_time_out_each_by_itself() {
    let mut session = Session::with(negotiated(), |settings| settings.call_timeout = Some(Duration::from_secs(5)));
    let (one, two) = (session.channel(), session.channel());
    let first = session.call(one, declare("a"));
    session.now += Duration::from_secs(1);
    let second = session.call(two, declare("b"));
    session.say(1, queue::DeclareOk::default());
    session.reply(first);
    assert_eq!(session.engine.poll_deadline(), Some(session.now + Duration::from_secs(5)));
    session.pass(Duration::from_millis(4999));
    assert!(session.is_waiting(second));
    session.pass(Duration::from_millis(1));
    assert_eq!(session.failure(second), Failure::TimedOut("queue.declare"));
}

#[test]
fn get_has_two_replies_and_one_brings_its_content() {
    let mut session = Session::open();
    let key = session.channel();
    let full = session.call(key, basic::Get::default().queue("q"));
    let empty = session.call(key, basic::Get::default().queue("q").no_ack(true));
    let ok =
        basic::GetOk::default().delivery_tag(4).exchange("ex").routing_key("key").message_count(9).redelivered(true);
    session.say_content(1, ok.clone(), &leveret::Properties::default().priority(3), b"body");
    session.say(1, basic::GetEmpty::default());
    let reply = session.reply(full);
    assert_eq!((reply.method, reply.unsettled), (ok.into(), Some(4)));
    let message = reply.content.unwrap();
    assert_eq!((message.body(), message.exchange(), message.routing_key()), (&b"body"[..], &b"ex"[..], &b"key"[..]));
    assert_eq!(message.properties().unwrap().priority, Some(3));
    let reply = session.reply(empty);
    assert_eq!((reply.method, reply.unsettled), (basic::GetEmpty::default().into(), None));
    assert!(reply.content.is_none());
}

#[test]
fn a_get_without_acknowledgement_leaves_nothing_to_settle() {
    let mut session = Session::open();
    let key = session.channel();
    let waiter = session.call(key, basic::Get::default().queue("q").no_ack(true));
    session.say_content(1, basic::GetOk::default().delivery_tag(1), &leveret::Properties::default(), b"");
    assert_eq!(session.reply(waiter).unsettled, None);
}

#[test]
fn flow_is_answered_with_what_it_asked_for() {
    let mut session = Session::open();
    session.channel();
    for active in [false, true] {
        session.say(1, channel::Flow::default().active(active));
        assert_eq!(session.sent(), [sent(1, channel::FlowOk::default().active(active))]);
    }
}

#[test]
fn methods_that_change_state_do_so_whoever_calls_them() {
    let mut session = Session::open();
    let key = session.channel();
    assert!(!session.engine.is_confirming(key));
    session.engine.send(key, &confirm::Select::default().no_wait(true).into(), true).unwrap();
    assert!(session.engine.is_confirming(key));
    let waiter = session.call(key, confirm::Select::default());
    session.say(1, confirm::SelectOk::default());
    assert!(matches!(session.heard(waiter), Completion::Reply(_)));
}
