//! Publishing with confirms: the broker confirms each message for which it has taken
//! responsibility.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Channel, Confirmed, Publish, PublishFuture};
use crate::engine::{Completion, Settled, WaiterId, WaitsFor};
use crate::error::{Error, Result, confirmed};
use crate::frame::Body;
use crate::link::{Polled, Wait};
use crate::wire::Name;

/// A channel in confirm mode, whose publishes the broker confirms: returned by
/// [`Channel::confirm_select`].
///
/// ```no_run
/// # async fn example(channel: leveret::Channel) -> leveret::Result<()> {
/// let publisher = channel.confirm_select().await?;
///
/// // One at a time: published, and confirmed.
/// publisher.publish("", "hello", "Hello, world!").confirmed().await?;
///
/// // Many in flight: queue them all, then await each confirm.
/// let mut confirms = Vec::new();
/// for body in ["one", "two", "three"] {
///     confirms.push(publisher.publish("", "hello", body).await?);
/// }
/// for confirm in confirms {
///     confirm.await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Publisher {
    channel: Channel,
}

impl Publisher {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel }
    }

    /// Returns the channel of the publisher.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Publishes a message to an exchange (`basic.publish`). The future waits while publishing is
    /// paused. It resolves when the message is queued, to the [`Confirm`] of the broker's decision.
    #[doc(alias = "basic_publish")]
    #[inline]
    pub fn publish<'a>(
        &'a self,
        exchange: impl Into<Name<'a>>,
        routing_key: impl Into<Name<'a>>,
        body: impl Into<Body<'a>>,
    ) -> Publish<'a, Confirmed> {
        Publish::new(&self.channel, exchange.into(), routing_key.into(), body.into())
    }

    /// Waits until the broker has decided about everything that was published on this channel so
    /// far, by any handle. Fails if the broker refused or returned any message since the last call
    /// of this method or of [`Publisher::settled`].
    ///
    /// Each failure is reported once, by the first call after it. [`Publisher::settled`] returns
    /// the counts only.
    ///
    /// # Errors
    ///
    /// Returns an error if messages were refused or returned
    /// ([`ErrorKind::Nacked`](crate::ErrorKind::Nacked),
    /// [`ErrorKind::Returned`](crate::ErrorKind::Returned)): [`Error::settled`] has the counts.
    /// Returns an error if the channel is closed before the broker has decided.
    ///
    /// ```no_run
    /// # async fn example(publisher: leveret::Publisher) -> leveret::Result<()> {
    /// for number in 0..100 {
    ///     // Nobody awaits these confirms one by one.
    ///     let _confirm = publisher.publish("", "hello", number.to_string()).await?;
    /// }
    /// publisher.wait_for_confirms().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_confirms(&self) -> Result<()> {
        let settled = self.settled().await?;
        if settled.is_clean() { Ok(()) } else { Err(Error::unsettled(settled)) }
    }

    /// Waits until the broker has decided about everything that was published on this channel so
    /// far, by any handle. Returns how many publishes the broker refused or returned since the last
    /// call of this method or of [`Publisher::wait_for_confirms`].
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed before the broker has decided.
    pub async fn settled(&self) -> Result<Settled> {
        let wait = match Wait::for_confirms(self.channel.shared(), self.channel.key())? {
            Ok(settled) => return Ok(settled),
            Err(wait) => wait,
        };
        match wait.await? {
            Completion::Settled(_, settled) => Ok(settled),
            _ => Err(Error::internal("confirms were answered by something else")),
        }
    }
}

/// A future of the broker's decision about one publish.
///
/// It resolves to `Ok` when the broker has taken responsibility for the message. It resolves to an
/// error if the broker refused the message ([`ErrorKind::Nacked`](crate::ErrorKind::Nacked)), if no
/// queue took it ([`ErrorKind::Returned`](crate::ErrorKind::Returned)), or if the channel was
/// closed before the decision; then [`Error::is_not_sent`] and [`Error::is_unknown`] report what
/// became of the message.
///
/// It keeps the channel open until it resolves. If it is dropped before that, the decision is
/// ignored, and the message is still published.
#[derive(Debug)]
#[must_use = "only awaiting a confirm shows whether the broker has the message"]
pub struct Confirm {
    /// Keeps the channel open: closing it would end the wait for the decision.
    channel: Channel,
    /// `None` after the decision was taken.
    waiter: Option<WaiterId>,
}

impl Confirm {
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn driving(&self) -> Option<&crate::driver::mio::Driving> {
        self.channel.driving()
    }

    #[inline]
    pub(super) fn new(channel: Channel, waiter: Option<WaiterId>) -> Self {
        Self { channel, waiter }
    }
}

impl Future for Confirm {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let stale = || Poll::Ready(Err(Error::internal("a confirm was polled after it was done")));
        let Some(waiter) = self.waiter else { return stale() };
        let completion = match self.channel.shared().poll(waiter, context) {
            Polled::Pending(_) => return Poll::Pending,
            Polled::Ready(completion) => completion,
            Polled::Stale => return stale(),
        };
        self.waiter = None;
        Poll::Ready(confirmed(completion))
    }
}

impl Drop for Confirm {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            self.channel.shared().forget(waiter, WaitsFor::Answer);
        }
    }
}

/// A future that publishes a message and waits for the broker's decision: returned by
/// [`Publish::confirmed`].
///
/// If it is dropped while the message waits for its turn, the message is not published. If it is
/// dropped later, the message is published, and the decision is ignored.
#[derive(Debug)]
#[must_use = "a message is published when this is awaited"]
pub struct ConfirmedFuture<'a> {
    stage: Confirming<'a>,
}

#[derive(Debug)]
enum Confirming<'a> {
    Publishing(PublishFuture<'a, Confirmed>),
    Deciding(Confirm),
}

impl<'a> ConfirmedFuture<'a> {
    pub(super) fn new(publishing: PublishFuture<'a, Confirmed>) -> Self {
        Self { stage: Confirming::Publishing(publishing) }
    }
}

impl Future for ConfirmedFuture<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match &mut self.stage {
                Confirming::Publishing(publishing) => {
                    let confirm = ready!(Pin::new(publishing).poll(context))?;
                    self.stage = Confirming::Deciding(confirm);
                }
                Confirming::Deciding(confirm) => return Pin::new(confirm).poll(context),
            }
        }
    }
}
