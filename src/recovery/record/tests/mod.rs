//! The rules of the record (bugs of other clients are named where a rule prevents them), and a
//! comparison with what a broker has.

mod costs;
mod model;
mod rules;
mod snapshots;

use std::num::NonZeroU32;

use super::{Outcome, Topology};
use crate::engine::{Change, ChannelKey, ConsumerKey};
use crate::protocol::{basic, exchange, queue};
use crate::wire::ShortString;

/// A record with room for everything.
pub(in crate::recovery) fn record() -> Topology {
    Topology::new(65_536)
}

/// Applies changes that fit into the record.
pub(in crate::recovery) fn apply(topology: &mut Topology, changes: impl IntoIterator<Item = Change>) {
    for change in changes {
        assert_eq!(topology.apply(change), Outcome::Applied);
    }
}

/// What is recorded, in words.
pub(in crate::recovery) fn shown(topology: &Topology) -> Vec<String> {
    topology.snapshot().iter().map(|recorded| recorded.entity().to_string()).collect()
}

pub(in crate::recovery) fn channel(number: u16) -> ChannelKey {
    ChannelKey { number, incarnation: number.into() }
}

pub(in crate::recovery) fn consumer(slot: u32) -> ConsumerKey {
    ConsumerKey { slot, generation: NonZeroU32::MIN }
}

pub(in crate::recovery) fn exchange(name: &str) -> Change {
    Change::ExchangeDeclared(Box::new(exchange::Declare::default().exchange(name).kind("topic")))
}

pub(in crate::recovery) fn auto_delete_exchange(name: &str) -> Change {
    Change::ExchangeDeclared(Box::new(exchange::Declare::default().exchange(name).kind("topic").auto_delete(true)))
}

pub(in crate::recovery) fn queue(name: &str) -> Change {
    Change::QueueDeclared { request: Box::new(queue::Declare::default().queue(name)), name: name.into() }
}

pub(in crate::recovery) fn auto_delete_queue(name: &str) -> Change {
    let request = queue::Declare::default().queue(name).auto_delete(true);
    Change::QueueDeclared { request: Box::new(request), name: name.into() }
}

/// A queue to which the broker gave this name.
pub(in crate::recovery) fn server_named_queue(name: &str) -> Change {
    Change::QueueDeclared { request: Box::new(queue::Declare::default().exclusive(true)), name: name.into() }
}

pub(in crate::recovery) fn bind(queue: &str, exchange: &str, routing_key: &str) -> Change {
    Change::QueueBound(Box::new(queue::Bind::default().queue(queue).exchange(exchange).routing_key(routing_key)))
}

pub(in crate::recovery) fn unbind(queue: &str, exchange: &str, routing_key: &str) -> Change {
    Change::QueueUnbound(Box::new(queue::Unbind::default().queue(queue).exchange(exchange).routing_key(routing_key)))
}

pub(in crate::recovery) fn bind_exchange(destination: &str, source: &str) -> Change {
    Change::ExchangeBound(Box::new(exchange::Bind::default().destination(destination).source(source)))
}

pub(in crate::recovery) fn consume(slot: u32, number: u16, queue: &str) -> Change {
    let request = basic::Consume::default().queue(queue).consumer_tag(format!("tag-{slot}"));
    Change::ConsumerStarted {
        channel: channel(number),
        consumer: consumer(slot),
        request: Box::new(request),
        prefetch: 10,
        recorded: true,
    }
}

/// A consumer that does not come back.
fn consume_once(slot: u32, number: u16, queue: &str) -> Change {
    match consume(slot, number, queue) {
        Change::ConsumerStarted { channel, consumer, request, prefetch, .. } => {
            Change::ConsumerStarted { channel, consumer, request, prefetch, recorded: false }
        }
        other => other,
    }
}

fn delete_queue(name: &str) -> Change {
    Change::QueueDeleted(name.into())
}

fn delete_exchange(name: &str) -> Change {
    Change::ExchangeDeleted(name.into())
}

fn name(name: &str) -> ShortString {
    name.into()
}
