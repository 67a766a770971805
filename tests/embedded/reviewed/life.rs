//! Which octets are signs of life, and what becomes of a connection of which nothing is heard.

use std::time::{Duration, Instant};

use leveret::broker::{Fault, State, Target, Transport};
use leveret::protocol::{basic, queue};
use leveret_test_support::Received;

use super::peer::Peer;
use super::{FRAME_MAX, QUEUE, broker, client, counts, fill, pass};

const HEARTBEAT: u16 = 2;
const MINUTE: Duration = Duration::from_secs(60);

/// A peer with heartbeats, an exclusive queue, and a message that it has not acknowledged.
fn worker(broker: &mut State, now: Instant) -> Peer {
    let mut peer = Peer::open(broker, now, HEARTBEAT, FRAME_MAX);
    peer.say(broker, now, 1, &queue::Declare::default().queue("own").exclusive(true));
    peer.say(broker, now, 1, &basic::Consume::default().queue(QUEUE));
    fill(broker, now, 1);
    peer.hear(broker, now);
    assert_eq!(counts(broker), (0, 1));
    peer
}

#[test]
fn a_part_of_a_frame_is_a_sign_of_life_when_it_comes_and_not_while_it_lies_about() {
    let (mut broker, now) = broker();
    let mut peer = Peer::open(&mut broker, now, HEARTBEAT, FRAME_MAX);
    let later = now + Duration::from_secs(1);
    peer.say_octets(&mut broker, later, &[1, 0, 0]);
    let (heard, gone) = pass(&mut broker, &mut peer, later, MINUTE);
    assert_eq!(gone, Some(Duration::from_secs(4)), "two intervals after the last octet");
    assert_eq!(broker.transport(peer.id), Transport::Gone);
    assert!(heard.len() >= 3 && heard.iter().all(|heard| matches!(heard, Received::Heartbeat)), "{heard:?}");
}

#[test]
fn each_further_octet_of_a_frame_is_a_sign_of_life() {
    let (mut broker, now) = broker();
    let mut peer = Peer::open(&mut broker, now, HEARTBEAT, FRAME_MAX);
    let mut then = now;
    for octet in [3, 0, 1, 0, 0, 0, 9, 1, 2, 3] {
        peer.say_octets(&mut broker, then, &[octet]);
        let (_, gone) = pass(&mut broker, &mut peer, then, Duration::from_secs(3));
        assert_eq!(gone, None);
        then += Duration::from_secs(3);
    }
    let (_, gone) = pass(&mut broker, &mut peer, then, MINUTE);
    assert_eq!(gone, Some(Duration::from_secs(1)));
}

/// The broker has given up the only connection, and its client saw no end.
fn is_given_up(broker: &State, peer: &Peer) -> bool {
    assert_eq!(broker.transport(peer.id), Transport::Open);
    !broker.connections()[0].open
}

#[test]
fn a_silent_connection_is_given_up_after_two_intervals_and_leaves_nothing_behind() {
    let (mut broker, now) = broker();
    let mut peer = worker(&mut broker, now);
    broker.inject(Target::Connection(peer.id), Fault::Silence);
    let (heard, _) = pass(&mut broker, &mut peer, now, Duration::from_millis(3999));
    assert!(heard.is_empty() && !is_given_up(&broker, &peer), "{heard:?}");
    assert_eq!(counts(&broker), (0, 1));
    let (heard, _) = pass(&mut broker, &mut peer, now, Duration::from_secs(4));
    assert!(heard.is_empty() && is_given_up(&broker, &peer), "{heard:?}");
    assert_eq!(counts(&broker), (1, 0));
    assert!(broker.queue("/", "own").is_none());
    assert!(broker.consumers("/").is_empty());
    assert_eq!(broker.poll_deadline(), None, "there is nothing left to wait for");
}

#[test]
fn nothing_that_a_client_says_keeps_a_silent_connection() {
    let (mut broker, now) = broker();
    let mut peer = worker(&mut broker, now);
    broker.inject(Target::Connection(peer.id), Fault::Silence);
    let later = now + Duration::from_secs(3);
    peer.say_octets(&mut broker, later, &[8, 0, 0, 0, 0, 0, 0, 0xce]);
    pass(&mut broker, &mut peer, now, Duration::from_secs(4));
    assert!(is_given_up(&broker, &peer));
}

#[test]
fn without_heartbeats_a_silent_connection_stays() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE));
    broker.inject(Target::Connection(peer.id), Fault::Silence);
    let (_, gone) = pass(&mut broker, &mut peer, now, 60 * MINUTE);
    assert_eq!((gone, broker.transport(peer.id)), (None, Transport::Open));
    assert_eq!(broker.consumers("/").len(), 1);
}

#[test]
fn a_silent_connection_does_not_show_that_its_virtual_host_was_deleted() {
    let (mut broker, now) = broker();
    let mut peer = Peer::open(&mut broker, now, HEARTBEAT, FRAME_MAX);
    broker.inject(Target::Connection(peer.id), Fault::Silence);
    broker.delete_virtual_host("/");
    let (heard, gone) = pass(&mut broker, &mut peer, now, MINUTE);
    assert!(heard.is_empty(), "{heard:?}");
    assert_eq!((gone, broker.transport(peer.id)), (None, Transport::Open));
    assert!(is_given_up(&broker, &peer));
}
