//! Deliveries: messages that the broker delivered.

use std::fmt;
use std::ops::Deref;

use super::{Channel, Handle};
use crate::asynchronous::{self, Requeue, SettleFuture};
use crate::error::Result;

/// A message that the broker delivered from a queue. It dereferences to the async API's
/// [`Delivery`](asynchronous::Delivery), which has the methods that read it.
///
/// Unless the consumer has `no_ack`, the broker keeps the message until it is settled: by
/// [`ack`](Delivery::ack) if it was handled, by [`nack`](Delivery::nack) or
/// [`reject`](Delivery::reject) if not. These methods take `self`, so that a delivery cannot be
/// settled twice. They queue the settlement and do not wait; the broker does not answer it.
///
/// Dropping a delivery does not settle it: see [the async API](asynchronous::Delivery#dropping).
///
/// The result of [`into_async`](Delivery::into_async) can be sent to another thread, and settled
/// there.
pub struct Delivery<S> {
    inner: asynchronous::Delivery,
    handle: Handle<S>,
}

impl<S: 'static> Delivery<S> {
    pub(super) fn new(inner: asynchronous::Delivery, handle: Handle<S>) -> Self {
        Self { inner, handle }
    }

    /// Returns the channel on which the delivery arrived.
    pub fn channel(&self) -> Channel<S> {
        Channel::new(self.inner.channel().clone(), self.handle.clone())
    }

    /// Acknowledges the message: the program has handled it, and the broker removes it from the
    /// queue.
    ///
    /// # Errors
    ///
    /// Returns the errors of the async API's [`ack`](asynchronous::Delivery::ack). If more than
    /// `write_limit` bytes wait for the socket, the settlement is queued later, and the result is
    /// `Ok`.
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> Result<()> {
        settle(&self.handle, self.inner.ack())
    }

    /// Acknowledges this message and all that were delivered before it on the channel.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn ack_multiple(self) -> Result<()> {
        settle(&self.handle, self.inner.ack_multiple())
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
        settle(&self.handle, self.inner.nack(requeue))
    }

    /// Rejects this message and all that were delivered before it on the channel, each as by
    /// [`Delivery::nack`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    pub fn nack_multiple(self, requeue: Requeue) -> Result<()> {
        settle(&self.handle, self.inner.nack_multiple(requeue))
    }

    /// Rejects the message by the standard's `basic.reject`: see the async API's
    /// [`reject`](asynchronous::Delivery::reject).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Delivery::ack`].
    #[doc(alias = "basic_reject")]
    pub fn reject(self, requeue: Requeue) -> Result<()> {
        settle(&self.handle, self.inner.reject(requeue))
    }

    /// Converts into the delivery of the async API, which can be sent to another thread or task.
    pub fn into_async(self) -> asynchronous::Delivery {
        self.inner
    }
}

/// Settles the delivery now, or as soon as there is room for the settlement.
fn settle<S: 'static>(handle: &Handle<S>, settling: SettleFuture) -> Result<()> {
    handle.begin(settling).unwrap_or(Ok(()))
}

impl<S> Deref for Delivery<S> {
    type Target = asynchronous::Delivery;

    fn deref(&self) -> &asynchronous::Delivery {
        &self.inner
    }
}

impl<S> fmt::Debug for Delivery<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
