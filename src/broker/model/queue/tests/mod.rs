//! The rules of a queue, with the texts of RabbitMQ 3.10.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod consuming;
mod declaring;
mod limits;
mod messages;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broker::keys::{ChannelKey, ConnectionId, ConsumerKey};
use crate::broker::model::message::Message;
use crate::broker::words::Refusal;
use crate::protocol::basic::Properties;
use crate::protocol::queue;
use crate::wire::FieldTable;

use super::{DropReason, Dropped, Queue};

/// A queue `q` of the virtual host `/`, or why there is none.
fn declare(declare: &queue::Declare) -> Result<Queue, Refusal> {
    let owner = declare.exclusive.then_some(ConnectionId(1));
    Queue::declare(declare, "q".into(), owner, &"/".into(), Instant::now())
}

fn with(arguments: impl Into<FieldTable>) -> queue::Declare {
    queue::Declare::default().arguments(arguments.into())
}

/// A queue with these arguments, and the time it was declared.
fn queue(arguments: impl Into<FieldTable>) -> (Queue, Instant) {
    let queue = declare(&with(arguments)).unwrap();
    let now = queue.used;
    (queue, now)
}

fn published(properties: Properties, body: &'static str) -> Arc<Message> {
    let (exchange, routing_key) = ("x".into(), "k".into());
    Arc::new(Message { exchange, routing_key, properties, encoded_properties: None, body: body.into() })
}

fn message(body: &'static str) -> Arc<Message> {
    published(Properties::default(), body)
}

fn expiring(body: &'static str, milliseconds: &str) -> Arc<Message> {
    published(Properties::default().expiration(milliseconds), body)
}

fn prioritised(body: &'static str, priority: u8) -> Arc<Message> {
    published(Properties::default().priority(priority), body)
}

/// Pushes messages with these bodies, without consumers.
fn fill(queue: &mut Queue, bodies: &[&'static str], now: Instant) -> Vec<String> {
    let dropped = bodies.iter().flat_map(|body| {
        let pushed = queue.push(message(body), now);
        pushed.dropped.into_iter().chain(queue.expire(now)).collect::<Vec<_>>()
    });
    dropped.map(|dropped| told(&dropped)).collect()
}

fn body(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

fn told(dropped: &Dropped) -> String {
    format!("{} {}", body(&dropped.entry.message), dropped.reason.as_str())
}

fn told_all(dropped: &[Dropped]) -> Vec<String> {
    dropped.iter().map(told).collect()
}

fn bodies(queue: &Queue) -> Vec<String> {
    queue.messages().map(|entry| body(&entry.message)).collect()
}

/// The body of the next message, and what was dropped on the way.
fn pop(queue: &mut Queue, now: Instant) -> (Option<String>, Vec<String>) {
    let (entry, dropped) = queue.pop(now);
    (entry.map(|entry| body(&entry.message)), told_all(&dropped))
}

fn key(tag: &str) -> ConsumerKey {
    ConsumerKey { channel: ChannelKey { connection: ConnectionId(1), number: 1 }, tag: tag.into() }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
