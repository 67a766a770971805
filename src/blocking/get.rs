//! One message from a queue, on demand.

use std::future::IntoFuture;
use std::ops::Deref;

use super::Delivery;
use super::wait::wait;
use crate::asynchronous;
use crate::error::Result;

/// A `basic.get` that is made by [`call`](Get::call).
#[derive(Debug)]
#[must_use = "a message is fetched by `call()`"]
pub struct Get<'a> {
    inner: asynchronous::Get<'a>,
}

impl<'a> Get<'a> {
    pub(super) fn new(inner: asynchronous::Get<'a>) -> Self {
        Self { inner }
    }

    /// The broker takes the message as handled when it has sent it.
    #[doc(alias = "auto_ack")]
    pub fn no_ack(self, no_ack: bool) -> Self {
        Self { inner: self.inner.no_ack(no_ack) }
    }

    /// Waits for a message, or for the word that there is none.
    ///
    /// # Errors
    ///
    /// There is no such queue (404), the channel is closed, or no answer came in time.
    pub fn call(self) -> Result<Option<GetMessage>> {
        let fetched = wait(self.inner.driving(), self.inner.into_future())?;
        Ok(fetched.map(|message| {
            let message_count = message.message_count();
            GetMessage { delivery: message.into_delivery().into(), message_count }
        }))
    }
}

/// A message that was fetched from a queue, and how many were left there. It is a [`Delivery`] in
/// all else: [`into_delivery`](GetMessage::into_delivery) gives it, to be settled.
#[derive(Debug)]
pub struct GetMessage {
    delivery: Delivery,
    message_count: u32,
}

impl GetMessage {
    /// How many messages were left in the queue, not counting those that are delivered and
    /// unsettled.
    pub fn message_count(&self) -> u32 {
        self.message_count
    }

    /// The delivery, which is settled.
    pub fn into_delivery(self) -> Delivery {
        self.delivery
    }

    /// Acknowledges the message: see [`Delivery::ack`].
    ///
    /// # Errors
    ///
    /// As there.
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
