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
/// While publishing is paused (see [`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)) the
/// message waits in line, first come, first served. Names, properties and body are borrowed or
/// owned, each as it is given.
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

    /// The message comes back where no queue takes it: a plain one to
    /// [`Channel::returns`](super::Channel::returns); of a confirmed one, the confirm fails with
    /// it. See the async API's [`mandatory`](asynchronous::Publish::mandatory) for messages that
    /// are alike.
    #[inline]
    pub fn mandatory(self, mandatory: bool) -> Self {
        Self { inner: self.inner.mandatory(mandatory), ..self }
    }

    /// The properties of the message, by value or by reference.
    #[inline]
    pub fn properties(self, properties: impl Into<MessageProperties<'a>>) -> Self {
        Self { inner: self.inner.properties(properties), ..self }
    }
}

impl Publish<'_, Plain> {
    /// Publishes the message: waits while publishing is paused, and returns when it is queued.
    ///
    /// # Errors
    ///
    /// The channel is closed, or confirms what is published; the message cannot be encoded; or
    /// publishing was paused for longer than a deadline allows.
    #[inline]
    pub fn send(self) -> Result<()> {
        wait(self.driving, self.inner.into_future())
    }

    /// Publishes now, or not at all.
    ///
    /// # Errors
    ///
    /// Publishing is paused ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), or those
    /// of [`send`](Publish::send).
    #[inline]
    pub fn try_send(self) -> Result<()> {
        self.inner.try_publish()
    }
}

impl Publish<'_, Confirmed> {
    /// Publishes the message, and gives the [`Confirm`] of the broker's decision, to be waited for
    /// later: many messages can be under way.
    ///
    /// # Errors
    ///
    /// As those of a plain publish.
    #[inline]
    pub fn send(self) -> Result<Confirm> {
        Ok(wait(self.driving, self.inner.into_future())?.into())
    }

    /// Publishes now, or not at all.
    ///
    /// # Errors
    ///
    /// Publishing is paused ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), or those
    /// of [`send`](Publish::send).
    #[inline]
    pub fn try_send(self) -> Result<Confirm> {
        Ok(self.inner.try_publish()?.into())
    }

    /// Publishes the message, and waits for the broker's decision: one round trip per message.
    ///
    /// # Errors
    ///
    /// As [`Confirm::wait`], and those of [`send`](Publish::send).
    #[inline]
    pub fn confirmed(self) -> Result<()> {
        wait(self.driving, self.inner.confirmed())
    }
}
