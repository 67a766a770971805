//! Fetching single messages (`basic.get`).

use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::acker::Source;
use super::call::ReplyFuture;
use super::{Channel, Delivery, Requeue, SettleFuture};
use crate::error::{Error, Result};
use crate::protocol::{Method, Request, basic};
use crate::wire::ShortString;

/// A fetch of one message (`basic.get`), made when it is awaited.
///
/// Each message costs a round trip: to take many, use [`Channel::consume`].
#[derive(Debug)]
#[must_use = "a message is fetched when this is awaited"]
pub struct Get<'a> {
    channel: &'a Channel,
    request: basic::Get,
}

impl<'a> Get<'a> {
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn driving(&self) -> Option<&'a crate::driver::mio::Driving> {
        self.channel.driving()
    }

    pub(super) fn new(channel: &'a Channel, queue: ShortString) -> Self {
        Self { channel, request: basic::Get::default().queue(queue) }
    }

    /// Sets whether the broker regards the message as settled when it has sent it.
    #[doc(alias = "auto_ack")]
    pub fn no_ack(mut self, no_ack: bool) -> Self {
        self.request = self.request.no_ack(no_ack);
        self
    }
}

impl<'a> IntoFuture for Get<'a> {
    type Output = Result<Option<GetMessage>>;
    type IntoFuture = GetFuture<'a>;

    fn into_future(self) -> GetFuture<'a> {
        let Self { channel, request } = self;
        let no_ack = request.no_ack;
        GetFuture { channel, no_ack, reply: ReplyFuture::new(channel, request.into(), basic::Get::REPLIES) }
    }
}

/// The future of a [`Get`], which resolves to the message, or to `None` if the queue is empty.
#[derive(Debug)]
#[must_use = "a message is fetched when this is awaited"]
pub struct GetFuture<'a> {
    channel: &'a Channel,
    no_ack: bool,
    reply: ReplyFuture<'a>,
}

impl Future for GetFuture<'_> {
    type Output = Result<Option<GetMessage>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(Pin::new(&mut self.reply).poll(context))?;
        let generation = reply.generation;
        Poll::Ready(match (reply.method, reply.content) {
            (Method::BasicGetEmpty(_), _) => Ok(None),
            (Method::BasicGetOk(ok), Some(message)) => {
                let (delivery_tag, redelivered) = (ok.delivery_tag, ok.redelivered);
                let delivery = crate::engine::Delivery { message, delivery_tag, redelivered };
                let (channel, consumer_tag) = (self.channel.clone(), ShortString::new());
                let source = Arc::new(Source { channel, consumer_tag, no_ack: self.no_ack, generation });
                let delivery = Delivery::new(source, delivery);
                Ok(Some(GetMessage { delivery, message_count: ok.message_count }))
            }
            _ => Err(Error::internal("basic.get was answered by something else")),
        })
    }
}

/// A message that was fetched from a queue, with the number of messages that remain there.
///
/// It dereferences to its [`Delivery`], and is settled in the same way.
///
/// ```no_run
/// # async fn example(channel: leveret::Channel) -> leveret::Result<()> {
/// while let Some(message) = channel.get("hello").await? {
///     println!("{}, and {} more", String::from_utf8_lossy(message.body()), message.message_count());
///     message.ack().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GetMessage {
    delivery: Delivery,
    message_count: u32,
}

impl GetMessage {
    /// Returns the number of messages that remained in the queue, without those that are delivered
    /// and unsettled.
    pub fn message_count(&self) -> u32 {
        self.message_count
    }

    /// Returns the delivery, for code that handles the messages of a consumer.
    pub fn into_delivery(self) -> Delivery {
        self.delivery
    }

    /// Acknowledges the message: see [`Delivery::ack`].
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> SettleFuture {
        self.delivery.ack()
    }

    /// Acknowledges this message and all that were delivered before it on the channel: see
    /// [`Delivery::ack_multiple`].
    pub fn ack_multiple(self) -> SettleFuture {
        self.delivery.ack_multiple()
    }

    /// Rejects the message: see [`Delivery::nack`].
    #[doc(alias = "basic_nack")]
    pub fn nack(self, requeue: Requeue) -> SettleFuture {
        self.delivery.nack(requeue)
    }

    /// Rejects this message and all that were delivered before it on the channel: see
    /// [`Delivery::nack_multiple`].
    pub fn nack_multiple(self, requeue: Requeue) -> SettleFuture {
        self.delivery.nack_multiple(requeue)
    }

    /// Rejects the message by the standard's `basic.reject`: see [`Delivery::reject`].
    #[doc(alias = "basic_reject")]
    pub fn reject(self, requeue: Requeue) -> SettleFuture {
        self.delivery.reject(requeue)
    }
}

impl Deref for GetMessage {
    type Target = Delivery;

    fn deref(&self) -> &Delivery {
        &self.delivery
    }
}

impl From<GetMessage> for Delivery {
    fn from(message: GetMessage) -> Self {
        message.delivery
    }
}
