//! Dead-lettering: the message that is published again, and its record of queues in the headers.

use crate::wire::{FieldTable, FieldValue, LongString, ShortString, Timestamp};

use super::message::Message;
use super::queue::{DropReason, Queue};

const X_DEATH: &str = "x-death";

/// The message for the dead-letter exchange of `queue`; `None` if the queue has none.
///
/// Its other routing keys (`CC`, `BCC`) are kept if its own routing key is, and removed if the
/// queue replaces that.
pub(in crate::broker) fn dead_letter(
    queue: &Queue,
    message: &Message,
    reason: DropReason,
    now: Timestamp,
) -> Option<Message> {
    let exchange = queue.dead_letter_exchange()?.clone();
    let mut dead = Message { exchange, encoded_properties: None, ..message.clone() };
    let mut headers = dead.properties.headers.take().unwrap_or_default();
    record(&mut headers, death(queue, message, reason, now));
    if let Some(routing_key) = queue.dead_letter_routing_key() {
        dead.routing_key = routing_key.clone();
        headers.remove("CC");
        headers.remove("BCC");
    }
    dead.properties.headers = Some(sorted(headers));
    // Otherwise it would expire again in the next queue.
    dead.properties.expiration = None;
    Some(dead)
}

/// Whether a dead-lettered message has been in the queue `target` before, and returns to it without
/// having been rejected in between. RabbitMQ drops it there, because it would circulate forever.
pub(in crate::broker) fn is_cycle(message: &Message, target: &ShortString) -> bool {
    let headers = message.properties.headers.as_ref();
    let Some(deaths) = headers.and_then(|headers| headers.get(X_DEATH)).and_then(FieldValue::as_array) else {
        return false;
    };
    let is_in_target = |death: &FieldValue| field(death, "queue") == Some(target.as_bytes());
    let Some(last) = deaths.iter().position(is_in_target) else { return false };
    deaths.iter().take(last + 1).all(|death| field(death, "reason") != Some(b"rejected"))
}

/// The entry of `x-death` for one death. Its fields have the order of a first death.
fn death(queue: &Queue, message: &Message, reason: DropReason, now: Timestamp) -> FieldTable {
    let mut death = FieldTable::new();
    death.push("count", 1_i64);
    death.push("reason", reason.as_str());
    death.push("queue", text(queue.name()));
    death.push("time", now);
    death.push("exchange", text(&message.exchange));
    death.push("routing-keys", routing_keys(message));
    if let Some(expiration) = &message.properties.expiration {
        death.push("original-expiration", text(expiration.as_ref()));
    }
    death
}

/// Its own routing key and those of `CC`; those of `BCC` stay hidden.
fn routing_keys(message: &Message) -> Vec<FieldValue> {
    let copies = message.properties.headers.as_ref().and_then(|headers| headers.get("CC"));
    let copies = copies.and_then(FieldValue::as_array).unwrap_or_default();
    let copies = copies.iter().filter(|key| matches!(key, FieldValue::LongString(_))).cloned();
    std::iter::once(text(&message.routing_key)).chain(copies).collect()
}

/// Records a death: increments the count if the message died in the same queue for the same reason
/// before, and otherwise adds an entry in front.
fn record(headers: &mut FieldTable, death: FieldTable) {
    let deaths = match headers.get(X_DEATH) {
        Some(FieldValue::Array(deaths)) => with_death(deaths, death),
        Some(_) => vec![FieldValue::Table(death)],
        None => {
            for name in ["reason", "queue", "exchange"] {
                if let Some(value) = death.get(name) {
                    headers.insert(format!("x-first-death-{name}"), value.clone());
                }
            }
            vec![FieldValue::Table(death)]
        }
    };
    headers.insert(X_DEATH, deaths);
}

/// The entries with one more death.
fn with_death(deaths: &[FieldValue], death: FieldTable) -> Vec<FieldValue> {
    let new = FieldValue::Table(death);
    let is_same = |old: &FieldValue| ["queue", "reason"].iter().all(|name| field(old, name) == field(&new, name));
    let (same, others): (Vec<_>, Vec<_>) = deaths.iter().cloned().partition(is_same);
    let newest = match same.into_iter().next() {
        Some(FieldValue::Table(mut table)) => {
            let count = table.get("count").and_then(FieldValue::as_i64).unwrap_or(0);
            table.insert("count", count.saturating_add(1));
            FieldValue::Table(sorted(table))
        }
        _ => match new {
            FieldValue::Table(table) => FieldValue::Table(sorted(table)),
            other => other,
        },
    };
    std::iter::once(newest).chain(others).collect()
}

/// A text field of one death.
fn field<'a>(death: &'a FieldValue, name: &str) -> Option<&'a [u8]> {
    death.as_table()?.get(name)?.as_bytes()
}

fn text(text: &ShortString) -> FieldValue {
    FieldValue::LongString(LongString::from(text.as_bytes()))
}

/// Sorts by name, byte by byte.
fn sorted(table: FieldTable) -> FieldTable {
    let mut fields: Vec<_> = table.into_iter().collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_iter().collect()
}

#[cfg(test)]
mod tests;
