//! Publishing with confirms: the broker says of each message that it took responsibility.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::wait::{wait, wait_until};
use super::{Channel, Publish};
use crate::asynchronous::{self, Confirmed};
use crate::engine::Settled;
use crate::error::Result;
use crate::frame::Body;
use crate::wire::Name;

/// A channel in confirm mode, whose publishes the broker confirms: returned by
/// [`Channel::confirm_select`].
///
/// ```no_run
/// # fn example(channel: leveret::blocking::Channel) -> leveret::Result<()> {
/// let publisher = channel.confirm_select()?;
///
/// // One at a time: published, and confirmed.
/// publisher.publish("", "hello", "Hello, world!").confirmed()?;
///
/// // Many in flight: queue them all, then wait for each confirm.
/// let mut confirms = Vec::new();
/// for body in ["one", "two", "three"] {
///     confirms.push(publisher.publish("", "hello", body).send()?);
/// }
/// for confirm in confirms {
///     confirm.wait()?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Publisher {
    inner: asynchronous::Publisher,
}

impl Publisher {
    /// Returns the channel of the publisher.
    pub fn channel(&self) -> Channel {
        self.inner.channel().clone().into()
    }

    /// Publishes a message to an exchange (`basic.publish`). [`send`](Publish::send) returns the
    /// [`Confirm`] of the broker's decision; [`confirmed`](Publish::confirmed) waits for the
    /// decision.
    #[doc(alias = "basic_publish")]
    #[inline]
    pub fn publish<'a>(
        &'a self,
        exchange: impl Into<Name<'a>>,
        routing_key: impl Into<Name<'a>>,
        body: impl Into<Body<'a>>,
    ) -> Publish<'a, Confirmed> {
        Publish::new(self.inner.publish(exchange, routing_key, body), self.inner.channel().driving())
    }

    /// Waits until the broker has decided about everything that was published on this channel so
    /// far, by any handle. Fails if the broker refused or returned any message since the last call
    /// of this method or of [`Publisher::settled`].
    ///
    /// # Errors
    ///
    /// Returns the errors of the async API's
    /// [`wait_for_confirms`](asynchronous::Publisher::wait_for_confirms).
    pub fn wait_for_confirms(&self) -> Result<()> {
        wait(self.inner.channel().driving(), self.inner.wait_for_confirms())
    }

    /// Waits until the broker has decided about everything that was published on this channel so
    /// far, by any handle. Returns how many publishes the broker refused or returned since the last
    /// call of this method or of [`Publisher::wait_for_confirms`].
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed before the broker has decided.
    pub fn settled(&self) -> Result<Settled> {
        wait(self.inner.channel().driving(), self.inner.settled())
    }

    /// Converts into the same publisher of the async API.
    pub fn into_async(self) -> asynchronous::Publisher {
        self.inner
    }
}

impl From<asynchronous::Publisher> for Publisher {
    fn from(inner: asynchronous::Publisher) -> Self {
        Self { inner }
    }
}

/// The broker's decision about one publish, which may not have arrived yet.
///
/// It keeps the channel open until the decision. If it is dropped before that, the decision is
/// ignored, and the message is still published.
#[derive(Debug)]
#[must_use = "only waiting for a confirm tells whether the broker has the message"]
pub struct Confirm {
    inner: asynchronous::Confirm,
}

impl Confirm {
    /// Waits for the decision. Returns `Ok` when the broker has taken responsibility for the
    /// message.
    ///
    /// # Errors
    ///
    /// Returns an error if the broker refused the message
    /// ([`ErrorKind::Nacked`](crate::ErrorKind::Nacked)), if no queue took it
    /// ([`ErrorKind::Returned`](crate::ErrorKind::Returned)), or if the channel was closed before
    /// the decision; then [`is_not_sent`](crate::Error::is_not_sent) and
    /// [`is_unknown`](crate::Error::is_unknown) report what became of the message.
    pub fn wait(self) -> Result<()> {
        let driving = self.inner.driving().cloned();
        wait(driving.as_ref(), self.inner)
    }

    /// Waits for the decision, for at most `limit`. Returns `Ok(Some(()))` when the broker has
    /// taken responsibility for the message, or `Ok(None)` if it has not decided by then.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait`](Confirm::wait). The decision is returned once; later calls
    /// return an error.
    pub fn wait_timeout(&mut self, limit: Duration) -> Result<Option<()>> {
        let until = Instant::now().checked_add(limit);
        let driving = self.inner.driving().cloned();
        wait_until(driving.as_ref(), until, |context| Pin::new(&mut self.inner).poll(context))?.transpose()
    }
}

impl From<asynchronous::Confirm> for Confirm {
    fn from(inner: asynchronous::Confirm) -> Self {
        Self { inner }
    }
}
