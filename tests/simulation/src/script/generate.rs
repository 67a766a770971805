//! The script of a seed.

use super::{Script, Settings, Step, Verb};
use crate::random::Random;

/// How often each step is drawn, in proportion to the others.
const WEIGHTS: &[(Verb, u32)] = &[
    (Verb::Open, 10),
    (Verb::Close, 4),
    (Verb::Forget, 3),
    (Verb::ChannelOpen, 14),
    (Verb::ChannelClose, 5),
    (Verb::ChannelDrop, 4),
    (Verb::Confirm, 10),
    (Verb::TxSelect, 4),
    (Verb::TxCommit, 6),
    (Verb::TxRollback, 3),
    (Verb::Qos, 5),
    (Verb::ExchangeDeclare, 8),
    (Verb::ExchangeDelete, 2),
    (Verb::ExchangeBind, 4),
    (Verb::ExchangeUnbind, 2),
    (Verb::QueueDeclare, 14),
    (Verb::QueueDelete, 2),
    (Verb::QueueBind, 8),
    (Verb::QueueUnbind, 3),
    (Verb::Purge, 2),
    (Verb::Publish, 30),
    (Verb::PublishConfirmed, 70),
    (Verb::WaitForConfirms, 6),
    (Verb::Consume, 30),
    (Verb::Cancel, 7),
    (Verb::ConsumerDrop, 5),
    (Verb::Get, 14),
    (Verb::Ack, 40),
    (Verb::AckMultiple, 14),
    (Verb::Nack, 10),
    (Verb::NackMultiple, 5),
    (Verb::Reject, 6),
    (Verb::DeliveryDrop, 5),
    (Verb::Cut, 16),
    (Verb::Delay, 10),
    (Verb::Silence, 7),
    (Verb::Trickle, 8),
    (Verb::Heal, 10),
    (Verb::Refuse, 3),
    (Verb::CloseConnection, 6),
    (Verb::CloseChannel, 6),
    (Verb::Alarm, 5),
    (Verb::AlarmEnds, 8),
    (Verb::RefuseLogins, 3),
    (Verb::NackNext, 4),
    (Verb::ReturnNext, 4),
    (Verb::DeleteQueue, 2),
    (Verb::CancelConsumer, 5),
    (Verb::UserGone, 1),
    (Verb::UserBack, 2),
    (Verb::HostGone, 1),
    (Verb::HostBack, 2),
    (Verb::Wait, 30),
    (Verb::Rest, 60),
    (Verb::Turns, 50),
];

/// Channels of a client, queues, exchanges, and consumers of a channel.
const CHANNELS: u32 = 3;
const QUEUES: u32 = 4;
const EXCHANGES: u32 = 3;
const CONSUMERS: u32 = 2;

impl Script {
    /// Returns the script of a seed. Connections recover if `recovery` allows it and the seed says
    /// so.
    pub fn of_seed(seed: u64, recovery: bool) -> Self {
        let mut draw = Draw { random: Random::new(seed), clients: 1, weights: WEIGHTS.to_vec() };
        let settings = draw.settings(seed, recovery);
        let mut steps = draw.beginning();
        for _ in 0..20 + draw.random.below(60) {
            steps.push(draw.step());
        }
        Self { settings, steps }
    }
}

struct Draw {
    random: Random,
    clients: u32,
    weights: Vec<(Verb, u32)>,
}

impl Draw {
    fn settings(&mut self, seed: u64, recovery: bool) -> Settings {
        self.clients = 1 + self.random.below(3);
        let settings = Settings {
            seed,
            clients: self.clients,
            heartbeat: self.random.pick(&[1, 4, 10]),
            blocked: self.random.pick(&[0, 0, 5, 15]),
            pipe: self.random.pick(&[300, 4096, 65_536]),
            recovery: if recovery { self.random.pick(&[0, 1, 1, 1, 1, 2]) } else { 0 },
        };
        // Some verbs are left out in each run, so that what they end at once lives longer in some.
        for _ in 0..6 {
            let left_out = self.random.below(u32::try_from(self.weights.len()).unwrap_or(1)) as usize;
            if !matches!(self.weights[left_out].0, Verb::AlarmEnds | Verb::HostBack | Verb::UserBack) {
                self.weights[left_out].1 = 0;
            }
        }
        settings
    }

    /// Clients with a channel each, and a queue.
    fn beginning(&mut self) -> Vec<Step> {
        let mut steps: Vec<_> = (0..self.clients).map(|client| Step::new(Verb::Open, &[client])).collect();
        steps.push(Step::new(Verb::Rest, &[]));
        for client in 0..self.clients {
            for channel in 0..1 + self.random.below(2) {
                steps.push(Step::new(Verb::ChannelOpen, &[client, channel]));
            }
        }
        steps.push(Step::new(Verb::Rest, &[]));
        for queue in 0..1 + self.random.below(2) {
            steps.push(Step::new(Verb::QueueDeclare, &[0, 0, queue]));
        }
        for client in 0..self.clients {
            if self.random.chance(80) {
                steps.push(Step::new(Verb::Confirm, &[client, 0]));
            }
        }
        steps.push(Step::new(Verb::Rest, &[]));
        steps
    }

    fn step(&mut self) -> Step {
        let total = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.random.below(total);
        let mut verb = Verb::Rest;
        for &(candidate, weight) in &self.weights {
            verb = candidate;
            match drawn.checked_sub(weight) {
                Some(left) => drawn = left,
                None => break,
            }
        }
        let values: Vec<u32> = verb.fields().iter().map(|field| self.value(verb, field)).collect();
        let values = self.spare_first_queue(verb, values);
        let polls = self.random.chance(8).then(|| self.random.pick(&[0, 1, 1, 2, 3]));
        Step::new(verb, &values).dropped_after(polls.filter(|_| values.len() > 1))
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
        if let Some(queue) = queue.filter(|queue| loses && values[*queue] == 0) && self.random.chance(90) {
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
            (_, "queue") => random.below(QUEUES).min(random.below(QUEUES)),
            (Verb::Publish | Verb::PublishConfirmed, "exchange") if random.chance(70) => 0,
            (_, "exchange" | "to") => random.below(EXCHANGES),
            (Verb::QueueDeclare, "kind") if random.chance(75) => 0,
            (Verb::QueueDeclare, "kind") => random.below(5),
            (_, "kind") => random.pick(&[0, 0, 1, 2]),
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
            (Verb::Delay, "ms") => random.pick(&[1, 20, 300, 2000, 9000]),
            (_, "ms") => random.pick(&[1, 10, 100, 700, 3000, 12_000, 40_000]),
            (Verb::Trickle, "count") => random.below(300),
            (_, "code") => random.below(32),
            (_, "count") => 1 + random.below(4),
            _ => 0,
        }
    }
}
