//! A request: what is still to be set, then the answer.

use std::future::IntoFuture;

use super::Channel;
use super::wait::wait;
use crate::asynchronous;
use crate::error::Result;
use crate::protocol::{ChannelMethod, Method, ProtocolMethod, Request};

/// A request that is made by [`call`](Call::call). What the method carries besides its required
/// names is set on it.
#[derive(Debug)]
#[must_use = "a request is made by `call()`"]
pub struct Call<'a, R> {
    inner: asynchronous::Call<'a, R>,
}

impl<'a, R> Call<'a, R>
where
    R: Request + ChannelMethod + Into<Method>,
{
    pub(super) fn new(channel: &'a Channel, request: R) -> Self {
        Self { inner: channel.inner().call(request) }
    }
}

impl<R> Call<'_, R> {
    /// Changes the request.
    pub(super) fn map(self, change: impl FnOnce(R) -> R) -> Self {
        Self { inner: self.inner.map(change) }
    }
}

impl<R> Call<'_, R>
where
    R: Request + Into<Method>,
    R::Reply: TryFrom<Method>,
{
    /// Makes the request, and waits for the broker's answer.
    ///
    /// # Errors
    ///
    /// The broker refused it, which closes the channel; the channel is closed; or no answer came
    /// within `call_timeout`.
    pub fn call(self) -> Result<R::Reply> {
        wait(self.inner.driving(), self.inner.into_future())
    }
}

/// A method that nothing answers, sent by [`send`](SendMethod::send).
#[derive(Debug)]
#[must_use = "a method is sent by `send()`"]
pub struct SendMethod<'a, M> {
    inner: asynchronous::SendMethod<'a, M>,
}

impl<'a, M: ProtocolMethod + ChannelMethod + Into<Method>> SendMethod<'a, M> {
    pub(super) fn new(channel: &'a Channel, method: M) -> Self {
        Self { inner: channel.inner().send(method) }
    }

    /// Changes the method.
    #[allow(dead_code, reason = "of the specification's methods none without an answer has options")]
    pub(super) fn map(self, change: impl FnOnce(M) -> M) -> Self {
        Self { inner: self.inner.map(change) }
    }

    /// Queues the method.
    ///
    /// # Errors
    ///
    /// The channel is closed, or the method cannot be encoded.
    pub fn send(self) -> Result<()> {
        wait(self.inner.driving(), self.inner.into_future())
    }
}
