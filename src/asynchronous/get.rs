//! One message from a queue, on demand.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::call::ReplyFuture;
use super::delivery::Source;
use super::{Channel, Delivery};
use crate::error::{Error, Result};
use crate::protocol::{Method, Request, basic};
use crate::wire::ShortString;

/// A `basic.get` that is made when it is awaited.
///
/// It costs a round trip per message: to take many, [`Channel::consume`] is the better way.
#[derive(Debug)]
#[must_use = "a message is fetched when this is awaited"]
pub struct Get<'a> {
    channel: &'a Channel,
    request: basic::Get,
}

impl<'a> Get<'a> {
    pub(super) fn new(channel: &'a Channel, queue: ShortString) -> Self {
        Self { channel, request: basic::Get::default().queue(queue) }
    }

    /// The broker takes the message as handled when it has sent it.
    pub fn no_ack(mut self, no_ack: bool) -> Self {
        self.request = self.request.no_ack(no_ack);
        self
    }
}

impl<'a> IntoFuture for Get<'a> {
    type Output = Result<Option<Delivery>>;
    type IntoFuture = GetFuture<'a>;

    fn into_future(self) -> GetFuture<'a> {
        let Self { channel, request } = self;
        let no_ack = request.no_ack;
        GetFuture { channel, no_ack, reply: ReplyFuture::new(channel, request.into(), basic::Get::REPLIES) }
    }
}

/// Waits for a message, or for the word that there is none.
#[derive(Debug)]
#[must_use = "a message is fetched when this is awaited"]
pub struct GetFuture<'a> {
    channel: &'a Channel,
    no_ack: bool,
    reply: ReplyFuture<'a>,
}

impl Future for GetFuture<'_> {
    type Output = Result<Option<Delivery>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(Pin::new(&mut self.reply).poll(context))?;
        Poll::Ready(match (reply.method, reply.content) {
            (Method::BasicGetEmpty(_), _) => Ok(None),
            (Method::BasicGetOk(ok), Some(message)) => {
                let (delivery_tag, redelivered) = (ok.delivery_tag, ok.redelivered);
                let delivery = crate::engine::Delivery { message, delivery_tag, redelivered };
                let (channel, consumer_tag) = (self.channel.clone(), ShortString::new());
                let source = Arc::new(Source { channel, consumer_tag, no_ack: self.no_ack });
                let delivery = Delivery::new(source, delivery);
                Ok(Some(delivery.with_message_count(ok.message_count)))
            }
            _ => Err(Error::internal("basic.get was answered by something else")),
        })
    }
}
