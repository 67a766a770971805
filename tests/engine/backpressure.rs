//! The gate that publishes pass: water marks, the limit in flight, the broker's block and its flow,
//! first come first served.

use leveret::ReplyCode;
use leveret::engine::{Admission, ChannelKey, Completion, Confirmation, Fate, GatePlace, Settle, WaiterId, WaitsFor};
use leveret::frame::{Body, Publish};
use leveret::protocol::{basic, channel, connection, tx};

use crate::session::{Sent, Session, negotiated};

fn limited(high: usize, low: usize, max_unconfirmed: Option<u32>) -> Session {
    Session::with(negotiated(), |settings| {
        settings.high_water = high;
        settings.low_water = low;
        settings.max_unconfirmed = max_unconfirmed;
    })
}

fn wait(session: &mut Session, key: ChannelKey) -> WaiterId {
    wait_with(session, key, "waits", None).0
}

/// Puts a message in line at the gate.
fn wait_with(session: &mut Session, key: ChannelKey, body: &str, confirm: Option<WaiterId>) -> (WaiterId, GatePlace) {
    let waiter = session.waiter();
    let body = Body::from(body);
    let publish = Publish { exchange: b"", routing_key: b"key", mandatory: false, properties: None, body: &body };
    (waiter, session.engine.wait_to_publish(key, &publish, confirm, waiter).unwrap())
}

fn is_open(session: &Session, key: ChannelKey) -> bool {
    session.engine.admission(key) == Ok(Admission::Open)
}

/// Who was let in since the last look, in order.
fn admitted(session: &mut Session) -> Vec<WaiterId> {
    let admitted = |(waiter, completion)| matches!(completion, Completion::Published).then_some(waiter);
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
    assert_eq!(admitted(&mut session), []);
    session.ack(1, 2, false);
    assert_eq!(admitted(&mut session), [waiters[1]]);
    session.ack(2, 1, false);
    assert_eq!(admitted(&mut session), [waiters[2]]);
    session.ack(1, 3, false);
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
    assert_eq!(session.engine.unconfirmed(), 3);
}

#[test]
fn a_channel_that_goes_away_makes_room_for_others() {
    let mut session = limited(1 << 20, 1 << 19, Some(1));
    let (one, two) = (session.confirming(), session.confirming());
    session.publish(one, "in flight");
    let (gone, stays) = (wait(&mut session, one), wait(&mut session, two));
    session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND));
    assert_eq!(session.closed(gone).1, Fate::NotSent);
    assert!(matches!(session.heard(stays), Completion::Published));
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
    session.sent();
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
    session.say(1, channel::Flow::default().active(true));
    assert_eq!(admitted(&mut session), [stopped]);
}

#[test]
fn whoever_leaves_the_gate_is_passed_over() {
    let mut session = Session::open();
    let key = session.channel();
    block(&mut session);
    let (gone, leaves) = wait_with(&mut session, key, "leaves", None);
    let (waiter, stays) = wait_with(&mut session, key, "stays", None);
    session.sent();
    session.engine.forget(gone, WaitsFor::Turn(leaves));
    unblock(&mut session);
    assert_eq!(admitted(&mut session), [waiter]);
    session.engine.forget(waiter, WaitsFor::Turn(stays));
    assert_eq!(bodies(&mut session), ["stays"], "its turn had come");
}

/// The bodies that were published since the last look.
fn bodies(session: &mut Session) -> Vec<String> {
    let body = |sent| match sent {
        Sent::Body(_, body) => Some(String::from_utf8(body.to_vec()).unwrap()),
        _ => None,
    };
    session.sent().into_iter().filter_map(body).collect()
}

#[test]
fn a_message_that_nobody_looks_after_is_published_in_its_turn_and_holds_up_nobody() {
    let mut session = limited(1 << 20, 1 << 19, Some(1));
    let (one, two) = (session.confirming(), session.confirming());
    session.publish(one, "in flight");
    let kept = session.waiter();
    wait_with(&mut session, one, "kept", Some(kept));
    let last = session.waiter();
    wait_with(&mut session, two, "last", Some(last));
    session.ack(1, 1, false);
    assert_eq!(bodies(&mut session), ["in flight", "kept"]);
    session.ack(1, 2, false);
    assert_eq!(bodies(&mut session), ["last"]);
    session.ack(2, 1, false);
    for waiter in [kept, last] {
        assert!(matches!(session.confirmation(waiter), Confirmation::Ack));
    }
}

#[test]
fn a_crowd_is_let_in_by_and_by_and_in_order() {
    let mut session = Session::open();
    let key = session.channel();
    block(&mut session);
    let crowd: Vec<String> = (0..50).map(|number| format!("{number:04000}")).collect();
    for body in &crowd {
        wait_with(&mut session, key, body, None);
    }
    unblock(&mut session);
    let first = session.engine.untaken();
    assert!((64 * 1024..80 * 1024).contains(&first), "{first} bytes under one hold of the lock");
    assert!(!is_open(&session, key), "nobody passes those who wait");
    let mut published = Vec::new();
    while published.len() < crowd.len() {
        published.extend(bodies(&mut session));
    }
    assert!(published == crowd && is_open(&session, key));
}

#[test]
fn a_message_that_waits_on_a_stopped_channel_closes_the_gate_for_no_other() {
    let mut session = Session::open();
    let (one, two) = (session.channel(), session.channel());
    session.say(1, channel::Flow::default().active(false));
    wait_with(&mut session, one, "first", None);
    wait_with(&mut session, one, "second", None);
    assert!(is_open(&session, two) && !is_open(&session, one));
    session.say(1, channel::Flow::default().active(true));
    assert_eq!(bodies(&mut session), ["first", "second"]);
}

#[test]
fn a_message_whose_turn_comes_behind_an_unanswered_commit_is_held_with_its_channel() {
    let mut session = Session::open();
    let key = session.channel();
    block(&mut session);
    let waiter = wait(&mut session, key);
    session.call(key, tx::Commit::default());
    unblock(&mut session);
    assert_eq!(admitted(&mut session), [waiter]);
    assert_eq!(bodies(&mut session), [""; 0], "a broker closes the connection at it");
    assert!(session.engine.queued() > 0);
    session.say(1, tx::CommitOk::default());
    assert_eq!(bodies(&mut session), ["waits"]);
    assert_eq!(session.engine.queued(), 0);
}
