//! Publishing, and what the broker says to it.

use std::future::IntoFuture;

use super::Channel;
use crate::asynchronous::{self, Confirmed, MessageProperties, Plain};
use crate::error::Result;
use crate::frame::Body;
use crate::wire::Name;

/// A message to be published: plain, from [`Channel::publish`], or confirmed by the broker, from
/// [`Publisher::publish`].
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

    /// The message comes back where no queue takes it: a plain one to
    /// [`Channel::on_return`]; the outcome of a confirmed one has it.
    #[inline]
    pub fn mandatory(self, mandatory: bool) -> Self {
        Self { channel: self.channel, inner: self.inner.mandatory(mandatory) }
    }

    /// The properties of the message, by value or by reference.
    #[inline]
    pub fn properties(self, properties: impl Into<MessageProperties<'a>>) -> Self {
        Self { channel: self.channel, inner: self.inner.properties(properties) }
    }
}

impl<S: 'static> Publish<'_, S, Plain> {
    /// Queues the message; while publishing is paused it waits in line, first come, first served,
    /// and takes memory. To know when it is queued, use [`then`](Publish::then).
    pub fn send(self) {
        self.channel.handle().begin(self.inner.into_owned().into_future());
    }

    /// The same; calls `then` when the message is queued, which is before it is sent, or with why
    /// it is not: the channel is closed, or confirms what is published; the message cannot be
    /// encoded.
    pub fn then(self, then: impl FnOnce(&mut S, &Channel<S>, Result<()>) + 'static) {
        let (channel, publish) = (self.channel.clone(), self.inner.into_owned().into_future());
        self.channel.handle().once(publish, move |state, result| then(state, &channel, result));
    }

    /// Queues the message now, or not at all.
    ///
    /// # Errors
    ///
    /// Publishing is paused ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), or those
    /// that `then` hears.
    #[inline]
    pub fn try_send(self) -> Result<()> {
        self.inner.try_publish()
    }
}

impl<S: 'static> Publish<'_, S, Confirmed> {
    /// Publishes the message; calls `then` once with its outcome: `Ok` when the broker took
    /// responsibility, else that it was refused ([`ErrorKind::Nacked`](crate::ErrorKind::Nacked)),
    /// that no queue took it ([`ErrorKind::Returned`](crate::ErrorKind::Returned)), or what became
    /// of it when the channel was closed.
    pub fn then(self, then: impl FnOnce(&mut S, &Channel<S>, Result<()>) + 'static) {
        let (channel, publish) = (self.channel.clone(), self.inner.into_owned().confirmed());
        self.channel.handle().once(publish, move |state, outcome| then(state, &channel, outcome));
    }
}

/// A channel whose publishes are confirmed, from [`Channel::confirm_select`].
pub struct Publisher<S> {
    channel: Channel<S>,
    inner: asynchronous::Publisher,
}

impl<S: 'static> Publisher<S> {
    pub(super) fn new(channel: Channel<S>, inner: asynchronous::Publisher) -> Self {
        Self { channel, inner }
    }

    /// The channel that it publishes on.
    pub fn channel(&self) -> &Channel<S> {
        &self.channel
    }

    /// Publishes a message to an exchange: [`then`](Publish::then) says what is called with its
    /// outcome.
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

    /// Calls `then` when the broker has decided about everything published on this channel so far,
    /// with an error where it refused or returned any of it since the last time this was asked.
    pub fn wait_for_confirms(&self, then: impl FnOnce(&mut S, &Channel<S>, Result<()>) + 'static) {
        let (channel, inner) = (self.channel.clone(), self.inner.clone());
        let confirmed = async move { inner.wait_for_confirms().await };
        self.channel.handle().once(confirmed, move |state, result| then(state, &channel, result));
    }
}

impl<S> Clone for Publisher<S> {
    fn clone(&self) -> Self {
        Self { channel: self.channel.clone(), inner: self.inner.clone() }
    }
}
