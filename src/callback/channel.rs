//! A channel of a connection.

use std::fmt;
use std::task::Context;

use super::call::{Call, SendMethod};
use super::{Consume, Get, Handle, Publish, Publisher};
use crate::asynchronous;
use crate::engine::{ChannelState, Returned};
use crate::error::{ChannelEvent, Error, Result};
use crate::frame::Body;
use crate::protocol::{ChannelMethod, Method, Request};
use crate::wire::{Name, ShortString};

/// A channel: an independent sequence of requests within a connection, with its own errors (AMQP
/// 0-9-1 §2.2.4).
///
/// If a request on a channel is an error, the broker closes that channel and no other.
///
/// Besides the methods that are documented by hand, there is one for each method of the protocol,
/// generated from the specification. Required names are arguments. Each method returns a builder
/// with a setter for every other field; [`then`](Call::then) makes the call, and takes the handler
/// of the reply. Requests are sent in the order in which they were made.
///
/// Clones are handles of the same channel. Consumers, deliveries and waiting handlers hold a handle
/// too. Dropping the last handle closes the channel in the background, after what was queued is
/// sent: see the async API's [`Channel`](asynchronous::Channel#dropping) for what that does to
/// deliveries.
pub struct Channel<S> {
    inner: asynchronous::Channel,
    handle: Handle<S>,
}

impl<S: 'static> Channel<S> {
    pub(super) fn new(inner: asynchronous::Channel, handle: Handle<S>) -> Self {
        Self { inner, handle }
    }

    #[inline]
    pub(super) fn inner(&self) -> &asynchronous::Channel {
        &self.inner
    }

    /// Returns the handle of the loop that calls the handlers of the channel.
    pub fn handle(&self) -> &Handle<S> {
        &self.handle
    }

    /// Calls any method of the protocol that has a reply, given as its generated struct.
    pub fn call<R>(&self, request: R) -> Call<'_, S, R>
    where
        R: Request + ChannelMethod + Into<Method>,
    {
        Call::new(self, request)
    }

    /// Sends any method that is not answered: one that has no reply, or one with no-wait set.
    pub fn send<M>(&self, method: M) -> SendMethod<'_, S, M>
    where
        M: ChannelMethod + Into<Method>,
    {
        SendMethod::new(self, method)
    }

    /// Publishes a message to an exchange (`basic.publish`). The exchange with the empty name
    /// delivers to the queue that the routing key names. [`send`](Publish::send) queues the
    /// message.
    #[doc(alias = "basic_publish")]
    #[inline]
    pub fn publish<'a>(
        &'a self,
        exchange: impl Into<Name<'a>>,
        routing_key: impl Into<Name<'a>>,
        body: impl Into<Body<'a>>,
    ) -> Publish<'a, S> {
        Publish::new(self, self.inner.publish(exchange, routing_key, body))
    }

    /// Puts the channel into confirm mode (`confirm.select`): from now on the broker confirms each
    /// message that is published on it. Calls `then` with the [`Publisher`] for such messages, or
    /// with an error if the channel is closed or transactional, or if no answer arrives within
    /// `call_timeout`.
    #[doc(alias = "confirm_delivery")]
    pub fn confirm_select(&self, then: impl FnOnce(&mut S, &Self, Result<Publisher<S>>) + 'static) {
        let (channel, inner) = (self.clone(), self.inner.clone());
        self.handle.once(async move { inner.confirm_select().await }, move |state, publisher| {
            let publisher = publisher.map(|publisher| Publisher::new(channel.clone(), publisher));
            then(state, &channel, publisher);
        });
    }

    /// Starts a consumer on a queue (`basic.consume`). [`each`](Consume::each) takes the handler of
    /// its messages.
    #[doc(alias = "basic_consume")]
    pub fn consume(&self, queue: impl Into<ShortString>) -> Consume<'_, S> {
        Consume::new(self, queue.into())
    }

    /// Fetches one message from a queue (`basic.get`), or `None` if the queue is empty.
    #[doc(alias = "basic_get")]
    pub fn get(&self, queue: impl Into<ShortString>) -> Get<'_, S> {
        Get::new(self, queue.into())
    }

    /// Calls `handler` with each message that is returned on this channel (`basic.return`) and that
    /// does not clearly belong to one publish whose outcome a handler waits for: see the async
    /// API's [`returns`](asynchronous::Channel::returns). A later handler replaces an earlier one.
    /// The handler keeps the channel open.
    #[doc(alias("add_on_return_callback", "basic_return"))]
    pub fn on_return(&self, mut handler: impl FnMut(&mut S, &Self, Returned) + 'static) {
        let (returns, channel) = (self.inner.returns(), self.clone());
        let poll = move |context: &mut Context<'_>| returns.poll_returned(context);
        self.handle.each(poll, move |state, returned| handler(state, &channel, returned));
    }

    /// Calls `handler` with each event of the channel from now on; the last is
    /// [`ChannelEvent::Closed`]. The handler does not keep the channel open.
    pub fn on_event(&self, mut handler: impl FnMut(&mut S, &Handle<S>, ChannelEvent) + 'static) {
        let (mut events, handle) = (self.inner.events(), self.handle.clone());
        let poll = move |context: &mut Context<'_>| events.poll_event(context);
        self.handle.each(poll, move |state, event| handler(state, &handle, event));
    }

    /// Calls `handler` whenever the broker cancels a consumer of this channel, with its tag.
    #[doc(alias = "add_on_cancel_callback")]
    pub fn on_cancel(&self, mut handler: impl FnMut(&mut S, &Handle<S>, ShortString) + 'static) {
        self.on_event(move |state, handle, event| {
            if let ChannelEvent::ConsumerCancelled(tag) = event {
                handler(state, handle, tag);
            }
        });
    }

    /// Calls `handler` whenever the broker asks to stop sending content (`channel.flow`), with
    /// `false`, or to continue, with `true`.
    #[doc(alias = "add_on_flow_callback")]
    pub fn on_flow(&self, mut handler: impl FnMut(&mut S, &Handle<S>, bool) + 'static) {
        self.on_event(move |state, handle, event| match event {
            ChannelEvent::Stopped => handler(state, handle, false),
            ChannelEvent::Resumed => handler(state, handle, true),
            _ => {}
        });
    }

    /// Calls `handler` once when the channel has ended, alone or with its connection, with the
    /// reason. The handler does not keep the channel open.
    #[doc(alias = "add_on_close_callback")]
    pub fn on_close(&self, handler: impl FnOnce(&mut S, &Handle<S>, Error) + 'static) {
        let (closed, handle) = (self.inner.closed(), self.handle.clone());
        self.handle.once(closed, move |state, why| handler(state, &handle, why));
    }

    /// Closes the channel (`channel.close`), after what was queued is sent.
    pub fn close(&self) {
        self.close_then(|_, _, _| {});
    }

    /// Closes the channel as [`close`](Self::close) does, and calls `then` when the broker has
    /// agreed, or with an error: see the async API's [`close`](asynchronous::Channel::close).
    pub fn close_then(&self, then: impl FnOnce(&mut S, &Self, Result<()>) + 'static) {
        let (channel, inner) = (self.clone(), self.inner.clone());
        self.handle.once(async move { inner.close().await }, move |state, result| then(state, &channel, result));
    }

    /// Returns the state of the channel.
    pub fn state(&self) -> ChannelState {
        self.inner.state()
    }

    /// Returns `true` if the channel accepts requests. While it is recovered, it does not.
    pub fn is_open(&self) -> bool {
        self.inner.is_open()
    }

    /// Returns why the channel is closed or closing, or `None` while it is open. Later calls report
    /// the same cause.
    pub fn closed_by(&self) -> Option<Error> {
        self.inner.closed_by()
    }

    /// Returns the number of the channel on its connection. After the channel is closed, another
    /// channel may get the same number.
    #[doc(alias = "channel_number")]
    pub fn number(&self) -> u16 {
        self.inner.number()
    }

    /// Converts into a handle of the async API for the same channel. It can be sent to another
    /// thread.
    pub fn into_async(self) -> asynchronous::Channel {
        self.inner
    }
}

impl<S> Clone for Channel<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), handle: self.handle.clone() }
    }
}

impl<S: 'static> fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
