//! Consumers that do not keep up: when reading pauses and when it may not, and who ends when that
//! lasts too long.

use std::time::Duration;

use leveret::config::Secret;
use leveret::engine::{
    ChannelKey, ChannelNotice, ConnectionNotice, ConsumerEnd, ConsumerKey, Delivery, Interest, Negotiated, Taken,
    WaiterId,
};
use leveret::frame::{Body, Publish};
use leveret::protocol::{basic, channel, connection, queue};
use leveret::{ReplyCode, ShortString};
use leveret_test_support::frames::raw_frame;

use crate::session::{Sent, Session, negotiated, sent};

const LIMIT: usize = 10_000;

const GRACE: Duration = Duration::from_secs(15);

/// Bytes of a body.
const LEN: usize = 1000;

fn limited() -> (Session, ChannelKey) {
    let mut session = Session::with(negotiated(), |settings| settings.read_limit = LIMIT);
    let key = session.channel();
    (session, key)
}

/// A consumer that somebody listens to.
fn listened(session: &mut Session, key: ChannelKey, tag: &str, no_ack: bool) -> (ConsumerKey, WaiterId) {
    let consumer = session.consumer(key, tag, no_ack);
    let listener = session.waiter();
    assert_eq!(session.take_deliveries(consumer, listener).1, Taken::Nothing);
    (consumer, listener)
}

fn deliver(session: &mut Session, tag: &str, delivery_tag: u64) {
    session.deliver(1, tag, delivery_tag, &"m".repeat(LEN));
}

/// Delivers messages on channel 1, from a delivery tag on, until reading pauses; gives the first
/// tag that was not used.
fn flood(session: &mut Session, tag: &str, from: u64) -> u64 {
    for delivery_tag in from..from + 1000 {
        if !session.engine.poll_reading(session.now) {
            return delivery_tag;
        }
        deliver(session, tag, delivery_tag);
    }
    panic!("reading does not pause")
}

fn cancel(tag: &str) -> Sent {
    sent(1, basic::Cancel::default().consumer_tag(tag))
}

fn cancel_ok(tag: &str) -> basic::CancelOk {
    basic::CancelOk::default().consumer_tag(tag)
}

/// Everything up to a tag goes back.
fn all_back(delivery_tag: u64) -> Sent {
    sent(1, basic::Nack::default().delivery_tag(delivery_tag).multiple(true).requeue(true))
}

fn tags(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.delivery_tag).collect()
}

#[track_caller]
fn assert_overflowed(taken: &Taken) {
    let Taken::End(ConsumerEnd::Overflowed { waited, limit }) = taken else { panic!("{taken:?}") };
    assert!(*waited > 0 && *limit == LIMIT as u64, "{taken:?}");
}

#[test]
fn reading_pauses_over_the_limit_and_goes_on_when_messages_are_taken() {
    for no_ack in [false, true] {
        let (mut session, key) = limited();
        let (consumer, listener) = listened(&mut session, key, "c", no_ack);
        let next = flood(&mut session, "c", 1);
        let waiting = session.engine.leftovers().undelivered as usize;
        assert!(waiting > LIMIT && waiting < LIMIT + 2 * LEN, "{waiting} bytes");
        assert!(waiting > (next - 2) as usize * LEN, "each counts but for the first");
        assert_eq!(tags(&session.take_deliveries(consumer, listener).0), (1..next).collect::<Vec<_>>());
        assert!(session.engine.poll_reading(session.now));
        session.pass(GRACE);
        assert_eq!(session.sent(), [], "the consumer goes on");
        flood(&mut session, "c", next);
    }
}

#[test]
fn one_message_of_any_size_may_wait_for_a_consumer() {
    let (mut session, key) = limited();
    let (consumer, listener) = listened(&mut session, key, "c", false);
    let large = "m".repeat(100 * LIMIT);
    session.deliver(1, "c", 1, &large);
    deliver(&mut session, "c", 2);
    assert!(session.engine.poll_reading(session.now));
    session.pass(GRACE);
    assert_eq!(tags(&session.take_deliveries(consumer, listener).0), [1, 2]);
}

#[test]
fn a_consumer_that_falls_behind_takes_its_messages_in_parts_each_of_which_makes_room() {
    let mut session = Session::with(negotiated(), |settings| settings.read_limit = 20 * LIMIT);
    let key = session.channel();
    let (consumer, listener) = listened(&mut session, key, "c", false);
    let next = flood(&mut session, "c", 1);
    let mut taken = Vec::new();
    loop {
        let (part, _) = session.take_deliveries(consumer, listener);
        if part.is_empty() {
            break;
        }
        assert!(part.len() < 100, "{} deliveries", part.len());
        assert!(session.engine.poll_reading(session.now));
        taken.extend(tags(&part));
    }
    assert_eq!(taken, (1..next).collect::<Vec<_>>());
}

/// Something that is awaited, and how it ends.
type Awaited = (&'static str, fn(&mut Session, ChannelKey), fn(&mut Session, ChannelKey));

const AWAITED: [Awaited; 7] = [
    (
        "a call",
        |session, key| {
            session.call(key, queue::Declare::default());
        },
        |session, key| session.say(key.number, queue::DeclareOk::default()),
    ),
    (
        "a channel that opens",
        |session, _| {
            let waiter = session.waiter();
            session.engine.open_channel(waiter, session.now).unwrap();
        },
        |session, _| session.say(2, channel::OpenOk::default()),
    ),
    (
        "a channel that closes",
        |session, _| {
            let key = session.channel();
            let now = session.now;
            session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "", None, now).unwrap();
        },
        |session, _| {
            session.sent();
            session.say(2, channel::CloseOk::default());
        },
    ),
    (
        "a confirm",
        |session, _| {
            let key = session.confirming();
            session.publish(key, "m");
        },
        |session, _| session.ack(2, 1, false),
    ),
    (
        "a new secret",
        |session, _| {
            let waiter = session.waiter();
            session.engine.update_secret(&Secret::from("s"), "r", waiter, session.now).unwrap();
        },
        |session, _| session.say(0, connection::UpdateSecretOk::default()),
    ),
    (
        "the end of a block",
        |session, _| session.say(0, connection::Blocked::default().reason("disk")),
        |session, _| session.say(0, connection::Unblocked::default()),
    ),
    (
        "a publish that waits for the flow of its channel",
        |session, key| {
            session.say(key.number, channel::Flow::default().active(false));
            let waiter = session.waiter();
            let body = Body::from("m");
            let publish = Publish { exchange: b"", routing_key: b"q", mandatory: false, properties: None, body: &body };
            session.engine.wait_to_publish(key, &publish, None, waiter).unwrap();
        },
        |session, key| session.say(key.number, channel::Flow::default().active(true)),
    ),
];

#[test]
fn reading_does_not_pause_while_something_is_awaited_that_only_reading_can_bring() {
    for (what, begin, end) in AWAITED {
        let (mut session, key) = limited();
        listened(&mut session, key, "c", true);
        flood(&mut session, "c", 1);
        begin(&mut session, key);
        session.sent();
        assert!(session.engine.poll_reading(session.now), "{what} is awaited");
        end(&mut session, key);
        assert_eq!(session.engine.closure(), None, "{what}");
        assert!(!session.engine.poll_reading(session.now), "{what} is awaited no more");
    }
}

#[test]
fn a_connection_that_closes_is_read_to_its_end() {
    let (mut session, key) = limited();
    listened(&mut session, key, "c", false);
    let next = flood(&mut session, "c", 1);
    let closing = session.close();
    session.sent();
    for tag in next..next + 50 {
        assert!(session.engine.poll_reading(session.now));
        deliver(&mut session, "c", tag);
    }
    assert_eq!(session.engine.leftovers().undelivered, 0, "nothing more is kept");
    assert_eq!(session.sent(), [], "and nothing is sent after the close");
    session.say(0, connection::CloseOk::default());
    session.heard(closing);
}

#[test]
fn heartbeats_go_out_in_a_pause_and_those_of_the_peer_are_read_before_they_are_missed() {
    let mut session = Session::with(Negotiated { heartbeat: 10, ..negotiated() }, |settings| {
        settings.read_limit = LIMIT;
        settings.overflow_timeout = Duration::from_secs(10_000);
    });
    let key = session.channel();
    listened(&mut session, key, "c", true);
    flood(&mut session, "c", 1);
    let drained = session.now;
    session.now += Duration::from_secs(5);
    session.engine.handle_timeout(session.now, drained);
    assert_eq!(session.sent(), [Sent::Heartbeat]);
    assert!(!session.engine.poll_reading(session.now));
    session.now += Duration::from_secs(3600);
    session.engine.handle_timeout(session.now, drained);
    assert_eq!(session.engine.closure(), None);
    assert!(session.engine.poll_reading(session.now), "what has arrived is read before it is judged");
    session.octets(&raw_frame(8, 0, &[]));
    assert!(!session.engine.poll_reading(session.now));
}

#[test]
fn the_consumer_for_which_most_waits_ends_after_the_grace_time_and_what_waits_for_it_goes_back() {
    let (mut session, key) = limited();
    let other = session.channel();
    let (small, small_listener) = listened(&mut session, other, "small", false);
    let (large, large_listener) = listened(&mut session, key, "large", false);
    session.deliver(2, "small", 1, "m");
    session.deliver(2, "small", 2, "m");
    let next = flood(&mut session, "large", 1);
    session.readable();
    assert_eq!(session.engine.poll_deadline(), Some(session.now + GRACE));
    session.pass(GRACE - Duration::from_millis(1));
    assert_eq!(session.sent(), []);
    session.pass(Duration::from_millis(1));
    assert_eq!((session.sent(), session.engine.poll_deadline()), (vec![cancel("large")], None));
    assert!(session.engine.poll_reading(session.now));
    assert_overflowed(&session.take_deliveries(large, large_listener).1);

    deliver(&mut session, "large", next);
    assert_eq!(session.sent(), [], "what still arrives goes back with the rest");
    session.say(1, cancel_ok("large"));
    assert_eq!(session.sent(), [all_back(next)]);
    assert_overflowed(&session.take_deliveries(large, large_listener).1);
    session.consumer(key, "large", false);

    let (deliveries, taken) = session.take_deliveries(small, small_listener);
    assert_eq!((tags(&deliveries), taken), (vec![1, 2], Taken::Nothing));
}

#[test]
fn the_listener_of_a_consumer_that_overflowed_is_notified() {
    let (mut session, key) = limited();
    let (_, listener) = listened(&mut session, key, "c", false);
    let waiter = session.waiter();
    session.engine.observe_channel(key, waiter, Interest::Everything);
    flood(&mut session, "c", 1);
    assert_eq!(session.readable(), [listener]);
    session.pass(GRACE);
    assert_eq!(session.readable(), [waiter], "the listener was notified before and has not looked");
    let overflowed = ChannelNotice::ConsumerOverflowed(ShortString::from_static("c"));
    assert_eq!(session.engine.take_channel_notice(key, waiter), Some(overflowed));
}

#[test]
fn the_grace_time_begins_anew_each_time_that_less_waits() {
    let (mut session, key) = limited();
    let (consumer, listener) = listened(&mut session, key, "c", true);
    let mut next = 1;
    for _ in 0..10 {
        next = flood(&mut session, "c", next);
        session.pass(GRACE - Duration::from_secs(1));
        session.take_deliveries(consumer, listener);
    }
    assert_eq!((session.sent(), session.engine.poll_deadline()), (vec![], None));
}

#[test]
fn without_acknowledgements_what_waited_is_handed_out_before_the_error_and_nothing_after_it() {
    let (mut session, key) = limited();
    let (consumer, listener) = listened(&mut session, key, "c", true);
    let next = flood(&mut session, "c", 1);
    session.pass(GRACE);
    assert_eq!(session.sent(), [cancel("c")]);
    deliver(&mut session, "c", next);
    assert_eq!(session.engine.leftovers().undelivered, 0);
    let (deliveries, taken) = session.take_deliveries(consumer, listener);
    assert_eq!((tags(&deliveries), taken), ((1..next).collect::<Vec<_>>(), Taken::Nothing));
    assert_overflowed(&session.take_deliveries(consumer, listener).1);
    session.engine.drop_consumer(consumer, [], None);
    session.say(1, cancel_ok("c"));
    assert_eq!((session.sent(), session.engine.closure()), (vec![], None));
}

#[test]
fn at_twice_the_limit_the_consumer_ends_at_once_and_nothing_more_is_kept() {
    let (mut session, key) = limited();
    let (consumer, listener) = listened(&mut session, key, "c", false);
    let call = session.call(key, queue::Declare::default().queue("q"));
    session.sent();
    let mut last = 0;
    while session.engine.untaken() == 0 {
        assert!(session.engine.poll_reading(session.now), "an answer is awaited");
        last += 1;
        deliver(&mut session, "c", last);
    }
    assert!((2 * LIMIT / 1200..=2 * LIMIT / LEN + 1).contains(&(last as usize)), "{last} messages");
    assert_eq!(session.sent(), [cancel("c")]);
    for _ in 0..100 {
        last += 1;
        deliver(&mut session, "c", last);
    }
    assert_eq!(session.engine.leftovers().undelivered, 0);
    session.say(1, queue::DeclareOk::default());
    session.reply(call);
    session.say(1, cancel_ok("c"));
    assert_eq!(session.sent(), [all_back(last)]);
    assert_overflowed(&session.take_deliveries(consumer, listener).1);
}

#[test]
fn a_consumer_that_overflowed_and_is_dropped_gives_back_everything_at_cancel_ok() {
    let (mut session, key) = limited();
    let (consumer, _) = listened(&mut session, key, "c", false);
    let next = flood(&mut session, "c", 1);
    session.pass(GRACE);
    let waiter = session.waiter();
    session.engine.drop_consumer(consumer, [], Some((waiter, session.now)));
    assert_eq!(session.sent(), [cancel("c")], "it is cancelled once");
    deliver(&mut session, "c", next);
    session.say(1, cancel_ok("c"));
    assert_eq!(session.sent(), [all_back(next)]);
    session.heard(waiter);
}

#[test]
fn a_consumer_that_overflowed_before_anybody_took_it_tells_who_takes_it() {
    let (mut session, key) = limited();
    session.consumer(key, "c", false);
    flood(&mut session, "c", 1);
    session.pass(GRACE);
    let consumer = session.engine.claim_consumer(key, &"c".into()).unwrap();
    let listener = session.waiter();
    assert_overflowed(&session.take_deliveries(consumer, listener).1);
}

#[test]
fn a_consumer_that_overflows_before_consume_ok_is_cancelled_after_it() {
    let (mut session, key) = limited();
    let waiter = session.call(key, basic::Consume::default().queue("q").consumer_tag("c"));
    session.sent();
    for tag in 1..=50 {
        deliver(&mut session, "c", tag);
    }
    assert_eq!((session.sent(), session.engine.leftovers().undelivered), (vec![], 0));
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    let consumer = session.reply(waiter).consumer.unwrap();
    assert_eq!(session.sent(), [cancel("c")]);
    let listener = session.waiter();
    assert_overflowed(&session.take_deliveries(consumer, listener).1);
    session.say(1, cancel_ok("c"));
    assert_eq!(session.sent(), [all_back(50)]);
}

#[test]
fn nothing_goes_back_on_a_channel_that_the_broker_closes() {
    for is_dropped in [false, true] {
        let (mut session, key) = limited();
        let (consumer, listener) = listened(&mut session, key, "c", false);
        flood(&mut session, "c", 1);
        session.pass(GRACE);
        if is_dropped {
            session.engine.drop_consumer(consumer, [], None);
        }
        session.sent();
        session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND));
        assert_eq!(session.sent(), [sent(1, channel::CloseOk::default())]);
        if !is_dropped {
            assert_overflowed(&session.take_deliveries(consumer, listener).1);
        }
    }
}

#[test]
fn what_waits_for_a_consumer_that_is_over_does_not_count() {
    let ends: [fn(&mut Session, ChannelKey, ConsumerKey); 4] = [
        |session, _, consumer| session.engine.drop_consumer(consumer, [], None),
        |session, _, _| session.say(1, basic::Cancel::default().consumer_tag("c").no_wait(true)),
        |session, key, _| {
            session.call(key, basic::Cancel::default().consumer_tag("c"));
            session.say(1, cancel_ok("c"));
        },
        |session, _, _| session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND)),
    ];
    for (end, no_ack) in ends.into_iter().flat_map(|end| [(end, false), (end, true)]) {
        let (mut session, key) = limited();
        let (consumer, _) = listened(&mut session, key, "c", no_ack);
        flood(&mut session, "c", 1);
        end(&mut session, key, consumer);
        assert_eq!(session.engine.leftovers().undelivered, 0);
        session.sent();
        assert!(session.engine.poll_reading(session.now));
        assert_eq!(session.engine.poll_deadline(), None, "nobody else ends for it");
    }
}

#[test]
fn observers_are_notified_of_a_pause_once_and_of_its_end() {
    let (mut session, key) = limited();
    let (consumer, listener) = listened(&mut session, key, "c", true);
    let observer = session.waiter();
    session.engine.observe_connection(observer, Interest::Everything);
    flood(&mut session, "c", 1);
    let Some(ConnectionNotice::ReadingPaused { waiting }) = session.engine.take_connection_notice(observer) else {
        panic!("reading is paused")
    };
    assert_eq!(waiting, session.engine.leftovers().undelivered);
    // An answer that is awaited interrupts the pause.
    let call = session.call(key, queue::Declare::default());
    assert!(session.engine.poll_reading(session.now));
    session.say(1, queue::DeclareOk::default());
    session.reply(call);
    assert!(!session.engine.poll_reading(session.now));
    assert_eq!(session.engine.take_connection_notice(observer), None);
    session.take_deliveries(consumer, listener);
    assert_eq!(session.engine.take_connection_notice(observer), Some(ConnectionNotice::ReadingResumed));
}
