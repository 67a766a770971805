//! A connection as a state machine, without a socket, a clock or a thread.
//!
//! **Not covered by semantic versioning**: any release may change this module. The stable API is at
//! the root of the crate.
//!
//! [`Handshake`] negotiates with the server. [`Engine`] is the connection after that. Its methods
//! form four groups:
//!
//! * getters return the present state;
//! * `handle_*` take what happened outside: bytes were read, bytes were written, time has passed,
//!   the transport was lost;
//! * requests are made for the application: open a channel, call a method, publish, acknowledge;
//! * `poll_*` return what is to be done outside: bytes to write, the next deadline, events.
//!
//! # The run loop
//!
//! The driver of an engine repeats these steps, in any order, until [`Engine::is_finished`] returns
//! `true`:
//!
//! 1. Write: take what [`Engine::poll_transmit`] returns and write it, and report the bytes that
//!    the transport accepted to [`Engine::handle_written`].
//! 2. Read: while [`Engine::poll_reading`] returns `true`, read the transport, and hand what has
//!    arrived to [`Engine::handle_bytes`], after what that left over before. When it returns
//!    `false`, reading pauses. Any other step and any request may end the pause: see
//!    [`Engine::may_read`].
//! 3. Time: when the time that [`Engine::poll_deadline`] returns has come, call
//!    [`Engine::handle_timeout`] with two times. The first is the present. The second is a time up
//!    to which all input was read: a check for readiness was made since then, and a read found
//!    nothing. While reading pauses, the second time does not advance.
//! 4. End: when the transport ends or fails, call [`Engine::handle_transport_lost`]. If bytes were
//!    taken and never offered to the transport, call [`Engine::handle_withheld`] before it.
//! 5. Report: after each of these steps, and after each request, take events from
//!    [`Engine::poll_event`] until there are none, and drop what [`Engine::take_discarded`] returns
//!    while no lock is held.
//!
//! What was taken in step 1 counts as handed to the transport: if the connection ends before it is
//! written, it is unknown whether it arrived. After [`Engine::is_lost`] returns `true`, nothing is
//! written any more. A driver that has to stop calls [`Engine::leave`], and writes what that
//! returns if it can.
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
//! // Half an interval passes without a write: a heartbeat is due.
//! assert_eq!(engine.poll_deadline(), Some(now + Duration::from_secs(5)));
//! let later = now + Duration::from_secs(5);
//! engine.handle_timeout(later, later);
//! let heartbeat = engine.poll_transmit().expect("a heartbeat");
//! assert_eq!(heartbeat.len(), 8);
//! engine.handle_written(heartbeat.len(), later);
//!
//! // The broker sends a heartbeat too, one byte at a time.
//! let mut input = BytesMut::new();
//! for byte in [8, 0, 0, 0, 0, 0, 0, 0xCE] {
//!     input.extend_from_slice(&[byte]);
//!     engine.handle_bytes(&mut input, now + Duration::from_secs(6));
//! }
//! assert!(input.is_empty() && !engine.is_finished());
//! ```
//!
//! # Terms
//!
//! * A *waiter* is a task, thread or callback that waits for the engine, identified by a
//!   [`WaiterId`]. It waits for one [`Completion`], or is a standing waiter, which gets an
//!   [`Event::Readable`] each time that there is something to take. A waiter that is passed to a
//!   request may also complete with [`Completion::Failed`].
//! * The *gate* holds back publishes while too many bytes wait for the socket, while too many
//!   publishes are unconfirmed, or while the broker blocks the connection. Publishes that wait at
//!   the gate are queued in their order.
//! * A *listener* is the code that takes the deliveries of a consumer, or the returned messages of
//!   a channel.
//! * To *settle* a delivery is to acknowledge, nack or reject it.
//! * *Room* is what is left below `write_limit`, the limit on bytes that wait for the socket
//!   besides publishes.

mod changes;
mod channel;
mod connection;
mod consume;
mod entity;
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
mod survival;

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
pub use consume::{Comeback, ConsumerEnd, Delivery, Settle, Taken};
pub use entity::Entity;
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
pub use survival::{Losses, Stopped, Survives};

pub(crate) use changes::Change;
pub(crate) use connection::Words;
pub(crate) use opening::TLS_ALERT;

use channel::Channels;
use connection::{ConnectionLife, Deadlines, Heartbeat, Observers, Renewal, SecretUpdates};
use consume::Consumers;
use inbound::{Partial, Reading};
use outbound::{Holding, Passing};
use publish::{Detector, Gate, Keeping};
use survival::Survival;

/// A connection after its handshake.
///
/// It performs no I/O and does not read the time: a driver calls it in the [run
/// loop](self#the-run-loop), and passes the present time where it matters. Its methods do not
/// block, and no input makes them panic.
pub struct Engine {
    state: ConnectionLife,
    negotiated: Negotiated,
    settings: Settings,
    decoder: Decoder,
    encoder: Encoder,
    outbound: Outbound,
    /// Bytes that the driver took from `outbound`, since the beginning.
    taken: u64,
    /// Bytes that the transport accepted, since the beginning.
    written: u64,
    /// The position in the stream from which on nothing was handed to the transport, nor will be.
    cut: Option<u64>,
    passing: Passing,
    reading: Reading,
    /// Bytes of input that the next frame needs.
    needed: usize,
    /// The frame that is being handled in pieces.
    partial: Option<Partial>,
    /// Bytes of the largest header frame whose message is kept.
    max_header: usize,
    channels: Channels,
    consumers: Consumers,
    gate: Gate,
    keeping: Keeping,
    holding: Holding,
    heartbeat: Heartbeat,
    deadlines: Deadlines,
    /// When a connection that the broker blocks is ended.
    blocked_until: Option<Instant>,
    secret_updates: SecretUpdates,
    renewal: Renewal,
    detector: Detector,
    observers: Observers<ConnectionNotice>,
    /// By the incarnation of the channel. They exist longer than the channel.
    channel_observers: BTreeMap<u64, Observers<ChannelNotice>>,
    /// The number of the transport.
    generation: u32,
    /// What is needed to survive the loss of a transport; `None` if it ends the connection.
    survival: Option<Box<Survival>>,
    events: VecDeque<Event>,
    discarded: Discarded,
}

/// Getters.
impl Engine {
    /// Creates a connection on which nothing has happened since its handshake.
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
            keeping: settings.survives.map(|terms| Keeping::new(terms.resend, terms.resend_limit)).unwrap_or_default(),
            holding: Holding::default(),
            heartbeat: Heartbeat::new(negotiated.heartbeat, now),
            deadlines: Deadlines::default(),
            blocked_until: None,
            secret_updates: SecretUpdates::default(),
            renewal: Renewal::default(),
            detector: Detector::new(settings.backpressure_multiplier),
            observers: Observers::default(),
            channel_observers: BTreeMap::new(),
            generation: 0,
            survival: settings.survives.map(|terms| Box::new(Survival::new(terms))),
            events: VecDeque::new(),
            discarded: Discarded::default(),
            negotiated,
            settings,
        }
    }

    /// Counts the incarnations of channels from `base`. To be called before a channel is opened. If
    /// the connections of a process count in ranges that do not overlap, a key that is older than
    /// its connection identifies nothing in the next one.
    pub fn count_channels_from(&mut self, base: u64) {
        self.channels.count_from(base);
    }

    /// Returns what was negotiated in the handshake.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Returns how many bytes wait for the transport, including those that the driver took, and
    /// those that wait for the reply to `tx.commit`.
    #[inline]
    pub fn queued(&self) -> u64 {
        self.position().saturating_sub(self.written).saturating_add(self.holding.octets())
    }

    /// Returns `true` if bytes wait for the transport, not counting those that wait for the reply
    /// to `tx.commit`.
    pub fn is_unwritten(&self) -> bool {
        self.position() > self.written
    }

    /// Returns how many bytes the driver has not taken.
    #[inline]
    pub fn untaken(&self) -> usize {
        self.outbound.len()
    }

    /// Returns how many channels are open, opening or closing.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Returns how many publishes on confirming channels the broker has not confirmed.
    pub fn unconfirmed(&self) -> u64 {
        self.gate.in_flight()
    }

    /// Returns the broker's reason for blocking the connection, while it does.
    pub fn blocked(&self) -> Option<&str> {
        self.gate.blocked()
    }

    /// Returns how many bytes of input [`Engine::handle_bytes`] needs to make progress. With fewer,
    /// it has nothing to do.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// Returns why the connection is closed or closing, once it is.
    pub fn closure(&self) -> Option<&Arc<Closure>> {
        self.state.closure()
    }

    /// Returns `true` if the connection has ended and the driver has taken everything that is to be
    /// written: once that is written, the transport can be closed.
    pub fn is_finished(&self) -> bool {
        self.state.is_closed() && self.outbound.is_empty()
    }

    /// Returns `true` if the connection has ended and nothing can be written any more: the
    /// transport has to be closed, even if bytes wait.
    pub fn is_lost(&self) -> bool {
        self.state.is_lost()
    }

    /// Returns why this channel is closed, once it is.
    pub fn channel_closure(&self, key: ChannelKey) -> Option<Arc<Closure>> {
        let closure = self.channels.closure(key).or_else(|| self.state.closure());
        closure.cloned()
    }

    /// The position of the next byte in the outgoing stream.
    #[inline]
    fn position(&self) -> u64 {
        self.taken + self.outbound.len() as u64
    }
}

/// The size of the largest header frame that is kept. A header that fits a negotiated frame is
/// always kept, because it may belong to a message that this side published and that is returned.
fn largest_header(frame_max: u32, max_header_size: usize) -> usize {
    let in_frame = usize::try_from(frame_max).unwrap_or(usize::MAX).saturating_sub(FRAME_OVERHEAD);
    if frame_max == 0 { usize::MAX } else { max_header_size.max(in_frame) }
}

/// What is to be done outside.
impl Engine {
    /// Takes what is to be written, if anything. It counts as queued until
    /// [`Engine::handle_written`] reports that it was written.
    pub fn poll_transmit(&mut self) -> Option<Outbound> {
        let mut outbound = Outbound::new();
        self.poll_transmit_into(&mut outbound).then_some(outbound)
    }

    /// The same, swapped for `empty`, whose memory is reused. Returns `false` if there is nothing
    /// to write, or if `empty` is not empty.
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

    /// Returns when [`Engine::handle_timeout`] is to be called next, if nothing else happens
    /// before. The time may be in the past.
    pub fn poll_deadline(&mut self) -> Option<Instant> {
        if self.state.is_closed() {
            return self.state.deadline();
        }
        let silence = self.silence_deadline();
        let others = [self.heartbeat.deadline(), self.reading.deadline(), self.renewal.deadline()];
        others.into_iter().chain([silence, self.next_expiry()]).flatten().min()
    }

    /// Takes the oldest event.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.detect_backpressure();
        self.events.pop_front()
    }

    /// Releases memory that is kept for reuse, if nothing waits.
    pub fn shrink(&mut self) {
        self.outbound.shrink();
        self.events.shrink_to_fit();
    }

    /// Takes what is to be dropped while no lock is held, if there is anything: see [`Discarded`].
    #[inline]
    pub fn take_discarded(&mut self) -> Option<Discarded> {
        let Discarded { bodies, deliveries } = &self.discarded;
        if bodies.is_empty() && deliveries.is_empty() { None } else { Some(std::mem::take(&mut self.discarded)) }
    }
}
