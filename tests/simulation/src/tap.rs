//! What the broker has read, and what it has sent, as it is on the wire.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BytesMut};
use leveret::protocol::Method;
use leveret_test_support::Received;
use leveret_test_support::frames::{PROTOCOL_HEADER, take};

use crate::ledger::{Settlement, message_of};

/// How the routing keys of bindings begin that are requested without the name of a queue. None is
/// requested twice.
pub const NAMELESS: &str = "nameless";

/// What all connections have carried.
#[derive(Debug, Default)]
pub struct Tap {
    wires: BTreeMap<u64, Wire>,
    /// The messages that the broker read, by connection and channel, in order.
    pub published: BTreeMap<(u64, u16), Vec<u64>>,
    /// What the broker sent, in order.
    pub deliveries: Vec<Sent>,
    /// The messages that the broker returned.
    pub returned: BTreeSet<u64>,
    /// What the broker read of settlements, in order.
    pub settled: Vec<Settled>,
    /// The prefetch that was in force when each consumer was started last, by tag.
    pub prefetches: BTreeMap<String, u16>,
    /// How often each thing was read that only clients that recover send.
    pub counts: BTreeMap<&'static str, u64>,
    /// What no run may show.
    pub violations: Vec<String>,
    /// The connection that bound with each routing key and an empty name.
    nameless: BTreeMap<String, Dialled>,
}

/// A transport of a connection: the number of the connection, which no other has, and how many
/// transports it had before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dialled {
    /// The connection.
    pub connection: u64,
    /// How many transports it had before.
    pub before: u32,
}

/// A delivery that the broker sent, by a consumer or by a get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The client.
    pub client: usize,
    /// The tag of the consumer; empty for a get.
    pub consumer: String,
    /// The tag of the delivery.
    pub tag: u64,
    /// The message.
    pub message: u64,
    /// Whether it was delivered before.
    pub redelivered: bool,
}

/// A settlement that the broker read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The client, and the number of the channel.
    pub client: usize,
    /// The number of the channel.
    pub channel: u16,
    /// The tag of the delivery.
    pub tag: u64,
    /// The message that has this tag on this connection and channel, if there is one.
    pub message: Option<u64>,
    /// All messages that it settles, with `multiple`.
    pub messages: Vec<u64>,
    /// How it was settled.
    pub how: Settlement,
}

#[derive(Debug, Default)]
struct Wire {
    client: usize,
    dialled: Dialled,
    greeted: bool,
    input: BytesMut,
    output: BytesMut,
    channels: BTreeMap<u16, Channel>,
}

#[derive(Debug, Default)]
struct Channel {
    /// The prefetch of consumers to come.
    prefetch: u16,
    publishing: Content,
    delivering: Content,
    /// All messages that were delivered, by tag: those of a transaction that was rolled back can be
    /// settled once more.
    delivered: BTreeMap<u64, u64>,
    /// The messages that are not settled, by tag.
    unsettled: BTreeMap<u64, u64>,
}

/// Content that is not complete: what it belongs to, and what is missing.
#[derive(Debug, Default)]
struct Content {
    method: Option<Method>,
    missing: u64,
    body: Vec<u8>,
}

impl Content {
    fn begin(&mut self, method: Method) {
        *self = Self { method: Some(method), missing: 0, body: Vec::new() };
    }

    /// Adds a header or a piece of a body. Returns the method and the message if it is complete.
    fn add(&mut self, received: &Received) -> Option<(Method, u64)> {
        match received {
            Received::Header(_, size, _) => self.missing = *size,
            Received::Body(_, piece) => {
                self.missing = self.missing.saturating_sub(piece.len() as u64);
                self.body.extend_from_slice(piece);
            }
            _ => return None,
        }
        if self.missing > 0 {
            return None;
        }
        let method = self.method.take()?;
        Some((method, message_of(&self.body)?))
    }
}

impl Tap {
    /// A client has connected.
    pub fn connected(&mut self, key: u64, client: usize, dialled: Dialled) {
        self.wires.insert(key, Wire { client, dialled, ..Wire::default() });
    }

    /// The broker has read these bytes.
    pub fn read(&mut self, key: u64, bytes: &[u8]) {
        let Some(mut wire) = self.wires.remove(&key) else { return };
        wire.input.extend_from_slice(bytes);
        if !wire.greeted && wire.input.len() >= PROTOCOL_HEADER.len() {
            wire.greeted = true;
            wire.input.advance(PROTOCOL_HEADER.len());
        }
        while wire.greeted
            && let Some(received) = take(&mut wire.input, 0)
        {
            self.read_one(key, &mut wire, received);
        }
        self.wires.insert(key, wire);
    }

    fn read_one(&mut self, key: u64, wire: &mut Wire, received: Received) {
        let (client, number) = (wire.client, channel_of(&received));
        let channel = wire.channels.entry(number).or_default();
        if let Received::Method(_, method) = &received {
            self.read_method(wire.dialled, channel, method);
        }
        let (tag, how) = match received {
            Received::Method(_, Method::ChannelOpen(_)) => {
                *channel = Channel::default();
                return;
            }
            Received::Method(_, method @ Method::BasicPublish(_)) => return channel.publishing.begin(method),
            Received::Method(_, Method::BasicAck(ack)) => (ack.delivery_tag, Settlement::ack(ack.multiple)),
            Received::Method(_, Method::BasicNack(nack)) => {
                (nack.delivery_tag, Settlement::nack(nack.multiple, nack.requeue))
            }
            Received::Method(_, Method::BasicReject(reject)) => {
                (reject.delivery_tag, Settlement::reject(reject.requeue))
            }
            other => {
                if let Some((_, message)) = channel.publishing.add(&other) {
                    self.published.entry((key, number)).or_default().push(message);
                }
                return;
            }
        };
        let message = channel.delivered.get(&tag).copied();
        let from = if how.multiple { 0 } else { tag };
        let tags: Vec<u64> = channel.unsettled.range(from..=tag).map(|(tag, _)| *tag).collect();
        let messages = tags.iter().filter_map(|tag| channel.unsettled.remove(tag)).collect();
        self.settled.push(Settled { client, channel: number, tag, message, messages, how });
    }

    /// What is known of a consumer's prefetch, and of a queue without a name, after a loss too.
    fn read_method(&mut self, dialled: Dialled, channel: &mut Channel, method: &Method) {
        match method {
            Method::BasicQos(qos) if !qos.global => channel.prefetch = qos.prefetch_count,
            Method::BasicConsume(consume) => {
                let prefetch = if consume.no_ack { 0 } else { channel.prefetch };
                let tag = consume.consumer_tag.to_string();
                match self.prefetches.insert(tag.clone(), prefetch) {
                    Some(before) if before != prefetch => self
                        .violations
                        .push(format!("I5: {tag} was started with a prefetch of {before}, and again with {prefetch}")),
                    Some(1..) => *self.counts.entry("consumer started again with its prefetch").or_default() += 1,
                    _ => {}
                }
            }
            Method::QueueBind(bind) if bind.routing_key.to_string().starts_with(NAMELESS) => {
                let key = bind.routing_key.to_string();
                match self.nameless.get(&key) {
                    Some(first) if bind.queue.is_empty() => {
                        self.violations.push(format!("I5: {key} of {first:?} is bound without a name by {dialled:?}"));
                    }
                    None if bind.queue.is_empty() => drop(self.nameless.insert(key, dialled)),
                    _ => *self.counts.entry("an empty name was filled in").or_default() += 1,
                }
            }
            _ => {}
        }
    }

    /// The broker has sent these bytes.
    pub fn sent(&mut self, key: u64, bytes: &[u8]) {
        let Some(wire) = self.wires.get_mut(&key) else { return };
        wire.output.extend_from_slice(bytes);
        // A refused protocol header is answered by another one, and nothing follows.
        while let Some(received) = take(&mut wire.output, 0) {
            let channel = wire.channels.entry(channel_of(&received)).or_default();
            let carries = matches!(
                received,
                Received::Method(_, Method::BasicDeliver(_) | Method::BasicGetOk(_) | Method::BasicReturn(_))
            );
            if let (true, Received::Method(_, method)) = (carries, &received) {
                channel.delivering.begin(method.clone());
                continue;
            }
            let Some((method, message)) = channel.delivering.add(&received) else { continue };
            let (consumer, tag, redelivered) = match method {
                Method::BasicDeliver(deliver) => {
                    (deliver.consumer_tag.to_string(), deliver.delivery_tag, deliver.redelivered)
                }
                Method::BasicGetOk(got) => (String::new(), got.delivery_tag, got.redelivered),
                _ => {
                    self.returned.insert(message);
                    continue;
                }
            };
            channel.delivered.insert(tag, message);
            channel.unsettled.insert(tag, message);
            self.deliveries.push(Sent { client: wire.client, consumer, tag, message, redelivered });
        }
    }
}

fn channel_of(received: &Received) -> u16 {
    match received {
        Received::Method(channel, _) | Received::Header(channel, ..) | Received::Body(channel, _) => *channel,
        Received::ProtocolHeader | Received::Heartbeat => 0,
    }
}
