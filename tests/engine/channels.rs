//! Channels: opened and closed from either side, their numbers used again, their incarnations
//! never.

use std::time::Duration;

use leveret::ReplyCode;
use leveret::engine::{ChannelKey, Completion, Failure, Fate, Initiator, Negotiated, Reason, Scope, Settle};
use leveret::protocol::{MethodId, ProtocolMethod, Request, basic, channel, queue, tx};
use leveret_test_support::frames::raw_frame;

use crate::session::{Session, closed, negotiated, sent};

fn close_channel(session: &mut Session, key: ChannelKey) -> leveret::engine::WaiterId {
    let waiter = session.waiter();
    session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "done", Some(waiter), session.now).unwrap();
    waiter
}

fn close(code: ReplyCode, text: &str, blamed: MethodId) -> channel::Close {
    channel::Close::default().reply_code(code).reply_text(text).class_id(blamed.class).method_id(blamed.method)
}

fn requested() -> channel::Close {
    close(ReplyCode::REPLY_SUCCESS, "done", MethodId::new(0, 0))
}

#[test]
fn channels_are_opened_with_the_lowest_free_number() {
    let mut session = Session::open();
    let numbers = [session.channel(), session.channel(), session.channel()].map(|key| key.number);
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(session.engine.channel_count(), 3);
}

#[test]
fn a_channel_takes_no_requests_before_it_is_open() {
    let mut session = Session::open();
    let waiter = session.waiter();
    let key = session.engine.open_channel(waiter, session.now).unwrap();
    assert!(session.engine.settle(key, 1, Settle::Ack { multiple: false }).is_err());
    assert!(session.engine.admission(key).is_err());
    session.say(1, channel::OpenOk::default());
    assert!(matches!(session.heard(waiter), Completion::Opened(_)));
    session.consumer(key, "c", false);
    session.deliver(1, "c", 1, "body");
    assert!(session.engine.settle(key, 1, Settle::Ack { multiple: false }).is_ok());
}

#[test]
fn a_channel_that_the_broker_refuses_fails_and_its_number_is_free() {
    let mut session = Session::open();
    let waiter = session.waiter();
    session.engine.open_channel(waiter, session.now).unwrap();
    session.sent();
    session.say(1, close(ReplyCode::NOT_ALLOWED, "no", channel::Open::ID));
    let (closure, fate) = session.closed(waiter);
    assert_eq!((closure.scope, closure.initiator(), fate), (Scope::Channel(1), Initiator::Broker, Fate::Refused));
    assert_eq!(session.sent(), [sent(1, channel::CloseOk::default())]);
    assert_eq!(session.engine.channel_count(), 0);
    assert_eq!(session.channel().number, 1);
}

#[test]
fn no_more_channels_are_opened_than_were_negotiated() {
    let mut session = Session::with(Negotiated { channel_max: 2, ..negotiated() }, |_| {});
    let first = session.channel();
    session.channel();
    let waiter = session.waiter();
    let refused = session.engine.open_channel(waiter, session.now);
    assert_eq!(refused, Err(Failure::ChannelsExhausted { limit: 2 }));
    assert_eq!(session.sent(), []);
    close_channel(&mut session, first);
    assert!(session.engine.open_channel(waiter, session.now).is_err(), "the number is in use until close-ok");
    session.sent();
    session.say(1, channel::CloseOk::default());
    assert_eq!(session.engine.open_channel(waiter, session.now).unwrap().number, 1);
}

#[test]
fn the_last_number_can_be_opened_and_no_number_follows_it() {
    let mut session = Session::open();
    let waiter = session.waiter();
    for number in 1..=u16::MAX {
        assert_eq!(session.engine.open_channel(waiter, session.now).unwrap().number, number);
    }
    let refused = session.engine.open_channel(waiter, session.now);
    assert_eq!(refused, Err(Failure::ChannelsExhausted { limit: u16::MAX }));
}

#[test]
fn closing_a_channel_waits_for_close_ok() {
    let mut session = Session::open();
    let key = session.channel();
    let waiter = close_channel(&mut session, key);
    assert_eq!(session.sent(), [sent(1, requested())]);
    assert!(session.is_waiting(waiter));
    assert_eq!(session.engine.channel_count(), 1);
    session.say(1, channel::CloseOk::default());
    assert!(matches!(session.heard(waiter), Completion::Closed));
    assert_eq!(session.engine.channel_count(), 0);
    let closure = session.engine.channel_closure(key).unwrap();
    assert!(closure.is_requested());
    assert_eq!(closure.reply_code, Some(ReplyCode::REPLY_SUCCESS));
}

#[test]
fn everybody_who_closes_a_channel_hears_of_it_and_one_close_is_sent() {
    let mut session = Session::open();
    let key = session.channel();
    let first = close_channel(&mut session, key);
    let second = close_channel(&mut session, key);
    assert_eq!(session.sent(), [sent(1, requested())]);
    session.say(1, channel::CloseOk::default());
    assert!(matches!(session.heard(first), Completion::Closed));
    assert!(matches!(session.heard(second), Completion::Closed));
    let third = close_channel(&mut session, key);
    assert!(matches!(session.heard(third), Completion::Closed));
    assert_eq!(session.sent(), []);
}

#[test]
fn a_number_is_used_again_only_after_close_ok() {
    let mut session = Session::open();
    let first = session.channel();
    close_channel(&mut session, first);
    assert_eq!(session.channel().number, 2);
    session.sent();
    session.say(1, channel::CloseOk::default());
    let again = session.channel();
    assert_eq!(again.number, 1);
    assert_ne!(again.incarnation, first.incarnation);
}

#[test]
fn what_belongs_to_an_earlier_incarnation_is_refused_and_never_sent() {
    let mut session = Session::open();
    let stale = session.channel();
    session.say(1, close(ReplyCode::PRECONDITION_FAILED, "gone", MethodId::new(0, 0)));
    session.sent();
    let fresh = session.channel();
    assert_eq!((stale.number, fresh.number), (1, 1));
    let settles = [
        Settle::Ack { multiple: true },
        Settle::Nack { multiple: false, requeue: true },
        Settle::Reject { requeue: false },
    ];
    for settle in settles {
        let (closure, fate) = closed(session.engine.settle(stale, 1, settle).unwrap_err());
        assert_eq!((closure.reply_code, fate), (Some(ReplyCode::PRECONDITION_FAILED), Fate::NotSent));
    }
    let waiter = session.waiter();
    let call = queue::Declare::default().queue("q").into();
    assert!(session.engine.call(stale, &call, queue::Declare::REPLIES, waiter, session.now).is_err());
    assert!(session.engine.admission(stale).is_err());
    assert_eq!(session.sent(), []);
    session.consumer(fresh, "c", false);
    session.deliver(1, "c", 1, "body");
    session.sent();
    session.engine.settle(fresh, 1, Settle::Ack { multiple: false }).unwrap();
    assert_eq!(session.sent(), [sent(1, basic::Ack::default().delivery_tag(1))]);
}

#[test]
fn a_close_by_the_broker_is_answered_and_reported_with_code_text_and_method() {
    let mut session = Session::open();
    let key = session.channel();
    session.say(1, close(ReplyCode::NOT_FOUND, "no queue", queue::Bind::ID));
    assert_eq!(session.sent(), [sent(1, channel::CloseOk::default())]);
    let closure = session.engine.channel_closure(key).unwrap();
    assert_eq!((closure.scope, &closure.reason), (Scope::Channel(1), &Reason::Broker));
    assert_eq!((closure.reply_code, &*closure.reply_text), (Some(ReplyCode::NOT_FOUND), "no queue"));
    assert_eq!(closure.method, Some(queue::Bind::ID));
    let waiter = session.waiter();
    let refused = session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "", Some(waiter), session.now);
    assert_eq!(closed(refused.unwrap_err()).0, *closure);
    assert!(session.engine.closure().is_none(), "the connection goes on");
}

#[test]
fn a_soft_error_closes_its_channel_and_no_other() {
    let mut session = Session::open();
    let (first, second) = (session.channel(), session.channel());
    let failing = session.call(first, queue::Declare::default().queue("a"));
    let other = session.call(second, queue::Declare::default().queue("b"));
    session.sent();
    session.say(1, close(ReplyCode::RESOURCE_LOCKED, "locked", queue::Declare::ID));
    assert_eq!(session.closed(failing).1, Fate::Refused);
    assert!(session.is_waiting(other));
    session.say(2, queue::DeclareOk::default().queue("b"));
    assert_eq!(session.reply(other).channel, second);
    assert_eq!(session.engine.channel_count(), 1);
}

#[test]
fn both_sides_closing_a_channel_at_once_takes_both_close_oks() {
    let mut session = Session::open();
    let key = session.channel();
    let waiter = close_channel(&mut session, key);
    session.sent();
    session.say(1, close(ReplyCode::NOT_FOUND, "crossed", queue::Bind::ID));
    assert_eq!(session.sent(), [sent(1, channel::CloseOk::default())]);
    assert!(session.is_waiting(waiter), "the broker still answers our close");
    assert_eq!(session.engine.channel_count(), 1);
    session.say(1, channel::CloseOk::default());
    assert_eq!(session.closed(waiter).0.reply_code, Some(ReplyCode::NOT_FOUND), "something before it was refused");
    assert!(session.engine.channel_closure(key).unwrap().is_requested(), "the first cause is ours");
}

#[test]
fn a_close_that_crosses_ours_in_the_middle_of_content_still_ends_well() {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", false);
    session.say(1, basic::Deliver::default().consumer_tag("c").delivery_tag(1));
    session.octets(&raw_frame(2, 1, &[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0]));
    let waiter = close_channel(&mut session, key);
    session.sent();
    session.say(1, close(ReplyCode::INTERNAL_ERROR, "crossed", MethodId::new(0, 0)));
    session.say(1, channel::CloseOk::default());
    assert!(session.engine.closure().is_none(), "{:?}", session.engine.closure());
    assert_eq!(session.closed(waiter).0.reply_code, Some(ReplyCode::INTERNAL_ERROR));
}

#[test]
fn replies_that_were_on_their_way_still_count_while_a_channel_closes() {
    let mut session = Session::open();
    let key = session.channel();
    let answered = session.call(key, queue::Declare::default().queue("a"));
    let unanswered = session.call(key, queue::Declare::default().queue("b"));
    let closing = close_channel(&mut session, key);
    session.sent();
    session.say(1, queue::DeclareOk::default().queue("a"));
    session.reply(answered);
    session.say(1, channel::CloseOk::default());
    let (closure, fate) = session.closed(unanswered);
    assert!(closure.is_requested());
    assert_eq!(fate, Fate::Unknown);
    assert!(matches!(session.heard(closing), Completion::Closed));
}

#[test]
fn a_closing_channel_sends_nothing_more_whatever_the_broker_asks() {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", false);
    close_channel(&mut session, key);
    session.sent();
    session.say(1, channel::Flow::default().active(false));
    session.say(1, basic::Cancel::default().consumer_tag("c"));
    session.deliver(1, "c", 1, "late");
    assert_eq!(session.sent(), [], "the broker may have taken the number back already");
    assert!(session.engine.closure().is_none());
}

#[test]
fn a_released_channel_is_closed_and_forgotten() {
    let mut session = Session::open();
    let key = session.channel();
    session.engine.release_channel(key);
    assert_eq!(session.sent(), [sent(1, close(ReplyCode::REPLY_SUCCESS, "dropped", MethodId::new(0, 0)))]);
    session.say(1, channel::CloseOk::default());
    assert_eq!(session.engine.channel_count(), 0);
    assert!(session.engine.channel_closure(key).is_none());
    session.engine.release_channel(key);
    assert_eq!(session.sent(), []);
}

#[test]
fn a_close_of_a_channel_that_is_not_answered_times_out_and_keeps_the_number() {
    let mut session = Session::with(negotiated(), |settings| settings.call_timeout = Some(Duration::from_secs(3)));
    let key = session.channel();
    let waiter = close_channel(&mut session, key);
    session.pass(Duration::from_secs(3));
    assert_eq!(session.failure(waiter), Failure::TimedOut("channel.close"));
    assert_eq!(session.channel().number, 2);
    session.sent();
    session.say(1, channel::CloseOk::default());
    assert_eq!(session.channel().number, 1);
}

/// Whoever closes takes the answer as a sign that everything before it arrived.
#[test]
fn a_close_ok_that_comes_before_the_close_was_written_agrees_to_nothing() {
    for is_held in [false, true] {
        let mut session = Session::open();
        let key = session.channel();
        if is_held {
            session.call(key, tx::Commit::default());
            session.call(key, queue::Declare::default());
            session.sent();
        }
        let waiter = close_channel(&mut session, key);
        session.say(1, channel::CloseOk::default());
        assert!(matches!(session.heard(waiter), Completion::Failed(_)), "held: {is_held}");
        assert_eq!(session.sent_close().reply_code, ReplyCode::COMMAND_INVALID);
        session.completions();
    }
}

#[test]
fn incarnations_count_from_0_or_from_where_the_engine_is_told() {
    for base in [None, Some(1 << 32)] {
        let mut session = Session::open();
        if let Some(base) = base {
            session.engine.count_channels_from(base);
        }
        let incarnations = [(); 2].map(|()| session.channel().incarnation);
        let first = base.unwrap_or(0);
        assert_eq!(incarnations, [first, first + 1]);
    }
}
