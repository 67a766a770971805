//! The end of a connection: by us, by the broker, by both at once, and by nobody's word.

use std::io;
use std::time::Duration;

use leveret::ReplyCode;
use leveret::engine::{Completion, Failure, Fate, Initiator, Reason, Scope, Settle};
use leveret::protocol::{MethodId, basic, channel, connection, queue};
use leveret_test_support::frames::raw_frame;

use crate::session::{Sent, Session, closed, sent};

fn bye() -> connection::Close {
    connection::Close::default().reply_code(ReplyCode::REPLY_SUCCESS).reply_text("bye")
}

fn forced() -> connection::Close {
    connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED).reply_text("shutdown")
}

#[test]
fn a_close_waits_for_close_ok_and_the_connection_is_finished_then() {
    let mut session = Session::open();
    let waiter = session.close();
    assert_eq!(session.sent(), [sent(0, bye())]);
    assert!(session.is_waiting(waiter) && !session.engine.is_finished());
    session.say(0, connection::CloseOk::default());
    assert!(matches!(session.heard(waiter), Completion::Closed));
    assert!(session.engine.is_finished());
    let closure = session.engine.closure().unwrap();
    assert_eq!((closure.scope, &closure.reason), (Scope::Connection, &Reason::Requested));
    assert_eq!(closure.initiator(), Initiator::Client);
}

#[test]
fn what_was_queued_before_a_close_goes_first() {
    let mut session = Session::open();
    let key = session.channel();
    session.publish(key, "last words");
    session.close();
    let frames = session.sent();
    assert_eq!(frames.len(), 4);
    assert_eq!(frames[2], Sent::Body(1, "last words".into()));
    assert_eq!(frames[3], sent(0, bye()));
}

#[test]
fn replies_and_confirms_that_still_arrive_count_while_the_connection_closes() {
    let mut session = Session::open();
    let key = session.confirming();
    let called = session.call(key, queue::Declare::default());
    let published = session.publish(key, "body").unwrap();
    let unanswered = session.call(key, queue::Declare::default());
    let closing = session.close();
    session.sent();
    session.say(1, queue::DeclareOk::default());
    session.ack(1, 1, false);
    session.reply(called);
    session.confirmation(published);
    session.say(0, connection::CloseOk::default());
    assert!(matches!(session.heard(closing), Completion::Closed));
    let (closure, fate) = session.closed(unanswered);
    assert!(closure.is_requested());
    assert_eq!(fate, Fate::Unknown);
    assert_eq!((session.engine.channel_count(), session.engine.unconfirmed()), (0, 0));
}

#[test]
fn a_closing_connection_takes_no_requests() {
    let mut session = Session::open();
    let key = session.channel();
    session.close();
    session.sent();
    let waiter = session.waiter();
    let refused = [
        session.engine.open_channel(waiter, session.now).unwrap_err(),
        session.engine.settle(key, 1, Settle::Ack { multiple: false }).unwrap_err(),
        session.engine.admission(key).unwrap_err(),
        session.engine.wait_for_confirms(key, waiter).unwrap_err(),
    ];
    for failure in refused {
        let (closure, fate) = closed(failure);
        assert_eq!((closure.reason, fate), (Reason::Requested, Fate::NotSent));
    }
    assert_eq!(session.sent(), []);
}

#[test]
fn a_closing_connection_sends_nothing_more_for_its_channels() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    session.deliver(1, "c", 1, "waits");
    session.close();
    session.sent();
    session.say(1, channel::Flow::default().active(false));
    session.say(1, basic::Cancel::default().consumer_tag("c"));
    session.engine.drop_consumer(consumer, [], None);
    session.engine.release_channel(key);
    assert_eq!(session.sent(), []);
    session.say(0, connection::CloseOk::default());
    assert_eq!(session.engine.channel_count(), 0);
}

#[test]
fn everybody_who_closes_hears_of_it_and_one_close_is_sent() {
    let mut session = Session::open();
    let (first, second) = (session.close(), session.close());
    assert_eq!(session.sent(), [sent(0, bye())]);
    session.say(0, connection::CloseOk::default());
    let third = session.close();
    for waiter in [first, second, third] {
        assert!(matches!(session.heard(waiter), Completion::Closed));
    }
    assert_eq!(session.sent(), []);
}

#[test]
fn a_close_that_is_not_answered_in_time_ends_the_connection_and_says_so() {
    let mut session = Session::open();
    let key = session.channel();
    let called = session.call(key, queue::Declare::default());
    let waiter = session.close();
    session.sent();
    assert_eq!(session.engine.poll_deadline(), Some(session.now + Duration::from_secs(10)));
    session.pass(Duration::from_millis(9999));
    assert!(session.is_waiting(waiter));
    session.pass(Duration::from_millis(1));
    assert_eq!(session.failure(waiter), Failure::TimedOut("connection.close"));
    assert!(session.closed(called).0.is_requested());
    assert!(session.engine.is_lost() && session.engine.is_finished());
    assert_eq!(session.engine.poll_deadline(), None);
}

#[test]
fn a_close_by_the_broker_is_answered_and_finished_when_that_is_written() {
    let mut session = Session::open();
    let key = session.channel();
    session.say(0, forced());
    assert!(!session.engine.is_finished());
    assert_eq!(session.sent(), [sent(0, connection::CloseOk::default())]);
    assert!(session.engine.is_finished() && !session.engine.is_lost());
    let closure = session.engine.closure().unwrap().clone();
    assert_eq!((closure.initiator(), closure.reply_code), (Initiator::Broker, Some(ReplyCode::CONNECTION_FORCED)));
    assert_eq!((&*closure.reply_text, closure.method), ("shutdown", None));
    let refused = session.engine.settle(key, 1, Settle::Ack { multiple: false }).unwrap_err();
    assert_eq!(closed(refused), ((*closure).clone(), Fate::NotSent));
    let waiter = session.waiter();
    let refused = session.engine.close(ReplyCode::REPLY_SUCCESS, "", Some(waiter), session.now).unwrap_err();
    assert_eq!(closed(refused).0, *closure);
}

#[test]
fn a_close_that_blames_a_method_refuses_the_call_of_it() {
    let mut session = Session::open();
    let key = session.channel();
    let called = session.call(key, basic::Consume::default().consumer_tag("c"));
    let other = session.call(key, queue::Declare::default());
    session.sent();
    session.say(0, connection::Close::default().reply_code(ReplyCode::NOT_ALLOWED).class_id(60).method_id(20));
    let (closure, fate) = session.closed(called);
    assert_eq!((closure.method, fate), (Some(MethodId::new(60, 20)), Fate::Refused));
    assert_eq!(session.closed(other).1, Fate::Unknown);
}

#[test]
fn of_several_calls_of_the_blamed_method_only_the_first_was_refused() {
    let mut session = Session::open();
    let key = session.channel();
    let calls = [(); 3].map(|()| session.call(key, queue::Declare::default()));
    session.sent();
    session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND).class_id(50).method_id(10));
    assert_eq!(calls.map(|call| session.closed(call).1), [Fate::Refused, Fate::Unknown, Fate::Unknown]);
}

#[test]
fn both_sides_closing_at_once_is_answered_and_over() {
    let mut session = Session::open();
    let waiter = session.close();
    session.say(0, forced());
    assert_eq!(session.sent(), [sent(0, connection::CloseOk::default())], "the close that nobody took is dropped");
    assert!(matches!(session.heard(waiter), Completion::Closed));
    assert!(session.engine.closure().unwrap().is_requested(), "the first cause is ours");
    assert!(session.engine.is_finished());
    session.say(0, connection::CloseOk::default());
    assert!(session.completions().is_empty());
}

#[test]
fn a_close_ok_that_the_socket_does_not_take_is_given_up() {
    let mut session = Session::open();
    session.say(0, forced());
    session.take();
    assert_eq!(session.engine.poll_deadline(), Some(session.now + Duration::from_secs(10)));
    session.pass(Duration::from_secs(10));
    assert!(session.engine.is_lost());
    assert_eq!(session.engine.closure().unwrap().reply_code, Some(ReplyCode::CONNECTION_FORCED));
    assert_eq!(session.engine.poll_deadline(), None);
}

#[test]
fn what_comes_after_the_end_is_not_looked_at() {
    let mut session = Session::open();
    session.channel();
    session.say(0, forced());
    session.sent();
    session.octets(b"garbage");
    session.octets(&raw_frame(1, 1, &[0, 0]));
    assert_eq!((session.sent(), session.left_over()), (vec![], 0));
    assert!(!session.engine.is_lost());
}

#[test]
fn the_first_cause_is_the_one_that_is_reported() {
    let mut session = Session::open();
    let key = session.channel();
    session.engine.handle_transport_lost(Some(&io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer")));
    session.engine.handle_driver_gone();
    session.lose();
    let closure = session.engine.closure().unwrap();
    assert_eq!(closure.reason, Reason::Io(io::ErrorKind::ConnectionReset, "reset by peer".into()));
    assert_eq!(closure.initiator(), Initiator::Transport);
    assert_eq!(session.engine.channel_closure(key).as_ref(), Some(closure));
}

#[test]
fn a_channel_that_was_closed_before_keeps_its_own_cause() {
    let mut session = Session::open();
    let key = session.channel();
    session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND));
    session.say(0, forced());
    let closure = session.engine.channel_closure(key).unwrap();
    assert_eq!((closure.scope, closure.reply_code), (Scope::Channel(1), Some(ReplyCode::NOT_FOUND)));
}

#[test]
fn bodies_that_will_not_be_written_are_handed_out_to_be_dropped() {
    let mut session = Session::open();
    let key = session.channel();
    let octets = bytes::Bytes::from(vec![1; 5000]);
    let body = leveret::frame::Body::from(&octets);
    let publish =
        leveret::frame::Publish { exchange: b"", routing_key: b"", mandatory: false, properties: None, body: &body };
    session.engine.publish(key, &publish, None).unwrap();
    session.lose();
    let discarded = session.engine.take_discarded();
    assert_eq!(discarded.unwrap().bodies.iter().map(bytes::Bytes::len).sum::<usize>(), 5000);
    assert!(session.engine.poll_transmit().is_none());
}

#[test]
fn close_ok_without_a_close_breaks_the_protocol() {
    let mut session = Session::open();
    session.say(0, connection::CloseOk::default());
    assert_eq!(session.sent_close().reply_code, ReplyCode::COMMAND_INVALID);
}

#[test]
fn a_text_that_does_not_fit_is_refused_and_nothing_is_closed() {
    let mut session = Session::open();
    let key = session.channel();
    let long = "x".repeat(256);
    let code = ReplyCode::REPLY_SUCCESS;
    assert!(matches!(session.engine.close(code, &*long, None, session.now), Err(Failure::Encode(_))));
    assert!(matches!(session.engine.close_channel(key, code, &*long, None, session.now), Err(Failure::Encode(_))));
    assert_eq!((session.sent(), session.engine.closure()), (vec![], None));
    assert!(session.engine.admission(key).is_ok());
}
