//! What the applications did, and what they were told.

use std::collections::{BTreeMap, BTreeSet};

use leveret::{Error, ErrorKind, Fate};

use crate::history::History;
use crate::topology::consumer_name;

/// How a delivery is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Settlement {
    /// The method: `"ack"`, `"nack"` or `"reject"`.
    pub method: &'static str,
    /// Whether all deliveries up to the tag are settled.
    pub multiple: bool,
    /// Whether the message stays in its queue.
    pub requeue: bool,
}

impl Settlement {
    /// An ack.
    pub fn ack(multiple: bool) -> Self {
        Self { method: "ack", multiple, requeue: false }
    }

    /// A nack.
    pub fn nack(multiple: bool, requeue: bool) -> Self {
        Self { method: "nack", multiple, requeue }
    }

    /// A reject.
    pub fn reject(requeue: bool) -> Self {
        Self { method: "reject", multiple: false, requeue }
    }
}

/// What became of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Published {
    /// Nothing was heard of it: its future was dropped.
    Unheard,
    /// It was handed over, without a confirm.
    Queued,
    /// The broker has confirmed it.
    Confirmed,
    /// The broker has refused it.
    Nacked,
    /// The broker has returned it.
    Returned,
    /// It was not sent.
    NotSent,
    /// It may have been sent.
    Unknown,
    /// Another error.
    Failed,
}

impl Published {
    /// What an error says of a publish.
    pub fn of_error(error: &Error) -> Self {
        match (error.kind(), error.fate()) {
            (ErrorKind::Nacked, _) => Self::Nacked,
            (ErrorKind::Returned, _) => Self::Returned,
            (_, Some(Fate::NotSent)) => Self::NotSent,
            (_, Some(Fate::Unknown)) => Self::Unknown,
            _ => Self::Failed,
        }
    }
}

/// A message that an application has published.
#[derive(Debug, Clone)]
pub struct Message {
    /// The channel of the application, by a number that no other channel has.
    pub channel: u64,
    /// The queue, if the default exchange routes it.
    pub queue: Option<String>,
    /// Whether it had to be routed.
    pub mandatory: bool,
    /// Whether it is the reply to a request.
    pub is_reply: bool,
    /// Whether an outage of the broker or of its queue loses it.
    pub transient: bool,
    /// When it was published, in the order of events.
    pub at: u64,
    /// What became of it.
    pub fate: Published,
}

/// A delivery that an application has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    /// The client.
    pub client: usize,
    /// The tag of the consumer; empty for a get.
    pub consumer: String,
    /// The tag of the delivery.
    pub tag: u64,
    /// The message, or `None` if its body is not one of ours.
    pub message: Option<u64>,
    /// Whether it was flagged as delivered before.
    pub redelivered: bool,
}

/// A settlement by an application: the client, the channel's number, the delivery's tag, its
/// message, and how.
pub type Settle = (usize, u16, u64, Option<u64>, Settlement);

/// A consumer, as its application knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// The client.
    pub client: usize,
    /// The number of the channel.
    pub channel: u16,
    /// Whether its messages need no settlement.
    pub no_ack: bool,
    /// Whether it has the queue to itself.
    pub exclusive: bool,
    /// Its arguments, as text.
    pub arguments: String,
}

/// A connection of a client: the client's number, and how many it had before.
pub type Owner = (u32, u64);

/// What is known of entities by their names, as [`crate::topology`] gives them.
#[derive(Debug, Default)]
pub struct Entities {
    /// What connections have made, and was to come back after a loss.
    pub made: BTreeMap<String, BTreeSet<Owner>>,
    /// What was removed or made otherwise, and by whom; an operator is `None`.
    pub touched: BTreeMap<String, BTreeSet<Option<Owner>>>,
    /// What was made and is not to come back.
    pub unrecorded: BTreeSet<String>,
    /// What connections have reported as not restored.
    pub failed: BTreeSet<String>,
    /// The names of queues whose names the broker chose, and the next ones.
    pub renames: BTreeMap<String, String>,
    /// Whether everything was removed once.
    pub all_removed: bool,
}

/// A time in which a queue may have lost messages by what an application or an operator did.
#[derive(Debug, Clone)]
pub struct Loss {
    queue: Option<String>,
    until: Option<u64>,
}

/// All that applications did.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Messages by their numbers.
    pub messages: BTreeMap<u64, Message>,
    /// Deliveries in their order.
    pub got: Vec<Got>,
    /// How often each settlement was made that did not fail, or that nothing was heard of.
    pub settles: BTreeMap<Settle, u32>,
    /// Consumers that were started and have not ended, by tag.
    pub listening: BTreeMap<String, Listening>,
    /// What is known of exchanges, queues and bindings.
    pub entities: Entities,
    /// Futures that have not resolved, by what they are.
    pub unresolved: BTreeMap<u64, String>,
    /// The sum of all outcomes.
    pub history: History,
    /// How often each thing happened.
    pub counts: BTreeMap<String, u64>,
    /// What no run may show, found on the way.
    pub violations: Vec<String>,
    /// The outcomes as text, if they are kept.
    pub log: Option<Vec<String>>,
    /// Queues, with when each declaration was requested and when it was answered.
    declared: BTreeMap<String, Vec<(u64, u64)>>,
    losses: Vec<Loss>,
    /// When the broker or a queue was down, at which transient messages are lost.
    outages: Vec<u64>,
    events: u64,
}

impl Entities {
    /// A connection has made an entity. What is not to come back differs from what is recorded.
    pub fn make(&mut self, name: String, by: Owner, recorded: bool) {
        if recorded {
            self.made.entry(name).or_default().insert(by);
        } else {
            self.unrecorded.insert(name.clone());
            self.touch(name, Some(by));
        }
    }

    /// An entity is removed, or is not what its name says any more.
    pub fn touch(&mut self, name: String, by: Option<Owner>) {
        self.touched.entry(name).or_default().insert(by);
    }
}

impl Ledger {
    /// Returns the number of the next event.
    pub fn tick(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// Counts something that happened.
    pub fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    /// Adds a line to the history.
    pub fn note(&mut self, at_ms: u128, line: &str) {
        self.history.add(u64::try_from(at_ms).unwrap_or(u64::MAX), line.as_bytes());
        if let Some(log) = &mut self.log {
            log.push(format!("{at_ms:>8} ms  {line}"));
        }
    }

    /// From now on a queue, or every queue, may lose messages for a known reason. Returns the
    /// number of this time.
    pub fn may_lose(&mut self, queue: Option<&str>) -> usize {
        self.losses.push(Loss { queue: queue.map(str::to_owned), until: None });
        self.losses.len() - 1
    }

    /// That time has ended.
    pub fn loses_no_more(&mut self, loss: usize) {
        let now = self.tick();
        if let Some(loss) = self.losses.get_mut(loss) {
            loss.until = Some(now);
        }
    }

    /// The broker or a queue has an outage now.
    pub fn outage(&mut self) {
        let now = self.tick();
        self.outages.push(now);
    }

    /// Whether a message has outlived all outages since it was published.
    pub fn outlives(&self, message: &Message) -> bool {
        !message.transient || self.outages.iter().all(|at| *at < message.at)
    }

    /// A consumer has ended, or is about to.
    pub fn ended(&mut self, tag: &str) {
        self.listening.remove(tag);
        self.entities.touch(consumer_name(tag), None);
    }

    /// A declaration of a queue that lasts, requested at `issued`, was answered.
    pub fn declared(&mut self, queue: &str, issued: u64) {
        let answered = self.tick();
        self.declared.entry(queue.to_owned()).or_default().push((issued, answered));
    }

    /// Whether a queue existed at `at`, and has lost no message since, unless the broker or the
    /// client is wrong.
    pub fn keeps(&self, queue: &str, at: u64) -> bool {
        let declared = self.declared.get(queue).into_iter().flatten();
        declared.filter(|(_, answered)| *answered < at).any(|(issued, _)| !self.may_be_lost(queue, *issued))
    }

    /// Returns the queues that exist, unless the broker or the client is wrong.
    pub fn lasting(&self) -> impl Iterator<Item = &str> {
        self.declared.keys().map(String::as_str).filter(|queue| self.keeps(queue, u64::MAX))
    }

    /// Whether something that removes messages of a queue may have happened at `since` or later.
    fn may_be_lost(&self, queue: &str, since: u64) -> bool {
        let here = |loss: &&Loss| loss.queue.as_deref().is_none_or(|name| name == queue);
        self.losses.iter().filter(here).any(|loss| loss.until.is_none_or(|until| until >= since))
    }
}

/// The body of a message: its number, and bytes up to the length.
pub fn body_of(message: u64, len: usize) -> Vec<u8> {
    let mut body = format!("m{message}.").into_bytes();
    let len = len.max(body.len());
    body.resize(len, b'x');
    body
}

/// The number of a message, from its body.
pub fn message_of(body: &[u8]) -> Option<u64> {
    let digits: Vec<u8> = body.strip_prefix(b"m")?.iter().copied().take_while(u8::is_ascii_digit).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}
