//! The state by hand, at its edges: signs of life, cut and late octets, silence, who does not read,
//! long texts and long times.

mod accounts;
mod closes;
mod ends;
mod life;
mod limits;
mod order_of_answers;
mod outages;
mod peer;
mod pressure;
mod provoked;
mod requests;
mod restart;
mod words;

use std::time::{Duration, Instant};

use leveret::broker::{Settings, State, Transport};
use leveret::protocol::{basic, queue};
use leveret_test_support::Received;

use peer::{Peer, events};

const QUEUE: &str = "jobs";

/// Octets of a frame, unless a test wants others.
const FRAME_MAX: u32 = 128 * 1024;

/// A broker with a queue, and the time.
fn broker() -> (State, Instant) {
    broker_with(|_| {})
}

/// The same with other settings.
fn broker_with(set: impl FnOnce(&mut Settings)) -> (State, Instant) {
    let now = Instant::now();
    let mut settings = Settings::default();
    set(&mut settings);
    let mut broker = State::new(settings, now);
    let mut peer = Peer::open(&mut broker, now, 0, FRAME_MAX);
    peer.say(&mut broker, now, 1, &queue::Declare::default().queue(QUEUE));
    peer.hear(&mut broker, now);
    broker.handle_transport_lost(peer.id, now);
    assert_eq!(broker.queue("/", QUEUE).map(|queue| queue.ready), Some(0));
    (broker, now)
}

/// A client without heartbeats.
fn client(broker: &mut State, now: Instant) -> Peer {
    Peer::open(broker, now, 0, FRAME_MAX)
}

/// Publishes this many messages to the queue, from a connection of their own.
fn fill(broker: &mut State, now: Instant, count: usize) {
    let mut peer = client(broker, now);
    for _ in 0..count {
        peer.publish(broker, now, QUEUE, &basic::Properties::default(), b"hello");
    }
    broker.handle_transport_lost(peer.id, now);
}

/// How many messages of the queue are ready, and how many unacknowledged.
fn counts(broker: &State) -> (usize, usize) {
    let queue = broker.queue("/", QUEUE).expect("the queue is there");
    (queue.ready, queue.unacknowledged)
}

/// The names of the methods that were heard, in order.
fn names(heard: &[Received]) -> Vec<&'static str> {
    let name = |heard: &Received| match heard {
        Received::Method(_, method) => Some(method.name()),
        _ => None,
    };
    heard.iter().filter_map(name).collect()
}

/// Lets time pass, drives the peer as the broker's events demand, and gives what it heard and when
/// its transport was to go.
fn pass(broker: &mut State, peer: &mut Peer, from: Instant, time: Duration) -> (Vec<Received>, Option<Duration>) {
    let mut heard = Vec::new();
    while let Some(due) = broker.poll_deadline().filter(|due| *due <= from + time) {
        broker.handle_timeout(due);
        while !events(broker).is_empty() {
            peer.hand_in(broker, due);
            heard.extend(peer.hear(broker, due));
        }
        if broker.transport(peer.id) != Transport::Open {
            return (heard, Some(due - from));
        }
    }
    (heard, None)
}
