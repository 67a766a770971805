//! Last words that come late, texts that are too long, and times that never come.

use std::time::{Duration, Instant};

use leveret::broker::{Event, Fault, Settings, State, Target, Transport};
use leveret::protocol::{Method, ReplyCode, basic};
use leveret_test_support::Received;

use super::peer::{Peer, events};
use super::{QUEUE, broker, client};

const DELAY: Duration = Duration::from_millis(100);

/// The peer hears nothing before the delay is over, and its transport stays as long; gives what it
/// hears then.
fn late_words(broker: &mut State, peer: &mut Peer, now: Instant) -> Vec<Received> {
    assert!(peer.hear(broker, now).is_empty());
    assert_eq!(peer.octets, 0);
    assert_eq!((broker.transport(peer.id), broker.poll_deadline()), (Transport::Open, Some(now + DELAY)));
    events(broker);
    let early = now + DELAY / 2;
    broker.handle_timeout(early);
    assert!(peer.hear(broker, early).is_empty());
    assert_eq!(broker.transport(peer.id), Transport::Open);
    let due = now + DELAY;
    broker.handle_timeout(due);
    assert_eq!(events(broker), [Event::Ready(peer.id)]);
    let heard = peer.hear(broker, due);
    assert_eq!(broker.transport(peer.id), Transport::Closing);
    heard
}

#[test]
fn a_transport_is_not_closed_before_late_words_are_out() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    broker.inject(Target::Connection(peer.id), Fault::Delay(DELAY));
    broker.delete_virtual_host("/");
    let heard = late_words(&mut broker, &mut peer, now);
    let [Received::Method(0, Method::ConnectionClose(close))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(close.reply_code, ReplyCode::CONNECTION_FORCED);
}

#[test]
fn whoever_speaks_another_protocol_is_told_the_brokers_though_late() {
    let (mut broker, now) = broker();
    broker.inject(Target::Next, Fault::Delay(DELAY));
    let id = broker.handle_connect(now);
    broker.handle_bytes(id, &mut b"GET / HTTP/1.1\r\n"[..].into(), now);
    assert!(broker.poll_transmit(id, now).is_none());
    assert_eq!(broker.transport(id), Transport::Open);
    let due = now + DELAY;
    broker.handle_timeout(due);
    assert!(events(&mut broker).contains(&Event::Ready(id)));
    assert_eq!(broker.poll_transmit(id, due).map(|said| said.len()), Some(8));
    assert_eq!(broker.transport(id), Transport::Closing);
}

#[test]
fn the_end_of_late_words_is_announced() {
    let (mut broker, now) = broker();
    let peer = client(&mut broker, now);
    broker.inject(Target::Connection(peer.id), Fault::Delay(DELAY));
    broker.delete_virtual_host("/");
    assert!(broker.poll_transmit(peer.id, now).is_none());
    let due = now + DELAY;
    broker.handle_timeout(due);
    events(&mut broker);
    assert!(broker.poll_transmit(peer.id, due).is_some());
    let told = events(&mut broker) == [Event::Ready(peer.id)];
    assert!(told || broker.transport(peer.id) == Transport::Open, "a transport that is to go is announced");
}

/// Texts, and what is left of them in a short string.
fn texts() -> [(String, String); 3] {
    [
        ("x".repeat(255), "x".repeat(255)),
        ("x".repeat(256), format!("{}...", "x".repeat(252))),
        (format!("x{}", "é".repeat(200)), format!("x{}...", "é".repeat(125))),
    ]
}

#[test]
fn a_long_text_of_a_close_is_cut_as_the_brokers_own_are() {
    for (text, cut) in texts() {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        assert!(broker.close_channel(peer.id, 1, ReplyCode::NOT_FOUND, &text));
        let heard = peer.hear(&mut broker, now);
        let [Received::Method(1, Method::ChannelClose(close))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(close.reply_text, *cut.as_str());

        assert!(broker.close_connection(peer.id, ReplyCode::CONNECTION_FORCED, &text));
        let heard = peer.hear(&mut broker, now);
        let [Received::Method(0, Method::ConnectionClose(close))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(close.reply_text, *cut.as_str());
        assert_eq!(broker.transport(peer.id), Transport::Open, "it waits for an answer");
    }
}

#[test]
fn a_long_reason_of_an_alarm_is_cut() {
    for (text, cut) in texts() {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        broker.block(text);
        peer.publish(&mut broker, now, QUEUE, &basic::Properties::default(), b"hello");
        let heard = peer.hear(&mut broker, now);
        let [Received::Method(0, Method::ConnectionBlocked(blocked))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(blocked.reason, *cut.as_str());
        assert_eq!(broker.transport(peer.id), Transport::Open);
    }
}

#[test]
fn a_delay_may_be_longer_than_time() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    broker.inject(Target::Connection(peer.id), Fault::Delay(Duration::MAX));
    for _ in 0..2 {
        peer.say(&mut broker, now, 1, &basic::Qos::default());
        assert!(peer.hear(&mut broker, now).is_empty());
    }
    let year = now + Duration::from_secs(365 * 24 * 60 * 60);
    broker.handle_timeout(year);
    assert!(peer.hear(&mut broker, year).is_empty());
    assert_eq!(broker.transport(peer.id), Transport::Open);
}

#[test]
fn a_handshake_may_take_longer_than_time() {
    let now = Instant::now();
    let mut settings = Settings::default();
    settings.handshake_timeout = Duration::MAX;
    let mut broker = State::new(settings, now);
    let id = broker.handle_connect(now);
    let year = now + Duration::from_secs(365 * 24 * 60 * 60);
    broker.handle_timeout(year);
    assert_eq!(broker.transport(id), Transport::Open);
}
