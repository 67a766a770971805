//! Publisher confirms: what the broker decides reaches each publish once, and a close resolves the
//! rest.

use leveret::ReplyCode;
use leveret::engine::{Completion, Confirmation, Fate, Initiator, Reason, Settled};
use leveret::frame::{Body, Publish};
use leveret::protocol::{ProtocolMethod, basic, channel, confirm, connection};
use leveret_test_support::frames::method_octets;

use crate::session::Session;

fn nack(delivery_tag: u64, multiple: bool) -> basic::Nack {
    basic::Nack::default().delivery_tag(delivery_tag).multiple(multiple)
}

/// A confirming channel with this many publishes on their way, all written.
fn publishing(count: usize) -> (Session, Vec<leveret::engine::WaiterId>) {
    let mut session = Session::open();
    let key = session.confirming();
    let waiters = (0..count).map(|_| session.publish(key, "body").unwrap()).collect();
    session.sent();
    (session, waiters)
}

#[test]
fn publishes_are_numbered_from_one_on_each_channel() {
    let mut session = Session::open();
    let (one, two) = (session.confirming(), session.confirming());
    let body = Body::from("");
    let publish = Publish { exchange: b"", routing_key: b"", mandatory: false, properties: None, body: &body };
    let numbers = [one, one, two].map(|key| session.engine.publish(key, &publish, None).unwrap());
    assert_eq!(numbers, [Some(1), Some(2), Some(1)]);
    let plain = session.channel();
    assert_eq!(session.engine.publish(plain, &publish, None), Ok(None));
}

#[test]
fn publishes_are_numbered_from_the_select_on_and_not_from_its_answer() {
    let mut session = Session::open();
    let key = session.channel();
    assert_eq!(session.publish(key, "before"), None);
    let select = session.call(key, confirm::Select::default());
    let waiter = session.publish(key, "between").unwrap();
    session.sent();
    session.say(1, confirm::SelectOk::default());
    session.ack(1, 1, false);
    session.reply(select);
    assert!(matches!(session.confirmation(waiter), Confirmation::Ack));
}

#[test]
fn each_ack_or_nack_reaches_its_publish() {
    let (mut session, waiters) = publishing(3);
    session.ack(1, 2, false);
    session.say(1, nack(3, false));
    assert!(session.is_waiting(waiters[0]));
    assert!(matches!(session.confirmation(waiters[1]), Confirmation::Ack));
    assert!(matches!(session.confirmation(waiters[2]), Confirmation::Nack));
    assert_eq!(session.engine.unconfirmed(), 1);
    session.ack(1, 1, false);
    assert!(matches!(session.confirmation(waiters[0]), Confirmation::Ack));
    assert_eq!(session.engine.unconfirmed(), 0);
}

#[test]
fn multiple_decides_about_all_up_to_its_tag_that_are_undecided() {
    let (mut session, waiters) = publishing(5);
    session.say(1, nack(2, false));
    assert!(matches!(session.confirmation(waiters[1]), Confirmation::Nack));
    session.ack(1, 4, true);
    for index in [0, 2, 3] {
        assert!(matches!(session.confirmation(waiters[index]), Confirmation::Ack));
    }
    assert!(session.is_waiting(waiters[4]));
    assert!(session.completions().is_empty());
}

#[test]
fn multiple_with_tag_zero_decides_about_everything() {
    let (mut session, waiters) = publishing(3);
    session.say(1, nack(0, true));
    for waiter in waiters {
        assert!(matches!(session.confirmation(waiter), Confirmation::Nack));
    }
    assert_eq!(session.engine.unconfirmed(), 0);
}

#[test]
fn a_decision_that_comes_twice_is_passed_over() {
    let (mut session, waiters) = publishing(2);
    session.ack(1, 1, false);
    session.ack(1, 1, false);
    session.say(1, nack(1, true));
    assert!(matches!(session.confirmation(waiters[0]), Confirmation::Ack));
    assert_eq!((session.engine.unconfirmed(), session.engine.closure()), (1, None));
}

#[test]
fn a_confirm_for_what_was_never_published_closes_the_connection_with_503() {
    for ack in [basic::Ack::default().delivery_tag(3), basic::Ack::default().delivery_tag(3).multiple(true)] {
        let (mut session, waiters) = publishing(2);
        session.say(1, ack);
        assert_eq!(session.sent_close().reply_code, ReplyCode::COMMAND_INVALID);
        for waiter in waiters {
            session.closed(waiter);
        }
    }
    let (mut session, _) = publishing(1);
    session.ack(1, 0, false);
    assert_eq!(session.sent_close().reply_code, ReplyCode::COMMAND_INVALID);
}

#[test]
fn a_confirm_on_a_channel_that_does_not_confirm_closes_the_connection_with_503() {
    let mut session = Session::open();
    session.channel();
    session.ack(1, 1, false);
    assert_eq!(session.sent_close().reply_code, ReplyCode::COMMAND_INVALID);
}

#[test]
fn whoever_waits_for_all_confirms_hears_when_the_last_is_in_and_what_went_wrong() {
    let mut session = Session::open();
    let key = session.confirming();
    let publishes: Vec<_> = (0..3).map(|_| session.publish(key, "body").unwrap()).collect();
    let watcher = session.waiter();
    assert_eq!(session.engine.wait_for_confirms(key, watcher), Ok(None));
    session.publish(key, "later");
    session.ack(1, 2, false);
    session.say(1, nack(1, false));
    assert!(session.is_waiting(watcher));
    session.ack(1, 3, false);
    let settled = session.heard(watcher);
    assert!(matches!(settled, Completion::Settled(_, Settled { nacked: 1, returned: 0, .. })), "{settled:?}");
    session.ack(1, 4, false);
    assert_eq!(session.engine.wait_for_confirms(key, watcher), Ok(Some(Settled::default())));
    assert_eq!(publishes.len(), 3);
}

#[test]
fn a_channel_closed_by_the_broker_resolves_each_publish_also_what_still_goes_out() {
    let mut session = Session::open();
    let key = session.confirming();
    let whole = session.publish(key, "whole").unwrap();
    session.take();
    let first = session.engine.queued();
    let partly = session.publish(key, "partly").unwrap();
    session.take();
    let unwritten = session.publish(key, "unwritten").unwrap();
    session.written(usize::try_from(first).unwrap() + 1);
    let watcher = session.waiter();
    session.engine.wait_for_confirms(key, watcher).unwrap();
    let close = channel::Close::default().reply_code(ReplyCode::NOT_FOUND).reply_text("no exchange");
    session.say(1, close.class_id(60).method_id(40));
    for (waiter, expected) in [(whole, Fate::Unknown), (partly, Fate::Unknown), (unwritten, Fate::Unknown)] {
        let (closure, fate) = session.closed(waiter);
        assert_eq!((closure.reply_code, fate), (Some(ReplyCode::NOT_FOUND), expected));
        assert_eq!(closure.method, Some(basic::Publish::ID));
    }
    session.closed(watcher);
    assert_eq!(session.engine.unconfirmed(), 0);
    session.sent();
    assert_eq!(session.engine.queued(), 0);
}

#[test]
fn a_lost_transport_resolves_each_publish_and_call_once_by_what_was_written() {
    let mut session = Session::open();
    let key = session.confirming();
    let written = session.publish(key, "written").unwrap();
    let called = session.call(key, leveret::protocol::queue::Declare::default());
    session.sent();
    let queued = session.publish(key, "queued").unwrap();
    let uncalled = session.call(key, leveret::protocol::queue::Declare::default());
    session.lose();
    for (waiter, expected) in
        [(written, Fate::Unknown), (called, Fate::Unknown), (queued, Fate::NotSent), (uncalled, Fate::NotSent)]
    {
        let (closure, fate) = session.closed(waiter);
        assert_eq!((&closure.reason, closure.initiator()), (&Reason::EndOfStream, Initiator::Transport));
        assert_eq!(fate, expected);
    }
    session.lose();
    assert!(session.completions().is_empty());
    assert!(session.engine.is_lost() && session.engine.is_finished());
}

#[test]
fn a_hard_error_resolves_everything_on_all_channels_with_its_code() {
    let mut session = Session::open();
    let (one, two) = (session.confirming(), session.confirming());
    let waiters = [session.publish(one, "one").unwrap(), session.publish(two, "two").unwrap()];
    session.sent();
    let close = connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED).reply_text("shutdown");
    session.say(0, close);
    for waiter in waiters {
        let (closure, fate) = session.closed(waiter);
        assert_eq!((closure.reply_code, fate), (Some(ReplyCode::CONNECTION_FORCED), Fate::Unknown));
    }
    assert_eq!((session.engine.channel_count(), session.engine.unconfirmed()), (0, 0));
}

#[test]
fn what_still_goes_out_ahead_of_a_close_for_a_violation_is_not_called_not_sent() {
    // Ours to close, because of a reply that nobody asked for, and because the stream lost its
    // step.
    let stray = method_octets(1, channel::OpenOk::default());
    for octets in [stray, b"garbage".to_vec()] {
        let mut session = Session::open();
        let key = session.confirming();
        let queued = session.publish(key, "queued").unwrap();
        let called = session.call(key, leveret::protocol::queue::Declare::default());
        session.octets(&octets);
        let goes_out = session.sent().len() > 1;
        for waiter in [queued, called] {
            let (closure, fate) = session.closed(waiter);
            assert!(matches!(closure.reason, Reason::Violation(_)));
            let expected = if goes_out { Fate::Unknown } else { Fate::NotSent };
            assert_eq!(fate, expected, "the broker gets the publish: {goes_out}");
        }
    }
}

#[test]
fn confirms_that_come_while_a_channel_closes_still_count() {
    let mut session = Session::open();
    let key = session.confirming();
    let waiter = session.publish(key, "body").unwrap();
    session.engine.release_channel(key);
    session.sent();
    session.ack(1, 1, false);
    assert!(matches!(session.confirmation(waiter), Confirmation::Ack));
    session.say(1, channel::CloseOk::default());
    assert_eq!(session.engine.channel_count(), 0);
}
