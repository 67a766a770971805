//! Publishing, with and without confirms.

use std::future::IntoFuture;

use super::Channel;
use crate::asynchronous::{self, Confirmed, MessageProperties, Plain};
use crate::engine::Settled;
use crate::error::Result;
use crate::frame::Body;
use crate::wire::Name;

/// A message that is published by [`send`](Publish::send) or [`then`](Publish::then): plain, from
/// [`Channel::publish`], or confirmed by the broker, from [`Publisher::publish`].
///
/// Publishing pauses while too much waits for the socket or for confirms, and while the broker
/// blocks the connection (see [`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)).
/// Meanwhile a message waits for its turn, first come, first served.
#[must_use = "a message is published by `send()` or `then()`"]
pub struct Publish<'a, S, K = Plain> {
    channel: &'a Channel<S>,
    inner: asynchronous::Publish<'a, K>,
}

impl<'a, S: 'static, K> Publish<'a, S, K> {
    #[inline]
    pub(super) fn new(channel: &'a Channel<S>, inner: asynchronous::Publish<'a, K>) -> Self {
        Self { channel, inner }
    }

    /// Sets whether the broker returns the message if it can route it to no queue. A plain message
    /// that is returned is passed to the handler of [`Channel::on_return`]. The outcome of a
    /// confirmed message that is returned is an error that holds the message: see the async API's
    /// [`mandatory`](asynchronous::Publish::mandatory) for messages that are equal.
    #[inline]
    pub fn mandatory(self, mandatory: bool) -> Self {
        Self { channel: self.channel, inner: self.inner.mandatory(mandatory) }
    }

    /// Sets the properties of the message, by value or by reference.
    #[inline]
    pub fn properties(self, properties: impl Into<MessageProperties<'a>>) -> Self {
        Self { channel: self.channel, inner: self.inner.properties(properties) }
    }
}

impl<S: 'static> Publish<'_, S, Plain> {
    /// Queues the message. While publishing is paused, the message waits for its turn, and takes
    /// memory. Errors are not reported: to learn whether the message was queued, use
    /// [`then`](Publish::then).
    pub fn send(self) {
        self.channel.handle().begin(self.inner.into_owned().into_future());
    }

    /// Queues the message, and calls `then` when it is queued, which is before it is sent. Calls
    /// `then` with an error if the channel is closed or in [confirm mode](Channel::confirm_select),
    /// or if the message cannot be encoded.
    pub fn then(self, then: impl FnOnce(&mut S, &Channel<S>, Result<()>) + 'static) {
        let (channel, publish) = (self.channel.clone(), self.inner.into_owned().into_future());
        self.channel.handle().once(publish, move |state, result| then(state, &channel, result));
    }

    /// Queues the message now. If publishing is paused, nothing is published.
    ///
    /// # Errors
    ///
    /// Returns an error if publishing is paused
    /// ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), and the errors that
    /// [`then`](Publish::then) reports.
    #[inline]
    pub fn try_send(self) -> Result<()> {
        self.inner.try_publish()
    }
}

impl<S: 'static> Publish<'_, S, Confirmed> {
    /// Publishes the message, and calls `then` once with the broker's decision. It is `Ok` when the
    /// broker has taken responsibility for the message. It is an error if the broker refused the
    /// message ([`ErrorKind::Nacked`](crate::ErrorKind::Nacked)), if no queue took it
    /// ([`ErrorKind::Returned`](crate::ErrorKind::Returned)), or if the channel was closed before
    /// the decision; then [`Error::is_not_sent`](crate::Error::is_not_sent) and
    /// [`Error::is_unknown`](crate::Error::is_unknown) report what became of the message.
    pub fn then(self, then: impl FnOnce(&mut S, &Channel<S>, Result<()>) + 'static) {
        let (channel, publish) = (self.channel.clone(), self.inner.into_owned().confirmed());
        self.channel.handle().once(publish, move |state, outcome| then(state, &channel, outcome));
    }
}

/// A channel in confirm mode, whose publishes the broker confirms: returned by
/// [`Channel::confirm_select`].
pub struct Publisher<S> {
    channel: Channel<S>,
    inner: asynchronous::Publisher,
}

impl<S: 'static> Publisher<S> {
    pub(super) fn new(channel: Channel<S>, inner: asynchronous::Publisher) -> Self {
        Self { channel, inner }
    }

    /// Returns the channel of the publisher.
    pub fn channel(&self) -> &Channel<S> {
        &self.channel
    }

    /// Publishes a message to an exchange (`basic.publish`). [`then`](Publish::then) takes the
    /// handler of the broker's decision.
    #[doc(alias = "basic_publish")]
    #[inline]
    pub fn publish<'a>(
        &'a self,
        exchange: impl Into<Name<'a>>,
        routing_key: impl Into<Name<'a>>,
        body: impl Into<Body<'a>>,
    ) -> Publish<'a, S, Confirmed> {
        Publish::new(&self.channel, self.inner.publish(exchange, routing_key, body))
    }

    /// Calls `then` when the broker has decided about everything that was published on this channel
    /// so far. It is called with an error if the broker refused or returned any message since the
    /// last call of this method, or if the channel is closed before the broker has decided.
    pub fn wait_for_confirms(&self, then: impl FnOnce(&mut S, &Channel<S>, Result<()>) + 'static) {
        let (channel, inner) = (self.channel.clone(), self.inner.clone());
        let confirmed = async move { inner.wait_for_confirms().await };
        self.channel.handle().once(confirmed, move |state, result| then(state, &channel, result));
    }

    /// Calls `then` when the broker has decided about everything that was published on this channel
    /// so far, with the number of messages that it refused or returned since the last call of this
    /// method or of [`wait_for_confirms`](Publisher::wait_for_confirms). It is called with an error
    /// if the channel is closed before the broker has decided.
    pub fn settled(&self, then: impl FnOnce(&mut S, &Channel<S>, Result<Settled>) + 'static) {
        let (channel, inner) = (self.channel.clone(), self.inner.clone());
        let settled = async move { inner.settled().await };
        self.channel.handle().once(settled, move |state, result| then(state, &channel, result));
    }
}

impl<S> Clone for Publisher<S> {
    fn clone(&self) -> Self {
        Self { channel: self.channel.clone(), inner: self.inner.clone() }
    }
}
