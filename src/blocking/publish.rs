//! Publishing: one short step under the lock, once the gate is open.

use std::future::IntoFuture;

use super::Confirm;
use super::wait::wait;
use crate::asynchronous::{self, Confirmed, MessageProperties, Plain};
use crate::driver::mio::Driving;
use crate::error::Result;

/// A message that is published by [`send`](Publish::send): plain, from
/// [`Channel::publish`](super::Channel::publish), or confirmed by the broker, from
/// [`Publisher::publish`](super::Publisher::publish).
///
/// Publishing pauses while too much waits for the socket or for confirms, and while the broker
/// blocks the connection (see [`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)).
/// Meanwhile a message waits for its turn, first come, first served. Names, properties and body are
/// borrowed or owned, each as it is passed.
#[derive(Debug)]
#[must_use = "a message is published by `send()` or `confirmed()`"]
pub struct Publish<'a, K = Plain> {
    inner: asynchronous::Publish<'a, K>,
    driving: Option<&'a Driving>,
}

impl<'a, K> Publish<'a, K> {
    #[inline]
    pub(super) fn new(inner: asynchronous::Publish<'a, K>, driving: Option<&'a Driving>) -> Self {
        Self { inner, driving }
    }

    /// Sets whether the broker returns the message if it can route it to no queue. A plain message
    /// that is returned arrives at [`Channel::returns`](super::Channel::returns). The confirm of a
    /// confirmed message that is returned fails with an error that holds the message. See the async
    /// API's [`mandatory`](asynchronous::Publish::mandatory) for messages that are equal.
    #[inline]
    pub fn mandatory(self, mandatory: bool) -> Self {
        Self { inner: self.inner.mandatory(mandatory), ..self }
    }

    /// Sets the properties of the message, by value or by reference.
    #[inline]
    pub fn properties(self, properties: impl Into<MessageProperties<'a>>) -> Self {
        Self { inner: self.inner.properties(properties), ..self }
    }
}

impl Publish<'_, Plain> {
    /// Publishes the message: waits while publishing is paused, and returns when the message is
    /// queued.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed or in [confirm
    /// mode](super::Channel::confirm_select), if the message cannot be encoded, or if publishing
    /// was paused for longer than a deadline of the parameters allows.
    #[inline]
    pub fn send(self) -> Result<()> {
        wait(self.driving, self.inner.into_future())
    }

    /// Publishes the message now. If publishing is paused, nothing is published.
    ///
    /// # Errors
    ///
    /// Returns an error if publishing is paused
    /// ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), and the errors of
    /// [`send`](Publish::send).
    #[inline]
    pub fn try_send(self) -> Result<()> {
        self.inner.try_publish()
    }
}

impl Publish<'_, Confirmed> {
    /// Publishes the message, and returns the [`Confirm`] of the broker's decision, to wait for it
    /// later: many messages can await their confirms at the same time.
    ///
    /// # Errors
    ///
    /// Returns the errors of a plain publish.
    #[inline]
    pub fn send(self) -> Result<Confirm> {
        Ok(wait(self.driving, self.inner.into_future())?.into())
    }

    /// Publishes the message now. If publishing is paused, nothing is published.
    ///
    /// # Errors
    ///
    /// Returns an error if publishing is paused
    /// ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), and the errors of
    /// [`send`](Publish::send).
    #[inline]
    pub fn try_send(self) -> Result<Confirm> {
        Ok(self.inner.try_publish()?.into())
    }

    /// Publishes the message, and waits for the broker's decision. Each message costs a round trip.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Confirm::wait`], and those of [`send`](Publish::send).
    #[inline]
    pub fn confirmed(self) -> Result<()> {
        wait(self.driving, self.inner.confirmed())
    }
}
