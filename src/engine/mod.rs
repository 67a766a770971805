//! A connection as a state machine: no socket, no clock, no thread.
//!
//! [`Handshake`] agrees with the server; [`Engine`] is the connection from there on. Its methods come in four families:
//!
//! * getters tell what is;
//! * `handle_*` take what happened outside: octets read, octets written, time passed, the transport lost;
//! * the rest are what the application asks for: open a channel, call a method, publish, acknowledge;
//! * `poll_*` give what is to be done outside: octets to write, the next deadline, events.
//!
//! # The run loop
//!
//! Whoever drives an engine repeats, in any order, until [`Engine::is_finished`]:
//!
//! 1. take what [`Engine::poll_transmit`] gives and write it; tell each octet that the transport accepted to
//!    [`Engine::handle_written`];
//! 2. read, and hand what has come to [`Engine::handle_bytes`], together with what that left over before;
//! 3. when the time of [`Engine::poll_deadline`] has come, call [`Engine::handle_timeout`];
//! 4. when the transport ends or fails, call [`Engine::handle_transport_lost`];
//! 5. after each of these, and after each request, take events from [`Engine::poll_event`] until there are none, and
//!    drop what [`Engine::take_discarded`] gives where no lock is held.
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
//! engine.handle_timeout(now + Duration::from_secs(5));
//! let heartbeat = engine.poll_transmit().expect("a heartbeat");
//! assert_eq!(heartbeat.len(), 8);
//! engine.handle_written(heartbeat.len(), now + Duration::from_secs(5));
//!
//! // The broker answers in kind, an octet at a time.
//! let mut input = BytesMut::new();
//! for octet in [8, 0, 0, 0, 0, 0, 0, 0xCE] {
//!     input.extend_from_slice(&[octet]);
//!     engine.handle_bytes(&mut input, now + Duration::from_secs(6));
//! }
//! assert!(input.is_empty() && !engine.is_finished());
//! ```

mod calls;
mod channel;
mod channel_closing;
mod channels;
mod closing;
mod closure;
mod confirms;
mod consumers;
mod consuming;
mod content;
mod deadlines;
mod detector;
mod event;
mod failure;
mod gate;
mod handshake;
mod handshake_error;
mod heartbeat;
mod holding;
mod inbound;
mod keys;
mod message;
mod methods;
mod minimum;
mod observers;
mod prefetch;
mod publishing;
mod replies;
mod requests;
mod returns;
mod secrets;
mod settings;
mod settling;
mod state;
mod tags;
mod violation;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::frame::{Decoder, Encoder, Outbound};

pub use closure::{Closure, Fate, Initiator, Reason, Scope};
pub use consumers::{ConsumerEnd, Delivery};
pub use consuming::Taken;
pub use event::{Completion, Confirmation, Discarded, Event, Reply, Returned, Settled};
pub use failure::Failure;
pub use handshake::{Handshake, HandshakeParameters, Negotiated};
pub use handshake_error::{ForeignError, HandshakeError, HandshakeStep};
pub use keys::{ChannelKey, ConsumerKey, WaiterId};
pub use message::Message;
pub use observers::Interest;
pub use publishing::Admission;
pub use settings::Settings;
pub use settling::Settle;
pub use state::{ChannelNotice, ChannelState, ConnectionNotice, ConnectionState};
pub use violation::Violation;

pub(crate) use handshake_error::TLS_ALERT;
pub(crate) use words::Words;

use channels::Channels;
use closing::ConnectionLife;
use consumers::Consumers;
use deadlines::Deadlines;
use detector::Detector;
use gate::Gate;
use heartbeat::Heartbeat;
use holding::Holding;
use observers::Observers;
use secrets::SecretUpdates;

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
    /// Octets of input that the next frame needs.
    needed: usize,
    channels: Channels,
    consumers: Consumers,
    gate: Gate,
    holding: Holding,
    heartbeat: Heartbeat,
    deadlines: Deadlines,
    /// When a connection that the broker blocks is given up.
    blocked_until: Option<Instant>,
    secret_updates: SecretUpdates,
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
            decoder: Decoder::new(negotiated.frame_max),
            encoder: Encoder::new(negotiated.frame_max),
            outbound: Outbound::new(),
            taken: 0,
            written: 0,
            needed: 0,
            channels: Channels::new(negotiated.channel_max),
            consumers: Consumers::default(),
            gate: Gate::new(high, settings.low_water as u64, settings.max_unconfirmed),
            holding: Holding::default(),
            heartbeat: Heartbeat::new(negotiated.heartbeat, now),
            deadlines: Deadlines::default(),
            blocked_until: None,
            secret_updates: SecretUpdates::default(),
            detector: Detector::new(settings.backpressure_multiplier),
            observers: Observers::default(),
            channel_observers: BTreeMap::new(),
            events: VecDeque::new(),
            discarded: Discarded::default(),
            negotiated,
            settings,
        }
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

    /// The connection is over and nothing can be written any more: the transport has to go, whatever waits.
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

/// What is to be done outside.
impl Engine {
    /// What is to be written, if anything. It counts as queued until [`Engine::handle_written`] says otherwise.
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
        self.taken += empty.len() as u64;
        true
    }

    /// When [`Engine::handle_timeout`] wants to be called.
    pub fn poll_deadline(&mut self) -> Option<Instant> {
        if self.state.is_closed() {
            return self.state.deadline();
        }
        let calls = self.next_call_deadline();
        let secrets = self.secret_updates.deadline();
        [self.heartbeat.deadline(), self.state.deadline(), calls, secrets, self.blocked_until]
            .into_iter()
            .flatten()
            .min()
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
