//! A close is complete when the broker has agreed to it. Everything else is an error, for everybody
//! who closes.

use std::time::Duration;

use leveret::ReplyCode;
use leveret::engine::{Completion, Failure, Fate, Reason, WaiterId};
use leveret::protocol::{channel, connection, tx};
use leveret_test_support::frames::raw_frame;

use crate::session::{Session, sent};

fn internal_error() -> connection::Close {
    connection::Close::default().reply_code(ReplyCode::INTERNAL_ERROR).reply_text("INTERNAL_ERROR")
}

fn close_channel(session: &mut Session, key: leveret::engine::ChannelKey) -> WaiterId {
    let waiter = session.waiter();
    session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "bye", Some(waiter), session.now).unwrap();
    waiter
}

/// What comes instead of close-ok, and the reason that closers hear.
fn instead(session: &mut Session, what: &str) -> Reason {
    match what {
        "the end" => session.lose(),
        "garbage" => session.octets(&raw_frame(9, 0, b"")),
        "541" => session.say(0, internal_error()),
        _ => unreachable!("{what}"),
    }
    match what {
        "the end" => Reason::EndOfStream,
        "541" => Reason::Broker,
        _ => Reason::Violation(leveret::engine::Violation::Frame(leveret::frame::FrameError::UnknownType(9))),
    }
}

#[test]
fn a_close_that_gets_something_else_than_close_ok_is_an_error_also_when_it_is_repeated() {
    for what in ["the end", "garbage", "541"] {
        let mut session = Session::open();
        let (open, closing_channel) = (session.channel(), session.channel());
        session.publish(open, "body");
        let channel_closer = close_channel(&mut session, closing_channel);
        let closer = session.close();
        // Closed while the connection closes: it ends with that.
        let with_connection = close_channel(&mut session, open);
        session.sent();
        let reason = instead(&mut session, what);
        let again = [close_channel(&mut session, closing_channel), close_channel(&mut session, open), session.close()];
        for waiter in [channel_closer, closer, with_connection].into_iter().chain(again) {
            let (closure, fate) = session.closed(waiter);
            assert_eq!(fate, Fate::Unknown, "{what}");
            assert_eq!(closure.reason, reason, "{what}");
        }
        assert!(session.engine.closure().unwrap().is_requested(), "{what}: the first cause is ours");
    }
}

#[test]
fn a_close_that_was_agreed_to_stays_so_whatever_comes_after_it() {
    let mut session = Session::open();
    let key = session.channel();
    let channel_closer = close_channel(&mut session, key);
    session.sent();
    session.say(1, channel::CloseOk::default());
    assert!(matches!(session.heard(channel_closer), Completion::Closed));
    let closer = session.close();
    session.sent();
    session.say(0, connection::CloseOk::default());
    session.lose();
    for waiter in [closer, close_channel(&mut session, key), session.close()] {
        assert!(matches!(session.heard(waiter), Completion::Closed));
    }
}

#[test]
fn a_channel_whose_close_was_agreed_to_is_closed_though_its_connection_was_lost_later() {
    let mut session = Session::open();
    let key = session.channel();
    close_channel(&mut session, key);
    session.sent();
    session.say(1, channel::CloseOk::default());
    session.lose();
    session.completions();
    let again = close_channel(&mut session, key);
    assert!(matches!(session.heard(again), Completion::Closed));
}

#[test]
fn a_close_of_a_channel_that_crosses_the_brokers_is_that_error_once_the_broker_agrees() {
    let mut session = Session::open();
    let key = session.channel();
    session.publish(key, "for nobody");
    let closer = close_channel(&mut session, key);
    session.sent();
    session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND).class_id(60).method_id(40));
    assert!(session.is_waiting(closer), "the number is free when the broker agrees");
    session.say(1, channel::CloseOk::default());
    for waiter in [closer, close_channel(&mut session, key)] {
        let (closure, fate) = session.closed(waiter);
        assert_eq!((closure.reply_code, fate), (Some(ReplyCode::NOT_FOUND), Fate::Unknown));
    }
    assert_eq!(session.engine.channel_count(), 0);
}

#[test]
fn closes_that_cross_are_agreed_where_every_channel_was_closed_before() {
    for open in [false, true] {
        let mut session = Session::open();
        let key = session.channel();
        if !open {
            close_channel(&mut session, key);
            session.sent();
            session.say(1, channel::CloseOk::default());
            session.completions();
        }
        let closer = session.close();
        session.sent();
        session.say(0, internal_error());
        match session.heard(closer) {
            Completion::Closed => assert!(!open),
            Completion::Failed(Failure::Closed { closure, fate: Fate::Unknown }) => {
                assert!(open && closure.reply_code == Some(ReplyCode::INTERNAL_ERROR));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_close_that_fails_while_the_broker_blocks_the_connection_says_so() {
    let blocked = || {
        let mut session = Session::open();
        let key = session.channel();
        session.say(0, connection::Blocked::default().reason("low on\nmemory"));
        let channel_closer = close_channel(&mut session, key);
        let closer = session.close();
        session.sent();
        (session, [channel_closer, closer])
    };
    let (mut session, closers) = blocked();
    session.pass(Duration::from_secs(10));
    for waiter in closers {
        let failure = session.failure(waiter);
        let text = failure.to_string();
        assert!(matches!(failure, Failure::TimedOutBlocked { .. }) && text.contains("blocks"), "{text}");
        assert!(text.contains("within close_timeout") && text.contains(r"low on\nmemory"), "{text}");
    }
    let (mut session, closers) = blocked();
    session.lose();
    for waiter in closers {
        let text = session.failure(waiter).to_string();
        assert!(text.contains("blocking it") && text.contains(r"low on\nmemory"), "{text}");
    }
}

#[test]
fn a_close_of_a_channel_that_waits_for_a_commit_ends_with_the_brokers_close_and_is_not_sent() {
    let mut session = Session::open();
    let key = session.channel();
    let commit = session.call(key, tx::Commit::default());
    let closer = close_channel(&mut session, key);
    session.sent();
    session.say(1, channel::Close::default().reply_code(ReplyCode::PRECONDITION_FAILED));
    assert_eq!(session.sent(), [sent(1, channel::CloseOk::default())]);
    for waiter in [closer, close_channel(&mut session, key)] {
        let (closure, fate) = session.closed(waiter);
        assert_eq!((closure.reply_code, fate), (Some(ReplyCode::PRECONDITION_FAILED), Fate::Unknown));
    }
    session.closed(commit);
    assert_eq!((session.engine.channel_count(), session.engine.queued()), (0, 0));
}

#[test]
fn a_close_that_waits_for_a_commit_is_agreed_to_when_it_was_written() {
    let mut session = Session::open();
    let key = session.channel();
    let commit = session.call(key, tx::Commit::default());
    let held = session.call(key, tx::Select::default());
    let closer = session.close();
    session.sent();
    session.say(0, connection::CloseOk::default());
    assert!(session.is_waiting(closer), "nothing of it has left");
    session.say(1, tx::CommitOk::default());
    session.reply(commit);
    assert!(session.is_waiting(held));
    session.sent_close();
    session.say(0, connection::CloseOk::default());
    assert!(matches!(session.heard(closer), Completion::Closed));
}

#[test]
fn a_close_that_waits_for_a_commit_is_not_sent_after_the_end() {
    let mut session = Session::open();
    let key = session.channel();
    session.call(key, tx::Commit::default());
    let closer = session.close();
    session.sent();
    session.say(0, internal_error());
    assert_eq!(session.closed(closer).0.reply_code, Some(ReplyCode::INTERNAL_ERROR));
    assert_eq!(session.sent(), [sent(0, connection::CloseOk::default())]);
    assert!(session.engine.is_finished());
}
