//! Secrets that expire are asked for, told to the broker, and asked for again where that fails.

use std::time::Duration;

use leveret::config::Secret;
use leveret::engine::{Completion, ConnectionNotice, Interest, WaiterId, Wanted};
use leveret::protocol::{Method, connection};

use crate::session::{Sent, Session, negotiated};

const SECOND: Duration = Duration::from_secs(1);
/// How long the first secret is good for.
const TIME: Duration = Duration::from_secs(100);
/// How long a provider may take, and the broker.
const LIMIT: Duration = Duration::from_secs(3);

/// A connection whose secret expires, and who hears what becomes of that.
fn expiring() -> (Session, WaiterId) {
    let mut session = Session::with(negotiated(), |settings| settings.call_timeout = Some(LIMIT));
    let observer = session.waiter();
    session.engine.observe_connection(observer, Interest::Everything);
    session.engine.renew_secret(TIME, Some(LIMIT), session.now);
    (session, observer)
}

/// Lets time pass until a secret is wanted; how long that takes.
fn wanted(session: &mut Session) -> Duration {
    let began = session.now;
    while session.engine.poll_secret_wanted() != Wanted::Now {
        let due = session.engine.poll_deadline().expect("something is due");
        session.pass(due - session.now);
    }
    assert_eq!(session.engine.poll_secret_wanted(), Wanted::Asked, "it is asked for once");
    session.now - began
}

fn give(session: &mut Session, secret: &str, valid_for: impl Into<Option<Duration>>) {
    session.engine.handle_secret(&Secret::from(secret), valid_for.into(), session.now);
    session.gather();
}

/// The secrets that the broker was told.
fn told(session: &mut Session) -> Vec<String> {
    let secret = |sent| match sent {
        Sent::Method(0, Method::ConnectionUpdateSecret(update)) => Some(update.new_secret.to_string()),
        _ => None,
    };
    session.sent().into_iter().filter_map(secret).collect()
}

fn notices(session: &mut Session, observer: WaiterId) -> Vec<String> {
    let notice = |notice| match notice {
        ConnectionNotice::SecretUpdated => "updated".to_owned(),
        ConnectionNotice::SecretNotUpdated(why) => why,
        other => panic!("{other:?}"),
    };
    std::iter::from_fn(|| session.engine.take_connection_notice(observer)).map(notice).collect()
}

#[test]
fn a_secret_is_wanted_when_four_fifths_of_the_last_ones_time_are_over() {
    let (mut session, observer) = expiring();
    assert_eq!(wanted(&mut session), 80 * SECOND);
    give(&mut session, "second", 10 * SECOND);
    assert_eq!(told(&mut session), ["second"]);
    // The time of a secret counts from when it was given, not from the broker's answer.
    session.pass(2 * SECOND);
    session.say(0, connection::UpdateSecretOk::default());
    assert_eq!(notices(&mut session, observer), ["updated"]);
    assert_eq!(wanted(&mut session), 6 * SECOND);
}

#[test]
fn a_secret_that_lasts_is_not_renewed() {
    let (mut session, _) = expiring();
    wanted(&mut session);
    give(&mut session, "for ever", None);
    session.say(0, connection::UpdateSecretOk::default());
    assert_eq!(session.engine.poll_deadline(), None);
}

#[test]
fn whatever_fails_is_told_and_a_secret_is_wanted_again_before_the_last_one_expires() {
    let (mut session, observer) = expiring();
    assert_eq!(wanted(&mut session), 80 * SECOND);
    session.engine.handle_no_secret("the server is away".into(), session.now);
    assert_eq!(wanted(&mut session), 4 * SECOND);
    // Nobody gives one.
    assert_eq!(wanted(&mut session), LIMIT + 4 * SECOND);
    let erased = Secret::from("s");
    erased.erase();
    session.engine.handle_secret(&erased, Some(TIME), session.now);
    assert_eq!(wanted(&mut session), 4 * SECOND);
    give(&mut session, "in time", TIME);
    session.say(0, connection::UpdateSecretOk::default());
    let expected = [
        "the server is away",
        "no credentials within 3s (credentials_timeout)",
        "the new secret was erased (erase_on_connect)",
        "updated",
    ];
    assert_eq!(notices(&mut session, observer), expected);
    assert_eq!(wanted(&mut session), 80 * SECOND);
}

#[test]
fn an_answer_that_comes_too_late_is_told_and_is_nobody_elses() {
    let (mut session, observer) = expiring();
    wanted(&mut session);
    give(&mut session, "unanswered", TIME);
    assert_eq!(wanted(&mut session), LIMIT + 4 * SECOND);
    let waiter = session.waiter();
    session.engine.update_secret(&Secret::from("by hand"), "", waiter, session.now).unwrap();
    session.say(0, connection::UpdateSecretOk::default());
    assert!(session.is_waiting(waiter), "this one was for the first");
    session.say(0, connection::UpdateSecretOk::default());
    assert!(matches!(session.heard(waiter), Completion::SecretUpdated));
    let why = notices(&mut session, observer).remove(0);
    assert!(why.starts_with("no answer to connection.update-secret"), "{why}");
}

#[test]
fn what_was_not_asked_for_or_is_too_late_is_not_told_the_broker() {
    let (mut session, observer) = expiring();
    give(&mut session, "too early", TIME);
    session.engine.handle_no_secret("too early".into(), session.now);
    wanted(&mut session);
    session.pass(LIMIT);
    give(&mut session, "too late", TIME);
    assert_eq!(told(&mut session), [""; 0]);
    assert_eq!(notices(&mut session, observer).len(), 1);
}

#[test]
fn secrets_of_no_time_are_asked_for_once_a_second() {
    let mut session = Session::open();
    session.engine.renew_secret(Duration::ZERO, None, session.now);
    assert_eq!(wanted(&mut session), SECOND);
    session.engine.handle_no_secret("none".into(), session.now);
    assert_eq!(wanted(&mut session), SECOND);
    // One that is good for longer than any clock shows lasts.
    give(&mut session, "lasting", Duration::MAX);
    session.say(0, connection::UpdateSecretOk::default());
    assert_eq!(session.engine.poll_deadline(), None);
}

#[test]
fn a_connection_that_closes_wants_no_secret() {
    let (mut session, _) = expiring();
    wanted(&mut session);
    session.close();
    assert_eq!(session.engine.poll_secret_wanted(), Wanted::No);
    session.sent();
    give(&mut session, "too late", TIME);
    assert_eq!(told(&mut session), [""; 0]);
    session.say(0, connection::CloseOk::default());
    session.pass(1000 * SECOND);
    assert_eq!(session.engine.poll_secret_wanted(), Wanted::No);
}

#[test]
fn a_secret_is_not_wanted_any_more_when_it_is_there_or_its_time_is_over() {
    let (mut session, _) = expiring();
    assert_eq!(session.engine.poll_secret_wanted(), Wanted::No);
    wanted(&mut session);
    session.pass(LIMIT - Duration::from_millis(1));
    assert_eq!(session.engine.poll_secret_wanted(), Wanted::Asked);
    session.pass(Duration::from_millis(1));
    assert_eq!(session.engine.poll_secret_wanted(), Wanted::No);
    wanted(&mut session);
    give(&mut session, "in time", TIME);
    assert_eq!(session.engine.poll_secret_wanted(), Wanted::No);
}
