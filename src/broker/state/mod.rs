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

/// An in-memory broker without I/O: no socket, clock, thread or randomness, so that the same input
/// gives the same output.
///
/// Its methods come in families, as those of the client's [`Engine`](crate::engine::Engine) do:
///
/// * getters tell what is: queues, messages, bindings, consumers, connections;
/// * `handle_*` take what happened outside: a transport came, octets came, it was lost, time
///   passed;
/// * `poll_*` give what is to be done outside: octets to write, the next deadline, events;
/// * the rest is what operators do, and the faults that tests inject: these happen at the latest
///   time that was handed in.
///
/// # The run loop
///
/// For each transport, whoever drives the broker
///
/// 1. calls [`State::handle_connect`] once, and keeps the id;
/// 2. hands in what was read with [`State::handle_bytes`], together with what that left over
///    before, as long as [`State::wants_input`];
/// 3. writes what [`State::poll_transmit`] gives, until there is nothing;
/// 4. calls [`State::handle_timeout`] when the time of [`State::poll_deadline`] has come;
/// 5. after each of these takes events from [`State::poll_event`] until there are none, and goes on
///    with 2 and 3 for each connection that they name;
/// 6. closes the transport when [`State::transport`] says so, and calls
///    [`State::handle_transport_lost`] when it has ended.
///
/// A client and this, stepped by hand:
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
    /// The latest time that was handed in: what operators do and faults happen then.
    pub(super) now: Instant,
    pub(super) random: Random,
    /// Which late answers arrive in time: drawn apart, so that names do not depend on it.
    pub(super) races: Random,
    pub(super) users: BTreeMap<String, User>,
    pub(super) virtual_hosts: BTreeMap<ShortString, VirtualHost>,
    pub(super) queues: BTreeMap<QueueId, HostedQueue>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    /// Where direct replies go, by address.
    pub(super) reply_addresses: BTreeMap<ShortString, ChannelKey>,
    pub(super) faults: Faults,
    pub(super) deadlines: Deadlines,
    /// Queues in which something changed, to be looked at before the present call ends.
    changed_queues: BTreeSet<QueueId>,
    /// Messages that queues dropped, on their way to be routed, each with its virtual host.
    pub(super) dead_letters: VecDeque<(ShortString, Message)>,
    /// Channels with confirms that are decided and not told.
    pub(super) deciding: BTreeSet<ChannelKey>,
    /// Connections whose drivers have something to look at.
    touched: BTreeSet<ConnectionId>,
    events: VecDeque<Event>,
    last_connection: u64,
    last_queue: u64,
}

/// A queue, and the virtual host that it is in.
#[derive(Debug)]
pub(super) struct HostedQueue {
    pub(super) queue: Queue,
    pub(super) virtual_host: ShortString,
}

/// What happened outside.
impl State {
    /// A broker with its predeclared exchanges, and nothing else.
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

    /// A transport came: its octets are handed in and asked for under this id.
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

    /// Octets came. What can be used is taken off the front; the rest is to be handed in again,
    /// with what follows it.
    ///
    /// Nothing is taken while not [`State::wants_input`]. Octets of a connection that is gone are
    /// dropped.
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

    /// The transport ended or failed: exclusive queues go, and what was not acknowledged goes back
    /// to its queues.
    pub fn handle_transport_lost(&mut self, id: ConnectionId, now: Instant) {
        self.now = self.now.max(now);
        self.end_session(id, now);
        self.connections.remove(&id);
        self.deadlines.set(Waiting::Connection(id), None);
        self.settle(now);
    }

    /// The time of [`State::poll_deadline`] has come.
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
    /// What is to be written to this connection's transport, if anything.
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

    /// When [`State::handle_timeout`] wants to be called.
    pub fn poll_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        let Event::Ready(id) = event;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.announced = false;
        }
        Some(event)
    }

    /// The connection takes input: its transport is to be read. It does not while it is blocked, or
    /// has fallen silent.
    pub fn wants_input(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(Connection::wants_input)
    }

    /// What is to become of the connection's transport.
    pub fn transport(&self, id: ConnectionId) -> Transport {
        self.connections.get(&id).map_or(Transport::Gone, |connection| connection.link.transport())
    }
}
