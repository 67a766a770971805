//! A request: what is still to be set, then the answer.

use std::future::IntoFuture;

use super::Channel;
use super::wait::wait;
use crate::asynchronous;
use crate::error::Result;
use crate::protocol::{ChannelMethod, Method, ProtocolMethod, Recordable, Request};

/// A call of a method of the protocol, made by [`call`](Call::call). It has a setter for each field
/// of the method that is not a required name.
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

impl<R: Recordable> Call<'_, R> {
    /// Sets whether what this request makes comes back after the connection is lost. Without it, it
    /// does. Has no effect without [`Recovery::Topology`](crate::Recovery::Topology). See the async
    /// API's [`recorded`](asynchronous::Call::recorded).
    pub fn recorded(self, recorded: bool) -> Self {
        Self { inner: self.inner.recorded(recorded) }
    }
}

impl<R> Call<'_, R>
where
    R: Request + Into<Method>,
    R::Reply: TryFrom<Method>,
{
    /// Makes the call, and waits for the reply.
    ///
    /// # Errors
    ///
    /// Returns an error if the broker refused the request, which closes the channel; if the channel
    /// is closed; or if no answer arrives within `call_timeout`.
    pub fn call(self) -> Result<R::Reply> {
        wait(self.inner.driving(), self.inner.into_future())
    }
}

/// A method that has no reply, sent by [`send`](SendMethod::send).
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
    /// Returns an error if the channel is closed or the method cannot be encoded.
    pub fn send(self) -> Result<()> {
        wait(self.inner.driving(), self.inner.into_future())
    }
}
