//! What the restart of a broker does to its connections and to what it contains.

use std::time::Instant;

use crate::broker::keys::{ConnectionId, QueueId};
use crate::broker::session::{Phase, Waiting};
use crate::broker::state::State;
use crate::protocol::{MethodId, ReplyCode};

/// How RabbitMQ closes connections when it stops.
const SHUTDOWN: &str = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";

/// Restarts.
impl State {
    /// Stops the broker in an orderly way and starts it again, as `rabbitmqctl stop_app` and
    /// `start_app` do.
    ///
    /// Every open connection is closed with 320 (`CONNECTION_FORCED`), and its transport ends
    /// without waiting for `connection.close-ok`. A connection that is still in its handshake loses
    /// its transport. Then, as in RabbitMQ 3.10:
    ///
    /// * Unacknowledged messages return to their places, and count as redelivered.
    /// * Exclusive queues are deleted, even if they were declared durable, and auto-delete queues
    ///   that had a consumer.
    /// * Queues and exchanges that are not durable are lost. So are all bindings of which one end
    ///   is lost. An auto-delete exchange that loses its last binding in this way stays.
    /// * Messages that are not persistent (`delivery_mode` 2) are lost, in durable queues too.
    /// * What remains has its order, its arguments and its redelivered flags. `x-expires` starts
    ///   again.
    /// * Users, permissions, limits and virtual hosts stay.
    ///
    /// Faults that have not happened yet, and an alarm, stay too. The restart takes no time: new
    /// connections are accepted at once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// use leveret::{Connection, ReplyCode, broker::Broker};
    ///
    /// let broker = Broker::new();
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// let channel = connection.open_channel().await?;
    /// channel.queue_declare("jobs").durable(true).await?;
    /// channel.queue_declare("news").await?;
    ///
    /// broker.state().restart();
    /// let error = channel.queue_declare("jobs").durable(true).await.unwrap_err();
    /// assert_eq!(error.reply_code(), Some(ReplyCode::CONNECTION_FORCED));
    /// assert!(broker.state().queue("/", "jobs").is_some());
    /// assert!(broker.state().queue("/", "news").is_none());
    /// # Ok(()) }
    /// ```
    pub fn restart(&mut self) {
        let now = self.now;
        for (id, phase) in self.phases() {
            if phase == Phase::Running {
                let code = ReplyCode::CONNECTION_FORCED;
                self.close_connection_by_broker(id, code, SHUTDOWN, MethodId::new(0, 0), now);
            }
            self.finish(id, now);
        }
        self.start_again(now);
    }

    /// Ends the broker as `kill -9` does, and starts it again. It differs from [`State::restart`]
    /// in this:
    ///
    /// * All transports end without a close, and output that waits is lost.
    /// * Auto-delete queues that are durable stay, because nobody saw their consumers leave.
    /// * All messages that are kept count as redelivered, whether or not they were delivered
    ///   before.
    ///
    /// Every persistent message that had arrived is kept. RabbitMQ promises that only for those
    /// that it has confirmed.
    pub fn crash(&mut self) {
        let now = self.now;
        for hosted in self.queues.values_mut() {
            hosted.queue.take_consumers();
        }
        for (id, _) in self.phases() {
            self.cut(id, now);
        }
        self.start_again(now);
        self.queues.values_mut().for_each(|hosted| hosted.queue.mark_redelivered());
    }

    /// The connections that have not ended.
    fn phases(&self) -> Vec<(ConnectionId, Phase)> {
        let phases = self.connections.iter().map(|(&id, connection)| (id, connection.phase));
        phases.filter(|(_, phase)| *phase != Phase::Ending).collect()
    }

    /// Drops what does not survive, after all connections have ended.
    fn start_again(&mut self, now: Instant) {
        let lost: Vec<QueueId> =
            self.queues.extract_if(.., |_, hosted| !hosted.queue.durable()).map(|(id, _)| id).collect();
        lost.into_iter().for_each(|queue| self.deadlines.set(Waiting::Queue(queue), None));
        let Self { queues, virtual_hosts, .. } = self;
        for host in virtual_hosts.values_mut() {
            host.keep_durable(|queue| queues.contains_key(&queue));
        }
        for hosted in queues.values_mut() {
            hosted.queue.keep_persistent(now);
            hosted.down = false;
        }
        let kept: Vec<QueueId> = queues.keys().copied().collect();
        kept.into_iter().for_each(|queue| self.mark(queue));
        self.settle(now);
    }
}
