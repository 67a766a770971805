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

/// A channel: a stream of requests of its own within a connection, with its own errors (AMQP 0-9-1
/// §2.2.4).
///
/// Besides what is written out here, there is a method for each of the protocol's, generated from
/// the specification: required names are arguments, everything else is set on what they return, and
/// [`then`](Call::then) makes the request and says what is called with the answer. Requests go out
/// in the order in which they are made.
///
/// Clones are handles of the same channel. Dropping the last one (consumers, deliveries and
/// handlers that wait hold one too) closes it in the background, after what was queued.
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

    /// The loop that it is on.
    pub fn handle(&self) -> &Handle<S> {
        &self.handle
    }

    /// Calls any method of the protocol that is answered, given as the struct that the
    /// specification makes of it.
    pub fn call<R>(&self, request: R) -> Call<'_, S, R>
    where
        R: Request + ChannelMethod + Into<Method>,
    {
        Call::new(self, request)
    }

    /// Sends any method that nothing answers: one that has no reply, or one with no-wait set.
    pub fn send<M>(&self, method: M) -> SendMethod<'_, S, M>
    where
        M: ChannelMethod + Into<Method>,
    {
        SendMethod::new(self, method)
    }

    /// Publishes a message to an exchange (`basic.publish`); the empty exchange delivers to the
    /// queue that the routing key names. [`send`](Publish::send) queues it.
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

    /// Makes the broker confirm what is published on this channel from now on (`confirm.select`);
    /// calls `then` with the [`Publisher`] whose publishes have an outcome.
    #[doc(alias = "confirm_delivery")]
    pub fn confirm_select(&self, then: impl FnOnce(&mut S, &Self, Result<Publisher<S>>) + 'static) {
        let (channel, inner) = (self.clone(), self.inner.clone());
        self.handle.once(async move { inner.confirm_select().await }, move |state, publisher| {
            let publisher = publisher.map(|publisher| Publisher::new(channel.clone(), publisher));
            then(state, &channel, publisher);
        });
    }

    /// Starts a consumer on a queue (`basic.consume`): [`each`](Consume::each) says what is called
    /// with its messages.
    #[doc(alias = "basic_consume")]
    pub fn consume(&self, queue: impl Into<ShortString>) -> Consume<'_, S> {
        Consume::new(self, queue.into())
    }

    /// Takes one message from a queue (`basic.get`), or none where it is empty.
    #[doc(alias = "basic_get")]
    pub fn get(&self, queue: impl Into<ShortString>) -> Get<'_, S> {
        Get::new(self, queue.into())
    }

    /// Calls `handler` with the messages that come back on this channel (`basic.return`) and belong
    /// to no publish whose outcome somebody hears: see the async API's
    /// [`returns`](asynchronous::Channel::returns). A later handler takes the place of an earlier
    /// one. It keeps the channel open.
    #[doc(alias("add_on_return_callback", "basic_return"))]
    pub fn on_return(&self, mut handler: impl FnMut(&mut S, &Self, Returned) + 'static) {
        let (returns, channel) = (self.inner.returns(), self.clone());
        let poll = move |context: &mut Context<'_>| returns.poll_returned(context);
        self.handle.each(poll, move |state, returned| handler(state, &channel, returned));
    }

    /// Calls `handler` with each thing that happens to the channel from now on; the last is
    /// [`ChannelEvent::Closed`]. It does not keep the channel open.
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

    /// Calls `handler` whenever the broker asks for no more content (`channel.flow`, with `false`),
    /// or for content again (`true`).
    #[doc(alias = "add_on_flow_callback")]
    pub fn on_flow(&self, mut handler: impl FnMut(&mut S, &Handle<S>, bool) + 'static) {
        self.on_event(move |state, handle, event| match event {
            ChannelEvent::Stopped => handler(state, handle, false),
            ChannelEvent::Resumed => handler(state, handle, true),
            _ => {}
        });
    }

    /// Calls `handler` once when the channel has ended, by itself or with its connection, with why.
    /// It does not keep the channel open.
    #[doc(alias = "add_on_close_callback")]
    pub fn on_close(&self, handler: impl FnOnce(&mut S, &Handle<S>, Error) + 'static) {
        let (closed, handle) = (self.inner.closed(), self.handle.clone());
        self.handle.once(closed, move |state, why| handler(state, &handle, why));
    }

    /// Closes the channel: what was queued goes first, then the broker is told.
    pub fn close(&self) {
        self.close_then(|_, _, _| {});
    }

    /// The same; calls `then` when it is over: see the async API's
    /// [`close`](asynchronous::Channel::close).
    pub fn close_then(&self, then: impl FnOnce(&mut S, &Self, Result<()>) + 'static) {
        let (channel, inner) = (self.clone(), self.inner.clone());
        self.handle.once(async move { inner.close().await }, move |state, result| then(state, &channel, result));
    }

    /// Where the channel is in its life.
    pub fn state(&self) -> ChannelState {
        self.inner.state()
    }

    /// The channel takes requests.
    pub fn is_open(&self) -> bool {
        self.inner.is_open()
    }

    /// Why the channel is closed or closing, once it is: the cause that any later call reports.
    pub fn closed_by(&self) -> Option<Error> {
        self.inner.closed_by()
    }

    /// The number of the channel on its connection. It is used again when the channel is closed.
    #[doc(alias = "channel_number")]
    pub fn number(&self) -> u16 {
        self.inner.number()
    }

    /// The same channel for tasks, which can be sent to another thread.
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
