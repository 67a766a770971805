//! A message that the broker delivered, and what can be done with it.

use std::fmt;
use std::ops::Deref;

use super::Channel;
use super::wait::wait;
use crate::asynchronous::{self, Requeue};
use crate::engine::Message;
use crate::error::Result;

/// A message from a queue. What can be read of it stands with the async API's
/// [`Delivery`](asynchronous::Delivery), which this is but for being settled.
///
/// Unless it came with `no_ack`, the broker keeps it until it is settled: [`ack`](Delivery::ack)
/// when it was handled, [`nack`](Delivery::nack) or [`reject`](Delivery::reject) when it was not,
/// from any thread. Each takes the delivery, so that it cannot be settled twice. A settlement
/// returns when it is queued for the broker, which does not answer it; it waits only while more
/// than `write_limit` waits for the socket.
///
/// What dropping one does depends on the queue: see [there](asynchronous::Delivery#dropping).
pub struct Delivery {
    inner: asynchronous::Delivery,
}

impl Delivery {
    /// The channel that it came on.
    pub fn channel(&self) -> Channel {
        self.inner.channel().clone().into()
    }

    /// The message, and the right to settle it, each by itself.
    pub fn into_parts(self) -> (Message, Acker) {
        let (message, acker) = self.inner.into_parts();
        (message, Acker { inner: acker })
    }

    /// Acknowledges the message: it was handled.
    ///
    /// # Errors
    ///
    /// As the async API's [`ack`](asynchronous::Delivery::ack).
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.ack())
    }

    /// Acknowledges this message and all that were delivered before it on the channel.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    pub fn ack_multiple(self) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.ack_multiple())
    }

    /// Gives the message back: to its queue with [`Requeue::Yes`], else away. See the async API's
    /// [`nack`](asynchronous::Delivery::nack) for what counts towards a delivery limit.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    #[doc(alias = "basic_nack")]
    pub fn nack(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.nack(requeue))
    }

    /// Gives back this message and all that were delivered before it on the channel, as
    /// [`Delivery::nack`] does each.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    pub fn nack_multiple(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.nack_multiple(requeue))
    }

    /// Gives the message back as the standard has it: see the async API's
    /// [`reject`](asynchronous::Delivery::reject).
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    #[doc(alias = "basic_reject")]
    pub fn reject(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.reject(requeue))
    }

    /// The same delivery, for tasks.
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

/// The right to settle one delivery, apart from its message: from [`Delivery::into_parts`].
#[derive(Debug)]
#[must_use = "a delivery that nobody settles is delivered again"]
pub struct Acker {
    inner: asynchronous::Acker,
}

impl Acker {
    /// The number by which the broker knows the delivery on its channel.
    pub fn delivery_tag(&self) -> u64 {
        self.inner.delivery_tag()
    }

    /// The channel that the delivery came on.
    pub fn channel(&self) -> Channel {
        self.inner.channel().clone().into()
    }

    /// Acknowledges the message: see [`Delivery::ack`].
    ///
    /// # Errors
    ///
    /// As there; so with all others.
    pub fn ack(self) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.ack())
    }

    /// Acknowledges this message and all that were delivered before it: see
    /// [`Delivery::ack_multiple`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn ack_multiple(self) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.ack_multiple())
    }

    /// Gives the message back: see [`Delivery::nack`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn nack(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.nack(requeue))
    }

    /// Gives back this message and all before it: see [`Delivery::nack_multiple`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn nack_multiple(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.nack_multiple(requeue))
    }

    /// Gives the message back as the standard has it: see [`Delivery::reject`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn reject(self, requeue: Requeue) -> Result<()> {
        let driving = self.inner.channel().driving().cloned();
        wait(driving.as_ref(), self.inner.reject(requeue))
    }
}
