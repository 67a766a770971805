//! Random histories: publishers and consumers that come and go under faults. What the broker
//! confirmed is never lost, and the same seed gives the same history.

use std::collections::BTreeSet;
use std::time::Duration;

use leveret::broker::{Fault, Target};
use leveret::engine::{ChannelKey, Confirmation, ConsumerKey, Settle, WaiterId};
use leveret::protocol::{confirm, queue};

use super::client::consume;
use super::world::{Piece, Random, World};

const QUEUE: &str = "jobs";

/// A client that publishes with confirms.
struct Publisher {
    client: usize,
    key: ChannelKey,
    waiting: Vec<(WaiterId, String)>,
}

/// A client that consumes, and acknowledges in the end.
struct Worker {
    client: usize,
    key: ChannelKey,
    consumer: ConsumerKey,
}

/// One history.
struct Walk {
    world: World,
    random: Random,
    publishers: Vec<Publisher>,
    workers: Vec<Worker>,
    published: u32,
    confirmed: BTreeSet<String>,
    delivered: BTreeSet<String>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut world = World::new(Piece::Random(Random(seed)), seed);
        let owner = world.open();
        let key = world.channel(owner);
        world.call(owner, key, queue::Declare::default().queue(QUEUE));
        Self {
            world,
            random: Random(seed.wrapping_add(1)),
            publishers: Vec::new(),
            workers: Vec::new(),
            published: 0,
            confirmed: BTreeSet::new(),
            delivered: BTreeSet::new(),
        }
    }

    fn add_publisher(&mut self) {
        let client = self.world.open();
        let key = self.world.channel(client);
        self.world.call(client, key, confirm::Select::default());
        self.publishers.push(Publisher { client, key, waiting: Vec::new() });
    }

    fn add_worker(&mut self) {
        let client = self.world.open();
        let key = self.world.channel(client);
        let prefetch = 1 + u16::try_from(self.random.below(4)).unwrap();
        let (qos, request) = consume(QUEUE, prefetch);
        self.world.call(client, key, qos);
        let waiter = self.world.clients[client].call(key, request, self.world.now);
        self.world.run();
        let consumer = self.world.clients[client].started(waiter);
        self.workers.push(Worker { client, key, consumer });
    }

    fn publish(&mut self) {
        let chosen = self.random.below(self.publishers.len());
        let publisher = &mut self.publishers[chosen];
        let body = format!("message {}", self.published);
        self.published += 1;
        let client = &mut self.world.clients[publisher.client];
        if client.engine().closure().is_none() {
            publisher.waiting.push((client.publish(publisher.key, QUEUE, &body), body));
        }
    }

    /// A worker takes what came, and settles it one way or another.
    fn work(&mut self) {
        let chosen = self.random.below(self.workers.len());
        let worker = &self.workers[chosen];
        let deliveries = self.world.clients[worker.client].deliveries(worker.consumer);
        for delivery in deliveries {
            let outcome = match self.random.below(4) {
                0 => Settle::Nack { multiple: false, requeue: true },
                _ => Settle::Ack { multiple: false },
            };
            if matches!(outcome, Settle::Ack { .. }) {
                self.delivered.insert(String::from_utf8(delivery.message.body().to_vec()).unwrap());
            }
            let engine = self.world.clients[worker.client].engine();
            if engine.closure().is_none() {
                engine.settle(worker.key, delivery.delivery_tag, outcome).unwrap();
            }
        }
    }

    /// Something goes wrong with some connection; who is hit is replaced.
    fn fail(&mut self) {
        let hits_worker = self.random.below(2) == 0;
        let chosen = self.random.below(if hits_worker { self.workers.len() } else { self.publishers.len() });
        let client = if hits_worker { self.workers[chosen].client } else { self.publishers[chosen].client };
        let id = self.world.clients[client].id;
        match self.random.below(3) {
            0 => self.world.cut(client),
            1 => self.world.broker.inject(Target::Connection(id), Fault::CutOutput(self.random.below(40) as u64)),
            _ => self.world.broker.inject(Target::Connection(id), Fault::CutInput(self.random.below(40) as u64)),
        }
        self.hear();
        if hits_worker {
            self.workers.remove(chosen);
            self.add_worker();
        } else {
            self.publishers.remove(chosen);
            self.add_publisher();
        }
    }

    fn hear(&mut self) {
        for publisher in &mut self.publishers {
            for (waiter, decision) in self.world.clients[publisher.client].confirmations() {
                let at = publisher.waiting.iter().position(|(who, _)| *who == waiter).expect("it waits");
                let (_, body) = publisher.waiting.remove(at);
                if matches!(decision, Confirmation::Ack) {
                    self.confirmed.insert(body);
                }
            }
        }
    }

    fn turn(&mut self) {
        match self.random.below(12) {
            0..=4 => self.publish(),
            5..=8 => self.work(),
            9 => self.world.pass(Duration::from_millis(self.random.below(2000) as u64)),
            10 if self.random.below(3) == 0 => self.fail(),
            10 => self.world.broker.nack_next(1),
            _ => {}
        }
        for _ in 0..self.random.below(6) {
            self.world.step();
        }
        self.hear();
    }

    /// Everything comes to rest; what is left in the queue.
    fn finish(mut self) -> (u64, BTreeSet<String>, BTreeSet<String>) {
        self.world.run();
        self.hear();
        // Those that were replaced and still live, too.
        for client in 0..self.world.clients.len() {
            self.world.cut(client);
        }
        self.world.run();
        let left = self.world.broker.messages("/", QUEUE);
        let left = left.iter().map(|message| String::from_utf8(message.body.to_vec()).unwrap());
        let kept: BTreeSet<_> = left.chain(self.delivered).collect();
        let info = self.world.broker.queue("/", QUEUE).unwrap();
        assert_eq!((info.unacknowledged, info.consumers), (0, 0), "everybody is gone");
        (self.world.history, self.confirmed, kept)
    }
}

fn history(seed: u64) -> (u64, BTreeSet<String>, BTreeSet<String>) {
    let mut walk = Walk::new(seed);
    walk.add_publisher();
    walk.add_publisher();
    walk.add_worker();
    walk.add_worker();
    for _ in 0..150 {
        walk.turn();
    }
    walk.finish()
}

#[test]
fn what_was_confirmed_is_delivered_or_still_there_whatever_happens() {
    let mut confirmations = 0;
    for seed in 0..100 {
        let (_, confirmed, kept) = history(seed);
        let lost: Vec<_> = confirmed.difference(&kept).collect();
        assert!(lost.is_empty(), "seed {seed} lost {lost:?}");
        confirmations += confirmed.len();
    }
    assert!(confirmations > 1000, "the histories are about something: {confirmations} confirms");
}

#[test]
fn the_same_seed_gives_the_same_history_octet_for_octet() {
    let histories: Vec<_> = (0..10).map(|seed| history(seed).0).collect();
    let again: Vec<_> = (0..10).map(|seed| history(seed).0).collect();
    assert_eq!(histories, again);
    assert_eq!(histories.iter().collect::<BTreeSet<_>>().len(), histories.len(), "other seeds give other histories");
}
