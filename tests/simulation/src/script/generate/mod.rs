//! The script of a seed.

mod losing;
mod weights;

use self::weights::{FAULTS, SETTLING, STEPS};
use super::{Script, Settings, Step, Verb};
use crate::random::Random;

/// How many of a hundred steps are faults.
const FAULT_RATES: &[u32] = &[0, 4, 10, 20];

/// Channels of a client, queues, exchanges, and consumers of a channel.
const CHANNELS: u32 = 3;
const QUEUES: u32 = 4;
const EXCHANGES: u32 = 3;
const CONSUMERS: u32 = 2;

impl Script {
    /// Returns the script of a seed. Connections recover if `recovery` allows it and the seed says
    /// so.
    pub fn of_seed(seed: u64, recovery: bool) -> Self {
        let mut draw = Draw::new(Random::new(seed));
        let settings = draw.settings(seed, recovery);
        let mut steps = draw.beginning();
        let faults = draw.random.pick(FAULT_RATES);
        for _ in 0..10 + draw.random.below(35) {
            draw.next(settings, faults, &mut steps);
        }
        Self { settings, steps }
    }

    /// Returns the script that octets choose, one choice after the other. Most connections recover.
    /// It has a few more steps than there are octets at most.
    pub fn of_octets(octets: &[u8]) -> Self {
        let mut draw = Draw::new(Random::of_octets(octets));
        let seed = u64::from(draw.random.below(256));
        let settings = draw.settings(seed, true);
        let mut steps = draw.beginning();
        let faults = draw.random.pick(FAULT_RATES);
        while !draw.random.is_spent() {
            draw.next(settings, faults, &mut steps);
        }
        Self { settings, steps }
    }
}

struct Draw {
    random: Random,
    clients: u32,
    steps: Vec<(Verb, u32)>,
    faults: Vec<(Verb, u32)>,
}

impl Draw {
    fn new(random: Random) -> Self {
        Self { random, clients: 1, steps: STEPS.to_vec(), faults: FAULTS.to_vec() }
    }

    /// Adds a step, or a few that belong together.
    fn next(&mut self, settings: Settings, faults: u32, steps: &mut Vec<Step>) {
        match self.random.below(100) {
            drawn if drawn < faults => steps.push(self.fault()),
            drawn if drawn < 52 => steps.push(self.step()),
            drawn if drawn < 84 => self.work(steps),
            drawn if drawn < 88 => self.transact(steps),
            drawn if drawn < 91 => self.lose(settings, steps),
            _ => self.begin_anew(steps),
        }
    }

    fn settings(&mut self, seed: u64, recovery: bool) -> Settings {
        self.clients = 1 + self.random.below(3);
        let settings = Settings {
            seed,
            clients: self.clients,
            heartbeat: self.random.pick(&[1, 4, 10]),
            blocked: self.random.pick(&[0, 0, 5, 15]),
            pipe: self.random.pick(&[300, 4096, 65_536]),
            recovery: if recovery { self.random.pick(&[0, 1, 1, 1, 1, 2]) } else { 0 },
            provider: self.random.pick(&[0, 0, 1]),
            ..Settings::NONE
        };
        let settings = if settings.recovery > 0 { self.recovering(settings) } else { settings };
        // Some verbs are left out of each run, so that what they would end lives longer.
        for _ in 0..6 {
            let left_out = self.random.below(u32::try_from(self.steps.len()).unwrap_or(1)) as usize;
            self.steps[left_out].1 = 0;
            let left_out = self.random.below(u32::try_from(self.faults.len()).unwrap_or(1)) as usize;
            self.faults[left_out].1 = 0;
        }
        settings
    }

    /// How connections recover.
    fn recovering(&mut self, settings: Settings) -> Settings {
        Settings {
            down: self.random.pick(&[0, 0, 0, 1, 2]),
            channels: self.random.pick(&[0, 0, 0, 1, 2]),
            record: self.random.pick(&[0, 0, 0, 0, 0, 0, 0, 3]),
            attempts: self.random.pick(&[0, 0, 0, 0, 2]),
            ..settings
        }
    }

    /// Clients with a channel each, queues, and an exchange.
    fn beginning(&mut self) -> Vec<Step> {
        let mut steps: Vec<_> = (0..self.clients).map(|client| Step::new(Verb::Open, &[client])).collect();
        steps.push(Step::new(Verb::Rest, &[]));
        for client in 0..self.clients {
            for channel in 0..1 + self.random.below(2) {
                steps.push(Step::new(Verb::ChannelOpen, &[client, channel]));
            }
        }
        steps.push(Step::new(Verb::Rest, &[]));
        for queue in 0..1 + self.random.below(3) {
            steps.push(Step::new(Verb::QueueDeclare, &[0, 0, queue]));
        }
        if self.random.chance(20) {
            steps.push(Step::new(Verb::QueueDeclare, &[0, 0, 0, 4]));
        }
        if self.random.chance(60) {
            steps.push(Step::new(Verb::ExchangeDeclare, &[0, 0, 0, self.random.below(2)]));
            steps.push(Step::new(Verb::QueueBind, &[0, 0, self.random.below(2), 0]));
        }
        for client in 0..self.clients {
            if self.random.chance(80) {
                steps.push(Step::new(Verb::Confirm, &[client, 0]));
            }
        }
        steps.push(Step::new(Verb::Rest, &[]));
        steps
    }

    /// A client opens its connection or a channel again, after what may have ended it.
    fn begin_anew(&mut self, steps: &mut Vec<Step>) {
        let (client, channel) = (self.random.below(self.clients), self.value(Verb::ChannelOpen, "channel"));
        if self.random.chance(40) {
            if self.random.chance(50) {
                steps.push(Step::new(Verb::Heal, &[client]));
            }
            steps.push(Step::new(Verb::Open, &[client]));
            steps.push(self.pause());
        }
        steps.push(Step::new(Verb::ChannelOpen, &[client, channel]));
        steps.push(self.pause());
        if self.random.chance(50) {
            steps.push(Step::new(Verb::Confirm, &[client, channel]));
            steps.push(self.pause());
        }
    }

    /// A client publishes, or consumes and settles.
    fn work(&mut self, steps: &mut Vec<Step>) {
        let (client, channel) = (self.random.below(self.clients), self.value(Verb::Publish, "channel"));
        let queue = self.value(Verb::Consume, "queue");
        if self.random.chance(60) {
            let verb = if self.random.chance(80) { Verb::PublishConfirmed } else { Verb::Publish };
            for _ in 0..1 + self.random.below(4) {
                let (mandatory, bytes) = (self.value(verb, "mandatory"), self.value(verb, "bytes"));
                let transient = self.value(verb, "transient");
                let publish = Step::new(verb, &[client, channel, queue, 0, mandatory, bytes, transient]);
                steps.push(publish.dropped_after(self.polls()));
            }
            steps.push(self.pause());
            return;
        }
        let (place, prefetch) = (self.value(Verb::Consume, "place"), self.value(Verb::Consume, "prefetch"));
        let priority = self.value(Verb::Consume, "priority");
        let consume = Step::new(Verb::Consume, &[client, channel, queue, place, 0, prefetch, 0, priority]);
        steps.push(consume.dropped_after(self.polls()));
        steps.push(self.pause());
        for _ in 0..self.random.below(5) {
            let verb = self.random.pick(SETTLING);
            steps.push(Step::new(verb, &[client, self.random.below(4), self.random.below(2)]));
        }
        match self.random.below(8) {
            0 => steps.push(Step::new(Verb::Cancel, &[client, channel, place])),
            1 => steps.push(Step::new(Verb::ConsumerDrop, &[client, channel, place])),
            2 if self.weighs(Verb::CancelConsumer) => {
                steps.push(Step::new(Verb::CancelConsumer, &[client, channel, place]));
            }
            _ => {}
        }
    }

    /// A client publishes and settles in a transaction.
    fn transact(&mut self, steps: &mut Vec<Step>) {
        let (client, channel) = (self.random.below(self.clients), 1 + self.random.below(CHANNELS - 1));
        steps.push(Step::new(Verb::ChannelOpen, &[client, channel]));
        steps.push(self.pause());
        steps.push(Step::new(Verb::TxSelect, &[client, channel]));
        steps.push(self.pause());
        for _ in 0..self.random.below(4) {
            let queue = self.value(Verb::Publish, "queue");
            steps.push(Step::new(Verb::Publish, &[client, channel, queue, 0, 0, 10]));
        }
        if self.random.chance(40) {
            steps.push(Step::new(Verb::Get, &[client, channel, 0]));
            steps.push(self.pause());
            steps.push(Step::new(Verb::Ack, &[client, self.random.below(4)]));
        }
        let end = self.random.pick(&[Verb::TxCommit, Verb::TxCommit, Verb::TxRollback]);
        steps.push(Step::new(end, &[client, channel]));
        steps.push(self.pause());
    }

    /// Whether a fault was not left out of this run.
    fn weighs(&self, verb: Verb) -> bool {
        self.faults.iter().any(|(fault, weight)| *fault == verb && *weight > 0)
    }

    fn pause(&mut self) -> Step {
        match self.random.below(10) {
            0 => Step::new(Verb::Turns, &[1 + self.random.below(6)]),
            1 => Step::new(Verb::Wait, &[self.random.pick(&[10, 300, 2000])]),
            _ => Step::new(Verb::Rest, &[]),
        }
    }

    fn step(&mut self) -> Step {
        let verb = draw(&mut self.random, &self.steps);
        let values: Vec<u32> = verb.fields().iter().map(|field| self.value(verb, field)).collect();
        let values = self.spare_first_queue(verb, values);
        let polls = self.polls().filter(|_| values.len() > 1);
        Step::new(verb, &values).dropped_after(polls)
    }

    /// After how many polls a future is dropped, which few are.
    fn polls(&mut self) -> Option<u32> {
        self.random.chance(6).then(|| self.random.pick(&[0, 1, 1, 2, 2, 3]))
    }

    fn fault(&mut self) -> Step {
        let verb = draw(&mut self.random, &self.faults);
        let values: Vec<u32> = verb.fields().iter().map(|field| self.value(verb, field)).collect();
        Step::new(verb, &self.spare_first_queue(verb, values))
    }

    /// Mostly spares the first queue from what loses messages for a known reason, so that the
    /// ledger can say of it what must not be lost.
    fn spare_first_queue(&mut self, verb: Verb, mut values: Vec<u32>) -> Vec<u32> {
        let step = Step::new(verb, &values);
        let loses = match verb {
            Verb::QueueDelete | Verb::Purge | Verb::DeleteQueue => true,
            Verb::QueueDeclare => step.get("kind") > 1,
            _ => step.is("no-ack"),
        };
        let queue = verb.fields().iter().position(|field| *field == "queue");
        if let Some(queue) = queue.filter(|queue| loses && values[*queue] == 0)
            && self.random.chance(90)
        {
            values[queue] = 1 + self.random.below(QUEUES - 1);
        }
        values
    }

    fn value(&mut self, verb: Verb, field: &str) -> u32 {
        let random = &mut self.random;
        match (verb, field) {
            (_, "client") => random.below(self.clients),
            // The first channel is used most, so that much happens on it.
            (_, "channel") => random.below(CHANNELS).min(random.below(CHANNELS)),
            (_, "queue") if random.chance(60) => 0,
            (_, "queue") => random.below(QUEUES).min(random.below(QUEUES)),
            (Verb::Publish | Verb::PublishConfirmed, "exchange") if random.chance(70) => 0,
            (Verb::Publish | Verb::PublishConfirmed, "exchange") => 1 + random.below(EXCHANGES).min(random.below(2)),
            (_, "exchange") => random.below(EXCHANGES).min(random.below(EXCHANGES)),
            (_, "to") => random.below(EXCHANGES),
            (Verb::QueueDeclare, "kind") if random.chance(75) => 0,
            (Verb::QueueDeclare, "kind") => random.below(5),
            (_, "kind") => random.pick(&[0, 0, 1, 2]),
            (_, "auto-delete" | "arguments" | "unrecorded") => u32::from(random.chance(10)),
            (_, "last") if random.chance(80) => 0,
            (_, "last") => 1 + random.below(2),
            (_, "priority") => random.pick(&[0, 0, 0, 5]),
            (_, "place") => random.below(CONSUMERS),
            (_, "bytes") if verb != Verb::Trickle => random.pick(&[0, 0, 10, 100, 1000, 9000]),
            (_, "bytes") => random.pick(&[1, 1, 1, 3, 7]),
            (_, "prefetch") => random.pick(&[0, 1, 2, 10]),
            (_, "nth") => random.below(8),
            (_, "way") if verb == Verb::Silence => random.below(3),
            (_, "way" | "reset" | "mandatory" | "requeue") => random.below(2),
            (_, "no-ack") => u32::from(random.chance(10)),
            (_, "exclusive") => u32::from(random.chance(5)),
            (_, "after") => random.below(400).min(random.below(400)),
            (_, "method") => random.below(16),
            (_, "scope") => u32::from(random.chance(30)),
            (Verb::ConsumerTimeout, "ms") => random.pick(&[0, 1000, 5000]),
            (_, "transient") => u32::from(random.chance(15)),
            (Verb::Delay, "ms") => random.pick(&[1, 20, 300, 2000, 9000]),
            (_, "ms") => random.pick(&[1, 10, 100, 700, 3000, 12_000, 40_000]),
            (Verb::Trickle, "count") => random.below(300),
            (_, "code") => random.below(32),
            (_, "count") => 1 + random.below(4),
            _ => 0,
        }
    }
}

/// Draws a verb by its weight.
fn draw(random: &mut Random, from: &[(Verb, u32)]) -> Verb {
    let mut drawn = random.below(from.iter().map(|(_, weight)| weight).sum());
    let mut verb = Verb::Rest;
    for &(candidate, weight) in from {
        verb = candidate;
        match drawn.checked_sub(weight) {
            Some(left) => drawn = left,
            None => break,
        }
    }
    verb
}
