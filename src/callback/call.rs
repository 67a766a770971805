//! A request: what is still to be set, then the answer.

use std::future::IntoFuture;

use super::Channel;
use crate::asynchronous;
use crate::error::Result;
use crate::protocol::{ChannelMethod, Method, ProtocolMethod, Request};

/// A request that is made by [`then`](Call::then). What the method carries besides its required
/// names is set on it.
#[must_use = "a request is made by `then()` or `forget()`"]
pub struct Call<'a, S, R> {
    channel: &'a Channel<S>,
    inner: asynchronous::Call<'a, R>,
}

impl<'a, S: 'static, R> Call<'a, S, R>
where
    R: Request + ChannelMethod + Into<Method>,
{
    pub(super) fn new(channel: &'a Channel<S>, request: R) -> Self {
        Self { channel, inner: channel.inner().call(request) }
    }
}

impl<S, R> Call<'_, S, R> {
    /// Changes the request.
    pub(super) fn map(self, change: impl FnOnce(R) -> R) -> Self {
        Self { channel: self.channel, inner: self.inner.map(change) }
    }
}

impl<S: 'static, R> Call<'_, S, R>
where
    R: Request + Into<Method> + 'static,
    R::Reply: TryFrom<Method> + 'static,
{
    /// Makes the request; calls `then` with the broker's answer, or with why there is none: the
    /// broker refused it, which closes the channel; the channel is closed; or no answer came within
    /// `call_timeout`.
    pub fn then(self, then: impl FnOnce(&mut S, &Channel<S>, Result<R::Reply>) + 'static) {
        let (channel, inner) = (self.channel.clone(), self.channel.inner().clone());
        let request = self.inner.into_request();
        let calling = async move { asynchronous::Call::new(&inner, request).await };
        self.channel.handle().once(calling, move |state, reply| then(state, &channel, reply));
    }

    /// Makes the request. That it fails is seen by the close of the channel.
    pub fn forget(self) {
        self.then(|_, _, _| {});
    }
}

/// A method that nothing answers, sent by [`send`](SendMethod::send).
#[must_use = "a method is sent by `send()`"]
pub struct SendMethod<'a, S, M> {
    channel: &'a Channel<S>,
    inner: asynchronous::SendMethod<'a, M>,
}

impl<'a, S: 'static, M: ProtocolMethod + ChannelMethod + Into<Method>> SendMethod<'a, S, M> {
    pub(super) fn new(channel: &'a Channel<S>, method: M) -> Self {
        Self { channel, inner: channel.inner().send(method) }
    }

    /// Changes the method.
    #[allow(dead_code, reason = "of the specification's methods none without an answer has options")]
    pub(super) fn map(self, change: impl FnOnce(M) -> M) -> Self {
        Self { channel: self.channel, inner: self.inner.map(change) }
    }

    /// Queues the method.
    ///
    /// # Errors
    ///
    /// The channel is closed, or the method cannot be encoded.
    pub fn send(self) -> Result<()> {
        self.inner.into_future().into_inner()
    }
}
