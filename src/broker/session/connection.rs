//! A connection of a client, as the broker sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::channel::Channel;
use super::link::Link;
use super::turn::Turn;
use crate::broker::Transport;
use crate::broker::model::Message;
use crate::frame::{Body, Decoder, Encoder, Outbound};
use crate::protocol::ProtocolMethod;
use crate::wire::{FieldTable, ShortString};

/// The phase of a connection.
///
/// ```text
/// Header ─▶ StartOk ─▶ TuneOk ─▶ Open ─▶ Running ─▶ Closed (the client closes, and ends the transport)
///    └─────────┴──────────┴───▶ Refused    └─▶ Closing ─▶ Ending (the broker closes, and ends the transport)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum Phase {
    /// The protocol header is awaited.
    Header,
    /// `connection.start-ok` is awaited.
    StartOk,
    /// `connection.tune-ok` is awaited.
    TuneOk,
    /// `connection.open` is awaited.
    Open,
    /// It is open.
    Running,
    /// The broker has sent `connection.close`; `connection.close-ok` is awaited.
    Closing,
    /// The client did something that RabbitMQ does not answer, and resets the transport for a
    /// little later.
    Refused,
    /// The client has sent `connection.close`, and is to close the transport.
    Closed,
    /// Nothing more is read; what waits is written.
    Ending,
}

/// A connection.
#[derive(Debug)]
pub(in crate::broker) struct Connection {
    pub(in crate::broker) phase: Phase,
    /// When the phase times out.
    pub(in crate::broker) phase_deadline: Option<Instant>,
    pub(in crate::broker) link: Link,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(in crate::broker) frame_max: u32,
    pub(in crate::broker) channel_max: u16,
    /// Zero for none.
    pub(in crate::broker) heartbeat: Duration,
    pub(in crate::broker) last_heard: Instant,
    pub(in crate::broker) last_said: Instant,
    pub(in crate::broker) user: ShortString,
    pub(in crate::broker) virtual_host: ShortString,
    pub(in crate::broker) client_properties: FieldTable,
    pub(in crate::broker) channels: BTreeMap<u16, Channel>,
    /// Whether it is blocked, and is not read.
    pub(in crate::broker) blocked: bool,
    /// How many bytes were handed in and not used. Handed in again, they are no sign of life.
    pub(in crate::broker) left_over: usize,
    /// What queues have sent to its channels while its input is read.
    pub(in crate::broker) turn: Turn,
    /// Since when so much waits for it that it is not read.
    pub(super) stalled_since: Option<Instant>,
    /// Whether an event for its driver is pending.
    pub(in crate::broker) announced: bool,
    /// Whether something was to be sent that does not fit the negotiated frames.
    broken: bool,
    /// The output of channels whose answers a test holds back.
    held: BTreeMap<u16, Outbound>,
    /// Queues that have something for it when it takes more.
    pub(in crate::broker) held_back: BTreeSet<crate::broker::keys::QueueId>,
}

impl Connection {
    /// How many bytes may wait before consumers get no more.
    const HIGH_WATER: usize = 1024 * 1024;

    /// How many bytes may wait before nothing more is read. A client that does not read gets no
    /// more answers either.
    const FULL: usize = 4 * 1024 * 1024;

    /// How long RabbitMQ keeps a client that does not read.
    const STALL: Duration = Duration::from_secs(30);

    pub(in crate::broker) fn new(now: Instant, handshake_timeout: Duration) -> Self {
        Self {
            phase: Phase::Header,
            phase_deadline: now.checked_add(handshake_timeout),
            link: Link::default(),
            // Before the negotiation: start and start-ok may be longer than the smallest
            // `frame_max`.
            decoder: Decoder::new(Self::FRAME_MAX_BEFORE_TUNING),
            encoder: Encoder::new(Self::FRAME_MAX_BEFORE_TUNING),
            frame_max: Self::FRAME_MAX_BEFORE_TUNING,
            channel_max: 0,
            heartbeat: Duration::ZERO,
            last_heard: now,
            last_said: now,
            user: ShortString::new(),
            virtual_host: ShortString::new(),
            client_properties: FieldTable::new(),
            channels: BTreeMap::new(),
            blocked: false,
            left_over: 0,
            turn: Turn::default(),
            stalled_since: None,
            announced: false,
            broken: false,
            held: BTreeMap::new(),
            held_back: BTreeSet::new(),
        }
    }

    const FRAME_MAX_BEFORE_TUNING: u32 = 128 * 1024;

    /// Queues a method.
    pub(in crate::broker) fn send<M: ProtocolMethod>(&mut self, channel: u16, method: &M) {
        let out = self.held.get_mut(&channel).unwrap_or(&mut self.link.outbound);
        let sent = self.encoder.method(out, channel, method);
        self.broken |= sent.is_err();
    }

    /// Queues a method with its content.
    pub(in crate::broker) fn send_content<M: ProtocolMethod>(&mut self, channel: u16, method: &M, message: &Message) {
        let out = self.held.get_mut(&channel).unwrap_or(&mut self.link.outbound);
        let mark = out.mark();
        let body = Body::from(message.body.clone());
        // RabbitMQ does not split headers, and does not apply the negotiated limit to them.
        let unlimited = Encoder::new(0);
        let header = |out: &mut Outbound| match &message.encoded_properties {
            Some(encoded) => unlimited.encoded_header(out, channel, body.len(), encoded),
            None => unlimited.header(out, channel, body.len(), Some(&message.properties)),
        };
        match self.encoder.method(out, channel, method).and_then(|()| header(out)) {
            Ok(()) => self.encoder.body(out, channel, &body),
            Err(_) => {
                out.roll_back(mark);
                self.broken = true;
            }
        }
    }

    /// Holds back everything that is sent on a channel from now on.
    pub(in crate::broker) fn hold(&mut self, channel: u16) {
        self.held.entry(channel).or_default();
    }

    /// The channels whose output is held back.
    pub(in crate::broker) fn held_channels(&self) -> impl Iterator<Item = u16> {
        self.held.keys().copied()
    }

    /// Sends what was held back, the channels one after another.
    pub(in crate::broker) fn release_held(&mut self) {
        for out in std::mem::take(&mut self.held).into_values() {
            self.link.outbound.append_all(out);
        }
    }

    /// Drops what was held back, and holds back nothing more.
    pub(super) fn drop_held(&mut self) {
        self.held.clear();
    }

    /// The bytes that are held back.
    fn held_size(&self) -> usize {
        self.held.values().map(Outbound::len).sum()
    }

    /// Returns `true`, once, if something was to be sent that does not fit the negotiated frames.
    pub(in crate::broker) fn take_broken(&mut self) -> bool {
        std::mem::take(&mut self.broken)
    }

    /// Whether so much waits for it that it is not read until it has read some.
    pub(in crate::broker) fn is_full(&self) -> bool {
        self.link.waiting() >= Self::FULL
    }

    /// Records since when it is full.
    pub(in crate::broker) fn note_stall(&mut self, now: Instant) {
        self.stalled_since = self.is_full().then(|| self.stalled_since.unwrap_or(now));
    }

    /// Whether its consumers can be sent more.
    pub(in crate::broker) fn has_room(&self) -> bool {
        self.phase == Phase::Running && self.link.waiting() + self.turn.size() + self.held_size() < Self::HIGH_WATER
    }

    /// Whether its transport is to be read.
    pub(in crate::broker) fn wants_input(&self) -> bool {
        let reads = !self.blocked && !self.is_full() && !self.link.is_silent() && !self.link.rests();
        reads && self.link.transport() == Transport::Open
    }

    /// Whether the client announced a capability.
    pub(in crate::broker) fn is_capable(&self, capability: &str) -> bool {
        let capabilities = self.client_properties.get("capabilities").and_then(|value| value.as_table());
        capabilities.and_then(|table| table.get(capability)).and_then(|value| value.as_bool()).unwrap_or(false)
    }

    /// The name that the client gave the connection.
    pub(in crate::broker) fn name(&self) -> Option<&str> {
        self.client_properties.get("connection_name").and_then(|value| value.as_str())
    }

    /// When something is due, if acknowledgements have to arrive within `timeout`.
    pub(in crate::broker) fn deadline(&self, timeout: Option<Duration>) -> Option<Instant> {
        if self.link.transport() == Transport::Gone {
            return None;
        }
        let acknowledgement = timeout.and_then(|timeout| self.acknowledgement_deadline(timeout));
        [self.beat_deadline(), self.link.deadline(), self.end_deadline(), acknowledgement].into_iter().flatten().min()
    }

    /// When it is closed: its phase times out, it gives no sign of life, or it does not read.
    pub(in crate::broker) fn end_deadline(&self) -> Option<Instant> {
        let stalled = self.stalled_since.map(|since| since + Self::STALL);
        [self.phase_deadline, self.miss_deadline(), stalled].into_iter().flatten().min()
    }

    /// When the first acknowledgement is overdue on one of its channels.
    fn acknowledgement_deadline(&self, timeout: Duration) -> Option<Instant> {
        self.channels.values().filter_map(|channel| channel.acknowledgement_deadline(timeout)).min()
    }

    /// The channels on which an acknowledgement is overdue.
    pub(in crate::broker) fn overdue(&self, timeout: Duration, now: Instant) -> Vec<u16> {
        let is_overdue = |channel: &Channel| channel.acknowledgement_deadline(timeout).is_some_and(|due| due <= now);
        self.channels.iter().filter(|(_, channel)| is_overdue(channel)).map(|(&number, _)| number).collect()
    }

    /// When a heartbeat is due.
    pub(in crate::broker) fn beat_deadline(&self) -> Option<Instant> {
        (self.is_beating() && !self.link.is_silent()).then(|| self.last_said + self.heartbeat / 2)
    }

    /// When the client counts as lost. A client whose input is not read cannot give a sign of life.
    fn miss_deadline(&self) -> Option<Instant> {
        let reads = !self.blocked && !self.is_full() && !self.link.rests();
        (self.is_beating() && reads).then(|| self.last_heard + self.heartbeat * 2)
    }

    fn is_beating(&self) -> bool {
        !self.heartbeat.is_zero() && matches!(self.phase, Phase::Open | Phase::Running | Phase::Closing)
    }

    /// The largest number of channels that may be open at a time.
    pub(super) fn channel_limit(&self) -> usize {
        if self.channel_max == 0 { usize::from(u16::MAX) } else { usize::from(self.channel_max) }
    }
}
