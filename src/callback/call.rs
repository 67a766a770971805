//! Requests: the builder of a call.

use std::future::IntoFuture;

use super::Channel;
use crate::asynchronous;
use crate::error::Result;
use crate::protocol::{ChannelMethod, Method, ProtocolMethod, Recordable, Request};

/// A call of a method of the protocol, made by [`then`](Call::then) or [`forget`](Call::forget). It
/// has a setter for each field of the method that is not a required name.
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

impl<S, R: Recordable> Call<'_, S, R> {
    /// Sets whether what this request makes comes back after the connection is lost. Without it, it
    /// does. Has no effect without [`Recovery::Topology`](crate::Recovery::Topology). See the async
    /// API's [`recorded`](asynchronous::Call::recorded).
    pub fn recorded(self, recorded: bool) -> Self {
        Self { channel: self.channel, inner: self.inner.recorded(recorded) }
    }
}

impl<S: 'static, R> Call<'_, S, R>
where
    R: Request + Into<Method> + 'static,
    R::Reply: TryFrom<Method> + 'static,
{
    /// Makes the call. Calls `then` with the reply, or with an error if the broker refused the
    /// request (which closes the channel), if the channel is closed, or if no answer arrives within
    /// `call_timeout`.
    pub fn then(self, then: impl FnOnce(&mut S, &Channel<S>, Result<R::Reply>) + 'static) {
        let (channel, inner) = (self.channel.clone(), self.channel.inner().clone());
        let request = self.inner.into_request();
        let calling = async move { asynchronous::Call::of_request(&inner, request).await };
        self.channel.handle().once(calling, move |state, reply| then(state, &channel, reply));
    }

    /// Makes the call, and ignores the reply. If the broker refuses the request, it closes the
    /// channel, which [`Channel::on_close`] reports.
    pub fn forget(self) {
        self.then(|_, _, _| {});
    }
}

/// A method that has no reply, sent by [`send`](SendMethod::send).
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
    /// Returns an error if the channel is closed or the method cannot be encoded.
    pub fn send(self) -> Result<()> {
        self.inner.into_future().into_inner()
    }
}
