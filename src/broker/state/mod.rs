//! The broker without I/O.

mod settling;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use bytes::BytesMut;

use crate::broker::keys::{ChannelKey, ConnectionId, QueueId};
use crate::broker::model::{Message, Queue, Random, VirtualHost};
use crate::broker::operate::Faults;
use crate::broker::session::{Connection, Deadlines, Waiting};
use crate::broker::settings::{Settings, User};
use crate::broker::{Event, Transport};
use crate::frame::Outbound;
use crate::wire::ShortString;

/// An in-memory broker without I/O. It has no socket, clock, thread or source of random numbers, so
/// the same input gives the same output.
///
/// Like those of the client's [`Engine`](crate::engine::Engine), its methods form groups:
///
/// * getters return the present state: queues, messages, bindings, consumers, connections;
/// * `handle_*` take what happened outside: a transport was opened, bytes were read, a transport
///   was lost, time has passed;
/// * `poll_*` return what is to be done outside: bytes to write, the next deadline, events;
/// * the rest are operations of operators, and faults that tests inject. They happen at the latest
///   time that was handed in.
///
/// # The run loop
///
/// For each transport, the driver of the broker
///
/// 1. calls [`State::handle_connect`] once, and keeps the id;
/// 2. hands in what was read with [`State::handle_bytes`], after what that left over before, as
///    long as [`State::wants_input`] returns `true`;
/// 3. writes what [`State::poll_transmit`] returns, until there is nothing;
/// 4. calls [`State::handle_timeout`] when the time of [`State::poll_deadline`] has come;
/// 5. after each of these, takes events from [`State::poll_event`] until there are none, and
///    continues with 2 and 3 for each connection that they name;
/// 6. closes the transport when [`State::transport`] requires it, and calls
///    [`State::handle_transport_lost`] when it has ended.
///
/// An example, stepped by hand:
///
/// ```
/// use std::time::Instant;
///
/// use bytes::BytesMut;
/// use leveret::broker::{Settings, State};
///
/// let now = Instant::now();
/// let mut broker = State::new(Settings::default(), now);
/// let connection = broker.handle_connect(now);
/// let mut input = BytesMut::from(&b"AMQP\0\0\x09\x01"[..]);
/// broker.handle_bytes(connection, &mut input, now);
///
/// let start = broker.poll_transmit(connection, now).expect("connection.start");
/// assert!(start.len() > 100 && input.is_empty());
/// ```
#[derive(Debug)]
pub struct State {
    pub(super) settings: Settings,
    started: Instant,
    /// The latest time that was handed in, at which operations of operators and faults happen.
    pub(super) now: Instant,
    pub(super) random: Random,
    /// Determines which late answers arrive in time. Separate, so that names do not depend on it.
    pub(super) races: Random,
    pub(super) users: BTreeMap<String, User>,
    pub(super) virtual_hosts: BTreeMap<ShortString, VirtualHost>,
    pub(super) queues: BTreeMap<QueueId, HostedQueue>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    /// The channels that receive direct replies, by address.
    pub(super) reply_addresses: BTreeMap<ShortString, ChannelKey>,
    pub(super) faults: Faults,
    pub(super) deadlines: Deadlines,
    /// Queues that have changed, to be served before the present call ends.
    changed_queues: BTreeSet<QueueId>,
    /// Messages that queues dropped and that are still to be routed, each with its virtual host.
    pub(super) dead_letters: VecDeque<(ShortString, Message)>,
    /// Channels with confirms that are decided and not sent.
    pub(super) deciding: BTreeSet<ChannelKey>,
    /// Connections whose drivers have something to do.
    touched: BTreeSet<ConnectionId>,
    events: VecDeque<Event>,
    last_connection: u64,
    last_queue: u64,
}

/// A queue, and its virtual host.
#[derive(Debug)]
pub(super) struct HostedQueue {
    pub(super) queue: Queue,
    pub(super) virtual_host: ShortString,
    /// Whether it is down: see [`State::set_queue_down`].
    pub(super) down: bool,
}

/// What happened outside.
impl State {
    /// Creates a broker with its predeclared exchanges, and nothing else.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let host = |name: &String| (ShortString::from(name), VirtualHost::new(ShortString::from(name)));
        Self {
            started: now,
            now,
            random: Random::new(settings.seed),
            races: Random::new(!settings.seed),
            users: settings.users.clone(),
            virtual_hosts: settings.virtual_hosts.iter().map(host).collect(),
            settings,
            queues: BTreeMap::new(),
            connections: BTreeMap::new(),
            reply_addresses: BTreeMap::new(),
            faults: Faults::default(),
            deadlines: Deadlines::default(),
            changed_queues: BTreeSet::new(),
            dead_letters: VecDeque::new(),
            deciding: BTreeSet::new(),
            touched: BTreeSet::new(),
            events: VecDeque::new(),
            last_connection: 0,
            last_queue: 0,
        }
    }

    /// Adds a connection for a transport that was opened. Returns the id under which its input is
    /// handed in and its output is taken.
    pub fn handle_connect(&mut self, now: Instant) -> ConnectionId {
        self.now = self.now.max(now);
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        self.connections.insert(id, Connection::new(now, self.settings.handshake_timeout));
        for fault in self.faults.take_for_next() {
            self.apply(id, fault);
        }
        self.settle(now);
        self.watch(id);
        id
    }

    /// Takes input from the front of `input`. What is left belongs in front of the next input.
    ///
    /// Nothing is taken while [`State::wants_input`] returns `false`. Input of a connection that
    /// has ended is dropped.
    pub fn handle_bytes(&mut self, id: ConnectionId, input: &mut BytesMut, now: Instant) {
        self.now = self.now.max(now);
        if self.transport(id) != Transport::Open {
            input.clear();
            return;
        }
        if let Some(connection) = self.connections.get_mut(&id)
            && input.len() > connection.left_over
        {
            connection.last_heard = now;
        }
        self.begin_turn(id);
        self.read_frames(id, input, now);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.left_over = input.len();
        }
        self.notice_end(id, now);
        self.end_turn(id, now);
        self.settle(now);
        self.watch(id);
    }

    /// Reports that a transport ended or failed. Its exclusive queues are deleted, and its
    /// unacknowledged messages are requeued.
    pub fn handle_transport_lost(&mut self, id: ConnectionId, now: Instant) {
        self.now = self.now.max(now);
        self.end_session(id, now);
        self.connections.remove(&id);
        self.deadlines.set(Waiting::Connection(id), None);
        self.settle(now);
    }

    /// Does what is due at `now`: to be called when the time of [`State::poll_deadline`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(waiting) = self.deadlines.pop(now) {
            match waiting {
                Waiting::Queue(queue) => self.queue_timeout(queue, now),
                Waiting::Connection(connection) => self.connection_timeout(connection, now),
            }
            self.settle(now);
        }
    }
}

/// What is to be done outside.
impl State {
    /// Takes what is to be written to this connection's transport, if anything.
    pub fn poll_transmit(&mut self, id: ConnectionId, now: Instant) -> Option<Outbound> {
        self.now = self.now.max(now);
        let connection = self.connections.get_mut(&id)?;
        let (was_full, transport) = (connection.is_full(), connection.link.transport());
        let out = connection.link.take(now);
        if out.is_some() {
            connection.last_said = now;
        }
        if (was_full && !connection.is_full()) || connection.link.transport() != transport {
            self.touched.insert(id);
        }
        if !connection.held_back.is_empty() && connection.has_room() {
            let held_back = std::mem::take(&mut connection.held_back);
            self.changed_queues.extend(held_back);
        }
        self.notice_end(id, now);
        self.settle(now);
        self.watch(id);
        out
    }

    /// Returns when [`State::handle_timeout`] is to be called next.
    pub fn poll_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Takes the oldest event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        let Event::Ready(id) = event;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.announced = false;
        }
        Some(event)
    }

    /// Returns `true` if the transport of the connection is to be read. It is not while the
    /// connection is blocked, while it does not read its own output, or while a fault makes it
    /// silent or slow.
    pub fn wants_input(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(Connection::wants_input)
    }

    /// Returns what is to be done with the connection's transport.
    pub fn transport(&self, id: ConnectionId) -> Transport {
        self.connections.get(&id).map_or(Transport::Gone, |connection| connection.link.transport())
    }
}
