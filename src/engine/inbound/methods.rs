//! Methods of the broker that are decoded as a whole.

use std::time::Instant;

use super::content::{Assembly, Target};
use super::message::Head;
use crate::engine::channel::{ChannelLife, Ending};
use crate::engine::consume::ConsumerLife;
use crate::engine::publish::Verdict;
use crate::engine::{ChannelKey, ChannelNotice, ConnectionNotice, ConsumerEnd, Engine, Violation};
use crate::protocol::{Method, MethodId, SentBy, basic, channel, connection};
use crate::wire::Reader;

impl Engine {
    /// Handles every method that is not read in place.
    pub(super) fn handle_method(
        &mut self,
        number: u16,
        id: MethodId,
        arguments: &[u8],
        now: Instant,
    ) -> Result<(), Violation> {
        let mut reader = Reader::new(arguments);
        let decoded = Method::decode(id, &mut reader).and_then(|method| reader.finish().map(|()| method));
        let method = decoded.map_err(|error| Violation::Decode(Some(id), error))?;
        if !self.state.is_listening() {
            return self.handle_method_while_closing(number, &method, now);
        }
        if method.sent_by() == SentBy::Client {
            return Err(Violation::UnexpectedMethod(id));
        }
        if number == 0 {
            return self.handle_connection_method(method, now);
        }
        let channel = self.channels.by_number(number).ok_or(Violation::ChannelNotOpen(number))?;
        let opens = matches!(method, Method::ChannelOpenOk(_) | Method::ChannelClose(_));
        if channel.state == ChannelLife::Opening && !opens {
            return Err(Violation::UnexpectedMethod(id));
        }
        let key = channel.key;
        self.handle_channel_method(key, method)
    }

    /// Handles a method after a violation: only the close and its answer count.
    fn handle_method_while_closing(&mut self, number: u16, method: &Method, now: Instant) -> Result<(), Violation> {
        match method {
            Method::ConnectionClose(close) if number == 0 => self.handle_connection_close(close, now),
            Method::ConnectionCloseOk(_) if number == 0 => self.handle_connection_close_ok(now)?,
            _ => {}
        }
        Ok(())
    }

    fn handle_connection_method(&mut self, method: Method, now: Instant) -> Result<(), Violation> {
        match method {
            Method::ConnectionClose(close) => self.handle_connection_close(&close, now),
            Method::ConnectionCloseOk(_) => self.handle_connection_close_ok(now)?,
            Method::ConnectionBlocked(blocked) => self.handle_blocked(blocked.reason.to_string(), now),
            Method::ConnectionUnblocked(_) => self.handle_unblocked(),
            Method::ConnectionUpdateSecretOk(_) => self.handle_update_secret_ok()?,
            other if other.id().class == connection::CLASS_ID => return Err(Violation::UnexpectedMethod(other.id())),
            _ => return Err(Violation::NotOnChannelZero),
        }
        Ok(())
    }

    /// Handles `connection.blocked`. If the connection is already blocked, the new reason replaces
    /// the old one and the time limit of the first stays.
    fn handle_blocked(&mut self, reason: String, now: Instant) {
        let timeout = self.settings.blocked_timeout;
        self.blocked_until = self.blocked_until.or_else(|| timeout.map(|timeout| now + timeout));
        self.gate.set_blocked(Some(reason.clone()));
        self.tell_connection(&ConnectionNotice::Blocked(reason));
    }

    fn handle_unblocked(&mut self) {
        self.blocked_until = None;
        if self.gate.blocked().is_some() {
            self.gate.set_blocked(None);
            self.tell_connection(&ConnectionNotice::Unblocked);
        }
        self.admit();
    }

    fn handle_channel_method(&mut self, key: ChannelKey, method: Method) -> Result<(), Violation> {
        match method {
            Method::ChannelClose(close) => self.handle_channel_close(key, &close),
            Method::ChannelCloseOk(_) => self.handle_channel_close_ok(key)?,
            Method::ChannelFlow(flow) => self.handle_flow(key, flow.active),
            Method::BasicNack(nack) => {
                self.handle_verdict(key.number, nack.delivery_tag, nack.multiple, Verdict::Nack)?;
            }
            Method::BasicCancel(cancel) => self.handle_cancel(key, &cancel),
            // Checked before its content arrives, which may be large or never arrive.
            Method::BasicGetOk(_)
                if !self.channels.get(key).is_some_and(|channel| channel.calls.expects(method.id())) =>
            {
                return Err(Violation::UnexpectedReply(method.id()));
            }
            Method::BasicGetOk(ok) => {
                let (delivery_tag, redelivered, message_count) = (ok.delivery_tag, ok.redelivered, ok.message_count);
                let target = Target::Get { delivery_tag, redelivered, message_count };
                self.expect_content(key, target, ok.exchange.as_bytes(), ok.routing_key.as_bytes());
            }
            Method::BasicReturn(back) => {
                let target = Target::Return { reply_code: back.reply_code, reply_text: back.reply_text };
                self.expect_content(key, target, back.exchange.as_bytes(), back.routing_key.as_bytes());
            }
            other if other.id().class == connection::CLASS_ID => return Err(Violation::UnexpectedMethod(other.id())),
            reply => self.handle_reply(key, reply)?,
        }
        Ok(())
    }

    fn expect_content(&mut self, key: ChannelKey, target: Target, exchange: &[u8], routing_key: &[u8]) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        channel.scratch.clear();
        channel.scratch.extend_from_slice(exchange);
        channel.scratch.extend_from_slice(routing_key);
        let head = Head { exchange: exchange.len(), routing_key: routing_key.len(), properties: 0 };
        channel.assembly = Assembly::Header(target, head);
    }

    fn handle_flow(&mut self, key: ChannelKey, active: bool) {
        if self.check_channel(key).is_err() {
            return;
        }
        let flow_ok = channel::FlowOk::default().active(active);
        let queued = self.encode_method(key, &flow_ok);
        debug_assert!(queued.is_ok(), "flow-ok always fits");
        if let Some(channel) = self.channels.get_mut(key) {
            channel.flow_stopped = !active;
        }
        self.gate.set_stopped(key, !active);
        self.tell_channel(key, if active { &ChannelNotice::Resumed } else { &ChannelNotice::Stopped });
        self.admit();
    }

    /// Handles `basic.cancel` from the broker.
    ///
    /// The consumer is cancelled in turn, unless a cancel was already sent: RabbitMQ 4.3 keeps a
    /// consumer that it cancelled for a timeout, with its tag, until then, and an acknowledgement
    /// would reactivate it. An older RabbitMQ answers at once.
    fn handle_cancel(&mut self, key: ChannelKey, cancel: &basic::Cancel) {
        let tag = &cancel.consumer_tag;
        let known = self.channels.get(key).and_then(|channel| channel.consumers.get(tag).copied());
        if let Some(consumer) = known {
            let is_running = self.consumers.get(consumer).is_some_and(|it| it.life == ConsumerLife::Running);
            if cancel.no_wait && is_running && self.check_channel(key).is_ok() {
                let queued = self.cancel_without_waiter(key, Ending::Departed, tag.clone());
                debug_assert!(queued.is_ok(), "a tag that came in a frame fits one");
            }
            if !self.doubt(consumer) {
                self.end_consumer(consumer, ConsumerEnd::CancelledByBroker);
            }
            self.tell_channel(key, &ChannelNotice::ConsumerCancelled(tag.clone()));
        }
        if !cancel.no_wait && self.check_channel(key).is_ok() {
            let cancel_ok = basic::CancelOk::default().consumer_tag(cancel.consumer_tag.clone());
            let queued = self.encode_method(key, &cancel_ok);
            debug_assert!(queued.is_ok(), "a tag that came in a frame fits one");
        }
    }
}
