//! Random operations, by seed: connections that are cut, handles that are dropped, a loop that is
//! stopped and run, at random. Every handler is called once, and nothing hangs.
//!
//! `LEVERET_STRESS_SECONDS` makes it longer, `LEVERET_STRESS_SEED` begins with another seed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use leveret::broker::{Fault, Target};
use leveret::callback::{Channel, Connection, Consumer, Delivery, EventLoop, Publisher};
use leveret::{ReplyCode, Requeue};

use super::guard::Guard;
use super::host::Host;

/// What handlers have, and what is asked for next is asked of.
#[derive(Default)]
struct App {
    connections: Vec<Connection<App>>,
    channels: Vec<Channel<App>>,
    publishers: Vec<Publisher<App>>,
    consumers: Vec<Consumer<App>>,
    deliveries: Vec<Delivery<App>>,
}

impl App {
    fn has_something(&self) -> bool {
        let Self { connections, channels, publishers, consumers, deliveries } = self;
        let handles = connections.len() + channels.len() + publishers.len();
        handles + consumers.len() + deliveries.len() > 0
    }
}

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Of splitmix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.roll(of.len())) }
    }

    fn take<T>(&mut self, of: &mut Vec<T>) -> Option<T> {
        if of.is_empty() {
            return None;
        }
        let index = self.roll(of.len());
        Some(of.swap_remove(index))
    }
}

/// Handlers that were given, and how often each was called.
#[derive(Clone, Default)]
struct Calls(Rc<RefCell<Vec<Rc<Cell<u32>>>>>);

impl Calls {
    /// One more, which is to be called with this.
    fn given(&self) -> impl FnOnce() + 'static + use<> {
        let calls = Rc::new(Cell::new(0));
        self.0.borrow_mut().push(Rc::clone(&calls));
        move || calls.set(calls.get() + 1)
    }

    /// Each was called once, and is dropped.
    fn check(&self, seed: u64) -> usize {
        let calls = self.0.borrow();
        for (number, handler) in calls.iter().enumerate() {
            assert_eq!((handler.get(), Rc::strong_count(handler)), (1, 1), "seed {seed}: handler {number}");
        }
        calls.len()
    }
}

struct Round {
    dice: Dice,
    calls: Calls,
    app: App,
}

impl Round {
    /// Asks for something.
    fn act(&mut self, event_loop: &mut EventLoop<App>, host: &Host) {
        let Self { dice, calls, app } = self;
        match dice.roll(12) {
            0 => {
                let (opened, closed) = (calls.given(), calls.clone());
                let driver_thread = dice.roll(4) == 0;
                let parameters: leveret::ConnectionParameters = host.url.parse().unwrap();
                let parameters = parameters.driver_thread(driver_thread).retry_delay(Duration::ZERO);
                let connection = Connection::open(event_loop, parameters, move |app: &mut App, connection, result| {
                    opened();
                    if result.is_ok() {
                        let closed = closed.given();
                        connection.on_close(move |_, _, _| closed());
                        app.connections.push(connection.clone());
                    }
                });
                drop(connection.unwrap());
            }
            1 | 2 => {
                let Some(connection) = dice.pick(&app.connections) else { return };
                let (opened, closed) = (calls.given(), calls.clone());
                connection.open_channel(move |app, _, channel| {
                    opened();
                    if let Ok(channel) = channel {
                        let closed = closed.given();
                        channel.on_close(move |_, _, _| closed());
                        app.channels.push(channel);
                    }
                });
            }
            3 => drop(dice.take(&mut app.connections)),
            4 => drop(dice.take(&mut app.channels)),
            5 => {
                let called = calls.given();
                let delay = Duration::from_micros(dice.roll(2000) as u64);
                let timer = event_loop.handle().call_later(delay, move |_, _| called());
                if dice.roll(4) == 0 && event_loop.handle().cancel(timer) {
                    calls.0.borrow_mut().pop();
                }
            }
            6 => Self::settle(dice, app),
            7 => {
                let Some(connection) = dice.pick(&app.connections) else { return };
                let called = calls.given();
                connection.close_then(move |_, _, _| called());
            }
            _ => self.act_on_channel(),
        }
    }

    fn settle(dice: &mut Dice, app: &mut App) {
        let Some(delivery) = dice.take(&mut app.deliveries) else { return };
        // It may be too late.
        let _ = match dice.roll(4) {
            0 => delivery.ack(),
            1 => delivery.nack(Requeue::Yes),
            2 => delivery.ack_multiple(),
            _ => return,
        };
    }

    fn act_on_channel(&mut self) {
        let Self { dice, calls, app } = self;
        let Some(channel) = dice.pick(&app.channels).cloned() else { return };
        let called = calls.given();
        match dice.roll(9) {
            0 => channel.queue_declare("q").then(move |_, _, _| called()),
            // There is no such queue: the channel is closed for it.
            1 if dice.roll(8) == 0 => {
                channel.queue_declare("nowhere").passive(true).then(move |_, _, _| called());
            }
            1 | 2 => channel.get("q").then(move |app, _, got| {
                called();
                app.deliveries.extend(got.ok().flatten().map(|message| message.delivery));
            }),
            3 => channel.confirm_select(move |app, _, publisher| {
                called();
                app.publishers.extend(publisher.ok());
            }),
            4 => {
                let consume = channel.consume("q").on_end(move |_, _, _| called());
                let consumer = consume.each(|app, _, delivery| app.deliveries.push(delivery));
                app.consumers.push(consumer);
            }
            5 => channel.publish("", "q", vec![7; dice.roll(10_000)]).then(move |_, _, _| called()),
            6 if dice.roll(4) == 0 => channel.close_then(move |_, _, _| called()),
            7 => {
                let ended = dice.take(&mut app.consumers);
                ended.iter().for_each(|consumer| if dice.roll(2) == 0 { consumer.cancel() } else { consumer.close() });
                channel.queue_declare("q").then(move |_, _, _| called());
            }
            _ => match dice.pick(&app.publishers) {
                Some(publisher) => publisher.publish("", "q", "x").then(move |_, _, _| called()),
                None => channel.queue_declare("q").then(move |_, _, _| called()),
            },
        }
    }

    /// The broker, or the network, does something.
    fn disturb(&mut self, host: &Host) {
        let mut broker = host.broker.state();
        let connections = broker.connections();
        let Some(victim) = self.dice.pick(&connections).map(|connection| connection.id) else { return };
        match self.dice.roll(5) {
            0 => broker.inject(Target::Connection(victim), Fault::Drop),
            1 => drop(broker.close_connection(victim, ReplyCode::CONNECTION_FORCED, "an operator's")),
            2 => drop(broker.delete_queue("/", "q")),
            3 => broker.inject(Target::Next, Fault::CutOutput(self.dice.roll(3000) as u64)),
            _ => broker.nack_next(3),
        }
    }
}

/// Plays one round. How many handlers there were.
fn play(seed: u64) -> usize {
    let _guard = Guard::new();
    let host = Host::new();
    let mut event_loop = EventLoop::new().unwrap();
    let mut round = Round { dice: Dice(seed), calls: Calls::default(), app: App::default() };
    for _ in 0..400 {
        for _ in 0..round.dice.roll(6) {
            round.act(&mut event_loop, &host);
        }
        if round.dice.roll(25) == 0 {
            round.disturb(&host);
        }
        match round.dice.roll(4) {
            0 => event_loop.pass(&mut round.app, Some(Duration::ZERO)).unwrap(),
            1 => {
                let (remote, called) = (event_loop.handle().remote(), round.calls.given());
                event_loop.handle().call_later(Duration::from_micros(300), move |_, _| called());
                // Sometimes before the run begins, sometimes within.
                let stops = std::thread::spawn(move || remote.stop());
                event_loop.run(&mut round.app).unwrap();
                stops.join().unwrap();
                // A stop that came after the run, which had nothing left to do, ends this one.
                event_loop.run_until(&mut round.app, |_| true).unwrap();
            }
            _ => event_loop.pass(&mut round.app, Some(Duration::from_millis(1))).unwrap(),
        }
    }
    // All connections are lost; what handlers keep of them meanwhile is dropped, until nothing is
    // left.
    drop(host);
    loop {
        drop(std::mem::take(&mut round.app));
        event_loop.run_until(&mut round.app, App::has_something).unwrap();
        if !round.app.has_something() {
            return round.calls.check(seed);
        }
    }
}

#[test]
fn random_operations_on_connections_that_are_cut_call_each_handler_once() {
    let seconds = std::env::var("LEVERET_STRESS_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let first = std::env::var("LEVERET_STRESS_SEED").ok().and_then(|seed| seed.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(2));
    let (mut seed, mut rounds, mut handlers) = (first.unwrap_or(1), 0, 0);
    while rounds < 3 || Instant::now() < until {
        handlers += play(seed);
        seed += 1;
        rounds += 1;
    }
    assert!(handlers > rounds * 100, "{handlers} handlers in {rounds} rounds");
    let told = format!("{rounds} rounds, {handlers} handlers, each called once\n");
    std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes()).unwrap();
}
