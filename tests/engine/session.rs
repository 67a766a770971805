//! An engine and its peer in one room, with virtual time, and what happened so far.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use leveret::engine::{
    ChannelKey, Closure, Completion, Confirmation, ConsumerKey, Delivery, Engine, Event, Failure, Fate, Negotiated,
    Reply, Settings, Taken, WaiterId,
};
use leveret::frame::{Body, Publish};
use leveret::protocol::basic::Properties;
use leveret::protocol::{Method, Request, basic, channel, confirm, connection};
use leveret::wire::FieldTable;
use leveret_test_support::frames::{content_octets, method_octets, octets_of, read_all};

/// What the client sent, as its peer has received it.
pub(crate) use leveret_test_support::Received as Sent;

/// A method of the client's, as it shows in [`Sent`].
pub(crate) fn sent(channel: u16, method: impl Into<Method>) -> Sent {
    Sent::Method(channel, method.into())
}

/// A connection behind its handshake.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    pub(crate) now: Instant,
    input: BytesMut,
    waiters: u32,
    completed: Vec<(WaiterId, Completion)>,
    readable: Vec<WaiterId>,
    taken: Vec<u8>,
    accepted: usize,
}

impl Drop for Session {
    /// After the end nothing is left but what handles ask for. Each session ends here at the
    /// latest.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // What the test did not write is lost.
            self.engine.handle_transport_lost(None);
            while self.engine.poll_event().is_some() {}
            let left = self.engine.leftovers().without_handles();
            assert!(left.is_empty(), "left behind: {left}");
        }
    }
}

pub(crate) fn negotiated() -> Negotiated {
    Negotiated { channel_max: 0, frame_max: 4096, heartbeat: 0, server_properties: FieldTable::new() }
}

impl Session {
    pub(crate) fn open() -> Self {
        Self::with(negotiated(), |_| {})
    }

    pub(crate) fn with(negotiated: Negotiated, set: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        set(&mut settings);
        let now = Instant::now();
        Self {
            engine: Engine::new(negotiated, settings, now),
            now,
            input: BytesMut::new(),
            waiters: 0,
            completed: Vec::new(),
            readable: Vec::new(),
            taken: Vec::new(),
            accepted: 0,
        }
    }

    /// Somebody new who waits.
    pub(crate) fn waiter(&mut self) -> WaiterId {
        self.waiters += 1;
        WaiterId { slot: self.waiters, generation: NonZeroU32::MIN }
    }

    // What the broker does.

    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        self.engine.handle_bytes(&mut self.input, self.now);
        self.gather();
    }

    /// Octets of input that the engine has not taken.
    pub(crate) fn left_over(&self) -> usize {
        self.input.len()
    }

    pub(crate) fn say(&mut self, channel: u16, method: impl Into<Method>) {
        self.octets(&method_octets(channel, method));
    }

    pub(crate) fn say_content(
        &mut self,
        channel: u16,
        method: impl Into<Method>,
        properties: &Properties,
        body: &[u8],
    ) {
        self.octets(&content_octets(channel, method, properties, body, 4088));
    }

    pub(crate) fn deliver(&mut self, channel: u16, tag: &str, delivery_tag: u64, body: &str) {
        let deliver = basic::Deliver::default().consumer_tag(tag).delivery_tag(delivery_tag).routing_key("key");
        self.say_content(channel, deliver, &Properties::default(), body.as_bytes());
    }

    pub(crate) fn ack(&mut self, channel: u16, delivery_tag: u64, multiple: bool) {
        self.say(channel, basic::Ack::default().delivery_tag(delivery_tag).multiple(multiple));
    }

    // What the transport and time do.

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.engine.handle_timeout(self.now, self.now);
        self.gather();
    }

    /// A driver takes what waits, and the socket has accepted none of it.
    pub(crate) fn take(&mut self) -> usize {
        let taken = self.engine.poll_transmit().map_or(Vec::new(), octets_of);
        self.taken.extend_from_slice(&taken);
        taken.len()
    }

    /// The socket accepts octets that were taken.
    pub(crate) fn written(&mut self, count: usize) {
        self.accepted += count;
        assert!(self.accepted <= self.taken.len());
        self.engine.handle_written(count, self.now);
        self.gather();
    }

    /// Everything is written; here is what the broker sees of it.
    pub(crate) fn sent(&mut self) -> Vec<Sent> {
        self.take();
        let rest = self.taken.len() - self.accepted;
        if rest > 0 {
            self.written(rest);
        }
        self.accepted = 0;
        let frame_max = self.engine.negotiated().frame_max;
        read_all(&std::mem::take(&mut self.taken), frame_max)
    }

    pub(crate) fn lose(&mut self) {
        self.engine.handle_transport_lost(None);
        self.gather();
    }

    // What the application hears.

    pub(crate) fn gather(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            match event {
                Event::Completed(waiter, completion) => self.completed.push((waiter, completion)),
                Event::Readable(waiter) => self.readable.push(waiter),
            }
        }
    }

    /// All completions since the last look.
    pub(crate) fn completions(&mut self) -> Vec<(WaiterId, Completion)> {
        self.gather();
        std::mem::take(&mut self.completed)
    }

    /// Who was told, since the last look, that there is something to take.
    pub(crate) fn readable(&mut self) -> Vec<WaiterId> {
        self.gather();
        std::mem::take(&mut self.readable)
    }

    pub(crate) fn is_waiting(&mut self, waiter: WaiterId) -> bool {
        self.gather();
        !self.completed.iter().any(|(who, _)| *who == waiter)
    }

    /// What this waiter heard, which must be one thing.
    pub(crate) fn heard(&mut self, waiter: WaiterId) -> Completion {
        self.gather();
        let mut heard: Vec<_> = self.completed.extract_if(.., |(who, _)| *who == waiter).collect();
        assert_eq!(heard.len(), 1, "{waiter:?} heard {heard:?}");
        heard.remove(0).1
    }

    pub(crate) fn reply(&mut self, waiter: WaiterId) -> Reply {
        match self.heard(waiter) {
            Completion::Reply(reply) => *reply,
            other => panic!("{other:?} instead of a reply"),
        }
    }

    pub(crate) fn failure(&mut self, waiter: WaiterId) -> Failure {
        match self.heard(waiter) {
            Completion::Failed(failure) => failure,
            other => panic!("{other:?} instead of a failure"),
        }
    }

    /// Why this waiter's request came to nothing, and what became of it.
    pub(crate) fn closed(&mut self, waiter: WaiterId) -> (Closure, Fate) {
        closed(self.failure(waiter))
    }

    pub(crate) fn confirmation(&mut self, waiter: WaiterId) -> Confirmation {
        match self.heard(waiter) {
            Completion::Confirmed(confirmation) => confirmation,
            other => panic!("{other:?} instead of a confirmation"),
        }
    }

    // What the application does.

    pub(crate) fn call<R: Request + Into<Method>>(&mut self, channel: ChannelKey, request: R) -> WaiterId {
        let waiter = self.waiter();
        self.engine.call(channel, &request.into(), R::REPLIES, waiter, self.now).unwrap();
        waiter
    }

    /// Opens a channel, the broker agreeing.
    pub(crate) fn channel(&mut self) -> ChannelKey {
        let waiter = self.waiter();
        let key = self.engine.open_channel(waiter, self.now).unwrap();
        assert!(self.sent().contains(&sent(key.number, channel::Open::default())));
        self.say(key.number, channel::OpenOk::default());
        assert!(matches!(self.heard(waiter), Completion::Opened(opened) if opened == key));
        key
    }

    /// Opens a channel that confirms.
    pub(crate) fn confirming(&mut self) -> ChannelKey {
        let key = self.channel();
        let waiter = self.call(key, confirm::Select::default());
        self.sent();
        self.say(key.number, confirm::SelectOk::default());
        self.reply(waiter);
        key
    }

    /// Starts a consumer, the broker agreeing.
    pub(crate) fn consumer(&mut self, channel: ChannelKey, tag: &str, no_ack: bool) -> ConsumerKey {
        let waiter = self.call(channel, basic::Consume::default().queue("q").consumer_tag(tag).no_ack(no_ack));
        self.sent();
        self.say(channel.number, basic::ConsumeOk::default().consumer_tag(tag));
        self.reply(waiter).consumer.unwrap()
    }

    pub(crate) fn take_deliveries(&mut self, consumer: ConsumerKey, waiter: WaiterId) -> (Vec<Delivery>, Taken) {
        let mut deliveries = VecDeque::new();
        let taken = self.engine.take_deliveries(consumer, &mut deliveries, waiter);
        (deliveries.into(), taken)
    }

    pub(crate) fn publish(&mut self, channel: ChannelKey, body: &str) -> Option<WaiterId> {
        self.publish_as(channel, false, None, body)
    }

    pub(crate) fn publish_mandatory(&mut self, channel: ChannelKey, body: &str) -> WaiterId {
        self.publish_as(channel, true, None, body).unwrap()
    }

    /// Publishes with the routing key `key`. Gives the waiter where there is something to wait for.
    pub(crate) fn publish_as(
        &mut self,
        channel: ChannelKey,
        mandatory: bool,
        properties: Option<&Properties>,
        body: &str,
    ) -> Option<WaiterId> {
        let waiter = self.waiter();
        let body = Body::from(body);
        let publish = Publish { exchange: b"", routing_key: b"key", mandatory, properties, body: &body };
        self.engine.publish(channel, &publish, Some(waiter)).unwrap().map(|_| waiter)
    }

    /// Closes the connection; here is who waits for that.
    pub(crate) fn close(&mut self) -> WaiterId {
        let waiter = self.waiter();
        self.engine.close(leveret::ReplyCode::REPLY_SUCCESS, "bye", Some(waiter), self.now).unwrap();
        waiter
    }

    /// The close frame that went out last, of the connection.
    pub(crate) fn sent_close(&mut self) -> connection::Close {
        match self.sent().pop() {
            Some(Sent::Method(0, Method::ConnectionClose(close))) => close,
            other => panic!("{other:?} instead of a close"),
        }
    }
}

pub(crate) fn closed(failure: Failure) -> (Closure, Fate) {
    match failure {
        Failure::Closed { closure, fate } => ((*closure).clone(), fate),
        other => panic!("{other:?} instead of a close"),
    }
}
