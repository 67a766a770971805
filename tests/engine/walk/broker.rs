//! What the broker does on a random walk: it reads what was sent, and keeps to the rules.

use std::collections::{BTreeSet, VecDeque};

use leveret::ReplyCode;
use leveret::protocol::basic::{self, Properties};
use leveret::protocol::{Method, channel, confirm, connection, queue};
use leveret_test_support::frames::{content_octets, method_octets};

use super::Walk;
use crate::session::Sent;

/// The broker's view of a channel.
#[derive(Default)]
pub(super) struct BrokerChannel {
    /// Requests that it has not answered.
    requests: VecDeque<Method>,
    consumers: Vec<(leveret::ShortString, bool)>,
    delivered: u64,
    confirms: bool,
    published: u64,
    undecided: BTreeSet<u64>,
    /// It has closed, and waits for close-ok: everything else is passed over.
    closing: bool,
}

impl Walk {
    pub(super) fn broker_reads(&mut self) {
        for frame in self.session.sent() {
            match frame {
                Sent::Method(0, Method::ConnectionClose(_)) => {
                    self.broker.clear();
                    self.broker_closed = true;
                    self.session.say(0, connection::CloseOk::default());
                }
                Sent::Method(0, Method::ConnectionCloseOk(_)) => self.broker_closed = true,
                Sent::Method(number, method) if !self.broker_closed => self.broker_takes(number, method),
                _ => {}
            }
        }
        self.hear();
    }

    fn broker_takes(&mut self, number: u16, method: Method) {
        if let Method::ChannelOpen(_) = method {
            let before = self.broker.insert(number, BrokerChannel::default());
            assert!(before.is_none(), "channel {number} is opened twice");
            self.broker.get_mut(&number).unwrap().requests.push_back(method);
            return;
        }
        let channel = self.broker.get_mut(&number);
        let channel = channel.unwrap_or_else(|| panic!("{method:?} on channel {number}, which is not open"));
        match method {
            Method::ChannelCloseOk(_) if channel.closing => drop(self.broker.remove(&number)),
            Method::ChannelClose(_) if channel.closing => {
                self.session.say(number, channel::CloseOk::default());
            }
            _ if channel.closing => {}
            Method::BasicPublish(publish) if channel.confirms => {
                channel.published += 1;
                channel.undecided.insert(channel.published);
                assert_eq!(publish.routing_key.as_bytes(), b"key");
            }
            Method::ConfirmSelect(_) => {
                channel.confirms = true;
                channel.requests.push_back(method);
            }
            Method::BasicPublish(_) | Method::BasicAck(_) | Method::BasicNack(_) | Method::BasicReject(_) => {}
            request => channel.requests.push_back(request),
        }
    }

    pub(super) fn broker_acts(&mut self) {
        let numbers: Vec<u16> = self.broker.iter().filter(|(_, it)| !it.closing).map(|(number, _)| *number).collect();
        let Some(number) = self.dice.pick(&numbers) else { return };
        let one_in = self.dice.roll(40);
        let Some(channel) = self.broker.get_mut(&number) else { return };
        if let Some(Method::ChannelOpen(_)) = channel.requests.front() {
            channel.requests.pop_front();
            self.session.say(number, channel::OpenOk::default());
            return self.hear();
        }
        match one_in {
            0 => {
                channel.closing = true;
                self.session.say(number, channel::Close::default().reply_code(ReplyCode::NOT_FOUND));
            }
            1 => self.session.say(0, connection::Blocked::default().reason("low on memory")),
            2..=4 => self.session.say(0, connection::Unblocked::default()),
            5..=12 => self.broker_decides(number),
            13..=20 => self.broker_delivers(number),
            21 => {
                let cancelled = channel.consumers.pop();
                if let Some((tag, _)) = cancelled {
                    self.session.say(number, basic::Cancel::default().consumer_tag(tag).no_wait(true));
                }
            }
            _ => self.broker_answers(number),
        }
        self.hear();
    }

    fn broker_decides(&mut self, number: u16) {
        let multiple = self.dice.chance(3);
        let Some(channel) = self.broker.get_mut(&number) else { return };
        let undecided: Vec<u64> = channel.undecided.iter().copied().collect();
        let Some(tag) = self.dice.pick(&undecided) else { return };
        channel.undecided.retain(|it| if multiple { *it > tag } else { *it != tag });
        if self.dice.chance(4) {
            let back = basic::Return::default().reply_code(ReplyCode::NO_ROUTE).routing_key("key");
            let body = vec![7; self.dice.roll(3) * 150];
            self.session.octets(&content_octets(number, back, &Properties::default(), &body, 100));
        }
        if self.dice.chance(4) {
            self.session.say(number, basic::Nack::default().delivery_tag(tag).multiple(multiple));
        } else {
            self.session.ack(number, tag, multiple);
        }
    }

    fn broker_delivers(&mut self, number: u16) {
        let Some(channel) = self.broker.get_mut(&number) else { return };
        let index = self.dice.roll(channel.consumers.len().max(1));
        let Some((tag, _)) = channel.consumers.get(index).cloned() else { return };
        channel.delivered += 1;
        let deliver = basic::Deliver::default().consumer_tag(tag).delivery_tag(channel.delivered);
        let body = vec![9; [0, 10, 4100, 6000][self.dice.roll(4)]];
        let octets = content_octets(number, deliver, &Properties::default(), &body, 4088);
        let cut = self.dice.roll(octets.len());
        self.session.octets(&octets[..cut]);
        self.session.octets(&octets[cut..]);
    }

    fn broker_answers(&mut self, number: u16) {
        let named = format!("amq.ctag-{}", self.dice.roll(1_000_000_000));
        let has_message = self.dice.chance(2);
        let Some(channel) = self.broker.get_mut(&number) else { return };
        let Some(request) = channel.requests.pop_front() else { return };
        let reply: Vec<u8> = match request {
            Method::ChannelOpen(_) => method_octets(number, channel::OpenOk::default()),
            Method::ChannelClose(_) => {
                self.broker.remove(&number);
                method_octets(number, channel::CloseOk::default())
            }
            Method::QueueDeclare(_) => method_octets(number, queue::DeclareOk::default()),
            Method::ConfirmSelect(_) => method_octets(number, confirm::SelectOk::default()),
            Method::BasicGet(_) if has_message => {
                channel.delivered += 1;
                let ok = basic::GetOk::default().delivery_tag(channel.delivered);
                content_octets(number, ok, &Properties::default(), &[1; 5000], 4088)
            }
            Method::BasicGet(_) => method_octets(number, basic::GetEmpty::default()),
            Method::BasicConsume(consume) => {
                let tag = if consume.consumer_tag.is_empty() { named.into() } else { consume.consumer_tag };
                assert!(channel.consumers.iter().all(|(it, _)| *it != tag), "{tag:?} would close the connection");
                channel.consumers.push((tag.clone(), consume.no_ack));
                method_octets(number, basic::ConsumeOk::default().consumer_tag(tag))
            }
            Method::BasicCancel(cancel) => {
                channel.consumers.retain(|(it, _)| *it != cancel.consumer_tag);
                method_octets(number, basic::CancelOk::default().consumer_tag(cancel.consumer_tag))
            }
            Method::ChannelFlowOk(_) | Method::BasicCancelOk(_) => return,
            other => panic!("nobody asked for {other:?}"),
        };
        self.session.octets(&reply);
    }
}
