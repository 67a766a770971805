//! What a connection and its channels tell of themselves: states, notices, their end; and
//! connections that stay blocked.

use std::time::Duration;

use leveret::engine::{
    ChannelNotice, ChannelState, ConnectionNotice, ConnectionState, Initiator, Interest, Reason, WaiterId,
};
use leveret::protocol::{Method, basic, channel, connection};
use leveret::{ReplyCode, ShortString};

use crate::session::{Sent, Session, closed, negotiated, sent};

/// Everything that somebody hears of the connection.
fn heard(session: &mut Session, waiter: WaiterId) -> Vec<ConnectionNotice> {
    std::iter::from_fn(|| session.engine.take_connection_notice(waiter)).collect()
}

fn observe(session: &mut Session, interest: Interest) -> WaiterId {
    let waiter = session.waiter();
    session.engine.observe_connection(waiter, interest);
    waiter
}

fn blocked(reason: &str) -> connection::Blocked {
    connection::Blocked::default().reason(reason)
}

#[test]
fn a_connection_tells_its_state_at_each_turn_of_its_life() {
    let mut session = Session::open();
    assert_eq!(session.engine.connection_state(), ConnectionState::Open);
    session.say(0, blocked("disk"));
    assert_eq!(session.engine.connection_state(), ConnectionState::Blocked);
    session.say(0, connection::Unblocked::default());
    assert_eq!(session.engine.connection_state(), ConnectionState::Open);
    session.close();
    assert_eq!(session.engine.connection_state(), ConnectionState::Closing);
    session.sent();
    session.say(0, connection::CloseOk::default());
    assert_eq!(session.engine.connection_state(), ConnectionState::Closed);
}

#[test]
fn a_channel_tells_its_state_at_each_turn_of_its_life() {
    let mut session = Session::open();
    let key = session.channel();
    assert_eq!(session.engine.channel_state(key), ChannelState::Open);
    session.say(1, channel::Flow::default().active(false));
    assert_eq!(session.engine.channel_state(key), ChannelState::Stopped);
    session.say(1, channel::Flow::default().active(true));
    assert_eq!(session.engine.channel_state(key), ChannelState::Open);
    let now = session.now;
    session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "enough", None, now).unwrap();
    assert_eq!(session.engine.channel_state(key), ChannelState::Closing);
    session.sent();
    session.say(1, channel::CloseOk::default());
    assert_eq!(session.engine.channel_state(key), ChannelState::Closed);

    let other = session.channel();
    session.close();
    assert_eq!(session.engine.channel_state(other), ChannelState::Closing);
    session.lose();
    assert_eq!(session.engine.channel_state(other), ChannelState::Closed);
}

#[test]
fn who_observes_hears_everything_in_order_and_the_end_once() {
    let mut session = Session::open();
    let everything = observe(&mut session, Interest::Everything);
    let end = observe(&mut session, Interest::End);
    session.say(0, blocked("disk"));
    session.say(0, blocked("memory"));
    session.say(0, connection::Unblocked::default());
    assert_eq!(session.readable(), [everything; 3]);
    session.lose();
    session.engine.handle_driver_gone();
    assert_eq!(session.readable(), [everything, end]);

    let closure = session.engine.closure().cloned().unwrap();
    assert_eq!(closure.reason, Reason::EndOfStream);
    let expected = [
        ConnectionNotice::Blocked("disk".into()),
        ConnectionNotice::Blocked("memory".into()),
        ConnectionNotice::Unblocked,
        ConnectionNotice::Closed(closure.clone()),
    ];
    assert_eq!(heard(&mut session, everything), expected);
    assert_eq!(heard(&mut session, end), [ConnectionNotice::Closed(closure.clone())]);
    let late = observe(&mut session, Interest::End);
    assert_eq!(heard(&mut session, late), [ConnectionNotice::Closed(closure)], "who comes late hears it too");
}

#[test]
fn an_unblock_without_a_block_is_no_news() {
    let mut session = Session::open();
    let everything = observe(&mut session, Interest::Everything);
    session.say(0, connection::Unblocked::default());
    assert_eq!(heard(&mut session, everything), []);
}

#[test]
fn who_observes_a_channel_hears_of_flow_cancels_and_the_end_though_no_handle_is_left() {
    let mut session = Session::open();
    let (key, other) = (session.channel(), session.channel());
    session.consumer(key, "c", false);
    let waiter = session.waiter();
    session.engine.observe_channel(key, waiter, Interest::Everything);
    session.say(1, channel::Flow::default().active(false));
    session.say(1, channel::Flow::default().active(true));
    session.say(1, basic::Cancel::default().consumer_tag("c").no_wait(true));
    session.engine.release_channel(key);
    session.engine.release_channel(other);
    session.sent();
    session.say(1, channel::CloseOk::default());
    let notices: Vec<_> = std::iter::from_fn(|| session.engine.take_channel_notice(key, waiter)).collect();
    let cancelled = ChannelNotice::ConsumerCancelled(ShortString::from_static("c"));
    assert_eq!(notices[..3], [ChannelNotice::Stopped, ChannelNotice::Resumed, cancelled]);
    assert!(matches!(&notices[3..], [ChannelNotice::Closed(closure)] if closure.is_requested()), "{notices:?}");
}

#[test]
fn the_end_of_a_channel_is_its_own_cause_and_the_end_of_its_connection_that_ones() {
    let mut session = Session::open();
    let (refused, lost) = (session.channel(), session.channel());
    let (first, second) = (session.waiter(), session.waiter());
    session.engine.observe_channel(refused, first, Interest::End);
    session.engine.observe_channel(lost, second, Interest::End);
    session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND).reply_text("no queue"));
    session.lose();
    let Some(ChannelNotice::Closed(closure)) = session.engine.take_channel_notice(refused, first) else { panic!() };
    assert_eq!((closure.initiator(), closure.reply_code), (Initiator::Broker, Some(ReplyCode::NOT_FOUND)));
    let Some(ChannelNotice::Closed(closure)) = session.engine.take_channel_notice(lost, second) else { panic!() };
    assert_eq!(closure.reason, Reason::EndOfStream);
    let late = session.waiter();
    session.engine.observe_channel(refused, late, Interest::End);
    assert!(session.engine.take_channel_notice(refused, late).is_some(), "who comes late hears it too");
}

#[test]
fn a_connection_that_is_blocked_for_too_long_is_given_up_and_one_that_is_unblocked_in_time_is_not() {
    let mut session = Session::with(negotiated(), |settings| settings.blocked_timeout = Some(Duration::from_secs(10)));
    session.say(0, blocked("disk"));
    session.pass(Duration::from_secs(9));
    session.say(0, connection::Unblocked::default());
    session.pass(Duration::from_secs(3600));
    assert_eq!(session.engine.connection_state(), ConnectionState::Open);

    session.say(0, blocked("disk"));
    session.pass(Duration::from_secs(6));
    // Another reason for the same block moves nothing.
    session.say(0, blocked("memory"));
    assert_eq!(session.engine.poll_deadline(), Some(session.now + Duration::from_secs(4)));
    let now = session.now;
    let waiting = session.waiter();
    let key = session.engine.open_channel(waiting, now).unwrap();
    session.pass(Duration::from_secs(4));
    let (closure, _) = session.closed(waiting);
    assert_eq!((closure.reason, session.engine.channel_state(key)), (Reason::BlockedTooLong, ChannelState::Closed));
    assert!(session.engine.is_lost(), "nothing can be said to a broker that does not read");
}

#[test]
fn without_a_limit_a_connection_may_be_blocked_for_ever() {
    let mut session = Session::open();
    session.say(0, blocked("disk"));
    assert_eq!(session.engine.poll_deadline(), None);
}

#[test]
fn limits_that_no_clock_reaches_are_as_good_as_none() {
    let mut session = Session::with(negotiated(), |settings| {
        settings.call_timeout = Some(Duration::MAX);
        settings.close_timeout = Duration::MAX;
        settings.blocked_timeout = Some(Duration::MAX);
    });
    let key = session.channel();
    session.say(0, blocked("disk"));
    let (waiter, now) = (session.waiter(), session.now);
    session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "enough", Some(waiter), now).unwrap();
    session.close();
    let later = now + Duration::from_secs(365 * 86_400);
    session.engine.handle_timeout(later, later);
    assert_eq!(session.engine.connection_state(), ConnectionState::Closing);
}

#[test]
fn a_limit_of_zero_gives_a_blocked_connection_up_at_once() {
    let mut session = Session::with(negotiated(), |settings| settings.blocked_timeout = Some(Duration::ZERO));
    session.say(0, blocked("disk"));
    session.pass(Duration::ZERO);
    assert_eq!(session.engine.connection_state(), ConnectionState::Closed);
}

/// What the detector says of what was queued since the last time.
fn detected(session: &mut Session, waiter: WaiterId) -> Vec<(u64, u64)> {
    session.gather();
    let numbers = |notice| match notice {
        ConnectionNotice::Backpressure { queued, average } => Some((queued, average)),
        ConnectionNotice::Relieved => None,
        other => panic!("{other:?}"),
    };
    heard(session, waiter).into_iter().filter_map(numbers).collect()
}

/// A connection whose detector is on, and somebody who hears it.
fn detecting(multiplier: u32) -> (Session, WaiterId) {
    let mut session = Session::with(negotiated(), |settings| settings.backpressure_multiplier = Some(multiplier));
    let waiter = observe(&mut session, Interest::Everything);
    (session, waiter)
}

/// Queues a frame of a `channel.open`, 13 octets.
fn queue_a_frame(session: &mut Session) {
    let (waiter, now) = (session.waiter(), session.now);
    session.engine.open_channel(waiter, now).unwrap();
}

#[test]
fn the_detector_speaks_from_the_eleventh_frame_on_that_nobody_drains() {
    let (mut session, waiter) = detecting(10);
    for _ in 0..10 {
        queue_a_frame(&mut session);
    }
    assert_eq!(detected(&mut session, waiter), []);
    queue_a_frame(&mut session);
    assert_eq!(detected(&mut session, waiter), [(11 * 13, 13)]);
    queue_a_frame(&mut session);
    queue_a_frame(&mut session);
    assert_eq!(detected(&mut session, waiter), [(12 * 13, 13), (13 * 13, 13)]);
}

#[test]
fn the_detector_counts_what_a_driver_took_and_the_transport_did_not_accept() {
    let (mut session, waiter) = detecting(2);
    queue_a_frame(&mut session);
    queue_a_frame(&mut session);
    assert_eq!(session.take(), 26);
    queue_a_frame(&mut session);
    assert_eq!(detected(&mut session, waiter), [(39, 13)]);
    session.take();
    session.written(39);
    for _ in 0..100 {
        queue_a_frame(&mut session);
        let count = session.take();
        session.written(count);
    }
    assert_eq!(detected(&mut session, waiter), [], "what is drained is never too much");
}

#[test]
fn who_heard_of_backpressure_hears_once_when_nothing_waits_any_more() {
    let (mut session, waiter) = detecting(2);
    for _ in 0..4 {
        queue_a_frame(&mut session);
    }
    let waiting = session.take();
    session.written(waiting - 1);
    assert_eq!(detected(&mut session, waiter), [(39, 13), (52, 13)]);
    session.written(1);
    session.gather();
    assert!(matches!(heard(&mut session, waiter)[..], [ConnectionNotice::Relieved]));
    queue_a_frame(&mut session);
    let waiting = session.take();
    session.written(waiting);
    session.gather();
    assert!(heard(&mut session, waiter).is_empty(), "nobody heard of backpressure since");
}

#[test]
fn nothing_is_told_behind_the_end() {
    let (mut session, waiter) = detecting(1);
    queue_a_frame(&mut session);
    // Its answer is one frame more that waits.
    session.say(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED));
    session.engine.tell_connection(&ConnectionNotice::SecretNotUpdated("too late".into()));
    session.gather();
    let last = heard(&mut session, waiter).pop();
    assert!(matches!(last, Some(ConnectionNotice::Closed(_))), "{last:?}");
}

#[test]
fn the_multiplier_can_be_changed_and_a_detector_that_is_off_stays_off() {
    let (mut session, waiter) = detecting(10);
    for _ in 0..3 {
        queue_a_frame(&mut session);
    }
    session.engine.set_backpressure_multiplier(3);
    queue_a_frame(&mut session);
    assert_eq!(detected(&mut session, waiter), [(52, 13)], "frames that were queued before are judged as before");

    let mut session = Session::open();
    let waiter = observe(&mut session, Interest::Everything);
    session.engine.set_backpressure_multiplier(1);
    for _ in 0..20 {
        queue_a_frame(&mut session);
    }
    assert_eq!(detected(&mut session, waiter), []);
}

#[test]
fn a_first_message_of_many_frames_is_no_false_alarm() {
    let mut large = negotiated();
    large.frame_max = 131_072;
    let mut session = Session::with(large, |settings| settings.backpressure_multiplier = Some(10));
    let waiter = observe(&mut session, Interest::Everything);
    let key = session.channel();
    let body = "x".repeat(300_000);
    session.publish(key, &body);
    assert_eq!(detected(&mut session, waiter), []);
}

#[test]
fn a_new_secret_is_sent_and_its_answer_found_by_who_asked() {
    let mut session = Session::open();
    let observer = observe(&mut session, Interest::Everything);
    let (first, second, now) = (session.waiter(), session.waiter(), session.now);
    session.engine.update_secret(&"one".into(), "expires", first, now).unwrap();
    session.engine.update_secret(&"two".into(), "", second, now).unwrap();
    let update = |secret: &'static str, reason: &'static str| {
        sent(0, connection::UpdateSecret::default().new_secret(secret).reason(reason))
    };
    assert_eq!(session.sent(), [update("one", "expires"), update("two", "")]);
    session.say(0, connection::UpdateSecretOk::default());
    assert!(session.is_waiting(second) && !session.is_waiting(first));
    assert_eq!(heard(&mut session, observer), [ConnectionNotice::SecretUpdated]);
    session.lose();
    assert_eq!(session.closed(second).0.reason, Reason::EndOfStream);
}

#[test]
fn a_new_secret_that_is_not_answered_in_time_keeps_its_place() {
    let mut session = Session::with(negotiated(), |settings| settings.call_timeout = Some(Duration::from_secs(5)));
    let (first, second) = (session.waiter(), session.waiter());
    let now = session.now;
    session.engine.update_secret(&"one".into(), "", first, now).unwrap();
    session.pass(Duration::from_secs(3));
    let now = session.now;
    session.engine.update_secret(&"two".into(), "", second, now).unwrap();
    session.pass(Duration::from_secs(2));
    assert!(session.failure(first).to_string().contains("connection.update-secret"));
    session.say(0, connection::UpdateSecretOk::default());
    assert!(session.is_waiting(second), "the answer was the first one's");
    session.say(0, connection::UpdateSecretOk::default());
    assert!(!session.is_waiting(second));
}

#[test]
fn an_answer_to_no_new_secret_breaks_the_protocol() {
    let mut session = Session::open();
    session.say(0, connection::UpdateSecretOk::default());
    let close = session.sent_close();
    assert_eq!((close.reply_code, close.class_id, close.method_id), (ReplyCode::COMMAND_INVALID, 10, 71));
}

#[test]
fn a_secret_that_fits_no_frame_is_an_error_at_the_call_and_is_sent_by_none() {
    let mut session = Session::open();
    let (waiter, now) = (session.waiter(), session.now);
    let secret = leveret::config::Secret::from("s".repeat(5000));
    let failure = session.engine.update_secret(&secret, "", waiter, now).unwrap_err();
    assert!(failure.to_string().contains("frame_max"), "{failure}");
    assert_eq!(session.sent(), []);
    session.close();
    let refused = session.engine.update_secret(&"s".into(), "", waiter, now).unwrap_err();
    assert!(closed(refused).0.is_requested());
    assert!(matches!(&session.sent()[..], [Sent::Method(0, Method::ConnectionClose(_))]));
}
