//! A message that the broker delivered, and what can be done with it.

use std::fmt;
use std::ops::Deref;

use super::{Channel, Handle};
use crate::asynchronous::{self, Requeue, SettleFuture};
use crate::error::Result;

/// A message from a queue. What can be read of it stands with the async API's
/// [`Delivery`](asynchronous::Delivery), which this is but for being settled.
///
/// Unless it came with `no_ack`, the broker keeps it until it is settled: [`ack`](Delivery::ack)
/// when it was handled, [`nack`](Delivery::nack) or [`reject`](Delivery::reject) when it was not.
/// Each takes the delivery, so that it cannot be settled twice. A settlement is queued for the
/// broker, which does not answer it.
///
/// [`into_async`](Delivery::into_async) gives one that can be sent to another thread, and settled
/// there.
pub struct Delivery<S> {
    inner: asynchronous::Delivery,
    handle: Handle<S>,
}

impl<S: 'static> Delivery<S> {
    pub(super) fn new(inner: asynchronous::Delivery, handle: Handle<S>) -> Self {
        Self { inner, handle }
    }

    /// The channel that it came on.
    pub fn channel(&self) -> Channel<S> {
        Channel::new(self.inner.channel().clone(), self.handle.clone())
    }

    /// Acknowledges the message: it was handled.
    ///
    /// # Errors
    ///
    /// As the async API's [`ack`](asynchronous::Delivery::ack).
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> Result<()> {
        settle(&self.handle, self.inner.ack())
    }

    /// Acknowledges this message and all that were delivered before it on the channel.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    pub fn ack_multiple(self) -> Result<()> {
        settle(&self.handle, self.inner.ack_multiple())
    }

    /// Gives the message back: to its queue with [`Requeue::Yes`], else away. See the async API's
    /// [`nack`](asynchronous::Delivery::nack) for what counts towards a delivery limit.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    #[doc(alias = "basic_nack")]
    pub fn nack(self, requeue: Requeue) -> Result<()> {
        settle(&self.handle, self.inner.nack(requeue))
    }

    /// Gives back this message and all that were delivered before it on the channel, as
    /// [`Delivery::nack`] does each.
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    pub fn nack_multiple(self, requeue: Requeue) -> Result<()> {
        settle(&self.handle, self.inner.nack_multiple(requeue))
    }

    /// Gives the message back as the standard has it: see the async API's
    /// [`reject`](asynchronous::Delivery::reject).
    ///
    /// # Errors
    ///
    /// As [`Delivery::ack`].
    #[doc(alias = "basic_reject")]
    pub fn reject(self, requeue: Requeue) -> Result<()> {
        settle(&self.handle, self.inner.reject(requeue))
    }

    /// The same delivery, to be sent to another thread or task.
    pub fn into_async(self) -> asynchronous::Delivery {
        self.inner
    }
}

/// Settles at once, or as soon as there is room for it.
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
