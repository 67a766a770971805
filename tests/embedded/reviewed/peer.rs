//! A client that says frames, and hears the broker's methods and octets.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use leveret::broker::{ConnectionId, Event, State};
use leveret::frame::{Body, Decoded, Decoder, Encoder, FrameKind, Outbound, split_method};
use leveret::protocol::{Method, ProtocolMethod, basic, channel, connection};
use leveret::wire::Reader;
use leveret::{FieldTable, FieldValue, Properties};

/// A frame that came from the broker.
#[derive(Debug)]
pub(super) enum Heard {
    Method(u16, Method),
    Header,
    Body,
    Heartbeat,
}

/// A client, as a driver of the broker sees it.
pub(super) struct Peer {
    pub(super) id: ConnectionId,
    encoder: Encoder,
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
        let (input, output) = (BytesMut::new(), BytesMut::new());
        Self { id, encoder: Encoder::new(128 * 1024), input, output, octets: 0 }
    }

    /// An open connection with heartbeats of this many seconds and frames of up to this many
    /// octets, and channel 1 on it.
    pub(super) fn open(broker: &mut State, now: Instant, heartbeat: u16, frame_max: u32) -> Self {
        let mut peer = Self::connect(broker, now);
        peer.say_octets(broker, now, b"AMQP\0\0\x09\x01");
        let capabilities: FieldTable =
            ["connection.blocked", "consumer_cancel_notify"].map(|name| (name, FieldValue::Bool(true))).into();
        let start_ok = connection::StartOk::default()
            .client_properties(FieldTable::from([("capabilities", FieldValue::Table(capabilities))]))
            .mechanism("PLAIN")
            .response("\0guest\0guest")
            .locale("en_US");
        peer.say(broker, now, 0, &start_ok);
        let tune_ok = connection::TuneOk::default().channel_max(2047).frame_max(frame_max).heartbeat(heartbeat);
        peer.say(broker, now, 0, &tune_ok);
        peer.say(broker, now, 0, &connection::Open::default().virtual_host("/"));
        peer.say(broker, now, 1, &channel::Open::default());
        let heard = peer.hear(broker, now);
        assert!(matches!(heard.last(), Some(Heard::Method(1, Method::ChannelOpenOk(_)))), "{heard:?}");
        peer.octets = 0;
        peer
    }

    /// Says a method.
    pub(super) fn say<M: ProtocolMethod>(&mut self, broker: &mut State, now: Instant, channel: u16, method: &M) {
        let mut out = Outbound::new();
        self.encoder.method(&mut out, channel, method).unwrap();
        self.say_octets(broker, now, &octets(out));
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
    pub(super) fn hear(&mut self, broker: &mut State, now: Instant) -> Vec<Heard> {
        while let Some(said) = broker.poll_transmit(self.id, now) {
            let said = octets(said);
            self.octets += said.len();
            self.output.extend_from_slice(&said);
        }
        let mut heard = Vec::new();
        while let Decoded::Frame(frame, taken) = Decoder::new(0).decode(&self.output).expect("a broker says frames") {
            heard.push(match frame.kind {
                FrameKind::Method => {
                    let (id, arguments) = split_method(frame.payload).unwrap();
                    Heard::Method(frame.channel, Method::decode(id, &mut Reader::new(arguments)).unwrap())
                }
                FrameKind::Header => Heard::Header,
                FrameKind::Body => Heard::Body,
                FrameKind::Heartbeat => Heard::Heartbeat,
            });
            let _ = self.output.split_to(taken);
        }
        heard
    }
}

/// The frame of a method on channel 1.
#[allow(clippy::needless_pass_by_value, reason = "a method is made where it is sent")]
pub(super) fn frame<M: ProtocolMethod>(method: M) -> Vec<u8> {
    let mut out = Outbound::new();
    Encoder::new(128 * 1024).method(&mut out, 1, &method).unwrap();
    octets(out)
}

/// The frames of a publish on channel 1: method, header and bodies.
pub(super) fn content(exchange: &str, key: &str, properties: &Properties, body: &[u8]) -> [Vec<u8>; 3] {
    let encoder = Encoder::new(128 * 1024);
    let [mut method, mut header, mut bodies] = [Outbound::new(), Outbound::new(), Outbound::new()];
    let publish = basic::Publish::default().exchange(exchange).routing_key(key);
    encoder.method(&mut method, 1, &publish).unwrap();
    encoder.header(&mut header, 1, body.len(), Some(properties)).unwrap();
    encoder.body(&mut bodies, 1, &Body::from(Bytes::copy_from_slice(body)));
    [octets(method), octets(header), octets(bodies)]
}

/// The broker's events, all of them.
pub(super) fn events(broker: &mut State) -> Vec<Event> {
    std::iter::from_fn(|| broker.poll_event()).collect()
}

fn octets(mut said: Outbound) -> Vec<u8> {
    let mut octets = Vec::with_capacity(said.len());
    while !said.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[])];
        said.slices(&mut slices);
        octets.extend_from_slice(&slices[0]);
        let taken = slices[0].len();
        said.advance(taken);
    }
    octets
}
