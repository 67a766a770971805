//! Heartbeats, both ways: half an interval of silence sends one, two intervals of the broker's end
//! the connection.

use std::time::Duration;

use leveret::engine::{Fate, Initiator, Negotiated, Reason};
use leveret::protocol::{queue, tx};
use leveret_test_support::frames::raw_frame;

use crate::session::{Sent, Session, negotiated};

fn beating() -> Session {
    Session::with(Negotiated { heartbeat: 10, ..negotiated() }, |_| {})
}

const HALF: Duration = Duration::from_secs(5);

/// The broker's heartbeat.
fn beat(session: &mut Session) {
    session.octets(&raw_frame(8, 0, &[]));
}

#[test]
fn half_an_interval_without_a_write_sends_a_heartbeat() {
    let mut session = beating();
    assert_eq!(session.engine.poll_deadline(), Some(session.now + HALF));
    session.pass(HALF - Duration::from_millis(1));
    assert_eq!(session.sent(), []);
    session.pass(Duration::from_millis(1));
    assert_eq!(session.sent(), [Sent::Heartbeat]);
    assert_eq!(session.engine.poll_deadline(), Some(session.now + HALF));
}

#[test]
fn a_write_puts_the_next_heartbeat_off_when_the_socket_accepts_it() {
    let mut session = beating();
    let key = session.channel();
    session.publish(key, "body");
    session.take();
    session.now += Duration::from_secs(3);
    assert_eq!(session.engine.poll_deadline(), Some(session.now + Duration::from_secs(2)), "queued is not sent");
    session.written(1);
    assert_eq!(session.engine.poll_deadline(), Some(session.now + HALF));
}

#[test]
fn a_stalled_socket_gathers_no_heartbeats() {
    let mut session = beating();
    let key = session.channel();
    session.publish(key, "body");
    let taken = session.take();
    for _ in 0..3 {
        session.pass(HALF);
        beat(&mut session);
    }
    assert_eq!(session.engine.untaken(), 0, "what waits for the socket is sign enough");
    session.written(taken);
    session.pass(HALF);
    assert_eq!(session.engine.untaken(), 8);
}

#[test]
fn two_intervals_without_an_octet_from_the_broker_end_the_connection() {
    let mut session = beating();
    let key = session.channel();
    let waiter = session.call(key, queue::Declare::default());
    session.sent();
    for _ in 0..3 {
        session.pass(HALF);
        assert_eq!(session.sent(), [Sent::Heartbeat]);
    }
    session.pass(HALF - Duration::from_millis(1));
    assert!(session.is_waiting(waiter));
    session.pass(Duration::from_millis(1));
    let (closure, fate) = session.closed(waiter);
    assert_eq!(
        (&closure.reason, closure.initiator(), fate),
        (&Reason::HeartbeatsMissed, Initiator::Client, Fate::Unknown)
    );
    assert!(session.engine.is_lost());
    assert_eq!(session.engine.poll_deadline(), None);
}

#[test]
fn any_octet_of_the_brokers_counts_as_a_sign_of_life() {
    let mut session = beating();
    let heartbeat = raw_frame(8, 0, &[]);
    for octet in heartbeat.iter().cycle().take(40) {
        session.pass(Duration::from_secs(19));
        session.octets(&[*octet]);
    }
    assert_eq!(session.engine.closure(), None);
    session.pass(Duration::from_secs(20));
    assert_eq!(session.engine.closure().unwrap().reason, Reason::HeartbeatsMissed);
}

#[test]
fn heartbeats_flow_both_ways_for_as_long_as_both_sides_live() {
    let mut session = beating();
    for _ in 0..100 {
        session.pass(HALF);
        assert_eq!(session.sent(), [Sent::Heartbeat]);
        beat(&mut session);
    }
    assert_eq!(session.engine.closure(), None);
}

#[test]
fn a_heartbeat_goes_out_while_the_broker_blocks_and_while_a_call_waits() {
    let mut session = beating();
    let key = session.channel();
    session.call(key, queue::Declare::default());
    session.say(0, leveret::protocol::connection::Blocked::default().reason("low on memory"));
    session.sent();
    session.pass(HALF);
    assert_eq!(session.sent(), [Sent::Heartbeat]);
}

#[test]
fn without_heartbeats_silence_lasts_for_ever() {
    let mut session = Session::open();
    assert_eq!(session.engine.poll_deadline(), None);
    session.pass(Duration::from_secs(1_000_000));
    assert_eq!((session.sent(), session.engine.closure()), (vec![], None));
}

#[test]
fn the_shortest_interval_still_leaves_time_to_act() {
    let mut session = Session::with(Negotiated { heartbeat: 1, ..negotiated() }, |_| {});
    assert_eq!(session.engine.poll_deadline(), Some(session.now + Duration::from_millis(500)));
    session.pass(Duration::from_millis(500));
    assert_eq!(session.sent(), [Sent::Heartbeat]);
    assert!(session.engine.poll_deadline().unwrap() > session.now);
}

#[test]
fn what_waits_for_a_commit_is_no_sign_of_life() {
    let mut session = beating();
    let key = session.channel();
    session.call(key, tx::Commit::default());
    session.call(key, queue::Declare::default());
    session.sent();
    session.pass(HALF);
    assert_eq!(session.sent(), [Sent::Heartbeat]);
}
