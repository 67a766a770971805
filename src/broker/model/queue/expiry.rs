//! Expiry: of messages after their time to live, and of unused queues.

use std::time::{Duration, Instant};

use crate::broker::model::message::Message;
use crate::broker::words::Refusal;
use crate::protocol::basic::Properties;

use super::arguments::MAX_EXPIRY;
use super::{DropReason, Dropped, Queue, erlang};

impl Queue {
    /// When a message that arrives at `now` expires: after the smaller of its own and the queue's
    /// time to live.
    pub(super) fn expiry_of(&self, message: &Message, now: Instant) -> Option<Instant> {
        let own = expiration(&message.properties).ok().flatten();
        let ttl = own.into_iter().chain(self.settings.message_ttl).min()?;
        now.checked_add(ttl)
    }

    /// Drops expired messages from the head, up to the first that has not expired or is `fresh`.
    pub(super) fn drop_expired(&mut self, now: Instant, fresh: Option<(u64, Instant)>) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        while let Some(head) = self.messages.head() {
            let is_over = head.expires.is_some_and(|expires| expires <= now);
            let is_fresh = fresh.is_some_and(|(first, since)| since == now && first <= head.position);
            if !is_over || is_fresh {
                break;
            }
            let reason = DropReason::Expired;
            dropped.extend(self.messages.pop().map(|entry| Dropped { entry, reason }));
        }
        dropped
    }

    /// When something is due: the head expires, or the queue itself.
    pub(in crate::broker) fn deadline(&self) -> Option<Instant> {
        let head = self.messages.head().and_then(|head| head.expires);
        head.into_iter().chain(self.expires_at()).min()
    }

    /// Whether the queue was unused for as long as `x-expires` allows, and is to be deleted. A
    /// queue with consumers is in use.
    pub(in crate::broker) fn is_expired(&self, now: Instant) -> bool {
        self.expires_at().is_some_and(|expires| expires <= now)
    }

    /// Records a use: a declaration (also a passive one), or a `basic.get`.
    pub(in crate::broker) fn touch(&mut self, now: Instant) {
        self.used = now;
    }

    fn expires_at(&self) -> Option<Instant> {
        let unused = self.consumer_count() == 0;
        self.settings.expires.filter(|_| unused).and_then(|expires| self.used.checked_add(expires))
    }
}

/// Checks that a message may be published with these properties.
///
/// # Errors
///
/// Refuses with 406 an expiration that is not a number of milliseconds.
pub(in crate::broker) fn check_expiration(properties: &Properties) -> Result<(), Refusal> {
    expiration(properties).map(|_| ())
}

/// The time to live in the properties of a message.
fn expiration(properties: &Properties) -> Result<Option<Duration>, Refusal> {
    let Some(text) = &properties.expiration else { return Ok(None) };
    match milliseconds(text.as_bytes()) {
        Ok(milliseconds) => Ok(Some(Duration::from_millis(milliseconds))),
        Err(reason) => Err(Refusal::precondition(format!("invalid expiration '{text}': {reason}"))),
    }
}

/// Parses decimal digits with an optional sign. Errors are in Erlang's notation.
fn milliseconds(octets: &[u8]) -> Result<u64, String> {
    let (is_negative, unsigned) = match octets {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let end = unsigned.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(unsigned.len());
    let (digits, leftover) = unsigned.split_at(end);
    if digits.is_empty() {
        return Err(String::from("no_integer"));
    }
    if !leftover.is_empty() {
        return Err(format!("{{leftover_string,{}}}", erlang::string(leftover)));
    }
    let digits = String::from_utf8_lossy(digits);
    match digits.trim_start_matches('0') {
        "" => Ok(0),
        significant if is_negative => Err(format!("{{value_negative,-{significant}}}")),
        significant => match significant.parse() {
            Ok(milliseconds) if milliseconds <= MAX_EXPIRY => Ok(milliseconds),
            _ => Err(format!("{{value_too_large,{significant}}}")),
        },
    }
}
