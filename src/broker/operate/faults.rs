//! Faults that tests inject.

use std::collections::VecDeque;
use std::time::Duration;

use super::requests::Requests;
use crate::broker::keys::{ChannelKey, ConnectionId};
use crate::broker::session::{Link, Phase};
use crate::broker::state::State;
use crate::protocol::{MethodId, ReplyCode, connection};
use crate::wire::ShortString;

/// A fault of the transport of a connection.
///
/// Bytes are counted from the injection of the fault on.
///
/// ```
/// use std::time::Instant;
///
/// use leveret::broker::{Fault, Settings, State, Target, Transport};
///
/// let now = Instant::now();
/// let mut broker = State::new(Settings::default(), now);
/// broker.inject(Target::Next, Fault::CutInput(4));
/// let connection = broker.handle_connect(now);
/// assert_eq!(broker.transport(connection), Transport::Open);
/// broker.handle_bytes(connection, &mut b"AMQP\0\0\x09\x01"[..].into(), now);
/// assert_eq!(broker.transport(connection), Transport::Gone);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The transport is lost at once.
    Drop,
    /// The transport stays open, and the broker neither reads nor writes any more, as when a
    /// network fails. The broker receives nothing either: after two heartbeat intervals it closes
    /// the connection, and requeues what was unacknowledged. The client sees no end of the stream,
    /// and has to detect the loss itself.
    Silence,
    /// Everything that the broker sends is delayed by this much, at most a century.
    Delay(Duration),
    /// The transport is lost after this many bytes from the broker to the client, possibly in the
    /// middle of a frame.
    CutOutput(u64),
    /// The transport is lost after this many bytes from the client to the broker.
    CutInput(u64),
    /// The broker reads at most this many bytes per second, in whole frames. It is then slower than
    /// its publishers, whose output fills the transport until that accepts no more.
    SlowInput(u32),
}

/// The connections to which a fault applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// All open connections.
    All,
    /// This connection.
    Connection(ConnectionId),
    /// The next connection that is opened.
    Next,
}

impl Fault {
    pub(in crate::broker) fn apply(self, link: &mut Link) {
        match self {
            Self::Drop => link.cut(),
            Self::Silence => link.fall_silent(),
            Self::Delay(delay) => link.delay(delay),
            Self::CutOutput(octets) => link.cut_output_after(octets),
            Self::CutInput(octets) => link.cut_input_after(octets),
            Self::SlowInput(rate) => link.slow_input(rate),
        }
    }
}

/// Faults that have not happened yet.
#[derive(Debug, Default)]
pub(in crate::broker) struct Faults {
    alarm: Option<String>,
    nacks: u32,
    returns: u32,
    refused_logins: u32,
    pub(super) late_deliveries: u32,
    pub(super) altered_returns: u32,
    for_next: VecDeque<Fault>,
    pub(super) requests: Requests,
}

impl Faults {
    /// The reason of the present alarm, if there is one.
    pub(in crate::broker) fn alarm(&self) -> Option<&str> {
        self.alarm.as_deref()
    }

    /// Takes the faults for a connection that has just been opened.
    pub(in crate::broker) fn take_for_next(&mut self) -> VecDeque<Fault> {
        std::mem::take(&mut self.for_next)
    }

    pub(in crate::broker) fn nack(&mut self) -> bool {
        take_one(&mut self.nacks)
    }

    pub(in crate::broker) fn unroute(&mut self) -> bool {
        take_one(&mut self.returns)
    }

    pub(super) fn alter_return(&mut self) -> bool {
        take_one(&mut self.altered_returns)
    }

    pub(in crate::broker) fn refuse_login(&mut self) -> bool {
        take_one(&mut self.refused_logins)
    }
}

fn take_one(count: &mut u32) -> bool {
    let some = *count > 0;
    *count = count.saturating_sub(1);
    some
}

/// Faults.
impl State {
    /// Injects a fault into a transport, or into the next one that is opened.
    pub fn inject(&mut self, target: Target, fault: Fault) {
        let now = self.now;
        match target {
            Target::Next => return self.faults.for_next.push_back(fault),
            Target::Connection(id) => self.apply(id, fault),
            Target::All => {
                let ids: Vec<_> = self.connections.keys().copied().collect();
                ids.into_iter().for_each(|id| self.apply(id, fault));
            }
        }
        self.settle(now);
    }

    /// Raises a resource alarm with this reason, such as RabbitMQ's `low on memory`. From now on,
    /// connections that publish are sent `connection.blocked`, and are not read any more.
    pub fn block(&mut self, reason: impl Into<String>) {
        self.faults.alarm = Some(reason.into());
    }

    /// Ends the alarm. Blocked connections are sent `connection.unblocked`, and are read again.
    pub fn unblock(&mut self) {
        let now = self.now;
        self.faults.alarm = None;
        let blocked: Vec<_> =
            self.connections.iter().filter(|(_, connection)| connection.blocked).map(|(&id, _)| id).collect();
        for id in blocked {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            connection.blocked = false;
            connection.last_heard = now;
            if connection.is_capable("connection.blocked") {
                self.send(ChannelKey { connection: id, number: 0 }, &connection::Unblocked::default());
            }
            self.wake(id);
        }
        self.settle(now);
    }

    /// Nacks the next `count` publishes on channels with confirms. They are not routed to any
    /// queue.
    pub fn nack_next(&mut self, count: u32) {
        self.faults.nacks = count;
    }

    /// Returns the next `count` publishes with 312 as if no queue were bound, whether or not they
    /// are mandatory.
    pub fn return_next(&mut self, count: u32) {
        self.faults.returns = count;
    }

    /// Refuses the next `count` logins, whatever their credentials.
    pub fn refuse_logins(&mut self, count: u32) {
        self.faults.refused_logins = count;
    }

    /// Closes a channel, as if the client had made an error on it. Returns `false` if there is no
    /// such channel.
    pub fn close_channel(&mut self, connection: ConnectionId, number: u16, code: ReplyCode, text: &str) -> bool {
        let now = self.now;
        let key = ChannelKey { connection, number };
        if self.channel(key).is_none_or(|channel| channel.closing) {
            return false;
        }
        self.close_by_broker(key, code, text, MethodId::new(0, 0), now);
        self.settle(now);
        true
    }

    /// Closes a connection, as an operator does with 320 (`CONNECTION_FORCED`) and a reason.
    /// Returns `false` if there is no such connection, or if it is not open.
    pub fn close_connection(&mut self, connection: ConnectionId, code: ReplyCode, text: &str) -> bool {
        let now = self.now;
        if self.connections.get(&connection).is_none_or(|connection| connection.phase != Phase::Running) {
            return false;
        }
        self.close_connection_by_broker(connection, code, text, MethodId::new(0, 0), now);
        self.wake(connection);
        self.settle(now);
        true
    }

    /// Deletes a queue, as an operator does. Its consumers are cancelled. Returns `false` if there
    /// is no such queue.
    pub fn delete_queue(&mut self, virtual_host: &str, name: &str) -> bool {
        let now = self.now;
        let host = self.virtual_hosts.get(&ShortString::from(virtual_host));
        let Some(queue) = host.and_then(|host| host.queue(&ShortString::from(name))) else { return false };
        self.remove_queue(queue, now);
        self.settle(now);
        true
    }
}
