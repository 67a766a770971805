//! Queues that are down for a time.

use std::time::Instant;

use crate::broker::keys::QueueId;
use crate::broker::model::Entry;
use crate::broker::session::{Mode, Unacked, Waiting};
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::protocol::ReplyCode;
use crate::wire::ShortString;

/// Queues that are down.
impl State {
    /// Takes a durable queue down, or lets it come up again. Returns `false` if there is no such
    /// queue, or if it is not durable.
    ///
    /// While it is down, the queue is what a classic queue of RabbitMQ 3.10 is whose process was
    /// stopped:
    ///
    /// * Its consumers are cancelled with `basic.cancel`, if their clients announced
    ///   `consumer_cancel_notify`. Their channels stay open. Deliveries that they have not settled
    ///   return to the queue; settling them has no effect any more, and is no error.
    /// * Declaring it, also passively, consuming from it, `basic.get` and `queue.purge` close the
    ///   channel with 404 (`NOT_FOUND - queue 'jobs' in vhost '/' process is stopped by
    ///   supervisor`). A declaration that does not match is refused with 406, as always.
    /// * A publish that is routed to it is nacked on a channel with confirms, even if other queues
    ///   accept it, and is lost without confirms. It is not returned as unroutable.
    /// * `queue.bind`, `queue.unbind` and `queue.delete` work; the count of deleted messages is 0.
    ///
    /// Its persistent messages stay; the others are lost. Nothing expires while it is down.
    /// [`State::restart`] and [`State::crash`] let it come up too.
    ///
    /// In a cluster, a queue whose node is gone is refused with other texts, and RabbitMQ may take
    /// 65 seconds to do so: see [`State::fail_next`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// use leveret::{Connection, ReplyCode, broker::Broker};
    ///
    /// let broker = Broker::new();
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// let channel = connection.open_channel().await?;
    /// channel.queue_declare("jobs").durable(true).await?;
    ///
    /// assert!(broker.state().set_queue_down("/", "jobs", true));
    /// let publisher = channel.confirm_select().await?;
    /// assert!(publisher.publish("", "jobs", "dig").confirmed().await.is_err());
    /// let error = channel.consume("jobs").await.unwrap_err();
    /// assert_eq!(error.reply_code(), Some(ReplyCode::NOT_FOUND));
    ///
    /// broker.state().set_queue_down("/", "jobs", false);
    /// connection.open_channel().await?.consume("jobs").await?;
    /// # Ok(()) }
    /// ```
    pub fn set_queue_down(&mut self, virtual_host: &str, name: &str, down: bool) -> bool {
        let now = self.now;
        let host = self.virtual_hosts.get(&ShortString::from(virtual_host));
        let Some(id) = host.and_then(|host| host.queue(&ShortString::from(name))) else { return false };
        let Some(hosted) = self.queues.get_mut(&id).filter(|hosted| hosted.queue.durable()) else { return false };
        match (hosted.down, down) {
            (false, true) => self.stop_queue(id, now),
            (true, false) => {
                hosted.down = false;
                hosted.queue.touch(now);
                self.mark(id);
            }
            (true, true) | (false, false) => {}
        }
        self.settle(now);
        true
    }

    /// Stops a queue. It gets a new id, so that what refers to the old one, such as deliveries that
    /// are settled later, no longer reaches it.
    fn stop_queue(&mut self, old: QueueId, now: Instant) {
        let back = self.unsettled_of(old);
        let Some(mut hosted) = self.queues.remove(&old) else { return };
        self.deadlines.set(Waiting::Queue(old), None);
        let id = self.next_queue_id();
        if let Some(host) = self.virtual_hosts.get_mut(&hosted.virtual_host) {
            host.insert_queue(hosted.queue.name().clone(), id);
        }
        let consumers = hosted.queue.take_consumers();
        let dropped = hosted.queue.requeue(back, now);
        hosted.queue.keep_persistent(now);
        hosted.down = true;
        self.queues.insert(id, hosted);
        self.drop_messages(id, dropped, now);
        self.cancel_consumers(consumers, now);
    }

    /// The messages of a queue that channels have not settled, or have settled only in transactions
    /// that are not committed.
    fn unsettled_of(&self, queue: QueueId) -> Vec<Entry> {
        let channels = self.connections.values().flat_map(|connection| connection.channels.values());
        let deliveries = channels.flat_map(|channel| {
            let settled = match &channel.mode {
                Mode::Transaction(transaction) => transaction.settlements.as_slice(),
                _ => &[],
            };
            let settled =
                settled.iter().flat_map(|settlement| settlement.deliveries.iter().map(|(_, unacked)| unacked));
            channel.unacked.values().chain(settled)
        });
        deliveries.filter(|unacked: &&Unacked| unacked.queue == queue).map(|unacked| unacked.entry.clone()).collect()
    }

    /// Refuses with 404 what needs a queue that is down.
    pub(in crate::broker) fn check_up(&self, queue: QueueId) -> Result<(), Refusal> {
        let Some(hosted) = self.queues.get(&queue).filter(|hosted| hosted.down) else { return Ok(()) };
        let (name, host) = (hosted.queue.name(), &hosted.virtual_host);
        let text = format!("queue '{name}' in vhost '{host}' process is stopped by supervisor");
        Err(Refusal::channel(ReplyCode::NOT_FOUND, text))
    }
}
