//! What the application does on a random walk.

use leveret::ReplyCode;
use leveret::engine::{Admission, ChannelKey, Engine, Settle, Taken, WaitsFor};
use leveret::frame::{Body, Publish};
use leveret::protocol::{Method, Request, basic, confirm, queue};

use super::Walk;

impl Walk {
    pub(super) fn act(&mut self) {
        let key = self.dice.pick(&self.channels);
        let now = self.session.now;
        match (self.dice.roll(16), key) {
            (0, _) | (_, None) => {
                let waiter = self.wait("open");
                let opened = self.engine().open_channel(waiter, now);
                self.refused(waiter, opened);
            }
            (1, Some(key)) => self.call(key, queue::Declare::default().queue("q")),
            (2, Some(key)) => {
                let no_ack = self.dice.chance(2);
                self.call(key, basic::Get::default().queue("q").no_ack(no_ack));
            }
            (3, Some(key)) => {
                let (tag, no_ack) = (["", "c", "d"][self.dice.roll(3)], self.dice.chance(2));
                self.call(key, basic::Consume::default().consumer_tag(tag).no_ack(no_ack));
            }
            (4, Some(key)) => self.call(key, confirm::Select::default()),
            (5..=8, Some(key)) => self.publish(key),
            (9, Some(_)) => self.drop_something(),
            (10, Some(_)) => self.use_consumer(),
            (11, Some(key)) => {
                let tag = self.dice.roll(3) as u64 + 1;
                let settled = self.engine().settle(key, tag, Settle::Ack { multiple: true });
                drop(settled);
            }
            (12, Some(key)) if self.dice.chance(3) => {
                let waiter = self.wait("close channel");
                let closing = self.engine().close_channel(key, ReplyCode::REPLY_SUCCESS, "", Some(waiter), now);
                self.refused(waiter, closing);
            }
            (13, Some(key)) if self.dice.chance(3) => {
                self.channels.retain(|it| *it != key);
                self.engine().release_channel(key);
            }
            (14, Some(key)) => {
                let waiter = self.wait("confirms");
                let settled = self.engine().wait_for_confirms(key, waiter);
                if self.refused(waiter, settled).flatten().is_some() {
                    self.waiting.remove(&waiter);
                }
            }
            (15, Some(_)) if self.dice.chance(60) => self.close(),
            _ => {}
        }
        self.hear();
    }

    fn call<R: Request + Into<Method>>(&mut self, key: ChannelKey, request: R) {
        let (waiter, now) = (self.wait("call"), self.session.now);
        let called = self.engine().call(key, &request.into(), R::REPLIES, waiter, now);
        self.refused(waiter, called);
    }

    fn publish(&mut self, key: ChannelKey) {
        match self.engine().admission(key) {
            Ok(Admission::Open) => self.publish_now(key),
            Ok(Admission::Closed) => {
                let waiter = self.wait("gate");
                let confirm = self.engine().is_confirming(key).then(|| self.session.waiter());
                let place = self.with_message(|engine, publish| engine.wait_to_publish(key, publish, confirm, waiter));
                self.at_gate.push((waiter, place.unwrap(), confirm));
            }
            Err(_) => {}
        }
    }

    fn publish_now(&mut self, key: ChannelKey) {
        let waiter = self.wait("confirm");
        let published = self.with_message(|engine, publish| engine.publish(key, publish, Some(waiter)));
        if self.refused(waiter, published).flatten().is_none() {
            self.waiting.remove(&waiter);
        }
    }

    fn with_message<R>(&mut self, publish: impl FnOnce(&mut Engine, &Publish<'_>) -> R) -> R {
        let mandatory = self.dice.chance(2);
        let octets = vec![7; self.dice.roll(3) * 150];
        let body = Body::from(&octets);
        let message = Publish { exchange: b"", routing_key: b"key", mandatory, properties: None, body: &body };
        publish(self.engine(), &message)
    }

    fn use_consumer(&mut self) {
        let Some((consumer, waiter)) = self.dice.pick(&self.consumers) else { return };
        let now = self.session.now;
        if self.dice.chance(3) {
            let cancelling = self.wait("cancel");
            let cancelled = self.engine().cancel_consumer(consumer, cancelling, now);
            self.refused(cancelling, cancelled);
        } else if matches!(self.session.take_deliveries(consumer, waiter).1, Taken::End(_)) {
            self.consumers.retain(|(it, _)| *it != consumer);
            self.engine().drop_consumer(consumer, [], None);
        }
    }

    /// Somebody stops caring: a consumer, or anybody who waits.
    fn drop_something(&mut self) {
        if self.dice.chance(2) {
            if let Some((consumer, waiter)) = self.dice.pick(&self.consumers) {
                self.consumers.retain(|it| *it != (consumer, waiter));
                self.engine().drop_consumer(consumer, [], None);
            }
            return;
        }
        let waiting: Vec<_> = self.waiting.keys().copied().collect();
        if let Some(waiter) = self.dice.pick(&waiting) {
            self.waiting.remove(&waiter);
            self.gone.insert(waiter);
            if let Some(index) = self.at_gate.iter().position(|(it, ..)| *it == waiter) {
                let (_, place, _) = self.at_gate.remove(index);
                self.engine().forget(waiter, WaitsFor::Turn(place));
            }
        }
    }

    pub(super) fn close(&mut self) {
        let (waiter, now) = (self.wait("close"), self.session.now);
        let closing = self.engine().close(ReplyCode::REPLY_SUCCESS, "", Some(waiter), now);
        self.refused(waiter, closing);
        self.hear();
    }
}
