//! The gate that publishes pass: water marks, the limit in flight, the broker's block and its flow, first come first
//! served.

use leveret::ReplyCode;
use leveret::engine::{Admission, ChannelKey, Completion, Fate, Settle, WaiterId};
use leveret::protocol::{basic, channel, connection};

use crate::session::{Session, negotiated};

fn limited(high: usize, low: usize, max_unconfirmed: Option<u32>) -> Session {
    Session::with(negotiated(), |settings| {
        settings.high_water = high;
        settings.low_water = low;
        settings.max_unconfirmed = max_unconfirmed;
    })
}

fn wait(session: &mut Session, key: ChannelKey) -> WaiterId {
    let waiter = session.waiter();
    session.engine.wait_for_admission(key, waiter);
    waiter
}

fn is_open(session: &Session, key: ChannelKey) -> bool {
    session.engine.admission(key) == Ok(Admission::Open)
}

/// Who was let in since the last look, in order.
fn admitted(session: &mut Session) -> Vec<WaiterId> {
    let admitted = |(waiter, completion)| matches!(completion, Completion::Admitted(_)).then_some(waiter);
    session.completions().into_iter().filter_map(admitted).collect()
}

fn block(session: &mut Session) {
    session.say(0, connection::Blocked::default().reason("low on memory"));
}

fn unblock(session: &mut Session) {
    session.say(0, connection::Unblocked::default());
}

#[test]
fn the_gate_closes_at_the_high_mark_and_opens_at_the_low_one() {
    let mut session = limited(200, 100, None);
    let key = session.channel();
    while session.engine.queued() < 200 {
        assert!(is_open(&session, key));
        session.publish(key, "0123456789");
    }
    assert!(!is_open(&session, key));
    let waiter = wait(&mut session, key);
    session.take();
    assert!(!is_open(&session, key), "taken is not written");
    let over = usize::try_from(session.engine.queued()).unwrap() - 100;
    session.written(over - 1);
    assert!(session.is_waiting(waiter));
    session.written(1);
    assert_eq!(admitted(&mut session), [waiter]);
    session.sent();
    assert_eq!(session.engine.queued(), 0);
}

#[test]
fn calls_and_acknowledgements_pass_the_gate_and_count() {
    let mut session = limited(200, 100, None);
    let key = session.channel();
    session.consumer(key, "c", false);
    (1..=20).for_each(|tag| session.deliver(1, "c", tag, "body"));
    session.sent();
    for tag in 1..=20 {
        session.engine.settle(key, tag, Settle::Ack { multiple: false }).unwrap();
    }
    assert_eq!(session.engine.queued(), 20 * 21);
    assert!(!is_open(&session, key));
    let waiter = wait(&mut session, key);
    assert!(session.is_waiting(waiter));
    assert_eq!(session.sent().len(), 20);
    assert_eq!(admitted(&mut session), [waiter]);
}

#[test]
fn whoever_came_first_goes_first_and_nobody_passes() {
    let mut session = limited(1000, 500, Some(1));
    let (one, two) = (session.confirming(), session.confirming());
    session.publish(one, "in flight");
    let waiters = [wait(&mut session, one), wait(&mut session, two), wait(&mut session, one)];
    session.ack(1, 1, false);
    assert_eq!(admitted(&mut session), [waiters[0]]);
    assert!(!is_open(&session, two), "others wait");
    session.publish(one, "second");
    session.engine.use_admission();
    assert_eq!(admitted(&mut session), []);
    session.ack(1, 2, false);
    assert_eq!(admitted(&mut session), [waiters[1]]);
    session.publish(two, "third");
    session.engine.use_admission();
    session.ack(2, 1, false);
    assert_eq!(admitted(&mut session), [waiters[2]]);
    session.engine.use_admission();
    assert!(is_open(&session, one));
}

#[test]
fn the_limit_in_flight_closes_the_gate_until_the_broker_decides() {
    let mut session = limited(1 << 20, 1 << 19, Some(3));
    let key = session.confirming();
    for _ in 0..3 {
        assert!(is_open(&session, key));
        session.publish(key, "body");
    }
    assert!(!is_open(&session, key));
    let waiters: Vec<_> = (0..4).map(|_| wait(&mut session, key)).collect();
    session.say(1, basic::Nack::default().delivery_tag(2).multiple(true));
    assert_eq!(admitted(&mut session), waiters[..2]);
    assert_eq!(session.engine.unconfirmed(), 1);
}

#[test]
fn a_channel_that_goes_away_makes_room_for_others() {
    let mut session = limited(1 << 20, 1 << 19, Some(1));
    let (one, two) = (session.confirming(), session.confirming());
    session.publish(one, "in flight");
    let (gone, stays) = (wait(&mut session, one), wait(&mut session, two));
    session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND));
    assert_eq!(session.closed(gone).1, Fate::NotSent);
    assert!(matches!(session.heard(stays), Completion::Admitted(key) if key == two));
}

#[test]
fn closing_a_channel_sends_those_away_who_wait_to_publish_on_it() {
    let mut session = Session::open();
    let key = session.channel();
    block(&mut session);
    let waiter = wait(&mut session, key);
    session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "", None, session.now).unwrap();
    let (closure, fate) = session.closed(waiter);
    assert!(closure.is_requested());
    assert_eq!(fate, Fate::NotSent);
}

#[test]
fn blocked_stops_publishing_alone() {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", false);
    session.deliver(1, "c", 1, "body");
    block(&mut session);
    assert_eq!(session.engine.blocked(), Some("low on memory"));
    assert!(!is_open(&session, key));
    let waiter = wait(&mut session, key);
    session.engine.settle(key, 1, Settle::Ack { multiple: false }).unwrap();
    session.channel();
    assert_eq!(session.completions().len(), 0);
    block(&mut session);
    unblock(&mut session);
    assert_eq!(session.engine.blocked(), None);
    assert_eq!(admitted(&mut session), [waiter]);
}

#[test]
fn a_blocked_connection_closes_in_good_order() {
    let mut session = Session::open();
    let key = session.channel();
    block(&mut session);
    let (publishing, closing) = (wait(&mut session, key), session.close());
    assert!(session.closed(publishing).0.is_requested());
    session.say(0, connection::CloseOk::default());
    assert!(matches!(session.heard(closing), Completion::Closed));
}

#[test]
fn flow_stops_publishing_on_its_channel_alone() {
    let mut session = Session::open();
    let (one, two) = (session.channel(), session.channel());
    session.say(1, channel::Flow::default().active(false));
    assert!(!is_open(&session, one) && is_open(&session, two));
    let stopped = wait(&mut session, one);
    let free = wait(&mut session, two);
    assert_eq!(admitted(&mut session), [free], "nobody waits for a channel that is not one's own");
    session.engine.use_admission();
    session.say(1, channel::Flow::default().active(true));
    assert_eq!(admitted(&mut session), [stopped]);
}

#[test]
fn whoever_leaves_the_gate_is_passed_over() {
    let mut session = Session::open();
    let key = session.channel();
    block(&mut session);
    let (leaves, stays) = (wait(&mut session, key), wait(&mut session, key));
    session.engine.leave_gate(leaves);
    unblock(&mut session);
    assert_eq!(admitted(&mut session), [stays]);
}

#[test]
fn admissions_that_are_not_used_are_limited_and_passed_on() {
    let mut session = Session::open();
    let key = session.channel();
    block(&mut session);
    let waiters: Vec<_> = (0..100).map(|_| wait(&mut session, key)).collect();
    unblock(&mut session);
    let mut seen = admitted(&mut session);
    assert!(seen.len() < 100, "a crowd is let in by and by");
    assert!(!is_open(&session, key), "nobody passes those who wait");
    while seen.len() < 100 {
        session.engine.use_admission();
        let next = admitted(&mut session);
        assert_eq!(next.len(), 1);
        seen.extend(next);
    }
    assert_eq!(seen, waiters);
}
