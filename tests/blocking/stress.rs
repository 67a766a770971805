//! Threads that do anything at any time: nothing hangs, and what was confirmed is consumed.
//!
//! `LEVERET_STRESS_SECONDS` makes it longer, `LEVERET_STRESS_SEED` different, and
//! `LEVERET_STRESS_THREADS` wider.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use leveret::blocking::{Channel, Connection, Consumer, Delivery, Requeue};
use leveret::broker::{Fault, Target};
use leveret::{ConnectionParameters, Error, ErrorKind, ReplyCode, Result};

use super::host::Host;
use super::within::{PATIENCE, within};

/// Connections that the threads share.
const CONNECTIONS: usize = 3;

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// What became of each message, by its number.
#[derive(Default)]
struct Ledger {
    published: AtomicU64,
    confirmed: Mutex<BTreeSet<u64>>,
    consumed: Mutex<BTreeSet<u64>>,
    steps: AtomicU64,
    failed: AtomicU64,
}

struct Stress {
    host: Host,
    parameters: ConnectionParameters,
    connections: [Mutex<Option<Connection>>; CONNECTIONS],
    ledger: Ledger,
}

/// Something that a thread does, on a channel of its own.
type Step = fn(&Stress, &Connection, &mut Rng) -> Result<()>;

/// Those that hurt are seldom.
const STEPS: [(u32, Step); 9] = [
    (20, publish_confirmed),
    (5, publish_and_forget),
    (20, consume),
    (10, consume_with_workers),
    (10, get),
    (1, close_connection),
    (1, drop_connection),
    (1, cut),
    (1, refuse),
];

fn publish_confirmed(stress: &Stress, connection: &Connection, random: &mut Rng) -> Result<()> {
    let publisher = connection.open_channel()?.confirm_select()?;
    let mut confirms = Vec::new();
    for _ in 0..random.usize(1..40) {
        let number = stress.ledger.published.fetch_add(1, Ordering::Relaxed);
        confirms.push((number, publisher.publish("", "q", body(number, random)).send()?));
    }
    if random.u8(0..4) == 0 {
        publisher.wait_for_confirms()?;
    }
    for (number, mut confirm) in confirms {
        // Some wait a little at a time.
        while confirm.wait_timeout(if random.bool() { A_LITTLE } else { Duration::MAX })?.is_none() {}
        stress.ledger.confirmed.lock().unwrap().insert(number);
    }
    if random.bool() { publisher.channel().close() } else { Ok(()) }
}

const A_LITTLE: Duration = Duration::from_micros(50);

/// Its number, and more.
fn body(number: u64, random: &mut Rng) -> Vec<u8> {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(if random.u8(0..20) == 0 { 20_000 } else { 8 }, 0);
    body
}

fn publish_and_forget(stress: &Stress, connection: &Connection, random: &mut Rng) -> Result<()> {
    let channel = connection.open_channel()?;
    let number = stress.ledger.published.fetch_add(1, Ordering::Relaxed);
    match channel.publish("", "q", body(number, random)).try_send() {
        Err(error) if error.kind() == ErrorKind::Backpressure => Ok(()),
        sent => sent,
    }
}

impl Stress {
    /// Settles a delivery in some way. What is acknowledged counts as consumed: if that does not
    /// arrive, the message is delivered again.
    fn settle(&self, delivery: Delivery, random: &mut Rng) -> Result<()> {
        let number = u64::from_be_bytes(delivery.body()[..8].try_into().unwrap());
        match random.u8(0..10) {
            0 => delivery.nack(Requeue::Yes),
            1 => {
                drop(delivery);
                Ok(())
            }
            _ => {
                self.ledger.consumed.lock().unwrap().insert(number);
                delivery.ack()
            }
        }
    }

    /// The consumer goes, in some way.
    fn leave(&self, channel: &Channel, mut consumer: Consumer, random: &mut Rng) -> Result<()> {
        match random.u8(0..5) {
            0 => consumer.close(),
            1 => channel.close(),
            2 => {
                consumer.cancel()?;
                consumer.try_for_each(|delivery| self.settle(delivery?, random))
            }
            _ => {
                drop(consumer);
                Ok(())
            }
        }
    }
}

fn consume(stress: &Stress, connection: &Connection, random: &mut Rng) -> Result<()> {
    let channel = connection.open_channel()?;
    let mut consumer = channel.consume("q").prefetch(random.u16(1..50)).call()?;
    let most = random.usize(0..50);
    for delivery in consumer.iter_timeout(Duration::from_millis(2)).take(most) {
        let Some(delivery) = delivery? else { break };
        stress.settle(delivery, random)?;
    }
    stress.leave(&channel, consumer, random)
}

fn consume_with_workers(stress: &Stress, connection: &Connection, random: &mut Rng) -> Result<()> {
    let channel = connection.open_channel()?;
    let mut consumer = channel.consume("q").prefetch(20).call()?;
    let (sender, receiver) = std::sync::mpsc::channel::<Delivery>();
    let mut of_worker = random.fork();
    thread::scope(|scope| {
        let worker =
            scope.spawn(move || receiver.into_iter().try_for_each(|delivery| stress.settle(delivery, &mut of_worker)));
        for delivery in consumer.iter_timeout(Duration::from_millis(2)).take(30) {
            let Some(delivery) = delivery? else { break };
            // A worker that has failed takes no more.
            drop(sender.send(delivery));
        }
        drop(sender);
        worker.join().unwrap()
    })?;
    stress.leave(&channel, consumer, random)
}

fn get(stress: &Stress, connection: &Connection, random: &mut Rng) -> Result<()> {
    let message = connection.open_channel()?.get("q").call()?;
    message.map_or(Ok(()), |message| stress.settle(message.into_delivery(), random))
}

fn close_connection(_: &Stress, connection: &Connection, _: &mut Rng) -> Result<()> {
    connection.close()
}

fn drop_connection(stress: &Stress, _: &Connection, random: &mut Rng) -> Result<()> {
    let dropped = stress.connections[random.usize(0..CONNECTIONS)].lock().unwrap().take();
    drop(dropped);
    Ok(())
}

fn cut(stress: &Stress, _: &Connection, random: &mut Rng) -> Result<()> {
    let mut broker = stress.host.broker.state();
    let connections = broker.connections();
    if let Some(connection) = random.choice(&connections) {
        let fault = if random.bool() { Fault::Drop } else { Fault::CutInput(random.u64(0..2000)) };
        broker.inject(Target::Connection(connection.id), fault);
    }
    Ok(())
}

fn refuse(stress: &Stress, _: &Connection, random: &mut Rng) -> Result<()> {
    let mut broker = stress.host.broker.state();
    let connections = broker.connections();
    if let Some(connection) = random.choice(&connections) {
        match random.choice(&connection.channels) {
            Some(channel) if random.u8(0..4) > 0 => {
                broker.close_channel(connection.id, *channel, ReplyCode::PRECONDITION_FAILED, "a stress test");
            }
            _ => {
                broker.close_connection(connection.id, ReplyCode::CONNECTION_FORCED, "a stress test");
            }
        }
    }
    Ok(())
}

impl Stress {
    fn new() -> Self {
        let host = Host::new();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap();
        host.connect().open_channel().unwrap().queue_declare("q").call().unwrap();
        Self {
            parameters: parameters.max_unconfirmed(100).write_high_water(20_000).connection_attempts(5),
            host,
            connections: Default::default(),
            ledger: Ledger::default(),
        }
    }

    /// One of the connections that are shared, opened anew where it is over.
    fn connection(&self, random: &mut Rng) -> Result<Connection> {
        let mut place = self.connections[random.usize(0..CONNECTIONS)].lock().unwrap();
        if let Some(connection) = place.as_ref().filter(|connection| connection.is_open()) {
            return Ok(connection.clone());
        }
        Ok(place.insert(Connection::open(&self.parameters)?).clone())
    }

    fn run(&self, mut random: Rng, until: Instant) {
        let all = STEPS.iter().map(|(weight, _)| weight).sum();
        while Instant::now() < until {
            let mut drawn = random.u32(0..all);
            let step = STEPS.iter().find(|(weight, _)| {
                let found = drawn < *weight;
                drawn = drawn.saturating_sub(*weight);
                found
            });
            let (_, step) = step.unwrap();
            self.ledger.steps.fetch_add(1, Ordering::Relaxed);
            let outcome = self.connection(&mut random).and_then(|connection| step(self, &connection, &mut random));
            if let Err(error) = outcome {
                self.ledger.failed.fetch_add(1, Ordering::Relaxed);
                check(&error);
            }
        }
    }

    /// Consumes what is left.
    fn drain(&self) {
        self.host.until_left();
        let connection = self.host.connect();
        let channel = connection.open_channel().unwrap();
        let mut consumer = channel.consume("q").call().unwrap();
        while self.host.messages("q") != (0, 0) {
            for delivery in consumer.iter_timeout(Duration::from_millis(10)) {
                let Some(delivery) = delivery.unwrap() else { break };
                let number = u64::from_be_bytes(delivery.body()[..8].try_into().unwrap());
                self.ledger.consumed.lock().unwrap().insert(number);
                delivery.ack().unwrap();
            }
        }
        connection.close().unwrap();
    }
}

/// An error that the test has brought about.
fn check(error: &Error) {
    let is_ours = match error.kind() {
        ErrorKind::ConnectionClosed | ErrorKind::ChannelClosed => true,
        // A cut of a connection that is being opened.
        ErrorKind::Io | ErrorKind::AccessRefused | ErrorKind::Authentication => !error.attempts().is_empty(),
        _ => false,
    };
    assert!(is_ours, "{error:?}");
}

#[test]
fn threads_that_do_anything_at_any_time_hang_nowhere_and_lose_nothing() {
    let seconds = number_from("LEVERET_STRESS_SECONDS", 2);
    let seed = number_from("LEVERET_STRESS_SEED", 1);
    let threads = number_from("LEVERET_STRESS_THREADS", 12);
    within(Duration::from_secs(seconds) + 2 * PATIENCE, move || {
        let stress = Stress::new();
        let until = Instant::now() + Duration::from_secs(seconds);
        thread::scope(|scope| {
            for number in 0..threads {
                let random = Rng::with_seed(seed.wrapping_mul(1000).wrapping_add(number));
                let stress = &stress;
                scope.spawn(move || stress.run(random, until));
            }
        });
        stress.connections.iter().for_each(|place| drop(place.lock().unwrap().take()));
        stress.drain();
        let Ledger { published, confirmed, consumed, steps, failed } = stress.ledger;
        let (published, steps, failed) = (published.into_inner(), steps.into_inner(), failed.into_inner());
        let (confirmed, consumed) = (confirmed.into_inner().unwrap(), consumed.into_inner().unwrap());
        let counts = [published, confirmed.len() as u64, consumed.len() as u64, steps, failed];
        let report = format!("seed {seed}: published, confirmed, consumed, steps, failed steps: {counts:?}");
        let lost: Vec<_> = confirmed.difference(&consumed).collect();
        assert!(lost.is_empty(), "{report}; confirmed, and never consumed: {lost:?}");
        assert!(consumed.last().is_none_or(|last| *last < published), "{report}");
        assert!(confirmed.len() > 100, "{report}");
        println!("{report}");
    });
}
