//! Time that passed without anybody reading: what arrived goes before what is given up because
//! nothing did.

use std::time::Duration;

use leveret::config::Secret;
use leveret::engine::{Completion, Failure, Negotiated, Reason};
use leveret::protocol::{channel, connection, queue};

use crate::session::{Sent, Session, negotiated};

const LATE: Duration = Duration::from_secs(3600);

/// A session in which everything that waits for input has a deadline within an hour.
fn waiting() -> Session {
    Session::with(Negotiated { heartbeat: 10, ..negotiated() }, |settings| {
        settings.call_timeout = Some(Duration::from_secs(30));
        settings.blocked_timeout = Some(Duration::from_secs(40));
    })
}

/// An hour passes, of which nothing was read.
fn pass_unread(session: &mut Session) {
    let drained = session.now;
    session.now += LATE;
    session.engine.handle_timeout(session.now, drained);
    session.gather();
    assert!(session.engine.poll_deadline().unwrap() <= session.now, "it is still due");
}

#[test]
fn nothing_is_given_up_before_what_arrived_is_read() {
    let mut session = waiting();
    let key = session.channel();
    let called = session.call(key, queue::Declare::default());
    let closing_key = session.channel();
    let closing = session.waiter();
    session
        .engine
        .close_channel(closing_key, leveret::ReplyCode::REPLY_SUCCESS, "", Some(closing), session.now)
        .unwrap();
    let secret = session.waiter();
    session.engine.update_secret(&Secret::from("s"), "r", secret, session.now).unwrap();
    session.say(0, connection::Blocked::default());
    session.sent();
    pass_unread(&mut session);
    session.say(1, queue::DeclareOk::default());
    session.say(2, channel::CloseOk::default());
    session.say(0, connection::UpdateSecretOk::default());
    session.say(0, connection::Unblocked::default());
    session.engine.handle_timeout(session.now, session.now);
    session.reply(called);
    session.heard(closing);
    session.heard(secret);
    assert_eq!(session.engine.closure(), None);
}

#[test]
fn everything_is_given_up_when_what_arrived_was_read_and_was_nothing() {
    let mut session = waiting();
    let key = session.channel();
    let called = session.call(key, queue::Declare::default());
    session.sent();
    pass_unread(&mut session);
    session.pass(Duration::ZERO);
    let (waiter, completion) = session.completions().swap_remove(0);
    assert!(matches!(completion, Completion::Failed(Failure::TimedOut("queue.declare"))) && waiter == called);
    assert_eq!(session.engine.closure().unwrap().reason, Reason::HeartbeatsMissed);
}

#[test]
fn a_close_ok_that_lies_in_the_socket_is_in_time() {
    let mut session = waiting();
    let closing = session.close();
    session.sent();
    pass_unread(&mut session);
    session.say(0, connection::CloseOk::default());
    assert!(matches!(session.heard(closing), Completion::Closed));
}

#[test]
fn heartbeats_are_sent_on_time_whether_or_not_anything_is_read() {
    let mut session = waiting();
    let drained = session.now;
    session.now += Duration::from_secs(5);
    session.engine.handle_timeout(session.now, drained);
    assert_eq!(session.sent(), [Sent::Heartbeat]);
}

#[test]
fn a_close_ok_that_cannot_be_written_is_given_up_though_nothing_is_read_any_more() {
    let mut session = waiting();
    let drained = session.now;
    session.say(0, connection::Close::default());
    session.now += Duration::from_secs(10);
    session.engine.handle_timeout(session.now, drained);
    assert!(session.engine.is_lost());
}
