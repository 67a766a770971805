//! What happens seldom, and a test wants to see.

use std::time::Duration;

use leveret::FieldTable;
use leveret::broker::{Fault, Target, Transport};
use leveret::protocol::{Method, ReplyCode, basic, queue};
use leveret_test_support::Received;

use super::peer::{Peer, frame};
use super::{QUEUE, broker, client, counts, fill, names, pass};

#[test]
fn a_message_arrives_after_cancel_ok_and_goes_back_when_it_is_nacked() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Qos::default().prefetch_count(1));
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).consumer_tag("a"));
    fill(&mut broker, now, 3);
    peer.hear(&mut broker, now);
    broker.deliver_after_cancel(1);
    peer.say(&mut broker, now, 1, &basic::Cancel::default().consumer_tag("a"));
    let heard = peer.hear(&mut broker, now);
    assert_eq!(names(&heard), ["basic.cancel-ok", "basic.deliver"]);
    assert_eq!(counts(&broker), (1, 2));
    peer.say(&mut broker, now, 1, &basic::Nack::default().delivery_tag(2).requeue(true));
    assert_eq!(counts(&broker), (2, 1));

    peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).consumer_tag("b"));
    peer.hear(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Cancel::default().consumer_tag("b"));
    assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.cancel-ok"], "once was asked for");
}

#[test]
fn a_cancel_of_the_brokers_may_be_answered_where_it_asks_for_that_and_nowhere_else() {
    for no_wait in [false, true] {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).consumer_tag("a"));
        peer.hear(&mut broker, now);
        assert!(broker.cancel_consumer(peer.id, 1, "a", no_wait));
        assert!(!broker.cancel_consumer(peer.id, 1, "a", no_wait), "it is gone");
        let heard = peer.hear(&mut broker, now);
        let [Received::Method(1, Method::BasicCancel(cancel))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(cancel.no_wait, no_wait);
        assert!(broker.consumers("/").is_empty());

        peer.say(&mut broker, now, 1, &basic::Cancel::default().consumer_tag("a"));
        assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.cancel-ok"], "both may cancel at once");
        peer.say(&mut broker, now, 1, &basic::CancelOk::default().consumer_tag("a"));
        let heard = peer.hear(&mut broker, now);
        if no_wait {
            let [Received::Method(0, Method::ConnectionClose(close))] = &heard[..] else { panic!("{heard:?}") };
            assert_eq!(close.reply_code, ReplyCode::COMMAND_INVALID);
        } else {
            assert!(heard.is_empty(), "{heard:?}");
        }
    }
}

#[test]
fn a_returned_message_comes_back_stamped() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    let headers = FieldTable::from([("zebra", 1), ("ant", 2)]);
    let properties = basic::Properties::default().expiration("0060").headers(headers);
    broker.return_next(2);
    broker.alter_returns(1);
    let mut sizes = Vec::new();
    for _ in 0..2 {
        peer.octets = 0;
        peer.publish(&mut broker, now, QUEUE, &properties, b"hello");
        assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.return"]);
        sizes.push(peer.octets);
    }
    // `timestamp_in_ms`, its type and value, the timestamp, without two zeros.
    assert_eq!(sizes[0] - sizes[1], (1 + 15 + 1 + 8) + 8 - 2);
}

#[test]
fn a_dead_letter_has_a_header_that_exceeds_the_frames_that_were_agreed_on() {
    const FRAME_MAX: u32 = 4096;
    let (mut broker, now) = broker();
    let mut peer = Peer::open(&mut broker, now, 0, FRAME_MAX);
    let mut arguments = FieldTable::from([("x-dead-letter-exchange", "")]);
    arguments.insert("x-dead-letter-routing-key", QUEUE);
    peer.say(&mut broker, now, 1, &queue::Declare::default().queue("dying").arguments(arguments));
    let headers = FieldTable::from([("k", "v".repeat(4000))]);
    peer.publish(&mut broker, now, "dying", &basic::Properties::default().headers(headers), b"");
    peer.say(&mut broker, now, 1, &basic::Get::default().queue("dying"));
    peer.say(&mut broker, now, 1, &basic::Reject::default().delivery_tag(1).requeue(false));
    peer.hear(&mut broker, now);
    peer.octets = 0;
    peer.say_octets(&mut broker, now, &frame(basic::Get::default().queue(QUEUE)));
    let heard = peer.hear(&mut broker, now);
    assert!(matches!(heard[..], [Received::Method(1, Method::BasicGetOk(_)), Received::Header(..)]), "{heard:?}");
    assert!(peer.octets > 4096 + 100, "{}", peer.octets);
}

#[test]
fn a_slow_broker_reads_no_more_than_it_can_and_misses_no_heartbeats() {
    let (mut broker, now) = broker();
    let mut peer = Peer::open(&mut broker, now, 1, super::FRAME_MAX);
    broker.inject(Target::Connection(peer.id), Fault::SlowInput(100));
    let qos = frame(basic::Qos::default());
    let calls = 100;
    peer.say_octets(&mut broker, now, &qos.repeat(calls));
    assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.qos-ok"], "a frame at a time");
    assert!(!broker.wants_input(peer.id));
    let whole = Duration::from_micros(10_000 * qos.len() as u64);
    let answers = |heard: &[Received]| names(heard).len();
    let (heard, ended) = pass(&mut broker, &mut peer, now, whole * 50);
    assert_eq!((answers(&heard), ended), (50, None));
    let (heard, ended) = pass(&mut broker, &mut peer, now + whole * 50, whole * 49 - Duration::from_micros(1));
    assert_eq!((answers(&heard), ended), (48, None));
    let (heard, ended) = pass(&mut broker, &mut peer, now + whole * 99, Duration::ZERO);
    assert_eq!((answers(&heard), ended), (1, None));
    assert_eq!(broker.transport(peer.id), Transport::Open);
}
