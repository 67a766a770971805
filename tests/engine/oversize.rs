//! Messages over their own limit, of which only reports are kept: what those cost where nobody
//! takes them.

use leveret::engine::{ChannelKey, ConsumerEnd, ConsumerKey, Failure, Taken, WaiterId};
use leveret::protocol::basic::{self, Properties};
use leveret::protocol::queue;
use leveret_test_support::frames::{body_octets, header_octets, method_octets};

use crate::session::{Session, negotiated, sent};

/// Bytes that may wait for consumers.
const LIMIT: usize = 10_000;

/// Bytes that are counted for a report.
const REPORT: u64 = 32;

/// A session whose consumer `c` nobody takes from, and a limit that every message is over.
fn oversize() -> (Session, ChannelKey, ConsumerKey, WaiterId) {
    let mut session = Session::with(negotiated(), |settings| {
        settings.read_limit = LIMIT;
        settings.max_message_size = 10;
    });
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let listener = session.waiter();
    assert_eq!(session.take_deliveries(consumer, listener).1, Taken::Nothing);
    (session, key, consumer, listener)
}

/// Delivers a message that is too large; its size tells it from the others.
fn deliver_oversize(session: &mut Session, delivery_tag: u64) {
    let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag);
    session.octets(&method_octets(1, deliver));
    let len = 11 + usize::try_from(delivery_tag % 7).unwrap();
    session.octets(&header_octets(1, len, &Properties::default()));
    session.octets(&body_octets(1, &[0; 17][..len], 4088));
}

/// The sizes of messages that the listener hears of, and what comes after them.
fn reports(session: &mut Session, consumer: ConsumerKey, listener: WaiterId) -> (Vec<u64>, Taken) {
    let mut sizes = Vec::new();
    loop {
        match session.take_deliveries(consumer, listener) {
            (deliveries, Taken::Oversize(Failure::MessageTooLarge { size, limit: 10 })) => {
                assert!(deliveries.is_empty());
                sizes.push(size);
            }
            (_, taken) => return (sizes, taken),
        }
    }
}

#[test]
fn of_messages_over_their_own_limit_only_the_reports_wait() {
    let (mut session, _, consumer, listener) = oversize();
    for tag in 1..=100 {
        let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(tag);
        session.say_content(1, deliver, &Properties::default(), &[0; 1000]);
    }
    assert!(session.engine.poll_reading(session.now));
    assert_eq!(session.engine.leftovers().undelivered, 100 * REPORT);
    assert_eq!(reports(&mut session, consumer, listener), (vec![1000; 100], Taken::Nothing));
    assert_eq!(session.engine.leftovers().undelivered, 0);
}

#[test]
fn reports_that_nobody_takes_pause_reading_and_each_is_heard_of() {
    let (mut session, _, consumer, listener) = oversize();
    let (mut sent, mut heard) = (0, Vec::new());
    while sent < 100_000 {
        while session.engine.poll_reading(session.now) && sent < 100_000 {
            sent += 1;
            deliver_oversize(&mut session, sent);
            assert!(session.engine.leftovers().undelivered <= LIMIT as u64 + REPORT);
        }
        session.sent();
        let (sizes, taken) = reports(&mut session, consumer, listener);
        assert_eq!((sizes.len() as u64 <= LIMIT as u64 / REPORT + 1, taken), (true, Taken::Nothing));
        heard.extend(sizes);
    }
    assert_eq!(heard, (1..=sent).map(|tag| 11 + tag % 7).collect::<Vec<_>>());
    assert_eq!((session.engine.leftovers().undelivered, session.engine.closure()), (0, None));
}

#[test]
fn a_consumer_that_hears_of_none_of_100_000_messages_ends_and_keeps_a_bounded_number_of_reports() {
    let (mut session, key, consumer, listener) = oversize();
    // An answer is awaited: reading may not pause.
    session.call(key, queue::Declare::default().queue("q"));
    session.sent();
    let mut cancelled = None;
    for tag in 1..=100_000 {
        assert!(session.engine.poll_reading(session.now));
        deliver_oversize(&mut session, tag);
        assert!(session.engine.leftovers().undelivered < 2 * LIMIT as u64);
        if session.sent().contains(&sent(1, basic::Cancel::default().consumer_tag("c"))) {
            assert_eq!(cancelled.replace(tag), None, "it is cancelled once");
        }
    }
    let kept = cancelled.expect("it takes nothing");
    assert_eq!(kept, (2 * LIMIT as u64).div_ceil(REPORT));
    let (sizes, taken) = reports(&mut session, consumer, listener);
    assert_eq!(sizes, (1..=kept).map(|tag| 11 + tag % 7).collect::<Vec<_>>());
    let limit = LIMIT as u64;
    assert_eq!(taken, Taken::End(ConsumerEnd::Overflowed { waited: kept * REPORT, limit }));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    let all_back = basic::Nack::default().delivery_tag(100_000).multiple(true).requeue(true);
    assert_eq!(session.sent(), [sent(1, all_back)], "what came after its end was not rejected");
}

#[test]
fn reports_that_nobody_took_go_with_their_consumer() {
    let (mut session, _, consumer, _) = oversize();
    (1..=100).for_each(|tag| deliver_oversize(&mut session, tag));
    session.engine.drop_consumer(consumer, [], None);
    assert_eq!(session.engine.leftovers().undelivered, 0);
}
