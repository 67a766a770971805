//! Users and virtual hosts that go and come while clients are connected.

use std::time::Instant;

use leveret::broker::{Permissions, State, Transport};
use leveret::protocol::{Method, ReplyCode, basic, channel, connection, queue};
use leveret_test_support::Received;

use super::peer::Peer;
use super::{broker, names};

fn log_in(broker: &mut State, now: Instant) -> Peer {
    Peer::logged_in(broker, now, "\0hare\0secret", 0, super::FRAME_MAX)
}

/// What the broker says to a user who opens a virtual host: nothing but open-ok, or a close.
fn open(broker: &mut State, now: Instant, peer: &mut Peer) -> Result<(), (ReplyCode, String)> {
    peer.say(broker, now, 0, &connection::Open::default().virtual_host("field"));
    let heard = peer.hear(broker, now);
    match &heard[..] {
        [Received::Method(0, Method::ConnectionOpenOk(_))] => Ok(()),
        [Received::Method(0, Method::ConnectionClose(close))] => Err((close.reply_code, close.reply_text.to_string())),
        other => panic!("{other:?}"),
    }
}

fn forced(text: &str) -> Result<(), (ReplyCode, String)> {
    Err((ReplyCode::CONNECTION_FORCED, text.to_owned()))
}

fn heard_close(broker: &mut State, now: Instant, peer: &mut Peer) -> Result<(), (ReplyCode, String)> {
    let heard = peer.hear(broker, now);
    match heard.last() {
        Some(Received::Method(0, Method::ConnectionClose(close))) => {
            Err((close.reply_code, close.reply_text.to_string()))
        }
        _ => panic!("{heard:?}"),
    }
}

/// A broker with the virtual host `field` and its user `hare`.
fn with_hare() -> (State, Instant) {
    let (mut broker, now) = broker();
    broker.add_virtual_host("field");
    broker.add_user("hare", "secret");
    assert!(broker.set_permissions("hare", "field", Permissions::all()));
    (broker, now)
}

#[test]
fn a_user_who_is_deleted_is_closed_and_refused_and_one_who_comes_again_needs_permission() {
    let (mut broker, now) = with_hare();
    let (mut idle, mut halfway) = (log_in(&mut broker, now), log_in(&mut broker, now));
    open(&mut broker, now, &mut idle).unwrap();
    broker.delete_user("hare");
    assert_eq!(heard_close(&mut broker, now, &mut idle), forced("CONNECTION_FORCED - user 'hare' is deleted"));
    let no_access = "NOT_ALLOWED - access to vhost 'field' refused for user 'hare'".to_owned();
    let refused = open(&mut broker, now, &mut halfway);
    assert_eq!(refused, Err((ReplyCode::NOT_ALLOWED, no_access.clone())), "a login from before does not help");

    let mut late = Peer::connect(&mut broker, now);
    late.log_in(&mut broker, now, "\0hare\0secret");
    let refused = heard_close(&mut broker, now, &mut late).unwrap_err();
    assert_eq!(refused.0, ReplyCode::ACCESS_REFUSED);
    let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                For details see the broker logfile.";
    assert_eq!(refused.1, text);

    broker.add_user("hare", "secret");
    let mut again = log_in(&mut broker, now);
    assert_eq!(open(&mut broker, now, &mut again), Err((ReplyCode::NOT_ALLOWED, no_access)));
    assert!(broker.set_permissions("hare", "field", Permissions::all()));
    let mut again = log_in(&mut broker, now);
    assert_eq!(open(&mut broker, now, &mut again), Ok(()));
}

#[test]
fn a_password_that_changes_counts_for_the_next_login_and_closes_nothing() {
    let (mut broker, now) = with_hare();
    let mut peer = log_in(&mut broker, now);
    open(&mut broker, now, &mut peer).unwrap();
    broker.add_user("hare", "another");
    peer.say(&mut broker, now, 1, &channel::Open::default());
    assert_eq!(names(&peer.hear(&mut broker, now)), ["channel.open-ok"]);
    let mut late = Peer::connect(&mut broker, now);
    late.log_in(&mut broker, now, "\0hare\0secret");
    assert_eq!(heard_close(&mut broker, now, &mut late).unwrap_err().0, ReplyCode::ACCESS_REFUSED);
    let mut late = Peer::connect(&mut broker, now);
    late.log_in(&mut broker, now, "\0hare\0another");
    assert_eq!(names(&late.hear(&mut broker, now)).last(), Some(&"connection.tune"));
}

#[test]
fn a_virtual_host_that_is_deleted_comes_again_empty_and_without_permissions() {
    let (mut broker, now) = with_hare();
    let (mut peer, mut halfway) = (log_in(&mut broker, now), log_in(&mut broker, now));
    open(&mut broker, now, &mut peer).unwrap();
    peer.say(&mut broker, now, 1, &channel::Open::default());
    peer.say(&mut broker, now, 1, &queue::Declare::default().queue("burrow").durable(true));
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue("burrow").consumer_tag("c"));
    peer.hear(&mut broker, now);
    broker.delete_virtual_host("field");
    assert_eq!(heard_close(&mut broker, now, &mut peer), forced("CONNECTION_FORCED - vhost 'field' is deleted"));
    assert_eq!(broker.transport(peer.id), Transport::Closing, "no answer is awaited");
    let missing = "NOT_ALLOWED - vhost field not found".to_owned();
    assert_eq!(open(&mut broker, now, &mut halfway), Err((ReplyCode::NOT_ALLOWED, missing)));

    broker.add_virtual_host("field");
    assert!(broker.queues("field").is_empty());
    let mut again = log_in(&mut broker, now);
    assert!(open(&mut broker, now, &mut again).is_err(), "permissions went with it");
    assert!(broker.set_permissions("hare", "field", Permissions::all()));
    let mut again = log_in(&mut broker, now);
    assert_eq!(open(&mut broker, now, &mut again), Ok(()));
}
