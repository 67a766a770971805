//! Steps that belong together: what a client has or does when it loses its connection.

use super::{Draw, QUEUES};
use crate::script::{Settings, Step, Verb};

/// The number of the code 541 among those with which the broker closes connections.
const INTERNAL_ERROR: u32 = 14;

/// The numbers of `queue.declare`, `queue.bind` and `basic.consume` among the methods that are
/// held.
const REPLAYED: &[u32] = &[0, 1, 4];

impl Draw {
    /// A client loses its connection while it has much to lose, or again and again.
    pub(super) fn lose(&mut self, settings: Settings, steps: &mut Vec<Step>) {
        let client = self.random.below(self.clients);
        let channel = self.value(Verb::Publish, "channel");
        match self.random.below(if settings.recovery > 0 { 9 } else { 3 }) {
            0 => self.confirm_late(client, channel, steps),
            1 => self.be_blocked(client, channel, steps),
            2 => {
                steps.push(Step::new(Verb::HoldNext, &[self.random.below(16)]));
                steps.push(self.step());
                return steps.push(Step::new(Verb::Wait, &[40_000]));
            }
            3 => self.own(client, channel, steps),
            4 => return self.close_again(client, steps),
            // A request in a transaction.
            5 => {
                steps.push(Step::new(Verb::Publish, &[client, channel, 0, 0, 0, 10]));
                steps.push(Step::new(Verb::Turns, &[self.random.below(8)]));
            }
            6 => return self.request(client, channel, steps),
            7 => steps.push(Step::new(Verb::Refuse, &[client, 1 + self.random.below(4)])),
            _ => self.delete(client, channel, steps),
        }
        self.cut(client, steps);
    }

    /// The loss, and what is requested after it.
    fn cut(&mut self, client: u32, steps: &mut Vec<Step>) {
        let way = self.random.below(2);
        steps.push(Step::new(Verb::Cut, &[client, way, self.random.pick(&[0, 0, 30, 100])]));
        for _ in 0..self.random.below(3) {
            let verb =
                self.random.pick(&[Verb::Publish, Verb::QueueDeclare, Verb::ChannelClose, Verb::Ack, Verb::TxCommit]);
            let values: Vec<u32> = verb.fields().iter().map(|field| self.value(verb, field)).collect();
            steps.push(Step::new(verb, &self.spare_first_queue(verb, values)));
        }
        if self.random.chance(70) {
            steps.push(Step::new(Verb::Wait, &[self.random.pick(&[10, 100, 700, 3000])]));
        }
    }

    /// Confirms are waited for, and the broker's answers are late.
    fn confirm_late(&mut self, client: u32, channel: u32, steps: &mut Vec<Step>) {
        steps.push(Step::new(Verb::Confirm, &[client, channel]));
        steps.push(Step::new(Verb::Rest, &[]));
        steps.push(Step::new(Verb::Delay, &[client, 1, 300]));
        steps.push(Step::new(Verb::PublishConfirmed, &[client, channel]));
        steps.push(Step::new(Verb::WaitForConfirms, &[client, channel]));
        steps.push(Step::new(Verb::Rest, &[]));
    }

    /// The broker blocks who publishes, for longer than a client may bear.
    fn be_blocked(&mut self, client: u32, channel: u32, steps: &mut Vec<Step>) {
        steps.push(Step::new(Verb::Alarm, &[]));
        steps.push(Step::new(Verb::Publish, &[client, channel]));
        steps.push(Step::new(Verb::Wait, &[12_000]));
        steps.push(Step::new(Verb::Wait, &[12_000]));
        steps.push(Step::new(Verb::AlarmEnds, &[]));
    }

    /// A queue of the connection's own, with what is bound to it and consumes from it. A step of
    /// restoring it may have no answer.
    fn own(&mut self, client: u32, channel: u32, steps: &mut Vec<Step>) {
        let kind = self.random.pick(&[3, 4]);
        let (queue, exchange) = (2 + client, self.value(Verb::QueueBind, "exchange"));
        let unrecorded = u32::from(self.random.chance(30));
        let last = 1 + self.random.below(2);
        steps.push(Step::new(Verb::ExchangeDeclare, &[client, channel, exchange, 0]));
        steps.push(Step::new(Verb::QueueDeclare, &[client, channel, queue, kind, 0, unrecorded]));
        steps.push(Step::new(Verb::QueueBind, &[client, channel, queue, exchange, last, self.random.below(2)]));
        steps.push(self.pause());
        let unrecorded = u32::from(self.random.chance(30));
        steps.push(Step::new(Verb::Consume, &[client, channel, queue, 0, 0, 5, 0, 0, unrecorded]));
        steps.push(Step::new(Verb::Rest, &[]));
        if self.random.chance(30) {
            steps.push(Step::new(Verb::HoldNext, &[self.random.pick(REPLAYED)]));
            steps.push(Step::new(Verb::Cut, &[client]));
            steps.push(Step::new(Verb::Wait, &[40_000]));
        }
    }

    /// The same close, soon after each recovery.
    fn close_again(&mut self, client: u32, steps: &mut Vec<Step>) {
        for _ in 0..4 {
            steps.push(Step::new(Verb::CloseConnection, &[client, INTERNAL_ERROR]));
            steps.push(Step::new(Verb::Wait, &[300]));
        }
    }

    /// A request whose reply comes after a loss.
    fn request(&mut self, client: u32, channel: u32, steps: &mut Vec<Step>) {
        steps.push(Step::new(Verb::ReplyTo, &[client, channel, 1]));
        steps.push(self.pause());
        steps.push(Step::new(Verb::Consume, &[client, channel, 0, 0]));
        steps.push(Step::new(Verb::Cut, &[client]));
        steps.push(Step::new(Verb::Wait, &[2000]));
        steps.push(Step::new(Verb::Request, &[client, channel, 0]));
        steps.push(Step::new(Verb::Rest, &[]));
    }

    /// A queue that is deleted with what hangs on it.
    fn delete(&mut self, client: u32, channel: u32, steps: &mut Vec<Step>) {
        let queue = 1 + self.random.below(QUEUES - 1);
        steps.push(Step::new(Verb::QueueDeclare, &[client, channel, queue]));
        steps.push(Step::new(Verb::ExchangeDeclare, &[client, channel, 0, 1]));
        steps.push(Step::new(Verb::QueueBind, &[client, channel, queue, 0]));
        steps.push(self.pause());
        steps.push(Step::new(Verb::QueueDelete, &[client, channel, queue]));
        steps.push(self.pause());
    }
}
