//! A message that the broker delivered, and what can be done with it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::acker::Source;
use super::{Acker, Channel, Requeue, SettleFuture};
use crate::engine::Message;
use crate::error::Result;
use crate::protocol::basic::Properties;
use crate::wire::{Name, ShortString};

/// A message from a queue.
///
/// Unless it came with `no_ack`, the broker keeps it until it is settled: [`ack`](Delivery::ack)
/// when it was handled, [`nack`](Delivery::nack) or [`reject`](Delivery::reject) when it was not.
/// Each takes the delivery, so that it cannot be settled twice.
///
/// # Dropping
///
/// One that is dropped is not settled by that. It counts against the prefetch (of a stream: its
/// credit stays taken) until its channel ends, by a close or with its connection; then
///
/// * to a classic queue it goes back, and arrives [redelivered](Delivery::is_redelivered);
/// * to a quorum queue it goes back in the same way, and that counts as one delivery
///   (`x-delivery-count`): over the queue's delivery limit, it is dead-lettered or dropped;
/// * of a stream nothing goes back: the message stays in the log, and a consumer that starts later
///   finds it at its offset.
///
/// To have it back at once, [`nack`](Delivery::nack) it. The channel stays open for as long as one
/// of its deliveries is kept.
///
/// # Settling
///
/// The call lets go of the message; nothing is settled until what it gives is awaited: see
/// [`SettleFuture`]. [`into_parts`](Delivery::into_parts) parts the message from its
/// acknowledgement.
pub struct Delivery {
    acker: Acker,
    message: Message,
    /// Decoded when somebody asks for them.
    properties: OnceLock<Box<Properties>>,
    redelivered: bool,
}

impl Delivery {
    pub(super) fn new(source: Arc<Source>, delivery: crate::engine::Delivery) -> Self {
        let crate::engine::Delivery { message, delivery_tag, redelivered } = delivery;
        Self { acker: Acker::new(source, delivery_tag), message, properties: OnceLock::new(), redelivered }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.message.body()
    }

    /// The body, as shared bytes that outlive the delivery. It is copied only where that takes less
    /// memory than to keep what it is a part of.
    pub fn to_bytes(&self) -> Bytes {
        self.message.clone().into_body()
    }

    /// The exchange that the message was published to; empty for the default one. It republishes as
    /// it is.
    pub fn exchange(&self) -> Name<'_> {
        self.message.exchange().into()
    }

    /// The routing key that the message was published with. It republishes as it is.
    pub fn routing_key(&self) -> Name<'_> {
        self.message.routing_key().into()
    }

    /// The properties. They are decoded when this is first asked, and once.
    ///
    /// # Errors
    ///
    /// A property list that cannot be read, such as a header of an unknown type. Only this message
    /// is affected.
    pub fn properties(&self) -> Result<&Properties> {
        if let Some(properties) = self.properties.get() {
            return Ok(properties);
        }
        let decoded = Box::new(self.message.properties()?);
        Ok(self.properties.get_or_init(|| decoded))
    }

    /// The message as it came.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The message, and the right to settle it, each by itself.
    pub fn into_parts(self) -> (Message, Acker) {
        (self.message, self.acker)
    }

    /// The channel that it came on, to answer a request on, say.
    pub fn channel(&self) -> &Channel {
        self.acker.channel()
    }

    /// The tag of the consumer that it was delivered to; empty where it was fetched by
    /// [`Channel::get`].
    pub fn consumer_tag(&self) -> &ShortString {
        &self.acker.source().consumer_tag
    }

    /// The number by which the broker knows the delivery on its channel.
    pub fn delivery_tag(&self) -> u64 {
        self.acker.delivery_tag()
    }

    /// Whether it was delivered before, to this consumer or another, and was not acknowledged.
    pub fn is_redelivered(&self) -> bool {
        self.redelivered
    }

    /// Acknowledges the message: it was handled.
    ///
    /// # Errors
    ///
    /// The channel is closed (the broker delivers the message again), it is settled already (by a
    /// multiple settlement of a later one, or because the broker took it back:
    /// [`basic.recover`](Channel::basic_recover)), or the message came with `no_ack`.
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> SettleFuture {
        self.acker.ack()
    }

    /// Acknowledges this message and all that were delivered before it on the channel.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    pub fn ack_multiple(self) -> SettleFuture {
        self.acker.ack_multiple()
    }

    /// Gives the message back: to its queue with [`Requeue::Yes`], else away, to the dead-letter
    /// exchange where there is one.
    ///
    /// To a quorum queue of RabbitMQ 4.3 a requeue by this does not count towards the delivery
    /// limit: a message that no consumer can handle arrives again without end. There,
    /// [`Delivery::reject`] counts.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    #[doc(alias = "basic_nack")]
    pub fn nack(self, requeue: Requeue) -> SettleFuture {
        self.acker.nack(requeue)
    }

    /// Gives back this message and all that were delivered before it on the channel, as
    /// [`Delivery::nack`] does each: to a quorum queue of RabbitMQ 4.3 a requeue by this does not
    /// count towards the delivery limit. There is no such form of [`Delivery::reject`], which
    /// counts.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    pub fn nack_multiple(self, requeue: Requeue) -> SettleFuture {
        self.acker.nack_multiple(requeue)
    }

    /// The same as [`Delivery::nack`], as the standard has it; but that to a quorum queue of
    /// RabbitMQ 4.3 a requeue by this counts towards the delivery limit.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
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
