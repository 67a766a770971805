//! A request on its way.

use std::future::IntoFuture;

use leveret::Result;
use leveret::protocol::{ChannelMethod, Method, Request};

use super::channel::Way;
use super::threads::on_thread;
use super::{Answer, Channel};

/// A call that is made when it is awaited.
#[derive(Debug)]
#[must_use = "a call is made when it is awaited"]
pub struct Call<'a, R> {
    channel: &'a Channel,
    request: R,
}

impl<'a, R> Call<'a, R> {
    pub(super) fn new(channel: &'a Channel, request: R) -> Self {
        Self { channel, request }
    }

    /// Changes the request.
    pub(super) fn map(self, change: impl FnOnce(R) -> R) -> Self {
        Self { channel: self.channel, request: change(self.request) }
    }
}

impl<'a, R> IntoFuture for Call<'a, R>
where
    R: Request + ChannelMethod + Into<Method> + Send + 'static,
    R::Reply: TryFrom<Method> + Send + 'static,
{
    type Output = Result<R::Reply>;
    type IntoFuture = Answer<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let request = self.request;
        match &self.channel.0 {
            Way::Async(channel) => Box::pin(channel.call(request).into_future()),
            Way::Blocking(channel) => {
                let channel = channel.clone();
                Box::pin(async move { on_thread(move || channel.call(request).call()).await })
            }
            Way::Callback(channel, _) => {
                channel.ask(move |channel, reply| channel.call(request).then(move |_, _, answer| reply.send(answer)))
            }
        }
    }
}

/// A method that nothing answers, sent when it is awaited.
#[derive(Debug)]
#[must_use = "a method is sent when it is awaited"]
pub struct SendMethod<'a, M> {
    channel: &'a Channel,
    method: M,
}

impl<'a, M> SendMethod<'a, M> {
    pub(super) fn new(channel: &'a Channel, method: M) -> Self {
        Self { channel, method }
    }

    /// Changes the method.
    pub(super) fn map(self, change: impl FnOnce(M) -> M) -> Self {
        Self { channel: self.channel, method: change(self.method) }
    }
}

impl<'a, M> IntoFuture for SendMethod<'a, M>
where
    M: ChannelMethod + Into<Method> + Send + 'static,
{
    type Output = Result<()>;
    type IntoFuture = Answer<'a, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let method = self.method;
        match &self.channel.0 {
            Way::Async(channel) => Box::pin(async move { channel.send(method).await }),
            Way::Blocking(channel) => {
                let channel = channel.clone();
                Box::pin(async move { on_thread(move || channel.send(method).send()).await })
            }
            Way::Callback(channel, _) => channel.ask(move |channel, reply| reply.send(channel.send(method).send())),
        }
    }
}
