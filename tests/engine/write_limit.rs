//! The limit for what waits for the socket besides publishes.

use std::time::Duration;

use leveret::engine::{ChannelKey, Completion, ConsumerKey, Failure, Negotiated, Settle, WaitsFor};
use leveret::protocol::{Method, Request, basic, channel, queue, tx};

use crate::memory::publish;
use crate::session::{Sent, Session, negotiated};

const LIMIT: usize = 1000;

const ACK: Settle = Settle::Ack { multiple: false };

/// Deliveries that wait to be acknowledged.
const DELIVERED: u64 = 300;

/// A channel with unsettled deliveries, under a limit.
fn limited() -> (Session, ChannelKey, ConsumerKey) {
    let mut session = Session::with(Negotiated { heartbeat: 10, ..negotiated() }, |settings| {
        settings.write_limit = LIMIT;
        settings.max_message_size = 10;
    });
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    for tag in 1..=DELIVERED {
        session.deliver(1, "c", tag, "m");
    }
    (session, key, consumer)
}

/// Acknowledges from a tag on until there is no room, and gives the first tag that was refused.
fn fill(session: &mut Session, key: ChannelKey, from: u64) -> u64 {
    for tag in from..=DELIVERED {
        match session.engine.settle(key, tag, ACK) {
            Ok(()) => {}
            Err(Failure::WriteLimit { limit }) => {
                assert_eq!(limit, LIMIT as u64);
                return tag;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    panic!("the limit is not reached")
}

#[test]
fn acknowledgements_over_the_limit_are_refused_and_wait_for_room() {
    let (mut session, key, _) = limited();
    let next = fill(&mut session, key, 1);
    assert!(session.engine.queued() < LIMIT as u64 + 30);
    let waiter = session.waiter();
    session.engine.wait_for_room(waiter).unwrap();
    // A driver that takes them does not make room, nor does a socket that accepts a few.
    session.take();
    assert!(matches!(session.engine.settle(key, next, ACK), Err(Failure::WriteLimit { .. })));
    session.written(100);
    assert!(session.is_waiting(waiter));
    assert_eq!(session.sent().len(), next as usize - 1);
    assert!(matches!(session.heard(waiter), Completion::Room));
    assert_eq!(session.engine.settle(key, next, ACK), Ok(()));
}

#[test]
fn whoever_gives_up_waiting_for_room_is_forgotten() {
    let (mut session, key, _) = limited();
    fill(&mut session, key, 1);
    let waiter = session.waiter();
    session.engine.wait_for_room(waiter).unwrap();
    session.engine.forget(waiter, WaitsFor::Room);
    session.sent();
    assert!(session.is_waiting(waiter));
}

#[test]
fn whoever_waits_for_room_hears_of_the_connections_end() {
    let (mut session, key, _) = limited();
    fill(&mut session, key, 1);
    let waiter = session.waiter();
    session.engine.wait_for_room(waiter).unwrap();
    session.lose();
    session.closed(waiter);
    assert!(session.engine.wait_for_room(waiter).is_err());
}

#[test]
fn calls_over_the_limit_fail_and_nothing_of_them_is_sent() {
    let (mut session, key, _) = limited();
    fill(&mut session, key, 1);
    let queued = session.engine.queued();
    let waiter = session.waiter();
    let get = Method::from(basic::Get::default().queue("q"));
    let refused = [
        session.engine.call(key, &get, basic::Get::REPLIES, waiter, session.now),
        session.engine.send(key, &Method::from(queue::Bind::default().queue("q").no_wait(true)), true),
        session.engine.open_channel(waiter, session.now).map(drop),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(Failure::WriteLimit { .. })), "{refused:?}");
    }
    assert_eq!((session.engine.queued(), session.engine.channel_count()), (queued, 1));
    session.sent();
    session.call(key, basic::Get::default().queue("q"));
}

#[test]
fn publishes_leave_the_room_of_acknowledgements_to_them() {
    let (mut session, key, _) = limited();
    publish(&mut session, key, 100_000);
    assert_eq!(session.engine.settle(key, 1, ACK), Ok(()));
    session.take();
    publish(&mut session, key, 100_000);
    assert_eq!(session.engine.settle(key, 2, ACK), Ok(()));
    let next = fill(&mut session, key, 3);
    session.sent();
    assert_eq!(session.engine.settle(key, next, ACK), Ok(()));
}

#[test]
fn publishes_that_wait_for_a_commit_do_so_too_and_its_answer_is_read() {
    let (mut session, key, _) = limited();
    session.call(key, tx::Commit::default());
    publish(&mut session, key, 100_000);
    assert!(session.engine.poll_reading(session.now));
    assert_eq!(session.engine.settle(key, 1, ACK), Ok(()));
    session.sent();
    session.say(1, tx::CommitOk::default());
    assert_eq!(session.engine.settle(key, 2, ACK), Ok(()));
    assert!(session.sent().len() > 100_000 / 4096);
    assert_eq!(session.engine.queued(), 0);
}

#[test]
fn channels_and_connections_are_closed_whatever_waits() {
    let (mut session, key, _) = limited();
    fill(&mut session, key, 1);
    let waiter = session.waiter();
    session.engine.close_channel(key, leveret::ReplyCode::REPLY_SUCCESS, "", Some(waiter), session.now).unwrap();
    session.close();
}

/// Something that a peer may send without end, and that has to be answered: what prepares it, and
/// what is sent each time.
type Flood = (&'static str, fn(&mut Session, ChannelKey), fn(&mut Session, u64));

/// The tag of a delivery that was not there before.
fn next_tag(turn: u64) -> u64 {
    DELIVERED + 1 + turn
}

const FLOODS: [Flood; 6] = [
    ("flow-ok", |_, _| {}, |session, turn| session.say(1, channel::Flow::default().active(turn % 2 == 0))),
    ("cancel-ok", |_, _| {}, |session, _| session.say(1, basic::Cancel::default().consumer_tag("nobody"))),
    (
        "close-ok",
        |session, key| {
            let now = session.now;
            session.engine.close_channel(key, leveret::ReplyCode::REPLY_SUCCESS, "", None, now).unwrap();
            session.sent();
        },
        |session, _| session.say(1, channel::Close::default().reply_code(leveret::ReplyCode::NOT_FOUND)),
    ),
    (
        "close-ok of many channels",
        |session, _| {
            for _ in 0..500 {
                session.channel();
            }
        },
        |session, turn| {
            let number = u16::try_from(2 + turn).unwrap();
            session.say(number, channel::Close::default().reply_code(leveret::ReplyCode::NOT_FOUND));
        },
    ),
    ("rejects", |_, _| {}, |session, turn| session.deliver(1, "c", next_tag(turn), "a message over its limit")),
    (
        "nacks",
        |session, _| {
            session.say(1, basic::Cancel::default().consumer_tag("c").no_wait(true));
            session.sent();
            session.say(1, basic::CancelOk::default().consumer_tag("c"));
            session.sent();
        },
        |session, turn| session.deliver(1, "c", next_tag(turn), "stray"),
    ),
];

#[test]
fn a_peer_that_does_not_read_its_answers_gets_no_more_of_its_frames_read() {
    for (what, prepare, say) in FLOODS {
        let (mut session, key, _) = limited();
        prepare(&mut session, key);
        session.take();
        assert_eq!(session.sent(), [], "{what}");
        let mut turns = 0;
        while session.engine.poll_reading(session.now) {
            say(&mut session, turns);
            turns += 1;
            assert!(session.engine.queued() < 2 * LIMIT as u64 + 30, "{what}: {} bytes", session.engine.queued());
            assert!(turns <= 2 * LIMIT as u64 / 12 + 1, "{what}: each was answered, and none is shorter");
        }
        assert!(session.engine.queued() >= 2 * LIMIT as u64, "{what}: {} bytes", session.engine.queued());
        // A driver that takes them makes no difference, nor does a socket that accepts a few.
        session.take();
        session.written(20);
        assert!(!session.engine.poll_reading(session.now), "{what}");
        assert_eq!(session.sent().len() as u64, turns, "{what}");
        assert!(session.engine.poll_reading(session.now), "{what}");
        assert_eq!(session.engine.closure(), None, "{what}");
    }
}

#[test]
fn what_the_application_asks_for_does_not_stop_reading() {
    let (mut session, key, _) = limited();
    fill(&mut session, key, 1);
    assert!(session.engine.poll_reading(session.now));
}

#[test]
fn channels_are_opened_anew_only_as_far_as_the_peer_reads() {
    let (mut session, _, _) = limited();
    let mut opened = 0;
    let refused = loop {
        let waiter = session.waiter();
        match session.engine.open_channel(waiter, session.now) {
            Ok(key) => {
                // The peer agrees without having read, and closes it again.
                session.say(key.number, channel::OpenOk::default());
                session.say(key.number, channel::Close::default().reply_code(leveret::ReplyCode::NOT_FOUND));
                session.engine.release_channel(key);
                opened += 1;
            }
            Err(failure) => break failure,
        }
        assert!(session.engine.queued() < LIMIT as u64 + 30);
    };
    assert_eq!(refused, Failure::WriteLimit { limit: LIMIT as u64 });
    assert!(opened >= LIMIT / 28, "{opened} channels");
}

#[test]
fn the_peer_is_heard_once_more_before_it_is_given_up_for_its_silence() {
    let (mut session, key, _) = limited();
    while session.engine.poll_reading(session.now) {
        session.say(key.number, channel::Flow::default().active(false));
    }
    session.now += Duration::from_secs(20);
    assert!(session.engine.poll_reading(session.now), "two intervals have passed");
    session.octets(&[8, 0, 0, 0, 0, 0, 0, 0xCE]);
    assert!(!session.engine.poll_reading(session.now));
    session.pass(Duration::from_secs(19));
    assert_eq!(session.engine.closure(), None);
    session.pass(Duration::from_secs(1));
    assert!(session.engine.closure().is_some(), "nothing arrived");
}

#[test]
fn nothing_is_given_up_for_lack_of_input_that_a_pause_kept_from_being_read() {
    let (mut session, key, _) = limited();
    while session.engine.poll_reading(session.now) {
        session.say(key.number, channel::Flow::default().active(false));
    }
    let drained = session.now;
    session.now += Duration::from_secs(3600);
    session.engine.handle_timeout(session.now, drained);
    assert_eq!(session.engine.closure(), None);
    assert!(session.engine.poll_reading(session.now), "what has arrived is read before it is judged");
}

#[test]
fn messages_that_go_back_are_given_back_whatever_waits() {
    let (mut session, key, consumer) = limited();
    fill(&mut session, key, 1);
    session.engine.drop_consumer(consumer, [], None);
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    let requeued =
        session.sent().iter().any(|it| matches!(it, Sent::Method(1, Method::BasicNack(nack)) if nack.requeue));
    assert!(requeued);
}
