//! Replays against a broker that refuses what a test wants.

mod order;
mod property;
mod refusals;
mod suspicion;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::engine::{Change, Closure, Reason, Scope};
use crate::protocol::{ReplyCode, queue};
use crate::recovery::record::tests as recording;

/// Three heartbeat intervals.
const HELD: Duration = Duration::from_secs(180);

fn pace() -> Pace {
    Pace { base: Duration::from_secs(1), max: Duration::from_secs(30), held: HELD, seed: 7 }
}

/// The close of a channel by the broker.
fn refusal(code: ReplyCode, text: &str) -> Error {
    let reply_text = text.to_owned();
    let closure = Closure {
        scope: Scope::Channel(1),
        reason: Reason::Broker,
        reply_code: Some(code),
        reply_text,
        method: None,
        blocked: None,
    };
    Arc::new(closure).into()
}

/// The end of a connection by the broker.
fn loss() -> Error {
    let closure = Closure { reply_code: Some(ReplyCode::INTERNAL_ERROR), ..Closure::silent(Reason::Broker) };
    Arc::new(closure).into()
}

fn away() -> Error {
    refusal(
        ReplyCode::NOT_FOUND,
        "NOT_FOUND - home node 'r@b' of durable queue 'q' in vhost '/' is down or inaccessible",
    )
}

fn locked() -> Error {
    refusal(ReplyCode::RESOURCE_LOCKED, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q'")
}

fn in_exclusive_use() -> Error {
    refusal(ReplyCode::ACCESS_REFUSED, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use")
}

fn forbidden() -> Error {
    refusal(
        ReplyCode::ACCESS_REFUSED,
        "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'u'",
    )
}

fn different() -> Error {
    refusal(
        ReplyCode::PRECONDITION_FAILED,
        "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/'",
    )
}

fn no_queue() -> Error {
    refusal(ReplyCode::NOT_FOUND, "NOT_FOUND - no queue 'q' in vhost '/'")
}

fn no_exchange() -> Error {
    refusal(ReplyCode::NOT_FOUND, "NOT_FOUND - no exchange 'e' in vhost '/'")
}

/// A request in words.
fn words(request: &Request) -> String {
    match request {
        Request::Private(method) => match &**method {
            Method::ExchangeDeclare(declare) => format!("exchange {}", declare.exchange),
            Method::QueueDeclare(declare) if declare.passive => format!("check {}", declare.queue),
            Method::QueueDeclare(declare) => format!("queue {}", declare.queue),
            Method::QueueBind(bind) => format!("bind {} {} {}", bind.queue, bind.exchange, bind.routing_key),
            Method::ExchangeBind(bind) => format!("bind exchange {} {}", bind.destination, bind.source),
            other => format!("{other:?}"),
        },
        Request::Consume { channel, request, prefetch, .. } => {
            format!("{}: qos {prefetch}, consume {} {}", channel.number, request.queue, request.consumer_tag)
        }
    }
}

/// A supervisor and its broker, which handles each channel in order and answers one request at a
/// time.
struct Run {
    record: Topology,
    replay: Replay,
    now: Instant,
    outstanding: VecDeque<Step>,
    /// The requests that are refused, and how often.
    refused: Vec<(String, Error, u32)>,
    /// How many consumers a queue has.
    consumer_counts: Vec<(String, u32)>,
    named: u32,
    /// The requests that were sent and not repeated, in order.
    sent: Vec<String>,
    /// The requests that succeeded.
    made: Vec<String>,
    recovered: Vec<String>,
    renamed: Vec<String>,
    /// How often a channel of the application was closed.
    closes: u32,
    most: usize,
}

impl Run {
    fn new(changes: impl IntoIterator<Item = Change>) -> Self {
        let mut record = recording::record();
        recording::apply(&mut record, changes);
        Self::of(record, Suspects::default())
    }

    fn of(record: Topology, suspects: Suspects) -> Self {
        Self {
            replay: Replay::new(record.snapshot(), suspects, &pace()),
            record,
            now: Instant::now(),
            outstanding: VecDeque::new(),
            refused: Vec::new(),
            consumer_counts: Vec::new(),
            named: 0,
            sent: Vec::new(),
            made: Vec::new(),
            recovered: Vec::new(),
            renamed: Vec::new(),
            closes: 0,
            most: 0,
        }
    }

    fn refuse(mut self, request: &str, error: Error, times: u32) -> Self {
        self.refused.push((request.to_owned(), error, times));
        self
    }

    fn consumers(&mut self, queue: &str, count: u32) {
        self.consumer_counts.retain(|(name, _)| name != queue);
        self.consumer_counts.push((queue.to_owned(), count));
    }

    /// Sends what may be sent now. Returns what was sent.
    fn send(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(step) = self.replay.next(&self.record, self.now) {
            sent.push(words(&step.request));
            self.outstanding.push_back(step);
        }
        self.most = self.most.max(self.outstanding.len());
        self.sent.extend(sent.iter().cloned());
        sent
    }

    /// Answers the oldest request.
    fn answer(&mut self) {
        let Some(step) = self.outstanding.pop_front() else { return };
        let request = words(&step.request);
        let refused = self.refused.iter_mut().find(|(refused, _, times)| *refused == request && *times > 0);
        if let Some((_, error, times)) = refused {
            *times -= 1;
            let (channel, error) = (channel(&step), error.clone());
            self.closes += u32::from(channel.is_some());
            self.replay.failed(step.id, error.clone(), self.now);
            // The others on the channel fail with the same close.
            for step in self.outstanding.iter().filter(|step| self::channel(step) == channel) {
                self.replay.failed(step.id, error.clone(), self.now);
            }
            self.outstanding.retain(|step| self::channel(step) != channel);
            return;
        }
        let reply = self.reply(&step);
        self.made.push(request);
        let success = self.replay.succeeded(step.id, &reply);
        if let Some((from, to)) = success.renamed {
            self.record.rename_queue(&from, &to);
            self.renamed.push(format!("{from} -> {to}"));
        }
        self.recovered.extend(success.recovered.map(|entity| entity.to_string()));
    }

    fn reply(&mut self, step: &Step) -> Method {
        let Request::Private(method) = &step.request else { return Method::from(basic::ConsumeOk::default()) };
        let Method::QueueDeclare(declare) = &**method else { return Method::from(queue::BindOk::default()) };
        let mut name = declare.queue.clone();
        if name.is_empty() {
            self.named += 1;
            name = format!("amq.gen-new{}", self.named).into();
        }
        let count = self.consumer_counts.iter().find(|(queue, _)| name == *queue).map_or(0, |(_, count)| *count);
        Method::from(queue::DeclareOk::default().queue(name).consumer_count(count))
    }

    /// Sends and answers until nothing is left to do now.
    fn settle(&mut self) {
        loop {
            self.send();
            if self.replay.is_settled() {
                return;
            }
            self.answer();
        }
    }

    fn settle_phase(&mut self, phase: Phase) {
        self.replay.begin(phase);
        self.settle();
    }

    /// Settles all phases, as far as possible without waiting.
    fn settle_all(&mut self) {
        for phase in [Phase::Topology, Phase::ReplyTo, Phase::Consumers] {
            self.settle_phase(phase);
        }
    }

    /// Lets the time of one retry pass.
    fn retry(&mut self) -> bool {
        let Some(at) = self.replay.poll_deadline() else { return false };
        self.now = self.now.max(at);
        self.replay.handle_timeout(self.now);
        self.settle();
        true
    }

    /// Lets time pass until everything is decided.
    fn finish(&mut self) {
        self.settle_all();
        while self.retry() {}
        assert!(self.replay.is_finished());
    }

    /// The failures that were not taken yet. Those that are tried again have a question mark.
    fn failures(&mut self) -> Vec<String> {
        let failures = self.replay.take_failures().into_iter();
        failures.map(|it| format!("{}{}", it.entity, if it.is_retried { "?" } else { "" })).collect()
    }
}

fn channel(step: &Step) -> Option<ChannelKey> {
    match &step.request {
        Request::Private(_) => None,
        Request::Consume { channel, .. } => Some(*channel),
    }
}
