//! The arguments of a queue, which are read and checked once, at its declaration.

use std::time::Duration;

use crate::broker::words::Refusal;
use crate::protocol::{ReplyCode, queue};
use crate::wire::{FieldTable, FieldValue, ShortString};

use super::erlang;

/// What happens when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Overflow {
    /// Messages at the head are dropped.
    #[default]
    DropHead,
    /// A new message is refused.
    RejectPublish,
    /// A new message is refused, and dead-lettered.
    RejectPublishDlx,
}

/// The settings of a queue.
#[derive(Debug, Clone, Default)]
pub(in crate::broker) struct Settings {
    pub(super) message_ttl: Option<Duration>,
    pub(super) expires: Option<Duration>,
    /// The number of messages.
    pub(super) max_length: Option<usize>,
    /// The size of their bodies in bytes.
    pub(super) max_size: Option<usize>,
    pub(super) overflow: Overflow,
    pub(super) dead_letter_exchange: Option<ShortString>,
    pub(super) dead_letter_routing_key: Option<ShortString>,
    pub(super) max_priority: u8,
    pub(super) single_active_consumer: bool,
}

/// The longest time to live of a queue or a message: ten years, in milliseconds.
pub(super) const MAX_EXPIRY: u64 = 315_360_000_000;

/// Arguments of other queue types, which a classic queue refuses, whatever their values.
const OF_OTHER_TYPES: [&str; 9] = [
    "x-dead-letter-strategy",
    "x-delivery-limit",
    "x-initial-cluster-size",
    "x-max-age",
    "x-max-in-memory-bytes",
    "x-max-in-memory-length",
    "x-queue-leader-locator",
    "x-quorum-initial-group-size",
    "x-stream-max-segment-size-bytes",
];

impl Settings {
    /// Reads the arguments of a declaration, and checks them in RabbitMQ's order. `queue` is how
    /// texts name the queue.
    pub(super) fn read(declare: &queue::Declare, queue: &str) -> Result<Self, Refusal> {
        let arguments = Arguments { table: &declare.arguments, queue };
        let queue_type = arguments.one_of("x-queue-type", "queue type", &["classic", "quorum", "stream"])?;
        arguments.check_dead_letter_exchange()?;
        let expires = arguments.duration("x-expires", 1)?;
        let message_ttl = arguments.duration("x-message-ttl", 0)?;
        let dead_letter_routing_key = arguments.dead_letter_routing_key()?;
        let max_length = arguments.natural("x-max-length")?;
        let max_size = arguments.natural("x-max-length-bytes")?;
        let max_priority = arguments.max_priority()?;
        let overflow = arguments.overflow()?;
        arguments.one_of("x-queue-mode", "queue mode", &["default", "lazy"])?;
        arguments.check_queue_version()?;
        let single_active_consumer = arguments.single_active_consumer()?;
        match queue_type {
            Some(other @ ("quorum" | "stream")) => return Err(refuse_type(declare, other, queue)),
            _ => arguments.check_names()?,
        }
        Ok(Self {
            message_ttl,
            expires,
            max_length: max_length.map(saturated),
            max_size: max_size.map(saturated),
            overflow,
            dead_letter_exchange: arguments.text("x-dead-letter-exchange"),
            dead_letter_routing_key,
            max_priority,
            single_active_consumer,
        })
    }

    /// Whether a queue with this number of ready messages and this size of their bodies is over its
    /// limits.
    pub(super) fn is_over(&self, length: usize, size: usize) -> bool {
        self.max_length.is_some_and(|max| length > max) || self.max_size.is_some_and(|max| size > max)
    }
}

/// The refusal of a queue of another type: RabbitMQ's if it would refuse it too, and otherwise that
/// this broker has no such queues.
fn refuse_type(declare: &queue::Declare, queue_type: &str, queue: &str) -> Refusal {
    let property = match declare {
        queue::Declare { auto_delete: true, .. } => "auto-delete",
        queue::Declare { exclusive: true, .. } => "exclusive-owner",
        queue::Declare { durable: false, .. } => "non-durable",
        _ => {
            let text = format!("the embedded broker has classic queues alone, no {queue_type} queues");
            return Refusal::connection(ReplyCode::NOT_IMPLEMENTED, text);
        }
    };
    Refusal::precondition(format!("invalid property '{property}' for {queue}"))
}

/// Arguments, and how texts name what they belong to.
pub(super) struct Arguments<'a> {
    pub(in crate::broker) table: &'a FieldTable,
    pub(super) queue: &'a str,
}

impl<'a> Arguments<'a> {
    /// The refusal of the argument `name`, with a reason in Erlang's notation.
    pub(super) fn invalid(&self, name: &str, reason: &str) -> Refusal {
        Refusal::precondition(format!("invalid arg '{name}' for {}: {reason}", self.queue))
    }

    /// The refusal of an argument of other queue types.
    pub(super) fn of_other_type(&self, name: &str) -> Refusal {
        Refusal::precondition(format!("invalid arg '{name}' for {} of queue type rabbit_classic_queue", self.queue))
    }

    fn unacceptable(&self, name: &str, value: &FieldValue) -> Refusal {
        self.invalid(name, &format!("{{unacceptable_type,{}}}", erlang::type_name(value)))
    }

    /// An integer of any width.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.table.get(name) else { return Ok(None) };
        let reason = || format!("\"expected integer, got {}\"", erlang::type_name(value));
        value.as_i64().map(Some).ok_or_else(|| self.invalid(name, &reason()))
    }

    /// An integer that is not negative.
    fn natural(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.integer(name)? else { return Ok(None) };
        u64::try_from(value).map(Some).map_err(|_| self.invalid(name, &format!("{{value_negative,{value}}}")))
    }

    /// A number of milliseconds.
    fn duration(&self, name: &str, min: u64) -> Result<Option<Duration>, Refusal> {
        match self.natural(name)? {
            Some(value) if value < min => Err(self.invalid(name, &format!("{{value_zero,{value}}}"))),
            Some(value) if value > MAX_EXPIRY => Err(self.invalid(name, &format!("{{value_too_large,{value}}}"))),
            value => Ok(value.map(Duration::from_millis)),
        }
    }

    /// True or false.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let Some(value) = self.table.get(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.unacceptable(name, value))
    }

    /// A string; a byte array is not one.
    fn octets(&self, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
        match self.table.get(name) {
            None => Ok(None),
            Some(FieldValue::LongString(text)) => Ok(Some(text.as_bytes())),
            Some(value) => Err(self.unacceptable(name, value)),
        }
    }

    /// One of some words; `what` is RabbitMQ's name for them.
    fn one_of(&self, name: &str, what: &str, words: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        let Some(octets) = self.octets(name)? else { return Ok(None) };
        let word = words.iter().find(|word| word.as_bytes() == octets);
        word.map(|word| Some(*word)).ok_or_else(|| self.unsupported(name, what, octets))
    }

    fn unsupported(&self, name: &str, what: &str, value: &[u8]) -> Refusal {
        let text = [b"unsupported ", what.as_bytes(), b" '", value, b"'"].concat();
        self.invalid(name, &erlang::string(&text))
    }

    fn text(&self, name: &str) -> Option<ShortString> {
        self.table.get(name).and_then(FieldValue::as_bytes).map(ShortString::from)
    }

    fn check_dead_letter_exchange(&self) -> Result<(), Refusal> {
        let name = "x-dead-letter-exchange";
        match self.table.get(name) {
            None | Some(FieldValue::LongString(_)) => Ok(()),
            Some(value) => {
                let found = erlang::type_name(value);
                Err(Refusal::precondition(format!("invalid type '{found}' for arg '{name}' in {}", self.queue)))
            }
        }
    }

    fn dead_letter_routing_key(&self) -> Result<Option<ShortString>, Refusal> {
        let name = "x-dead-letter-routing-key";
        let Some(key) = self.octets(name)? else { return Ok(None) };
        if !self.table.contains_key("x-dead-letter-exchange") {
            return Err(self.invalid(name, "routing_key_but_no_dlx_defined"));
        }
        Ok(Some(ShortString::from(key)))
    }

    fn max_priority(&self) -> Result<u8, Refusal> {
        let name = "x-max-priority";
        let levels = self.natural(name)?.unwrap_or(0);
        u8::try_from(levels).map_err(|_| self.invalid(name, &format!("{{max_value_exceeded,{levels}}}")))
    }

    fn overflow(&self) -> Result<Overflow, Refusal> {
        let name = "x-overflow";
        match self.octets(name)? {
            None | Some(b"drop-head") => Ok(Overflow::DropHead),
            Some(b"reject-publish") => Ok(Overflow::RejectPublish),
            Some(b"reject-publish-dlx") => Ok(Overflow::RejectPublishDlx),
            Some(_) => Err(self.invalid(name, "invalid_overflow")),
        }
    }

    fn check_queue_version(&self) -> Result<(), Refusal> {
        let name = "x-queue-version";
        match self.natural(name)? {
            None | Some(1 | 2) => Ok(()),
            Some(version) => Err(self.unsupported(name, "queue version", version.to_string().as_bytes())),
        }
    }

    fn single_active_consumer(&self) -> Result<bool, Refusal> {
        Ok(self.boolean("x-single-active-consumer")?.unwrap_or(false))
    }

    fn check_names(&self) -> Result<(), Refusal> {
        let foreign = self.table.keys().find(|key| OF_OTHER_TYPES.iter().any(|name| *key == name));
        foreign.map_or(Ok(()), |name| Err(self.of_other_type(&name.to_string())))
    }
}

/// A limit that exceeds the address space is no limit.
fn saturated(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
