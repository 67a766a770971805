//! One message from a queue, on demand.

use std::future::IntoFuture;
use std::ops::Deref;

use super::Delivery;
use super::wait::wait;
use crate::asynchronous;
use crate::error::Result;

/// A fetch of one message (`basic.get`), made by [`call`](Get::call).
///
/// Each message costs a round trip: to take many, use
/// [`Channel::consume`](super::Channel::consume).
#[derive(Debug)]
#[must_use = "a message is fetched by `call()`"]
pub struct Get<'a> {
    inner: asynchronous::Get<'a>,
}

impl<'a> Get<'a> {
    pub(super) fn new(inner: asynchronous::Get<'a>) -> Self {
        Self { inner }
    }

    /// Sets whether the broker regards the message as settled when it has sent it.
    #[doc(alias = "auto_ack")]
    pub fn no_ack(self, no_ack: bool) -> Self {
        Self { inner: self.inner.no_ack(no_ack) }
    }

    /// Fetches a message, and waits for the answer. Returns `None` if the queue is empty.
    ///
    /// # Errors
    ///
    /// Returns an error if the queue does not exist (404), if the channel is closed, or if no
    /// answer arrives within `call_timeout`.
    pub fn call(self) -> Result<Option<GetMessage>> {
        let fetched = wait(self.inner.driving(), self.inner.into_future())?;
        Ok(fetched.map(|message| {
            let message_count = message.message_count();
            GetMessage { delivery: message.into_delivery().into(), message_count }
        }))
    }
}

/// A message that was fetched from a queue, with the number of messages that remain there.
///
/// It dereferences to its [`Delivery`]. [`into_delivery`](GetMessage::into_delivery) returns the
/// delivery, to settle it in other ways than by [`ack`](GetMessage::ack).
#[derive(Debug)]
pub struct GetMessage {
    delivery: Delivery,
    message_count: u32,
}

impl GetMessage {
    /// Returns the number of messages that remained in the queue, without those that are delivered
    /// and unsettled.
    pub fn message_count(&self) -> u32 {
        self.message_count
    }

    /// Returns the delivery, for code that handles the messages of a consumer.
    pub fn into_delivery(self) -> Delivery {
        self.delivery
    }

    /// Acknowledges the message: see [`Delivery::ack`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> Result<()> {
        self.delivery.ack()
    }
}

impl Deref for GetMessage {
    type Target = Delivery;

    fn deref(&self) -> &Delivery {
        &self.delivery
    }
}

impl From<GetMessage> for Delivery {
    fn from(message: GetMessage) -> Self {
        message.delivery
    }
}
