//! The embedded broker, and the network between it and the clients, in virtual time.
//!
//! One task moves bytes: what a client has written arrives at the broker, and what the broker has
//! to say arrives at the client, each after its delay and in order. Faults cut, delay, stop or
//! split what is on its way. Everything that arrives is added to a sum, so that two runs can be
//! compared byte for byte.

mod link;
mod stream;
mod way;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use leveret::broker::{self, State, Transport};
use leveret_test_support::frames::octets_of;
use tokio::sync::Notify;
use tokio::time::timeout_at;

use self::link::Link;
pub use self::stream::Stream;
use crate::history::History;
use crate::script::{Settings, Step, Verb};
use crate::tap::{Dialled, Tap};

/// How long the broker waits for a client to take the last bytes.
const LINGER: Duration = Duration::from_secs(5);

/// After so many turns without time passing, a run has no end.
const MOST_TURNS: u32 = 200_000;

/// The broker and the network. Clones are the same.
#[derive(Debug, Clone)]
pub struct Network {
    world: Arc<Mutex<World>>,
    moved: Arc<Notify>,
}

/// The broker, and all connections to it.
#[derive(Debug)]
pub struct World {
    /// The broker.
    pub broker: State,
    /// What the broker has read and sent.
    pub tap: Tap,
    /// The sum of everything that arrived.
    pub history: History,
    /// How many faults took effect, by name.
    pub bitten: BTreeMap<&'static str, u64>,
    links: BTreeMap<u64, Link>,
    last_link: u64,
    pipe: usize,
    /// How many attempts to connect are refused, for each client.
    refused: BTreeMap<usize, u32>,
}

/// The virtual time.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Network {
    /// Creates a broker, and starts the task that moves bytes.
    pub fn start(settings: &Settings) -> Self {
        let mut of_broker = broker::Settings::default();
        of_broker.seed = settings.seed;
        let world = World {
            broker: State::new(of_broker, now()),
            tap: Tap::default(),
            history: History::default(),
            bitten: BTreeMap::new(),
            links: BTreeMap::new(),
            last_link: 0,
            pipe: settings.pipe.max(1) as usize,
            refused: BTreeMap::new(),
        };
        let network = Self { world: Arc::new(Mutex::new(world)), moved: Arc::default() };
        tokio::spawn(network.clone().run());
        network
    }

    /// Locks the broker and the network. After a change, [`Network::wake`] is to be called.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the task look for what can be moved.
    pub fn wake(&self) {
        self.moved.notify_one();
    }

    /// Connects a client to the broker, by a transport of one of its connections.
    ///
    /// # Errors
    ///
    /// Returns an error if the network refuses the attempt.
    pub fn dial(&self, client: usize, dialled: Dialled) -> io::Result<Stream> {
        let mut world = self.world();
        world.replace(dialled);
        if let Some(left) = world.refused.get_mut(&client).filter(|left| **left > 0) {
            *left -= 1;
            world.bite("refused connect");
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        world.last_link += 1;
        let key = world.last_link;
        let id = world.broker.handle_connect(now());
        world.tap.connected(key, client, dialled);
        world.links.insert(key, Link::new(id, client, dialled));
        drop(world);
        self.wake();
        Ok(Stream { network: self.clone(), key })
    }

    /// Applies a fault of the network. Returns `false` if the client has no connection.
    pub fn apply(&self, step: &Step) -> bool {
        let mut world = self.world();
        let applied = world.apply(step);
        drop(world);
        self.wake();
        applied
    }

    async fn run(self) {
        let (mut turned_at, mut turns) = (now(), 0);
        loop {
            turns = if turned_at == now() { turns + 1 } else { 0 };
            turned_at = now();
            assert!(turns < MOST_TURNS, "bytes move for ever, and no time passes");
            let (moved, due) = {
                let mut world = self.world();
                let moved = world.step(now());
                (moved, world.due())
            };
            if moved {
                tokio::task::yield_now().await;
                continue;
            }
            match due {
                Some(due) => drop(timeout_at(due.into(), self.moved.notified()).await),
                None => self.moved.notified().await,
            }
        }
    }
}

impl World {
    /// Returns the broker's id of the latest connection of a client, if the broker still has one.
    pub fn connection_of(&self, client: usize) -> Option<broker::ConnectionId> {
        self.links.values().rev().find(|link| link.client == client && !link.left).map(|link| link.id)
    }

    /// Returns how many transports the clients hold.
    pub fn held(&self) -> usize {
        self.links.values().filter(|link| !link.dropped).count()
    }

    /// Returns the client of each transport that clients hold and the broker serves.
    pub fn connected(&self) -> impl Iterator<Item = usize> {
        self.links.values().filter(|link| !link.dropped && !link.left).map(|link| link.client)
    }

    /// Ends all delays and silences.
    pub fn heal(&mut self) {
        self.links.values_mut().flat_map(|link| &mut link.ways).for_each(way::Way::heal);
        self.refused.clear();
    }

    /// A connection dials another transport. It has dropped those before.
    fn replace(&mut self, dialled: Dialled) {
        let mut held = self.links.values().filter(|link| link.dialled.connection == dialled.connection);
        if let Some(link) = held.find(|link| !link.dropped) {
            let violation = format!("I7: {dialled:?} while the client still has {:?}", link.dialled);
            self.tap.violations.push(violation);
        } else if dialled.before > 0 {
            self.bite("transport that was replaced after it was dropped");
        }
    }

    fn bite(&mut self, fault: &'static str) {
        *self.bitten.entry(fault).or_default() += 1;
    }

    fn apply(&mut self, step: &Step) -> bool {
        let client = step.get("client") as usize;
        if step.verb == Verb::Refuse {
            *self.refused.entry(client).or_default() = step.get("count");
            return true;
        }
        let latest = self.links.values_mut().rev().find(|link| link.client == client && !link.left);
        let Some(link) = latest else { return false };
        let way = step.get("way") as usize;
        match step.verb {
            Verb::Cut => {
                link.resets = step.is("reset");
                link.ways[way % 2].cut_after = Some(step.get("after") as usize);
            }
            Verb::Delay => link.ways[way % 2].delay = Duration::from_millis(step.get("ms").into()),
            Verb::Trickle => {
                link.ways[way % 2].trickle = Some((step.get("bytes") as usize, step.get("count") as usize));
            }
            Verb::Silence if way == 2 => link.ways.iter_mut().for_each(|way| way.silent = true),
            Verb::Silence => link.ways[way % 2].silent = true,
            _ => link.ways.iter_mut().for_each(way::Way::heal),
        }
        true
    }

    /// Moves what can be moved by now, once. Returns `false` if that is nothing.
    fn step(&mut self, now: Instant) -> bool {
        let mut moved = false;
        if self.broker.poll_deadline().is_some_and(|due| due <= now) {
            self.broker.handle_timeout(now);
            moved = true;
        }
        // All connections are looked at in any case.
        while self.broker.poll_event().is_some() {}
        let keys: Vec<u64> = self.links.keys().copied().collect();
        for key in keys {
            let Some(mut link) = self.links.remove(&key) else { continue };
            moved |= self.move_link(key, &mut link, now);
            if !(link.left && link.dropped) {
                self.links.insert(key, link);
            }
        }
        moved
    }

    fn move_link(&mut self, key: u64, link: &mut Link, now: Instant) -> bool {
        if link.left {
            return false;
        }
        let mut moved = self.feed_broker(key, link, now);
        moved |= self.feed_client(key, link, now);
        let cut = link.ways.iter().any(way::Way::is_cut);
        let over = match self.broker.transport(link.id) {
            Transport::Open => link.is_read_out() && self.broker.wants_input(link.id),
            Transport::Closing => {
                let until = *link.lingers.get_or_insert(now + LINGER);
                link.is_read_out() || link.ways[1].len() == 0 || until <= now
            }
            _ => true,
        };
        if cut {
            self.bite("cut");
        }
        if cut || over {
            link.lose();
            link.left = true;
            self.broker.handle_transport_lost(link.id, now);
        }
        moved | cut | over
    }

    fn feed_broker(&mut self, key: u64, link: &mut Link, now: Instant) -> bool {
        // What a broker does not read stays on its way, and fills the pipe.
        let reads = self.broker.wants_input(link.id);
        let arriving = if reads { link.ways[0].take(now) } else { Bytes::new() };
        let mut moved = !arriving.is_empty();
        if moved {
            self.history.add(key * 2, &arriving);
            link.at_broker.extend_from_slice(&arriving);
            link.wake();
        }
        if !link.at_broker.is_empty() && reads {
            let before = link.at_broker.clone();
            let open = self.broker.transport(link.id) == Transport::Open;
            self.broker.handle_bytes(link.id, &mut link.at_broker, now);
            let used = before.len() - link.at_broker.len();
            if open && used > 0 {
                self.tap.read(key, &before[..used]);
            }
            moved |= used > 0;
            if used > 0 {
                link.wake();
            }
        }
        moved
    }

    fn feed_client(&mut self, key: u64, link: &mut Link, now: Instant) -> bool {
        let mut moved = false;
        while let Some(said) = self.broker.poll_transmit(link.id, now) {
            let mut said = BytesMut::from(&octets_of(said)[..]);
            self.tap.sent(key, &said);
            let len = said.remaining();
            link.ways[1].push(said.split_to(len).freeze(), now);
            moved = true;
        }
        let arriving = link.ways[1].take(now);
        if !arriving.is_empty() {
            self.history.add(key * 2 + 1, &arriving);
            link.at_client.extend_from_slice(&arriving);
            link.wake();
            moved = true;
        }
        moved
    }

    /// When something happens by itself.
    fn due(&self) -> Option<Instant> {
        let links = self.links.values().filter(|link| !link.left);
        let of_links = links.flat_map(|link| {
            // What a broker does not read waits for the broker, not for a time.
            let to_broker = link.ways[0].due().filter(|_| self.broker.wants_input(link.id));
            [to_broker, link.ways[1].due(), link.lingers].into_iter().flatten()
        });
        of_links.chain(self.broker.poll_deadline()).min()
    }
}
