//! What the modules of the broker share: recording changes, and doing what follows from them.

use std::time::Instant;

use super::State;
use crate::broker::Event;
use crate::broker::keys::{ChannelKey, ConnectionId, QueueId};
use crate::broker::model::Message;
use crate::broker::operate::Fault;
use crate::broker::session::{Channel, Phase, Waiting};
use crate::broker::words::Refusal;
use crate::frame::Encoder;
use crate::protocol::{MethodId, ProtocolMethod};
use crate::wire::Timestamp;

/// What the modules of the broker share.
impl State {
    /// The time of day.
    pub(in crate::broker) fn time_of_day(&self, now: Instant) -> Timestamp {
        let since = now.saturating_duration_since(self.started).as_secs();
        let started = self.settings.started_at.unwrap_or(Timestamp::from_secs(1_577_836_800));
        Timestamp::from_secs(started.as_secs().saturating_add(since))
    }

    /// Records that a queue has changed.
    pub(in crate::broker) fn mark(&mut self, queue: QueueId) {
        self.changed_queues.insert(queue);
    }

    /// The number of a new queue.
    pub(in crate::broker) fn next_queue_id(&mut self) -> QueueId {
        self.last_queue += 1;
        QueueId(self.last_queue)
    }

    /// Does everything that follows from what has just happened.
    pub(in crate::broker) fn settle(&mut self, now: Instant) {
        self.serve_changed(now);
        self.send_confirms();
        while let Some(id) = self.touched.pop_first() {
            self.announce(id);
        }
    }

    /// Routes dropped messages, and delivers from queues that have changed, until nothing is left.
    pub(in crate::broker) fn serve_changed(&mut self, now: Instant) {
        loop {
            if let Some((virtual_host, message)) = self.dead_letters.pop_front() {
                self.route_dead_letter(&virtual_host, message, now);
            } else if let Some(queue) = self.changed_queues.pop_first() {
                self.serve(queue, now);
            } else {
                return;
            }
        }
    }

    /// Emits an event for the driver of a connection, unless one is pending.
    fn announce(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.take_broken() {
            let refusal = Refusal::internal();
            return self.refuse_connection(id, &refusal, MethodId::new(0, 0), self.now);
        }
        if !connection.announced {
            connection.announced = true;
            self.events.push_back(Event::Ready(id));
        }
        self.watch(id);
    }

    /// Queues a method.
    pub(in crate::broker) fn send<M: ProtocolMethod>(&mut self, key: ChannelKey, method: &M) {
        if let Some(connection) = self.connections.get_mut(&key.connection) {
            connection.send(key.number, method);
            self.touched.insert(key.connection);
        }
    }

    /// Queues a method with its content.
    pub(in crate::broker) fn send_content<M: ProtocolMethod>(
        &mut self,
        key: ChannelKey,
        method: &M,
        message: &Message,
    ) {
        if let Some(connection) = self.connections.get_mut(&key.connection) {
            connection.send_content(key.number, method, message);
            self.touched.insert(key.connection);
        }
    }

    /// The channel, if it is open.
    pub(in crate::broker) fn channel(&self, key: ChannelKey) -> Option<&Channel> {
        self.connections.get(&key.connection)?.channels.get(&key.number)
    }

    /// The channel, if it is open.
    pub(in crate::broker) fn channel_mut(&mut self, key: ChannelKey) -> Option<&mut Channel> {
        self.connections.get_mut(&key.connection)?.channels.get_mut(&key.number)
    }

    /// Records that the driver of a connection has something to do.
    pub(in crate::broker) fn wake(&mut self, id: ConnectionId) {
        self.touched.insert(id);
    }

    /// Updates the deadline of a connection.
    pub(in crate::broker) fn watch(&mut self, id: ConnectionId) {
        let (now, timeout) = (self.now, self.settings.consumer_timeout);
        let deadline = self.connections.get_mut(&id).and_then(|connection| {
            connection.note_stall(now);
            connection.deadline(timeout)
        });
        self.deadlines.set(Waiting::Connection(id), deadline);
    }

    /// Applies a fault to a connection.
    pub(in crate::broker) fn apply(&mut self, id: ConnectionId, fault: Fault) {
        if let Some(connection) = self.connections.get_mut(&id) {
            fault.apply(&mut connection.link);
            self.notice_end(id, self.now);
            self.wake(id);
            self.watch(id);
        }
    }

    /// Ends a connection whose transport was ended by a fault.
    pub(super) fn notice_end(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.link.is_ending() && connection.phase != Phase::Ending {
            connection.phase = Phase::Ending;
            connection.phase_deadline = None;
            self.end_session(id, now);
            self.wake(id);
        }
    }

    pub(super) fn connection_timeout(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.link.release(now);
        if connection.link.rested(now) {
            // Input that was not read could not count as a sign of life.
            connection.last_heard = now;
        }
        if connection.end_deadline().is_some_and(|deadline| deadline <= now) {
            self.cut(id, now);
        } else if connection.beat_deadline().is_some_and(|deadline| deadline <= now) {
            Encoder::heartbeat(&mut connection.link.outbound);
            connection.last_said = now;
        }
        self.close_overdue(id, now);
        self.wake(id);
        self.watch(id);
    }
}
