//! A random walk of application and broker, seeded: whatever they do, nothing panics, each waiter
//! hears once, and all that is counted comes back to nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leveret::ReplyCode;
use leveret::engine::{
    ChannelKey, Completion, Confirmation, ConsumerKey, Engine, Event, Failure, Fate, GatePlace, Negotiated, Reason,
    WaiterId,
};
use leveret::protocol::connection;

use crate::session::{Session, negotiated};

mod application;
mod broker;

use broker::BrokerChannel;

/// Marsaglia's xorshift: the same walk for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.roll(one_in) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.roll(from.len())])
    }
}

/// A walk and all that it has to remember.
struct Walk {
    session: Session,
    dice: Dice,
    channels: Vec<ChannelKey>,
    consumers: Vec<(ConsumerKey, WaiterId)>,
    /// Waiters that have heard nothing so far; those who gave up are not among them.
    waiting: BTreeMap<WaiterId, &'static str>,
    /// Waiters whose time was over before the answer came: the answer, if any, is put right.
    timed_out: BTreeSet<WaiterId>,
    /// Waiters at the gate that dropped their place, and calls that were dropped.
    gone: BTreeSet<WaiterId>,
    /// Who waits at the gate, with the place and with who hears of the confirm.
    at_gate: Vec<(WaiterId, GatePlace, Option<WaiterId>)>,
    broker: BTreeMap<u16, BrokerChannel>,
    broker_closed: bool,
    /// How often each thing was heard.
    heard: BTreeMap<&'static str, usize>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut session = Session::with(Negotiated { channel_max: 4, ..negotiated() }, |settings| {
            settings.call_timeout = Some(Duration::from_secs(30));
            settings.high_water = 2000;
            settings.low_water = 1000;
            settings.max_unconfirmed = Some(5);
            settings.max_message_size = 5000;
        });
        session.gather();
        Self {
            session,
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            channels: Vec::new(),
            consumers: Vec::new(),
            waiting: BTreeMap::new(),
            timed_out: BTreeSet::new(),
            gone: BTreeSet::new(),
            at_gate: Vec::new(),
            broker: BTreeMap::new(),
            broker_closed: false,
            heard: BTreeMap::new(),
        }
    }

    fn engine(&mut self) -> &mut Engine {
        &mut self.session.engine
    }

    fn wait(&mut self, what: &'static str) -> WaiterId {
        let waiter = self.session.waiter();
        self.waiting.insert(waiter, what);
        waiter
    }

    /// The engine refused at the call: the waiter was never taken.
    fn refused<R, E>(&mut self, waiter: WaiterId, result: Result<R, E>) -> Option<R> {
        if result.is_err() {
            self.waiting.remove(&waiter);
        }
        result.ok()
    }

    /// Takes every event, as a driver would.
    fn hear(&mut self) {
        loop {
            let mut heard = self.session.completions();
            while let Some(event) = self.session.engine.poll_event() {
                if let Event::Completed(waiter, completion) = event {
                    heard.push((waiter, completion));
                }
            }
            if heard.is_empty() {
                break;
            }
            for (waiter, completion) in heard {
                self.heard(waiter, completion);
            }
        }
        drop(self.engine().take_discarded());
        self.check();
    }

    fn heard(&mut self, waiter: WaiterId, completion: Completion) {
        *self.heard.entry(name(&completion)).or_default() += 1;
        if self.gone.contains(&waiter) || self.timed_out.contains(&waiter) {
            self.engine().handle_abandoned(completion);
            return;
        }
        let what = self.waiting.remove(&waiter);
        assert!(what.is_some(), "{waiter:?} hears {completion:?} for the second time");
        match completion {
            Completion::Opened(key) => self.channels.push(key),
            Completion::Reply(reply) => {
                if let Some(consumer) = reply.consumer {
                    let waiter = self.session.waiter();
                    self.consumers.push((consumer, waiter));
                }
            }
            Completion::Published => {
                if let Some(index) = self.at_gate.iter().position(|(it, ..)| *it == waiter) {
                    let (_, _, confirm) = self.at_gate.remove(index);
                    self.waiting.extend(confirm.map(|confirm| (confirm, "confirm")));
                }
            }
            Completion::Failed(failure) => {
                self.at_gate.retain(|(it, ..)| *it != waiter);
                if matches!(failure, Failure::TimedOut(_) | Failure::TimedOutBlocked { .. }) {
                    self.timed_out.insert(waiter);
                }
            }
            Completion::Confirmed(_)
            | Completion::Settled(..)
            | Completion::Room
            | Completion::SecretUpdated
            | Completion::Restored
            | Completion::Closed => {}
        }
    }

    fn check(&self) {
        let engine = &self.session.engine;
        let closure = engine.closure();
        let fault = closure.is_some_and(|it| matches!(it.reason, Reason::Violation(_)));
        assert!(!fault, "a correct broker is blamed: {closure:?}");
        assert!(engine.channel_count() <= 4 && engine.unconfirmed() <= 10_000);
    }

    fn end(&mut self) {
        match self.dice.roll(4) {
            0 => self.session.lose(),
            1 => {
                self.session.say(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED));
            }
            2 => {
                self.close();
                self.session.pass(Duration::from_secs(10));
            }
            _ => {
                self.close();
                self.broker_reads();
            }
        }
        self.hear();
        self.broker_reads();
        for (consumer, waiter) in std::mem::take(&mut self.consumers) {
            self.session.take_deliveries(consumer, waiter);
            self.engine().drop_consumer(consumer, [], None);
        }
        self.hear();
        assert!(self.waiting.is_empty(), "still waiting: {:?}", self.waiting);
        for key in std::mem::take(&mut self.channels) {
            self.engine().release_channel(key);
        }
        let engine = &mut self.session.engine;
        assert!(engine.leftovers().is_empty(), "left behind: {}", engine.leftovers());
        assert!(engine.is_finished(), "{:?}", engine.closure());
        assert_eq!((engine.queued(), engine.channel_count(), engine.unconfirmed()), (0, 0, 0));
        assert_eq!((engine.untaken(), engine.poll_event().is_none()), (0, true));
    }
}

fn name(completion: &Completion) -> &'static str {
    match completion {
        Completion::Opened(_) => "opened",
        Completion::Reply(reply) if reply.consumer.is_some() => "consuming",
        Completion::Reply(reply) if reply.content.is_some() => "got",
        Completion::Reply(_) => "reply",
        Completion::Confirmed(Confirmation::Ack) => "ack",
        Completion::Confirmed(Confirmation::Nack) => "nack",
        Completion::Confirmed(Confirmation::Returned(_)) => "returned",
        Completion::Confirmed(Confirmation::Unknown) => "perhaps returned",
        Completion::Settled(..) => "settled",
        Completion::Published => "published",
        Completion::Room => "room",
        Completion::SecretUpdated => "secret updated",
        Completion::Restored => "restored",
        Completion::Closed => "closed",
        Completion::Failed(Failure::TimedOut(_) | Failure::TimedOutBlocked { .. }) => "timed out",
        Completion::Failed(Failure::Closed { fate: Fate::NotSent, .. }) => "not sent",
        Completion::Failed(Failure::Closed { fate: Fate::Unknown, .. }) => "unknown",
        Completion::Failed(_) => "failed",
    }
}

/// One walk of at most `steps`, and what was heard on it.
fn walk(seed: u64, steps: usize) -> BTreeMap<&'static str, usize> {
    let mut walk = Walk::new(seed);
    for _ in 0..steps {
        match walk.dice.roll(5) {
            0 | 1 => walk.act(),
            2 => walk.broker_reads(),
            3 => walk.broker_acts(),
            _ if walk.dice.chance(5) => {
                let time = Duration::from_secs(walk.dice.roll(8) as u64);
                walk.session.pass(time);
                walk.hear();
            }
            _ => {
                walk.session.take();
            }
        }
        if walk.broker_closed || walk.session.engine.is_finished() {
            break;
        }
    }
    walk.end();
    walk.heard
}

#[test]
fn whatever_both_sides_do_each_waiter_hears_once_and_nothing_is_left() {
    let mut heard: BTreeMap<&'static str, usize> = BTreeMap::new();
    for seed in 1..=400 {
        let Ok(on_the_way) = std::panic::catch_unwind(|| walk(seed, 400)) else {
            panic!("the walk of seed {seed} failed");
        };
        for (what, times) in on_the_way {
            *heard.entry(what).or_default() += times;
        }
    }
    // A walk that does nothing shows nothing.
    let all = [
        "opened",
        "consuming",
        "got",
        "reply",
        "ack",
        "nack",
        "returned",
        "settled",
        "published",
        "closed",
        "timed out",
        "not sent",
        "unknown",
    ];
    for what in all {
        assert!(heard.get(what).is_some_and(|times| *times >= 20), "too little of {what} in {heard:?}");
    }
}
