//! What became of everything that was queued when a connection ends: "not sent" is never said of a
//! byte that leaves.

use std::time::Duration;

use leveret::ReplyCode;
use leveret::engine::{Completion, Fate, Negotiated, Reason, WaiterId};
use leveret::protocol::{Method, channel, connection, queue, tx};
use leveret_test_support::frames::{octets_of, raw_frame, read_all};

use crate::session::{Sent, Session, closed, negotiated, sent};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    TransportLost,
    Forced,
    Silence,
    Violation,
    OutOfStep,
    CloseTimedOut,
    CloseOk,
    DriverGone,
    Left,
}

impl Ending {
    const ALL: [Self; 9] = [
        Self::TransportLost,
        Self::Forced,
        Self::Silence,
        Self::Violation,
        Self::OutOfStep,
        Self::CloseTimedOut,
        Self::CloseOk,
        Self::DriverGone,
        Self::Left,
    ];

    /// Lets it happen; gives what a driver that leaves would still write.
    fn happen(self, session: &mut Session) -> Vec<u8> {
        match self {
            Self::TransportLost => session.lose(),
            Self::Forced => session.say(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED)),
            Self::Silence => session.pass(Duration::from_secs(20)),
            Self::Violation => session.say(0, connection::OpenOk::default()),
            Self::OutOfStep => session.octets(&raw_frame(9, 0, b"")),
            Self::CloseTimedOut => {
                session.close();
                session.pass(Duration::from_secs(10));
            }
            Self::CloseOk => {
                session.close();
                session.say(0, connection::CloseOk::default());
                session.pass(Duration::from_secs(10));
            }
            Self::DriverGone => session.engine.handle_driver_gone(),
            Self::Left => return session.engine.leave().map_or(Vec::new(), octets_of),
        }
        Vec::new()
    }
}

const MESSAGES: usize = 6;

/// Messages with bodies of their own, of which a driver took some and the transport accepted so
/// many bytes.
struct Queued {
    session: Session,
    waiting: Vec<WaiterId>,
    /// What the driver took.
    taken: Vec<u8>,
}

impl Queued {
    fn new(taken: usize, written: usize) -> Option<Self> {
        let mut session = Session::with(Negotiated { heartbeat: 10, ..negotiated() }, |_| {});
        let key = session.confirming();
        let publish = |session: &mut Session, number| session.publish(key, &body(number)).unwrap();
        let mut waiting: Vec<_> = (0..taken).map(|number| publish(&mut session, number)).collect();
        let taken_bytes = session.engine.poll_transmit().map_or(Vec::new(), octets_of);
        if written > taken_bytes.len() {
            return None;
        }
        session.engine.handle_written(written, session.now);
        waiting.extend((taken..MESSAGES).map(|number| publish(&mut session, number)));
        Some(Self { session, waiting, taken: taken_bytes })
    }
}

fn body(number: usize) -> String {
    format!("message number {number}")
}

#[test]
fn what_was_not_sent_never_leaves_wherever_the_end_meets_it() {
    for ending in Ending::ALL {
        for taken in 0..=MESSAGES {
            let place = |written| Queued::new(taken, written).map(|queued| (written, queued));
            for (written, queued) in (0..).map_while(place) {
                let Queued { mut session, waiting, taken: mut left } = queued;
                left.extend(ending.happen(&mut session));
                // The driver writes on for as long as it may.
                if !session.engine.is_lost() {
                    left.extend(session.engine.poll_transmit().map_or(Vec::new(), octets_of));
                }
                let left = String::from_utf8_lossy(&left).into_owned();
                for (number, waiter) in waiting.into_iter().enumerate() {
                    let fate = session.closed(waiter).1;
                    let place = format!("{ending:?}, {taken} taken, {written} bytes written, message {number}");
                    assert_eq!(fate == Fate::Unknown, left.contains(&body(number)), "{place}: {fate:?}");
                }
            }
        }
    }
}

#[test]
fn nothing_is_counted_as_queued_after_the_end() {
    for ending in Ending::ALL {
        for taken in [0, 3] {
            let Queued { mut session, .. } = Queued::new(taken, taken * 7).unwrap();
            ending.happen(&mut session);
            if !session.engine.is_lost() {
                // The rest of what was taken, and the close or its answer.
                session.engine.poll_transmit();
                session.engine.handle_written(usize::MAX, session.now);
                session.lose();
            }
            let engine = &session.engine;
            assert_eq!((engine.queued(), engine.untaken(), engine.unconfirmed()), (0, 0, 0), "{ending:?}");
        }
    }
}

#[test]
fn a_close_of_the_brokers_drops_what_nobody_took_and_is_answered() {
    let Queued { mut session, waiting, .. } = Queued::new(2, 0).unwrap();
    session.say(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED));
    let fates = waiting.into_iter().map(|waiter| session.closed(waiter).1);
    let (taken, untaken) = (Fate::Unknown, Fate::NotSent);
    assert_eq!(fates.collect::<Vec<_>>(), [taken, taken, untaken, untaken, untaken, untaken]);
    assert_eq!(session.sent(), [sent(0, connection::CloseOk::default())]);
}

#[test]
fn what_waits_when_the_broker_closes_a_channel_goes_out_and_is_unknown() {
    let mut session = Session::open();
    let key = session.confirming();
    let published = session.publish(key, "body").unwrap();
    session.say(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND));
    assert_eq!(session.closed(published).1, Fate::Unknown);
    assert!(session.sent().contains(&Sent::Body(1, "body".into())));
}

#[test]
fn what_was_taken_and_never_offered_to_the_transport_was_not_sent() {
    let Queued { mut session, waiting, taken } = Queued::new(3, 10).unwrap();
    let message = taken.len() / 3;
    // All but one byte of the last.
    session.engine.handle_withheld(message as u64 - 1);
    session.lose();
    let fates = waiting.into_iter().map(|waiter| session.closed(waiter).1);
    let (offered, held) = (Fate::Unknown, Fate::NotSent);
    assert_eq!(fates.collect::<Vec<_>>(), [offered, offered, offered, held, held, held]);

    let Queued { mut session, waiting, .. } = Queued::new(3, 10).unwrap();
    session.engine.handle_withheld(message as u64);
    session.lose();
    let fates = waiting.into_iter().map(|waiter| session.closed(waiter).1);
    assert_eq!(fates.collect::<Vec<_>>(), [offered, offered, held, held, held, held]);
}

#[test]
fn a_driver_that_leaves_is_given_what_waits_and_a_close_once() {
    let mut session = Session::open();
    let key = session.channel();
    session.publish(key, "last words");
    let frames = read_all(&octets_of(session.engine.leave().unwrap()), 4096);
    assert_eq!(frames.len(), 4);
    assert_eq!(frames[2], Sent::Body(1, "last words".into()));
    assert!(
        matches!(&frames[3], Sent::Method(0, Method::ConnectionClose(close)) if close.reply_code == ReplyCode::REPLY_SUCCESS)
    );
    assert_eq!(session.engine.closure().unwrap().reason, Reason::DriverGone);
    assert!(session.engine.leave().is_none() && session.engine.is_lost());
}

#[test]
fn a_driver_that_leaves_a_connection_that_is_closing_or_closed_adds_no_close() {
    let mut session = Session::open();
    let closing = session.close();
    let frames = read_all(&octets_of(session.engine.leave().unwrap()), 4096);
    assert!(matches!(&frames[..], [Sent::Method(0, Method::ConnectionClose(_))]));
    let (closure, fate) = session.closed(closing);
    assert_eq!((closure.reason, fate), (Reason::DriverGone, Fate::Unknown));

    let mut session = Session::open();
    session.close();
    session.sent();
    session.say(0, connection::CloseOk::default());
    assert!(session.engine.leave().is_none());

    let mut session = Session::open();
    session.say(0, connection::Close::default());
    let frames = read_all(&octets_of(session.engine.leave().unwrap()), 4096);
    assert_eq!(frames, [sent(0, connection::CloseOk::default())]);
}

#[test]
fn a_close_ok_that_arrives_before_the_close_was_written_answers_nothing() {
    let mut session = Session::open();
    let key = session.confirming();
    let published = session.publish(key, "body").unwrap();
    let closing = session.close();
    for _ in 0..2 {
        session.say(0, connection::CloseOk::default());
        assert!(session.is_waiting(closing) && session.is_waiting(published) && !session.engine.is_finished());
        // Once untaken, and once all but one byte is written.
        let taken = session.take();
        session.written(taken.saturating_sub(1));
    }
    session.written(1);
    session.say(0, connection::CloseOk::default());
    assert!(matches!(session.heard(closing), Completion::Closed));
    assert_eq!(session.closed(published).1, Fate::Unknown);
}

#[test]
fn a_request_that_is_refused_at_the_call_was_not_sent() {
    for ending in Ending::ALL {
        let mut session = Session::with(Negotiated { heartbeat: 10, ..negotiated() }, |_| {});
        let key = session.channel();
        ending.happen(&mut session);
        let waiter = session.waiter();
        let declare = queue::Declare::default().into();
        let refused = session.engine.call(key, &declare, &[], waiter, session.now).unwrap_err();
        assert_eq!(closed(refused).1, Fate::NotSent, "{ending:?}");
    }
}

#[test]
fn a_publish_that_waits_for_a_commit_was_not_sent_until_that_is_answered() {
    for answered in [false, true] {
        let mut session = Session::open();
        let key = session.confirming();
        session.call(key, tx::Commit::default());
        let published = session.publish(key, "body").unwrap();
        session.sent();
        if answered {
            session.say(1, tx::CommitOk::default());
            session.sent();
        }
        session.lose();
        assert_eq!(session.closed(published).1, if answered { Fate::Unknown } else { Fate::NotSent });
    }
}
