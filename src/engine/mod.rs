//! A connection as a state machine: no socket, no clock, no thread.
//!
//! **Not promised**: any release may change what is here. What of it the API gives is at the root
//! of the crate.
//!
//! [`Handshake`] agrees with the server; [`Engine`] is the connection from there on. Its methods
//! come in four families:
//!
//! * getters tell what is;
//! * `handle_*` take what happened outside: octets read, octets written, time passed, the transport
//!   lost;
//! * the rest are what the application asks for: open a channel, call a method, publish,
//!   acknowledge;
//! * `poll_*` give what is to be done outside: octets to write, the next deadline, events.
//!
//! # The run loop
//!
//! Whoever drives an engine repeats, in any order, until [`Engine::is_finished`]:
//!
//! 1. take what [`Engine::poll_transmit`] gives and write it; tell each octet that the transport
//!    accepted to [`Engine::handle_written`];
//! 2. read while [`Engine::poll_reading`] says so, and hand what has arrived to
//!    [`Engine::handle_bytes`], together with what that left over before. A pause may end with any
//!    step of this list and with any request: see [`Engine::may_read`];
//! 3. when the time of [`Engine::poll_deadline`] has come, call [`Engine::handle_timeout`] with the
//!    time now, and with a time up to which all input was read: what reports readiness has looked
//!    at the transport since then, and a read found nothing. In a pause of step 2 that time stays
//!    where it was;
//! 4. when the transport ends or fails, call [`Engine::handle_transport_lost`]; before it
//!    [`Engine::handle_withheld`], where bytes were taken and never offered to the transport;
//! 5. after each of these, and after each request, take events from [`Engine::poll_event`] until
//!    there are none, and drop what [`Engine::take_discarded`] gives where no lock is held.
//!
//! What was taken in step 1 counts as handed to the transport: if the connection ends before it is
//! written, whether it arrived is unknown. After [`Engine::is_lost`] nothing is written any more. A
//! driver that has to stop calls [`Engine::leave`], and writes what that gives if it can.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use bytes::BytesMut;
//! use leveret::engine::{Engine, Negotiated, Settings};
//! use leveret::wire::FieldTable;
//!
//! let now = Instant::now();
//! let negotiated =
//!     Negotiated { channel_max: 0, frame_max: 4096, heartbeat: 10, server_properties: FieldTable::new() };
//! let mut engine = Engine::new(negotiated, Settings::default(), now);
//!
//! // Half an interval passes in silence: a heartbeat is due.
//! assert_eq!(engine.poll_deadline(), Some(now + Duration::from_secs(5)));
//! let later = now + Duration::from_secs(5);
//! engine.handle_timeout(later, later);
//! let heartbeat = engine.poll_transmit().expect("a heartbeat");
//! assert_eq!(heartbeat.len(), 8);
//! engine.handle_written(heartbeat.len(), later);
//!
//! // The broker answers in kind, an octet at a time.
//! let mut input = BytesMut::new();
//! for octet in [8, 0, 0, 0, 0, 0, 0, 0xCE] {
//!     input.extend_from_slice(&[octet]);
//!     engine.handle_bytes(&mut input, now + Duration::from_secs(6));
//! }
//! assert!(input.is_empty() && !engine.is_finished());
//! ```

mod channel;
mod connection;
mod consume;
mod event;
mod failure;
mod forgetting;
mod inbound;
mod keys;
mod opening;
mod outbound;
mod publish;
mod settings;
pub(crate) mod slots;
pub(crate) mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::frame::{Decoder, Encoder, FRAME_OVERHEAD, Outbound};

#[doc(hidden)]
pub use connection::Leftovers;
pub use connection::{
    ChannelNotice, ChannelState, Closure, ConnectionNotice, ConnectionState, Fate, Initiator, Interest, Reason, Scope,
    Wanted,
};
pub use consume::{ConsumerEnd, Delivery, Settle, Taken};
pub use event::{Completion, Confirmation, Discarded, Event, Reply, Returned, Settled};
pub use failure::Failure;
pub use forgetting::WaitsFor;
pub use inbound::{LentBody, Message, Violation};
pub use keys::{ChannelKey, ConsumerKey, WaiterId};
pub use opening::{
    ForeignError, Handshake, HandshakeEnd, HandshakeError, HandshakeParameters, HandshakeStep, Negotiated,
};
pub use publish::{Admission, GatePlace};
pub use settings::Settings;

pub(crate) use connection::Words;
pub(crate) use opening::TLS_ALERT;

use channel::Channels;
use connection::{ConnectionLife, Deadlines, Heartbeat, Observers, Renewal, SecretUpdates};
use consume::Consumers;
use inbound::{Partial, Reading};
use outbound::{Holding, Passing};
use publish::{Detector, Gate};

/// A connection, from the end of its handshake on.
pub struct Engine {
    state: ConnectionLife,
    negotiated: Negotiated,
    settings: Settings,
    decoder: Decoder,
    encoder: Encoder,
    outbound: Outbound,
    /// Octets that left `outbound` for the driver, since the beginning.
    taken: u64,
    /// Octets that the transport accepted, since the beginning.
    written: u64,
    /// From where in the stream on nothing was handed to the transport, nor will be.
    cut: Option<u64>,
    passing: Passing,
    reading: Reading,
    /// Octets of input that the next frame needs.
    needed: usize,
    /// The frame that is taken in pieces.
    partial: Option<Partial>,
    /// Bytes of the largest header frame whose message is taken.
    max_header: usize,
    channels: Channels,
    consumers: Consumers,
    gate: Gate,
    holding: Holding,
    heartbeat: Heartbeat,
    deadlines: Deadlines,
    /// When a connection that the broker blocks is given up.
    blocked_until: Option<Instant>,
    secret_updates: SecretUpdates,
    renewal: Renewal,
    detector: Detector,
    observers: Observers<ConnectionNotice>,
    /// By the incarnation of the channel; they outlive it.
    channel_observers: BTreeMap<u64, Observers<ChannelNotice>>,
    events: VecDeque<Event>,
    discarded: Discarded,
}

/// Getters.
impl Engine {
    /// A connection on which nothing has happened since its handshake.
    pub fn new(negotiated: Negotiated, settings: Settings, now: Instant) -> Self {
        let settings = settings.bounded();
        let high = settings.high_water as u64;
        Self {
            state: ConnectionLife::Open,
            decoder: Decoder::new(negotiated.frame_max).with_any_header(),
            encoder: Encoder::new(negotiated.frame_max),
            outbound: Outbound::new(),
            taken: 0,
            written: 0,
            cut: None,
            passing: Passing::new(settings.write_limit as u64),
            reading: Reading::new(settings.read_limit as u64, settings.overflow_timeout),
            needed: 0,
            partial: None,
            max_header: largest_header(negotiated.frame_max, settings.max_header_size),
            channels: Channels::new(negotiated.channel_max),
            consumers: Consumers::default(),
            gate: Gate::new(high, settings.low_water as u64, settings.max_unconfirmed),
            holding: Holding::default(),
            heartbeat: Heartbeat::new(negotiated.heartbeat, now),
            deadlines: Deadlines::default(),
            blocked_until: None,
            secret_updates: SecretUpdates::default(),
            renewal: Renewal::default(),
            detector: Detector::new(settings.backpressure_multiplier),
            observers: Observers::default(),
            channel_observers: BTreeMap::new(),
            events: VecDeque::new(),
            discarded: Discarded::default(),
            negotiated,
            settings,
        }
    }

    /// Counts the incarnations of channels up from `base`. Of several connections, each counts
    /// where no other one does, so that a handle that outlives its connection names nothing of the
    /// next. To be called before a channel is opened.
    pub fn count_channels_from(&mut self, base: u64) {
        self.channels.count_from(base);
    }

    /// What was agreed on in the handshake.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Octets that wait for the transport, those that a driver took included.
    #[inline]
    pub fn queued(&self) -> u64 {
        self.position().saturating_sub(self.written).saturating_add(self.holding.octets())
    }

    /// Something waits for the transport, besides what waits for an answer of the peer's first.
    pub fn is_unwritten(&self) -> bool {
        self.position() > self.written
    }

    /// Octets that nobody took so far.
    #[inline]
    pub fn untaken(&self) -> usize {
        self.outbound.len()
    }

    /// Channels that are open, opening or closing.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Confirmed publishes that the broker has not decided about.
    pub fn unconfirmed(&self) -> u64 {
        self.gate.in_flight()
    }

    /// The broker's reason for blocking the connection, while it does.
    pub fn blocked(&self) -> Option<&str> {
        self.gate.blocked()
    }

    /// Octets of input below which another call of [`Engine::handle_bytes`] has nothing to do.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Why the connection is closed or closing, once it is.
    pub fn closure(&self) -> Option<&Arc<Closure>> {
        self.state.closure()
    }

    /// The connection is over and everything is written: the transport can go.
    pub fn is_finished(&self) -> bool {
        self.state.is_closed() && self.outbound.is_empty()
    }

    /// The connection is over and nothing can be written any more: the transport has to go,
    /// whatever waits.
    pub fn is_lost(&self) -> bool {
        self.state.is_lost()
    }

    /// Why this channel is closed, once it is.
    pub fn channel_closure(&self, key: ChannelKey) -> Option<Arc<Closure>> {
        let closure = self.channels.closure(key).or_else(|| self.state.closure());
        closure.cloned()
    }

    /// Where in the outgoing stream the next octet goes.
    #[inline]
    fn position(&self) -> u64 {
        self.taken + self.outbound.len() as u64
    }
}

/// A header that fits a frame as negotiated is taken in any case: it may be one that this side
/// published, and that returns.
fn largest_header(frame_max: u32, max_header_size: usize) -> usize {
    let in_frame = usize::try_from(frame_max).unwrap_or(usize::MAX).saturating_sub(FRAME_OVERHEAD);
    if frame_max == 0 { usize::MAX } else { max_header_size.max(in_frame) }
}

/// What is to be done outside.
impl Engine {
    /// What is to be written, if anything. It counts as queued until [`Engine::handle_written`]
    /// says otherwise.
    pub fn poll_transmit(&mut self) -> Option<Outbound> {
        let mut outbound = Outbound::new();
        self.poll_transmit_into(&mut outbound).then_some(outbound)
    }

    /// The same, swapped for an empty buffer whose memory is used again.
    pub fn poll_transmit_into(&mut self, empty: &mut Outbound) -> bool {
        if self.outbound.is_empty() || !empty.is_empty() {
            return false;
        }
        self.detect_backpressure();
        self.forget_seen_frames();
        std::mem::swap(&mut self.outbound, empty);
        self.passing.taken(empty.len() as u64, self.taken == self.written);
        self.taken += empty.len() as u64;
        true
    }

    /// When [`Engine::handle_timeout`] wants to be called.
    pub fn poll_deadline(&mut self) -> Option<Instant> {
        if self.state.is_closed() {
            return self.state.deadline();
        }
        let silence = self.silence_deadline();
        let others = [self.heartbeat.deadline(), self.reading.deadline(), self.renewal.deadline()];
        others.into_iter().chain([silence]).flatten().min()
    }

    /// The next event, in the order in which they happened.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.detect_backpressure();
        self.events.pop_front()
    }

    /// Gives back memory held for reuse, where nothing waits.
    pub fn shrink(&mut self) {
        self.outbound.shrink();
        self.events.shrink_to_fit();
    }

    /// What is to be dropped where no lock is held.
    #[inline]
    pub fn take_discarded(&mut self) -> Discarded {
        std::mem::take(&mut self.discarded)
    }
}
