//! A message that the broker delivered, and what can be done with it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::Channel;
use crate::driver::Room;
use crate::engine::{Failure, Message, Settle};
use crate::error::{Error, Result};
use crate::protocol::basic::Properties;
use crate::wire::ShortString;

/// A message from a queue.
///
/// Unless it came with `no_ack`, the broker keeps it until it is settled: [`ack`](Delivery::ack) when it was handled,
/// [`nack`](Delivery::nack) or [`reject`](Delivery::reject) when it was not. Each takes the delivery, so that it cannot
/// be settled twice. One that is dropped stays unsettled, and the broker delivers it again when the channel is closed.
///
/// Settling resolves when the acknowledgement is queued for the broker, which does not answer it. That is at once, unless the
/// broker does not read and more waits for the socket than `write_limit`: then it waits until there is room. Dropped while it
/// waits, the delivery stays unsettled.
pub struct Delivery {
    source: Arc<Source>,
    message: Message,
    delivery_tag: u64,
    redelivered: bool,
    message_count: Option<u32>,
}

/// Where deliveries are from: they share it, so that a delivery costs one count of references.
pub(super) struct Source {
    pub(super) channel: Channel,
    /// Empty where there is no consumer.
    pub(super) consumer_tag: ShortString,
    pub(super) no_ack: bool,
}

impl Delivery {
    pub(super) fn new(source: Arc<Source>, delivery: crate::engine::Delivery) -> Self {
        let crate::engine::Delivery { message, delivery_tag, redelivered } = delivery;
        Self { source, message, delivery_tag, redelivered, message_count: None }
    }

    pub(super) fn with_message_count(mut self, count: u32) -> Self {
        self.message_count = Some(count);
        self
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.message.body()
    }

    /// The body, as shared bytes that outlive the delivery. It is copied only where that takes less memory than to keep what it
    /// is a part of.
    pub fn to_bytes(&self) -> Bytes {
        self.message.clone().into_body()
    }

    /// The exchange that the message was published to; empty for the default one.
    ///
    /// Names are UTF-8 in practice; octets that are not are shown as `U+FFFD`. [`Delivery::message`] has them as they
    /// came.
    pub fn exchange(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.message.exchange())
    }

    /// The routing key that the message was published with, read like [`Delivery::exchange`].
    pub fn routing_key(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.message.routing_key())
    }

    /// Decodes the properties, which nobody has looked at so far.
    ///
    /// # Errors
    ///
    /// A property list that cannot be read, such as a header of an unknown type. Only this message is affected.
    pub fn properties(&self) -> Result<Properties> {
        Ok(self.message.properties()?)
    }

    /// The message as it came.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The channel that it came on, to answer a request on, say.
    pub fn channel(&self) -> &Channel {
        &self.source.channel
    }

    /// The tag of the consumer that it was delivered to; empty where it was fetched by [`Channel::get`].
    pub fn consumer_tag(&self) -> &ShortString {
        &self.source.consumer_tag
    }

    /// The number by which the broker knows the delivery on its channel.
    pub fn delivery_tag(&self) -> u64 {
        self.delivery_tag
    }

    /// It was delivered before, to this consumer or another, and was not acknowledged.
    pub fn is_redelivered(&self) -> bool {
        self.redelivered
    }

    /// How many messages were left in the queue; known only of a message that was fetched by [`Channel::get`].
    pub fn message_count(&self) -> Option<u32> {
        self.message_count
    }

    /// Acknowledges the message: it was handled.
    ///
    /// # Errors
    ///
    /// The channel is closed (the broker delivers the message again), or the message came with `no_ack`.
    #[doc(alias = "basic_ack")]
    pub async fn ack(self) -> Result<()> {
        self.settle(Settle::Ack { multiple: false }).await
    }

    /// Acknowledges this message and all that were delivered before it on the channel.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    pub async fn ack_multiple(self) -> Result<()> {
        self.settle(Settle::Ack { multiple: true }).await
    }

    /// Gives the message back: to its queue with `requeue`, else away, to the dead-letter exchange where there is one.
    ///
    /// To a quorum queue of RabbitMQ 4.3 a requeue by this does not count towards the delivery limit: a message that no consumer
    /// can handle arrives again without end. There, [`Delivery::reject`] counts.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    #[doc(alias = "basic_nack")]
    pub async fn nack(self, requeue: bool) -> Result<()> {
        self.settle(Settle::Nack { multiple: false, requeue }).await
    }

    /// Gives back this message and all that were delivered before it on the channel.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    pub async fn nack_multiple(self, requeue: bool) -> Result<()> {
        self.settle(Settle::Nack { multiple: true, requeue }).await
    }

    /// The same as [`Delivery::nack`], as the standard has it; but that to a quorum queue of RabbitMQ 4.3 a requeue by this counts
    /// towards the delivery limit.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    #[doc(alias = "basic_reject")]
    pub async fn reject(self, requeue: bool) -> Result<()> {
        self.settle(Settle::Reject { requeue }).await
    }

    async fn settle(self, settle: Settle) -> Result<()> {
        let Source { channel, no_ack, .. } = &*self.source;
        if *no_ack {
            return Err(Error::nothing_to_settle());
        }
        let (shared, key, tag) = (channel.shared(), channel.key(), self.delivery_tag);
        loop {
            match shared.with(|state| state.engine.settle(key, tag, settle)) {
                Err(Failure::WriteLimit { .. }) => Room::wait(shared)?.await?,
                settled => return Ok(settled?),
            }
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("delivery_tag", &self.delivery_tag)
            .field("redelivered", &self.redelivered)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}
