//! A message that the broker delivered, and what can be done with it.

use std::fmt;
use std::ops::Deref;

use super::Channel;
use super::wait::wait;
use crate::asynchronous::{self, Requeue};
use crate::engine::Message;
use crate::error::Result;

/// A message that the broker delivered from a queue. It dereferences to the async API's
/// [`Delivery`](asynchronous::Delivery), which has the methods that read it.
///
/// Unless the consumer has `no_ack`, the broker keeps the message until it is settled, from any
/// thread: by [`ack`](Delivery::ack) if it was handled, by [`nack`](Delivery::nack) or
/// [`reject`](Delivery::reject) if not. These methods take `self`, so that a delivery cannot be
/// settled twice. They return when the settlement is queued; the broker does not answer it. They
/// wait only while more than `write_limit` bytes wait for the socket.
///
/// Dropping a delivery does not settle it: see [the async API](asynchronous::Delivery#dropping).
pub struct Delivery {
    inner: asynchronous::Delivery,
}

impl Delivery {
    /// Returns the channel on which the delivery arrived.
    pub fn channel(&self) -> Channel {
        self.inner.channel().clone().into()
    }

    /// Returns the message and the right to settle it, as separate values.
    pub fn into_parts(self) -> (Message, Acker) {
        let (message, acker) = self.inner.into_parts();
        (message, Acker { inner: acker })
    }

    /// Acknowledges the message: the program has handled it, and the broker removes it from the
    /// queue.
    ///
    /// # Errors
    ///
    /// Returns the errors of the async API's [`ack`](asynchronous::Delivery::ack).
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.ack())
    }

    /// Acknowledges this message and all that were delivered before it on the channel.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn ack_multiple(self) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.ack_multiple())
    }

    /// Rejects the message (`basic.nack`). With [`Requeue::Yes`] it returns to its queue. With
    /// [`Requeue::No`] it goes to the dead-letter exchange of the queue, or is lost if there is
    /// none. See the async API's [`nack`](asynchronous::Delivery::nack) for what counts towards a
    /// delivery limit.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    #[doc(alias = "basic_nack")]
    pub fn nack(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.nack(requeue))
    }

    /// Rejects this message and all that were delivered before it on the channel, each as by
    /// [`Delivery::nack`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn nack_multiple(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.nack_multiple(requeue))
    }

    /// Rejects the message by the standard's `basic.reject`: see the async API's
    /// [`reject`](asynchronous::Delivery::reject).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    #[doc(alias = "basic_reject")]
    pub fn reject(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.reject(requeue))
    }

    /// Converts into the same delivery of the async API.
    pub fn into_async(self) -> asynchronous::Delivery {
        self.inner
    }
}

impl Deref for Delivery {
    type Target = asynchronous::Delivery;

    fn deref(&self) -> &asynchronous::Delivery {
        &self.inner
    }
}

impl From<asynchronous::Delivery> for Delivery {
    fn from(inner: asynchronous::Delivery) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The right to settle one delivery (to acknowledge or reject it), without its message: returned by
/// [`Delivery::into_parts`].
#[derive(Debug)]
#[must_use = "a delivery that nobody settles is delivered again"]
pub struct Acker {
    inner: asynchronous::Acker,
}

impl Acker {
    /// Returns the number that identifies the delivery on its channel.
    pub fn delivery_tag(&self) -> u64 {
        self.inner.delivery_tag()
    }

    /// Returns the channel on which the delivery arrived.
    pub fn channel(&self) -> Channel {
        self.inner.channel().clone().into()
    }

    /// Acknowledges the message: see [`Delivery::ack`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn ack(self) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.ack())
    }

    /// Acknowledges this message and all that were delivered before it on the channel: see
    /// [`Delivery::ack_multiple`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn ack_multiple(self) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.ack_multiple())
    }

    /// Rejects the message: see [`Delivery::nack`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn nack(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.nack(requeue))
    }

    /// Rejects this message and all that were delivered before it on the channel: see
    /// [`Delivery::nack_multiple`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn nack_multiple(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.nack_multiple(requeue))
    }

    /// Rejects the message by the standard's `basic.reject`: see [`Delivery::reject`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn reject(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.reject(requeue))
    }
}
