//! Behaviour towards consumers and returned messages that RabbitMQ shows rarely, in some versions
//! or behind some proxies.

use std::borrow::Cow;
use std::time::Instant;

use crate::broker::keys::{ChannelKey, ConnectionId, ConsumerKey};
use crate::broker::model::Message;
use crate::broker::session::{Handover, Notice};
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::protocol::{Expiration, ReplyCode, basic};
use crate::wire::{FieldTable, FieldValue, ShortString, Timestamp};

/// Faults of consumers and returns.
impl State {
    /// Answers the next `count` cancels of consumers whose queues have a message too early: one
    /// more message arrives for the tag after `basic.cancel-ok`, as can happen with proxies and
    /// other brokers. Unless the consumer was `no_ack`, the message stays unacknowledged until the
    /// client settles it or closes the channel.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # use leveret::{Connection, broker::Broker};
    /// let broker = Broker::new();
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// let channel = connection.open_channel().await?;
    /// channel.queue_declare("jobs").await?;
    /// broker.state().deliver_after_cancel(1);
    /// # Ok(()) }
    /// ```
    pub fn deliver_after_cancel(&mut self, count: u32) {
        self.faults.late_deliveries = count;
    }

    /// Alters the next `count` returned messages, as message interceptors or plug-ins of RabbitMQ 4
    /// do: `expiration` is a number without leading zeros, the headers are sorted by name and
    /// include `timestamp_in_ms`, and there is a `timestamp`.
    pub fn alter_returns(&mut self, count: u32) {
        self.faults.altered_returns = count;
    }

    /// Cancels a consumer with `basic.cancel`. RabbitMQ does so when its queue is deleted (always
    /// with `no_wait`), and RabbitMQ 4.3 when the consumer of a quorum queue has not acknowledged
    /// in time. Without `no_wait` the client may answer with `basic.cancel-ok`. Deliveries that the
    /// consumer has not settled stay on its channel. Returns `false` if there is no such consumer.
    pub fn cancel_consumer(&mut self, connection: ConnectionId, channel: u16, tag: &str, no_wait: bool) -> bool {
        let now = self.now;
        let (key, tag) = (ChannelKey { connection, number: channel }, ShortString::from(tag));
        let Some(channel) = self.channel_mut(key) else { return false };
        let Some(consumer) = channel.consumers.remove(&tag) else { return false };
        if !no_wait {
            channel.cancelled.insert(tag.clone());
        }
        let cancel = basic::Cancel::default().consumer_tag(&tag).no_wait(no_wait);
        self.leave_queue(consumer.queue, &ConsumerKey { channel: key, tag }, now);
        self.notify(key, Notice::Ended(cancel), now);
        self.settle(now);
        true
    }

    /// Handles the client's answer to a cancel of the broker. RabbitMQ never requests one, and
    /// refuses the method as unknown.
    pub(in crate::broker) fn cancel_agreed(&mut self, key: ChannelKey, ok: &basic::CancelOk) -> Result<(), Refusal> {
        let awaited = self.channel_mut(key).is_some_and(|channel| channel.cancelled.remove(&ok.consumer_tag));
        if awaited {
            return Ok(());
        }
        Err(Refusal::connection(ReplyCode::COMMAND_INVALID, "unimplemented method"))
    }

    /// The message that is to arrive after the answer to a cancel, if a test requested that and
    /// there is one.
    pub(in crate::broker) fn take_late_delivery(
        &mut self,
        key: ChannelKey,
        tag: &ShortString,
        now: Instant,
    ) -> Option<Handover> {
        if self.faults.late_deliveries == 0 {
            return None;
        }
        let queue = self.channel(key)?.consumers.get(tag)?.queue;
        let (entry, dropped) = self.queues.get_mut(&queue)?.queue.pop(now);
        self.drop_messages(queue, dropped, now);
        let entry = entry?;
        self.faults.late_deliveries -= 1;
        let subscription = self.reserve(queue, key, tag);
        Some(Handover { queue, entry, tag: tag.clone(), subscription })
    }

    /// A message as it is returned.
    pub(in crate::broker) fn returned<'a>(&mut self, message: Cow<'a, Message>) -> Cow<'a, Message> {
        if !self.faults.alter_return() {
            return message;
        }
        let time = self.time_of_day(self.now);
        Cow::Owned(stamped(message.into_owned(), time))
    }
}

fn stamped(mut message: Message, time: Timestamp) -> Message {
    let properties = &mut message.properties;
    if let Some(time) = properties.expiration.as_ref().and_then(Expiration::to_duration) {
        properties.expiration = Some(time.into());
    }
    let mut headers = properties.headers.take().unwrap_or_default();
    if !headers.contains_key("timestamp_in_ms") {
        let milliseconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000);
        headers.insert("timestamp_in_ms", FieldValue::from(milliseconds));
    }
    let mut fields: Vec<_> = headers.into_iter().collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    properties.headers = Some(fields.into_iter().collect::<FieldTable>());
    properties.timestamp.get_or_insert(time);
    message.encoded_properties = None;
    message
}
