//! What the table's names stand for: what has to be there before, what is sent, and what answers
//! it.

use leveret::Properties;
use leveret::protocol::{ProtocolMethod, basic, channel, confirm, exchange, queue, tx};
use leveret_live_tests::raw::{method_octets, publish_octets};

/// One channel of the peer: a pair is prepared on it, and sent. Places in the pair are 0 and 1.
pub(super) struct Trial<'a> {
    pub(super) channel: u16,
    /// What all names of queues and exchanges begin with.
    pub(super) prefix: &'a str,
    /// Methods sent so far that are answered.
    pub(super) asked: usize,
    /// What was got and is unsettled, by what it is there for; delivery tags count from 1.
    held: Vec<(&'static str, usize)>,
}

#[allow(clippy::needless_pass_by_value, reason = "a method is made where it is sent")]
impl<'a> Trial<'a> {
    pub(super) fn new(channel: u16, prefix: &'a str) -> Self {
        Self { channel, prefix, asked: 0, held: Vec::new() }
    }

    pub(super) fn name(&self, what: &str, place: usize) -> String {
        format!("{}.{what}{place}", self.prefix)
    }

    /// The octets of a method that is answered.
    pub(super) fn ask<M: ProtocolMethod>(&mut self, method: M) -> Vec<u8> {
        self.asked += 1;
        method_octets(self.channel, &method)
    }

    fn tell<M: ProtocolMethod>(&self, method: M) -> Vec<u8> {
        method_octets(self.channel, &method)
    }

    fn publish(&self, routing_key: &str, mandatory: bool) -> Vec<u8> {
        let stored = Properties::default().delivery_mode(2);
        publish_octets(self.channel, routing_key, mandatory, &stored)
    }

    /// Puts a message where it can be got.
    fn stock(&self) -> Vec<u8> {
        self.publish(&self.name("stock", 0), false)
    }

    fn hold(&mut self, why: &'static str, place: usize) -> Vec<u8> {
        self.held.push((why, place));
        let get = basic::Get::default().queue(self.name("stock", 0));
        [self.stock(), self.ask(get)].concat()
    }

    fn tag(&self, why: &str, place: usize) -> u64 {
        let at = self.held.iter().position(|held| *held == (why, place)).expect("it was got before");
        at as u64 + 1
    }

    fn declare(&mut self, what: &str, place: usize) -> Vec<u8> {
        let name = self.name(what, place);
        self.ask(queue::Declare::default().queue(name).durable(true))
    }

    fn binding(&mut self, place: usize) -> Vec<u8> {
        let queue = self.name("q", place);
        self.ask(queue::Bind::default().queue(queue).exchange("amq.direct").routing_key("k"))
    }

    fn exchange_binding(&mut self, place: usize) -> Vec<u8> {
        let key = self.name("k", place);
        self.ask(exchange::Bind::default().destination("amq.fanout").source("amq.direct").routing_key(key))
    }

    /// What every pair finds there.
    pub(super) fn queues(&mut self) -> Vec<u8> {
        [("q", 0), ("q", 1), ("stock", 0), ("sink", 0)].map(|(what, place)| self.declare(what, place)).concat()
    }

    /// Takes away all that pairs declare, whatever of it is there.
    pub(super) fn remove_all(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for (what, place) in [("q", 0), ("q", 1), ("gone", 0), ("gone", 1), ("stock", 0), ("sink", 0)] {
            let name = self.name(what, place);
            out.extend(self.ask(queue::Delete::default().queue(name)));
        }
        for (what, place) in [("x", 0), ("x", 1), ("gone", 0), ("gone", 1)] {
            let name = self.name(what, place);
            out.extend(self.ask(exchange::Delete::default().exchange(name)));
        }
        out.extend([0, 1].map(|place| self.send_exchange("exchange.unbind", place)).concat());
        out
    }

    /// What a method needs before the channel gets its mode.
    pub(super) fn prepare(&mut self, title: &str, place: usize) -> Vec<u8> {
        match title {
            "exchange.delete" => {
                let name = self.name("gone", place);
                self.ask(exchange::Declare::default().exchange(name).kind("direct"))
            }
            "exchange.unbind" => self.exchange_binding(place),
            "queue.unbind" => self.binding(place),
            "queue.delete" => self.declare("gone", place),
            "basic.cancel" => {
                let queue = self.name("q", place);
                self.ask(basic::Consume::default().queue(queue).consumer_tag(format!("old{place}")))
            }
            "basic.get" => self.stock(),
            "basic.ack" | "basic.nack" | "basic.reject" => self.hold("settle", place),
            "basic.recover" | "basic.recover-async" => self.hold("recover", place),
            "tx.commit (ack)" => self.hold("commit", place),
            _ => Vec::new(),
        }
    }

    /// What it needs within the transaction.
    pub(super) fn begin(&self, title: &str, place: usize) -> Vec<u8> {
        match title {
            "tx.commit (publish)" | "tx.rollback" => self.publish(&self.name("sink", 0), false),
            "tx.commit (ack)" => self.tell(basic::Ack::default().delivery_tag(self.tag("commit", place))),
            _ => Vec::new(),
        }
    }

    /// The method itself.
    pub(super) fn send(&mut self, title: &str, place: usize) -> Vec<u8> {
        match title.split_once('.').map(|(class, _)| class) {
            Some("exchange") => self.send_exchange(title, place),
            Some("queue") => self.send_queue(title, place),
            Some("basic") => self.send_basic(title, place),
            _ => self.send_mode(title),
        }
    }

    fn send_exchange(&mut self, title: &str, place: usize) -> Vec<u8> {
        match title {
            "exchange.declare" => {
                let name = self.name("x", place);
                self.ask(exchange::Declare::default().exchange(name).kind("direct"))
            }
            "exchange.delete" => {
                let name = self.name("gone", place);
                self.ask(exchange::Delete::default().exchange(name))
            }
            "exchange.bind" => self.exchange_binding(place),
            "exchange.unbind" => {
                let key = self.name("k", place);
                self.ask(exchange::Unbind::default().destination("amq.fanout").source("amq.direct").routing_key(key))
            }
            _ => panic!("what is {title}?"),
        }
    }

    fn send_queue(&mut self, title: &str, place: usize) -> Vec<u8> {
        let queue = self.name("q", place);
        match title {
            "queue.declare" => self.declare("q", place),
            "queue.declare (passive)" => self.ask(queue::Declare::default().queue(queue).passive(true)),
            "queue.bind" => self.binding(place),
            "queue.unbind" => self.ask(queue::Unbind::default().queue(queue).exchange("amq.direct").routing_key("k")),
            "queue.purge" => self.ask(queue::Purge::default().queue(queue)),
            "queue.delete" => {
                let gone = self.name("gone", place);
                self.ask(queue::Delete::default().queue(gone))
            }
            _ => panic!("what is {title}?"),
        }
    }

    fn send_basic(&mut self, title: &str, place: usize) -> Vec<u8> {
        let (queue, count) = (self.name("q", place), 10);
        match title {
            "basic.qos" => self.ask(basic::Qos::default().prefetch_count(count)),
            "basic.qos (global)" => self.ask(basic::Qos::default().prefetch_count(count).global(true)),
            "basic.consume" => self.ask(basic::Consume::default().queue(queue).consumer_tag(format!("new{place}"))),
            "basic.consume (no tag)" => self.ask(basic::Consume::default().queue(queue)),
            "basic.cancel" => self.ask(basic::Cancel::default().consumer_tag(format!("old{place}"))),
            "basic.cancel (no consumer)" => self.ask(basic::Cancel::default().consumer_tag(format!("none{place}"))),
            "basic.publish" | "basic.publish (confirmed)" => self.publish(&self.name("sink", 0), false),
            "basic.publish (returned)" | "basic.publish (confirmed, returned)" => {
                self.publish(&format!("nowhere{place}"), true)
            }
            "basic.get" => {
                let stock = self.name("stock", 0);
                self.ask(basic::Get::default().queue(stock).no_ack(true))
            }
            "basic.get (empty)" => self.ask(basic::Get::default().queue(queue).no_ack(true)),
            _ => self.settle(title, place),
        }
    }

    fn settle(&mut self, title: &str, place: usize) -> Vec<u8> {
        match title {
            "basic.ack" => self.tell(basic::Ack::default().delivery_tag(self.tag("settle", place))),
            "basic.nack" => self.tell(basic::Nack::default().delivery_tag(self.tag("settle", place)).requeue(true)),
            "basic.reject" => self.tell(basic::Reject::default().delivery_tag(self.tag("settle", place)).requeue(true)),
            "basic.recover" => self.ask(basic::Recover::default().requeue(true)),
            "basic.recover-async" => self.tell(basic::RecoverAsync::default().requeue(true)),
            _ => panic!("what is {title}?"),
        }
    }

    fn send_mode(&mut self, title: &str) -> Vec<u8> {
        match title {
            "confirm.select" => self.ask(confirm::Select::default()),
            "tx.select" => self.ask(tx::Select::default()),
            "tx.commit" | "tx.commit (publish)" | "tx.commit (ack)" => self.ask(tx::Commit::default()),
            "tx.rollback" => self.ask(tx::Rollback::default()),
            "channel.flow" => self.ask(channel::Flow::default().active(true)),
            "channel.close" => self.ask(channel::Close::default()),
            "channel.open" => self.ask(channel::Open::default()),
            _ => panic!("what is {title}?"),
        }
    }
}

/// What a channel has to be before a pair: a mode comes from the second's name, unless the first
/// gives it.
pub(super) fn mode(first: &str, second: &str) -> Option<&'static str> {
    let of = |title: &str| match title {
        "basic.publish (confirmed)" | "basic.publish (confirmed, returned)" => Some("confirm"),
        "tx.commit" | "tx.commit (publish)" | "tx.commit (ack)" | "tx.rollback" => Some("tx"),
        _ => None,
    };
    let mode = of(first).or_else(|| of(second))?;
    (first != format!("{mode}.select")).then_some(mode)
}

/// What answers a method; the table gives the name where several do.
pub(super) fn answer(title: &str, named: Option<&str>) -> String {
    if let Some(name) = named {
        return format!("basic.{name}");
    }
    match title {
        "basic.publish" | "basic.publish (confirmed)" => "basic.ack".to_owned(),
        "basic.publish (returned)" => "basic.return".to_owned(),
        "basic.get (empty)" => "basic.get-empty".to_owned(),
        _ => format!("{}-ok", title.split(' ').next().unwrap_or(title)),
    }
}
