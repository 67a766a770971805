//! A client engine, and the octets between it and the broker.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use leveret::ConnectionParameters;
use leveret::broker::ConnectionId;
use leveret::engine::{
    ChannelKey, Completion, Confirmation, ConsumerKey, Delivery, Engine, Event, Handshake, Settings, WaiterId,
};
use leveret::frame::{Body, Publish};
use leveret::protocol::{Method, Request, basic};
use leveret_test_support::frames::octets_of;

/// How far the client has come.
pub(super) enum Side {
    Handshake(Box<Handshake>),
    Open(Box<Engine>),
    Failed(String),
}

/// A client, and its end of the wire.
pub(super) struct Client {
    pub(super) id: ConnectionId,
    pub(super) side: Side,
    /// Octets on their way to the broker, and those that came there and that it has not used.
    pub(super) to_broker: BytesMut,
    pub(super) at_broker: BytesMut,
    /// Octets on their way to the client, and those that came and that it has not used.
    pub(super) to_client: BytesMut,
    at_client: BytesMut,
    waiters: u32,
    pub(super) heard: Vec<(WaiterId, Completion)>,
    pub(super) lost: bool,
}

impl Client {
    pub(super) fn new(id: ConnectionId) -> Self {
        let handshake = Handshake::new((&ConnectionParameters::default()).into());
        Self {
            id,
            side: Side::Handshake(Box::new(handshake)),
            to_broker: BytesMut::new(),
            at_broker: BytesMut::new(),
            to_client: BytesMut::new(),
            at_client: BytesMut::new(),
            waiters: 0,
            heard: Vec::new(),
            lost: false,
        }
    }

    /// The client puts on the wire what it has to say. False where that is nothing.
    pub(super) fn say(&mut self, now: Instant) -> bool {
        let said = match &mut self.side {
            Side::Handshake(handshake) => handshake.poll_transmit(),
            Side::Open(engine) => engine.poll_transmit(),
            Side::Failed(_) => None,
        };
        let Some(said) = said.filter(|said| !said.is_empty()) else { return false };
        let octets = octets_of(said);
        if let Side::Open(engine) = &mut self.side {
            engine.handle_written(octets.len(), now);
        }
        self.to_broker.extend_from_slice(&octets);
        self.gather();
        true
    }

    /// So many octets of those on the wire reach the client.
    pub(super) fn hear(&mut self, count: usize, now: Instant) {
        let count = count.min(self.to_client.len());
        self.at_client.extend_from_slice(&self.to_client.split_to(count));
        if let Side::Handshake(handshake) = &mut self.side {
            match handshake.handle_bytes(&mut self.at_client) {
                Ok(None) => {}
                Ok(Some(negotiated)) => {
                    self.say(now);
                    self.side = Side::Open(Box::new(Engine::new(negotiated, Settings::default(), now)));
                }
                Err(error) => {
                    self.say(now);
                    self.side = Side::Failed(error.to_string());
                }
            }
        }
        if let Side::Open(engine) = &mut self.side {
            engine.handle_bytes(&mut self.at_client, now);
        }
        self.gather();
    }

    /// The transport is gone.
    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.to_broker.clear();
        if let Side::Open(engine) = &mut self.side {
            engine.handle_transport_lost(None);
        }
        self.gather();
    }

    pub(super) fn engine(&mut self) -> &mut Engine {
        match &mut self.side {
            Side::Open(engine) => engine,
            Side::Handshake(_) => panic!("the connection is not open yet"),
            Side::Failed(error) => panic!("the connection failed: {error}"),
        }
    }

    pub(super) fn deadline(&mut self) -> Option<Instant> {
        match &mut self.side {
            Side::Open(engine) if !self.lost => engine.poll_deadline(),
            _ => None,
        }
    }

    /// Somebody new who waits.
    pub(super) fn waiter(&mut self) -> WaiterId {
        self.waiters += 1;
        WaiterId { slot: self.waiters, generation: NonZeroU32::MIN }
    }

    fn gather(&mut self) {
        let Side::Open(engine) = &mut self.side else { return };
        while let Some(event) = engine.poll_event() {
            if let Event::Completed(waiter, completion) = event {
                self.heard.push((waiter, completion));
            }
        }
    }

    /// What this waiter heard, if anything so far.
    pub(super) fn take_heard(&mut self, waiter: WaiterId) -> Option<Completion> {
        self.gather();
        let at = self.heard.iter().position(|(who, _)| *who == waiter)?;
        Some(self.heard.remove(at).1)
    }

    /// Asks for a channel.
    pub(super) fn open_channel(&mut self, now: Instant) -> WaiterId {
        let waiter = self.waiter();
        self.engine().open_channel(waiter, now).unwrap();
        waiter
    }

    pub(super) fn call<R: Request + Into<Method>>(&mut self, key: ChannelKey, request: R, now: Instant) -> WaiterId {
        let waiter = self.waiter();
        self.engine().call(key, &request.into(), R::REPLIES, waiter, now).unwrap();
        waiter
    }

    /// Publishes to a queue, and says who hears of the confirm.
    pub(super) fn publish(&mut self, key: ChannelKey, queue: &str, body: &str) -> WaiterId {
        let waiter = self.waiter();
        let body = Body::from(body);
        let publish =
            Publish { exchange: b"", routing_key: queue.as_bytes(), mandatory: false, properties: None, body: &body };
        self.engine().publish(key, &publish, Some(waiter)).unwrap();
        waiter
    }

    /// The broker's decisions that this client has heard, each with who waited for it.
    pub(super) fn confirmations(&mut self) -> Vec<(WaiterId, Confirmation)> {
        self.gather();
        let confirmed = self.heard.extract_if(.., |(_, completion)| matches!(completion, Completion::Confirmed(_)));
        let decision = |(waiter, completion)| match completion {
            Completion::Confirmed(confirmation) => (waiter, confirmation),
            other => panic!("{other:?} is no decision"),
        };
        confirmed.map(decision).collect()
    }

    /// What waits for a consumer.
    pub(super) fn deliveries(&mut self, consumer: ConsumerKey) -> Vec<Delivery> {
        let waiter = self.waiter();
        let mut deliveries = VecDeque::new();
        self.engine().take_deliveries(consumer, &mut deliveries, waiter);
        deliveries.into()
    }

    /// The consumer that a call of basic.consume started.
    pub(super) fn started(&mut self, waiter: WaiterId) -> ConsumerKey {
        match self.take_heard(waiter) {
            Some(Completion::Reply(reply)) => reply.consumer.unwrap(),
            other => panic!("{other:?} instead of basic.consume-ok"),
        }
    }
}

/// A request for all that is in a queue, to be acknowledged one by one.
pub(super) fn consume(queue: &str, prefetch: u16) -> (basic::Qos, basic::Consume) {
    (
        basic::Qos::default().prefetch_count(prefetch),
        basic::Consume::default().queue(queue.to_owned()).consumer_tag("c"),
    )
}

/// How many octets to let through, at most all.
pub(super) fn portion(waiting: &BytesMut, most: usize) -> usize {
    waiting.remaining().min(most)
}
