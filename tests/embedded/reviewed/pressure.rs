//! Clients that do not read what they are told.

use std::time::{Duration, Instant};

use leveret::Properties;
use leveret::broker::{Event, State, Transport};
use leveret::protocol::{Method, basic};
use leveret_test_support::Received;

use super::peer::{Peer, events};
use super::{QUEUE, broker, client, pass};

/// Octets of a message.
const SIZE: usize = 100_000;

/// More octets than the broker may keep for one client.
const TOO_MANY: usize = 16 * 1024 * 1024;

/// A client that gets a message again and again and reads none of it, until the broker takes no
/// more.
fn stalled(broker: &mut State, now: Instant) -> Peer {
    let mut peer = client(broker, now);
    peer.publish(broker, now, QUEUE, &Properties::default(), &[7; SIZE]);
    for _ in 0..TOO_MANY / SIZE {
        if !broker.wants_input(peer.id) {
            return peer;
        }
        peer.say(broker, now, 1, &basic::Get::default().queue(QUEUE));
        peer.say(broker, now, 1, &basic::Recover::default().requeue(true));
    }
    panic!("the broker keeps more than {TOO_MANY} octets of answers for a client that does not read");
}

#[test]
fn who_does_not_read_answers_is_not_read_and_goes_on_when_it_has_read() {
    let (mut broker, now) = broker();
    let mut peer = stalled(&mut broker, now);
    events(&mut broker);
    let heard = peer.hear(&mut broker, now);
    assert!(peer.octets > SIZE, "something was kept for it");
    let gets = heard.iter().filter(|heard| matches!(heard, Received::Method(1, Method::BasicGetOk(_)))).count();
    assert!(gets > 1, "{gets}");
    assert!(broker.wants_input(peer.id));
    assert_eq!(events(&mut broker), [Event::Ready(peer.id)], "whoever reads from it is told");

    peer.say(&mut broker, now, 1, &basic::Qos::default());
    let heard = peer.hear(&mut broker, now);
    assert!(matches!(heard.last(), Some(Received::Method(1, Method::BasicQosOk(_)))), "{heard:?}");
}

#[test]
fn others_go_on_while_somebody_does_not_read() {
    let (mut broker, now) = broker();
    let _stalled = stalled(&mut broker, now);
    let mut other = client(&mut broker, now);
    other.say(&mut broker, now, 1, &basic::Qos::default());
    let heard = other.hear(&mut broker, now);
    assert!(matches!(heard[..], [Received::Method(1, Method::BasicQosOk(_))]), "{heard:?}");
}

#[test]
fn what_others_answer_to_who_does_not_read_is_bounded() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue("amq.rabbitmq.reply-to").no_ack(true));
    let question = Properties::default().reply_to("amq.rabbitmq.reply-to");
    peer.publish(&mut broker, now, QUEUE, &question, b"question");
    peer.hear(&mut broker, now);
    peer.octets = 0;
    let way = broker.messages("/", QUEUE)[0].properties.reply_to.clone().expect("a way back").to_string();

    let mut server = client(&mut broker, now);
    for _ in 0..2 * TOO_MANY / SIZE {
        server.publish(&mut broker, now, &way, &Properties::default(), &[7; SIZE]);
    }
    assert_eq!(broker.transport(server.id), Transport::Open);
    peer.hear(&mut broker, now);
    assert!(peer.octets > SIZE, "answers come");
    assert!(peer.octets <= TOO_MANY, "{} octets were kept", peer.octets);
}

#[test]
fn who_reads_nothing_for_half_a_minute_is_given_up() {
    let (mut broker, now) = broker();
    let peer = stalled(&mut broker, now);
    events(&mut broker);
    assert_eq!(broker.poll_deadline(), Some(now + Duration::from_secs(30)));
    let mut unheard = client(&mut broker, now);
    let (_, _) = pass(&mut broker, &mut unheard, now, Duration::from_secs(30));
    assert_eq!(broker.transport(peer.id), Transport::Gone);
    assert_eq!(broker.transport(unheard.id), Transport::Open);
}
