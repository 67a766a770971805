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

/// A channel whose publishes are confirmed, from [`Channel::confirm_select`].
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
    /// The channel that it publishes on.
    pub fn channel(&self) -> Channel {
        self.inner.channel().clone().into()
    }

    /// Publishes a message to an exchange: [`send`](Publish::send) gives the [`Confirm`] of the
    /// broker's decision, [`confirmed`](Publish::confirmed) waits for it.
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

    /// Waits until the broker has decided about everything published on this channel so far, by
    /// anybody, and fails where it refused or returned any of it since the last time this was
    /// asked.
    ///
    /// # Errors
    ///
    /// As the async API's
    /// [`wait_for_confirms`](asynchronous::Publisher::wait_for_confirms).
    pub fn wait_for_confirms(&self) -> Result<()> {
        wait(self.inner.channel().driving(), self.inner.wait_for_confirms())
    }

    /// Waits until the broker has decided about everything published on this channel so far, by
    /// anybody, and gives how many publishes it refused or returned since the last time this was
    /// asked.
    ///
    /// # Errors
    ///
    /// The channel is closed before that.
    pub fn settled(&self) -> Result<Settled> {
        wait(self.inner.channel().driving(), self.inner.settled())
    }

    /// The same publisher, for tasks.
    pub fn into_async(self) -> asynchronous::Publisher {
        self.inner
    }
}

impl From<asynchronous::Publisher> for Publisher {
    fn from(inner: asynchronous::Publisher) -> Self {
        Self { inner }
    }
}

/// The broker's decision about one publish, to come.
///
/// It keeps the channel open until then. Dropping it forgets the decision, not the message.
#[derive(Debug)]
#[must_use = "only waiting for a confirm tells whether the broker has the message"]
pub struct Confirm {
    inner: asynchronous::Confirm,
}

impl Confirm {
    /// Waits for the decision: `Ok` when the broker took responsibility.
    ///
    /// # Errors
    ///
    /// The broker refused the message ([`ErrorKind::Nacked`](crate::ErrorKind::Nacked)), no queue
    /// took it ([`ErrorKind::Returned`](crate::ErrorKind::Returned)), or the channel was closed
    /// first, in which case [`is_not_sent`](crate::Error::is_not_sent) and
    /// [`is_unknown`](crate::Error::is_unknown) tell what became of the message.
    pub fn wait(self) -> Result<()> {
        let driving = self.inner.driving().cloned();
        wait(driving.as_ref(), self.inner)
    }

    /// Waits for the decision for at most `limit`: `Ok(Some(()))` when the broker took
    /// responsibility, `Ok(None)` where it has not decided by then.
    ///
    /// # Errors
    ///
    /// As [`wait`](Confirm::wait). The decision is told once.
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
