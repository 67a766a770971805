//! Transports that a fault ends: no octet too many, nothing left behind, and whoever drives them is
//! told.

use std::time::Duration;

use leveret::broker::{Event, Fault, Target, Transport};
use leveret::protocol::{basic, queue};

use super::peer::{Peer, events};
use super::{FRAME_MAX, QUEUE, broker, client, counts, fill};

const HEARTBEAT: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, 0xce];

#[test]
fn no_more_octets_go_out_than_a_cut_lets_through() {
    for most in [1, 20, 70] {
        let (mut broker, now) = broker();
        let mut peer = Peer::open(&mut broker, now, 10, FRAME_MAX);
        peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).no_ack(true));
        peer.hear(&mut broker, now);
        peer.octets = 0;
        broker.inject(Target::Connection(peer.id), Fault::CutOutput(most));
        for _ in 0..5 {
            fill(&mut broker, now, 1);
            peer.hear(&mut broker, now);
        }
        let later = now + Duration::from_secs(6);
        broker.handle_timeout(later);
        peer.hear(&mut broker, later);
        assert_eq!(peer.octets as u64, most);
        assert_ne!(broker.transport(peer.id), Transport::Open);
    }
}

#[test]
fn what_a_lost_connection_held_goes_back_and_nothing_more_is_sent_to_it() {
    for fault in [Fault::Drop, Fault::CutOutput(0), Fault::CutInput(0), Fault::CutInput(8), Fault::CutOutput(30)] {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        peer.say(&mut broker, now, 1, &queue::Declare::default().queue("own").exclusive(true));
        peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).consumer_tag("acknowledging"));
        fill(&mut broker, now, 1);
        peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).consumer_tag("not").no_ack(true));
        peer.hear(&mut broker, now);
        assert_eq!(counts(&broker), (0, 1));

        broker.inject(Target::Connection(peer.id), fault);
        peer.say_octets(&mut broker, now, &HEARTBEAT);
        // Something to cut: an answer of more than 30 octets.
        peer.say(&mut broker, now, 1, &queue::Declare::default().queue("own").exclusive(true));
        peer.say(&mut broker, now, 1, &queue::Declare::default().queue("own").exclusive(true));
        peer.hear(&mut broker, now);
        assert_ne!(broker.transport(peer.id), Transport::Open, "{fault:?}");
        assert_eq!(counts(&broker), (1, 0), "{fault:?}");
        assert!(broker.queue("/", "own").is_none(), "{fault:?}");
        assert!(broker.consumers("/").is_empty(), "{fault:?}");
        assert!(!broker.connections()[0].open, "{fault:?}");
        fill(&mut broker, now, 1);
        assert_eq!(counts(&broker), (2, 0), "{fault:?}");
    }
}

#[test]
fn whoever_drives_a_connection_is_told_of_a_cut_wherever_it_falls() {
    for most in 1..=16 {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        broker.inject(Target::Connection(peer.id), Fault::CutInput(most));
        events(&mut broker);
        peer.say_octets(&mut broker, now, &HEARTBEAT.repeat(2));
        assert_eq!(broker.transport(peer.id), Transport::Gone, "after {most} octets");
        assert_eq!(events(&mut broker), [Event::Ready(peer.id)], "after {most} octets");
    }
}

#[test]
fn whoever_drives_a_connection_is_told_of_a_cut_that_its_own_writing_brings_about() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    broker.inject(Target::Connection(peer.id), Fault::CutOutput(5));
    peer.say(&mut broker, now, 1, &basic::Qos::default());
    events(&mut broker);
    let said = broker.poll_transmit(peer.id, now).expect("the first octets of qos-ok");
    assert_eq!(said.len(), 5);
    assert_ne!(broker.transport(peer.id), Transport::Open);
    assert_eq!(events(&mut broker), [Event::Ready(peer.id)]);
}
