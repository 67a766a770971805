//! A client that says frames, and hears the broker's methods and octets.

use std::time::Instant;

use bytes::BytesMut;
use leveret::Properties;
use leveret::broker::{ConnectionId, Event, State};
use leveret::protocol::{Method, ProtocolMethod, basic, channel, connection};
use leveret_test_support::client::capabilities;
use leveret_test_support::frames::{
    MAX_PAYLOAD, PROTOCOL_HEADER, Received, body_octets, header_octets, method_octets, octets_of, octets_of_method,
    take,
};

/// A client, as a driver of the broker sees it.
pub(super) struct Peer {
    pub(super) id: ConnectionId,
    /// What it said and the broker has not used.
    input: BytesMut,
    /// What the broker said and is no whole frame yet.
    output: BytesMut,
    /// All octets that came from the broker.
    pub(super) octets: usize,
}

impl Peer {
    /// A transport on which nothing was said.
    pub(super) fn connect(broker: &mut State, now: Instant) -> Self {
        let id = broker.handle_connect(now);
        Self { id, input: BytesMut::new(), output: BytesMut::new(), octets: 0 }
    }

    /// Logs in with this PLAIN response.
    pub(super) fn log_in(&mut self, broker: &mut State, now: Instant, login: &str) {
        self.say_octets(broker, now, PROTOCOL_HEADER);
        let known = ["connection.blocked", "consumer_cancel_notify", "authentication_failure_close"];
        let start_ok = connection::StartOk::default()
            .client_properties(capabilities(&known))
            .mechanism("PLAIN")
            .response(login.to_owned())
            .locale("en_US");
        self.say(broker, now, 0, &start_ok);
    }

    /// A user who has logged in, and has not opened a virtual host yet. Without heartbeats.
    pub(super) fn until_tuned(broker: &mut State, now: Instant) -> Self {
        Self::logged_in(broker, now, "\0guest\0guest", 0, super::FRAME_MAX)
    }

    /// The same for somebody else's PLAIN response, with heartbeats of this many seconds and frames
    /// of up to this many octets.
    pub(super) fn logged_in(broker: &mut State, now: Instant, login: &str, heartbeat: u16, frame_max: u32) -> Self {
        let mut peer = Self::connect(broker, now);
        peer.log_in(broker, now, login);
        let tune_ok = connection::TuneOk::default().channel_max(2047).frame_max(frame_max).heartbeat(heartbeat);
        peer.say(broker, now, 0, &tune_ok);
        peer.hear(broker, now);
        peer
    }

    /// An open connection with heartbeats of this many seconds and frames of up to this many
    /// octets, and channel 1 on it.
    pub(super) fn open(broker: &mut State, now: Instant, heartbeat: u16, frame_max: u32) -> Self {
        let mut peer = Self::logged_in(broker, now, "\0guest\0guest", heartbeat, frame_max);
        peer.say(broker, now, 0, &connection::Open::default().virtual_host("/"));
        peer.say(broker, now, 1, &channel::Open::default());
        let heard = peer.hear(broker, now);
        assert!(matches!(heard.last(), Some(Received::Method(1, Method::ChannelOpenOk(_)))), "{heard:?}");
        peer.octets = 0;
        peer
    }

    /// Says a method.
    pub(super) fn say<M: ProtocolMethod>(&mut self, broker: &mut State, now: Instant, channel: u16, method: &M) {
        self.say_octets(broker, now, &octets_of_method(channel, method));
    }

    /// Publishes a message to a queue.
    pub(super) fn publish(
        &mut self,
        broker: &mut State,
        now: Instant,
        queue: &str,
        properties: &Properties,
        body: &[u8],
    ) {
        let content = content("", queue, properties, body).concat();
        self.say_octets(broker, now, &content);
    }

    /// Says octets, which are handed in as far as the broker takes input.
    pub(super) fn say_octets(&mut self, broker: &mut State, now: Instant, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        self.hand_in(broker, now);
    }

    /// Hands in what the broker has not used.
    pub(super) fn hand_in(&mut self, broker: &mut State, now: Instant) {
        if !self.input.is_empty() && broker.wants_input(self.id) {
            broker.handle_bytes(self.id, &mut self.input, now);
        }
    }

    /// All that the broker has to say now.
    pub(super) fn hear(&mut self, broker: &mut State, now: Instant) -> Vec<Received> {
        while let Some(said) = broker.poll_transmit(self.id, now) {
            let said = octets_of(said);
            self.octets += said.len();
            self.output.extend_from_slice(&said);
        }
        std::iter::from_fn(|| take(&mut self.output, 0)).collect()
    }
}

/// The frame of a method on channel 1.
pub(super) fn frame(method: impl Into<Method>) -> Vec<u8> {
    method_octets(1, method)
}

/// The frames of a publish on channel 1: method, header and bodies.
pub(super) fn content(exchange: &str, key: &str, properties: &Properties, body: &[u8]) -> [Vec<u8>; 3] {
    let publish = basic::Publish::default().exchange(exchange).routing_key(key);
    [frame(publish), header_octets(1, body.len(), properties), body_octets(1, body, MAX_PAYLOAD as usize)]
}

/// The broker's events, all of them.
pub(super) fn events(broker: &mut State) -> Vec<Event> {
    std::iter::from_fn(|| broker.poll_event()).collect()
}
