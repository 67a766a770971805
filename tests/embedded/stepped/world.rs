//! The broker, its clients, the wire between them, and time.

use std::time::{Duration, Instant};

use leveret::broker::{Settings, State, Transport};
use leveret::engine::{ChannelKey, Completion, WaiterId};
use leveret::protocol::{Method, Request};
use leveret_test_support::frames::octets_of;

use super::client::{Client, portion};

/// Everything there is. The same seed and the same requests give the same history.
pub(super) struct World {
    pub(super) broker: State,
    pub(super) clients: Vec<Client>,
    pub(super) now: Instant,
    /// Octets that cross the wire at a time, drawn anew each time where it is random.
    piece: Piece,
    /// All that crossed the wire, as a sum that tells one history from another.
    pub(super) history: u64,
}

/// How much crosses the wire at a time.
pub(super) enum Piece {
    Whole,
    Random(Random),
}

/// Choices of a test, the same for the same seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX generator; its high bits are good enough here.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

impl World {
    pub(super) fn new(piece: Piece, seed: u64) -> Self {
        let now = Instant::now();
        let mut settings = Settings::default();
        settings.seed = seed;
        Self { broker: State::new(settings, now), clients: Vec::new(), now, piece, history: 0 }
    }

    /// A client connects, and says its name in the order of coming.
    pub(super) fn connect(&mut self) -> usize {
        let id = self.broker.handle_connect(self.now);
        self.clients.push(Client::new(id));
        self.clients.len() - 1
    }

    /// A client that is through its handshake.
    pub(super) fn open(&mut self) -> usize {
        let client = self.connect();
        self.run();
        client
    }

    /// A channel on it.
    pub(super) fn channel(&mut self, client: usize) -> ChannelKey {
        let waiter = self.clients[client].open_channel(self.now);
        match self.outcome(client, waiter) {
            Completion::Opened(key) => key,
            other => panic!("{other:?} instead of a channel"),
        }
    }

    /// The broker's answer to a call.
    pub(super) fn call<R: Request + Into<Method>>(&mut self, client: usize, key: ChannelKey, request: R) -> Method {
        let waiter = self.clients[client].call(key, request, self.now);
        match self.outcome(client, waiter) {
            Completion::Reply(reply) => reply.into_method(),
            other => panic!("{other:?} instead of a reply"),
        }
    }

    /// What somebody hears in the end.
    pub(super) fn outcome(&mut self, client: usize, waiter: WaiterId) -> Completion {
        self.run();
        self.clients[client].take_heard(waiter).expect("it has come to an end")
    }

    /// Lets everything happen that happens without time passing.
    pub(super) fn run(&mut self) {
        for _ in 0..1_000_000 {
            if !self.step() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// One turn for each client. False where nothing moved.
    pub(super) fn step(&mut self) -> bool {
        // The connections are looked at in any case.
        while self.broker.poll_event().is_some() {}
        let mut moved = false;
        for client in 0..self.clients.len() {
            moved |= self.move_octets(client);
        }
        moved
    }

    fn move_octets(&mut self, client: usize) -> bool {
        let now = self.now;
        let most = match &mut self.piece {
            Piece::Whole => usize::MAX,
            Piece::Random(random) => 1 + random.below(60),
        };
        let client = &mut self.clients[client];
        if client.lost {
            return false;
        }
        let mut moved = client.say(now);
        if self.broker.wants_input(client.id) {
            let arriving = client.to_broker.split_to(portion(&client.to_broker, most));
            let before = client.at_broker.len() + arriving.len();
            self.history = arriving.iter().fold(self.history, |sum, octet| mix(sum, *octet));
            client.at_broker.extend_from_slice(&arriving);
            if before > 0 {
                self.broker.handle_bytes(client.id, &mut client.at_broker, now);
            }
            moved |= !arriving.is_empty() || client.at_broker.len() < before;
        }
        while let Some(said) = self.broker.poll_transmit(client.id, now) {
            client.to_client.extend_from_slice(&octets_of(said));
            moved = true;
        }
        let arriving = portion(&client.to_client, most);
        if arriving > 0 {
            self.history = client.to_client[..arriving].iter().fold(self.history, |sum, octet| mix(sum, *octet));
            client.hear(arriving, now);
            moved = true;
        }
        let over = match self.broker.transport(client.id) {
            Transport::Open => false,
            Transport::Closing => client.to_client.is_empty(),
            _ => true,
        };
        if over {
            client.lose();
            self.broker.handle_transport_lost(client.id, now);
        }
        moved | over
    }

    /// Time passes, and whatever is due in it happens in its order.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.run();
            let clients = self.clients.iter_mut().filter_map(Client::deadline);
            let next = clients.chain(self.broker.poll_deadline()).min().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            self.broker.handle_timeout(self.now);
            for client in &mut self.clients {
                if client.deadline().is_some_and(|deadline| deadline <= self.now) {
                    client.engine().handle_timeout(self.now, self.now);
                }
            }
        }
        self.now = end;
        self.run();
    }

    /// The network between a client and the broker breaks.
    pub(super) fn cut(&mut self, client: usize) {
        let client = &mut self.clients[client];
        client.lose();
        self.broker.handle_transport_lost(client.id, self.now);
    }
}

fn mix(sum: u64, octet: u8) -> u64 {
    // FNV-1a.
    (sum ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
}
