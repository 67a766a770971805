//! Deliveries: messages that the broker delivered, and the right to settle them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::acker::Source;
use super::{Acker, Channel, Requeue, SettleFuture};
use crate::engine::Message;
use crate::error::Result;
use crate::protocol::basic::Properties;
use crate::wire::{Name, ShortString};

/// A message that the broker delivered from a queue.
///
/// Unless the consumer has `no_ack`, the broker keeps the message until it is settled: by
/// [`ack`](Delivery::ack) if it was handled, by [`nack`](Delivery::nack) or
/// [`reject`](Delivery::reject) if not. These methods take `self`, so that a delivery cannot be
/// settled twice.
///
/// # Dropping
///
/// Dropping a delivery does not settle it. It still counts against the prefetch (with a stream, it
/// still takes up credit) until its channel ends, by a close or with its connection. Then
///
/// * a message of a classic queue returns to the queue, and is delivered again as
///   [redelivered](Delivery::is_redelivered);
/// * a message of a quorum queue returns in the same way, and that counts as one delivery
///   (`x-delivery-count`); if the count is over the queue's delivery limit, the message is
///   dead-lettered or dropped;
/// * a message of a stream does not return: it stays in the stream, and a consumer that starts
///   later finds it at its offset.
///
/// To return a message at once, [`nack`](Delivery::nack) it. A delivery keeps its channel open.
///
/// # Settling
///
/// A method that settles drops the message and returns a [`SettleFuture`]. The delivery is settled
/// when that future is awaited. [`into_parts`](Delivery::into_parts) separates the message from the
/// right to settle it.
pub struct Delivery {
    acker: Acker,
    message: Message,
    /// Decoded at the first use.
    properties: OnceLock<Box<Properties>>,
    redelivered: bool,
}

impl Delivery {
    pub(super) fn new(source: Arc<Source>, delivery: crate::engine::Delivery) -> Self {
        let crate::engine::Delivery { message, delivery_tag, redelivered } = delivery;
        Self { acker: Acker::new(source, delivery_tag), message, properties: OnceLock::new(), redelivered }
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        self.message.body()
    }

    /// Returns the body as shared bytes that outlive the delivery. The body is copied only if the
    /// copy takes less memory than keeping the buffer of which it is a part.
    pub fn to_bytes(&self) -> Bytes {
        self.message.clone().into_body()
    }

    /// Returns the exchange to which the message was published; empty for the default exchange. The
    /// name can be passed to a publish unchanged.
    pub fn exchange(&self) -> Name<'_> {
        self.message.exchange().into()
    }

    /// Returns the routing key with which the message was published. It can be passed to a publish
    /// unchanged.
    pub fn routing_key(&self) -> Name<'_> {
        self.message.routing_key().into()
    }

    /// Returns the properties. The first call decodes them, and later calls return the same.
    ///
    /// # Errors
    ///
    /// Returns an error if the properties cannot be decoded, such as a header of an unknown type.
    /// Only this message is affected.
    pub fn properties(&self) -> Result<&Properties> {
        if let Some(properties) = self.properties.get() {
            return Ok(properties);
        }
        let decoded = Box::new(self.message.properties()?);
        Ok(self.properties.get_or_init(|| decoded))
    }

    /// Returns the message as it arrived.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the message and the right to settle it, as separate values.
    pub fn into_parts(self) -> (Message, Acker) {
        (self.message, self.acker)
    }

    /// Returns the channel on which the delivery arrived, for example to publish an answer on it.
    pub fn channel(&self) -> &Channel {
        self.acker.channel()
    }

    /// Returns the tag of the consumer to which the message was delivered; empty if
    /// [`Channel::get`] fetched it.
    pub fn consumer_tag(&self) -> &ShortString {
        &self.acker.source().consumer_tag
    }

    /// Returns the number that identifies the delivery on its channel.
    pub fn delivery_tag(&self) -> u64 {
        self.acker.delivery_tag()
    }

    /// Returns how many transports the connection had before the one on which the delivery arrived.
    pub fn generation(&self) -> u32 {
        self.acker.source().generation
    }

    /// Returns `true` if the channel was lost and recovered since the delivery arrived, or is being
    /// recovered. It can no longer be settled, and the broker delivers the message again.
    pub fn is_stale(&self) -> bool {
        self.acker.is_stale()
    }

    /// Returns `true` if the message was delivered before, to this consumer or another, and was not
    /// acknowledged.
    pub fn is_redelivered(&self) -> bool {
        self.redelivered
    }

    /// Acknowledges the message: the program has handled it, and the broker removes it from the
    /// queue.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed (the broker delivers the message again), if the
    /// delivery is settled already (by an `ack_multiple` or `nack_multiple` of a later one, or
    /// because the broker took it back: [`basic.recover`](Channel::basic_recover)), or if the
    /// message was delivered with `no_ack`.
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> SettleFuture {
        self.acker.ack()
    }

    /// Acknowledges this message and all that were delivered before it on the channel.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn ack_multiple(self) -> SettleFuture {
        self.acker.ack_multiple()
    }

    /// Rejects the message (`basic.nack`). With [`Requeue::Yes`] it returns to its queue. With
    /// [`Requeue::No`] it goes to the dead-letter exchange of the queue, or is lost if there is
    /// none.
    ///
    /// On a quorum queue of RabbitMQ 4.3, a requeue by this method does not count towards the
    /// delivery limit, so that a message that no consumer can handle is delivered again without
    /// end. A requeue by [`Delivery::reject`] counts.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    #[doc(alias = "basic_nack")]
    pub fn nack(self, requeue: Requeue) -> SettleFuture {
        self.acker.nack(requeue)
    }

    /// Rejects this message and all that were delivered before it on the channel, each as by
    /// [`Delivery::nack`]. On a quorum queue of RabbitMQ 4.3, a requeue by this method does not
    /// count towards the delivery limit. [`Delivery::reject`], whose requeue counts, has no such
    /// form.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn nack_multiple(self, requeue: Requeue) -> SettleFuture {
        self.acker.nack_multiple(requeue)
    }

    /// Rejects the message by the standard's `basic.reject`. It has the same effect as
    /// [`Delivery::nack`], except that on a quorum queue of RabbitMQ 4.3 a requeue by this method
    /// counts towards the delivery limit.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    #[doc(alias = "basic_reject")]
    pub fn reject(self, requeue: Requeue) -> SettleFuture {
        self.acker.reject(requeue)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("delivery_tag", &self.delivery_tag())
            .field("redelivered", &self.redelivered)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}
