//! A channel of a connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::wait::{wait, wait_until};
use super::{Call, ChannelEvents, Connection, Consume, Consumer, Get, Publish, Publisher, Returns, SendMethod};
use crate::asynchronous;
use crate::driver::mio::Driving;
use crate::engine::ChannelState;
use crate::error::{Error, Result};
use crate::frame::Body;
use crate::protocol::{ChannelMethod, Method, Request};
use crate::wire::{Name, ShortString};

/// A channel: a stream of requests of its own within a connection, with its own errors (AMQP 0-9-1
/// §2.2.4).
///
/// An error of the broker's closes the channel that caused it and nothing else.
///
/// Besides what is written out here, there is a method for each of the protocol's, generated from
/// the specification: required names are arguments, everything else is set on what they return, and
/// [`call`](Call::call) makes the request.
///
/// ```no_run
/// # fn example(connection: leveret::blocking::Connection) -> leveret::Result<()> {
/// use leveret::ExchangeKind;
///
/// let channel = connection.open_channel()?;
/// channel.exchange_declare("logs", ExchangeKind::TOPIC).durable(true).call()?;
/// let queue = channel.queue_declare("").exclusive(true).call()?.queue;
/// channel.queue_bind(queue.clone(), "logs", "kern.*").call()?;
/// # Ok(())
/// # }
/// ```
///
/// Clones are handles of the same channel. Dropping the last one (consumers, deliveries and
/// confirms hold one too) closes it in the background, after what was queued: see the async API's
/// [`Channel`](asynchronous::Channel#dropping) for what that does to deliveries.
#[doc(alias = "BlockingChannel")]
#[derive(Clone)]
pub struct Channel {
    inner: asynchronous::Channel,
}

impl Channel {
    #[inline]
    pub(super) fn inner(&self) -> &asynchronous::Channel {
        &self.inner
    }

    pub(super) fn driving(&self) -> Option<&Driving> {
        self.inner.driving()
    }

    /// Calls any method of the protocol that is answered, given as the struct that the
    /// specification makes of it.
    ///
    /// ```no_run
    /// # fn example(channel: leveret::blocking::Channel) -> leveret::Result<()> {
    /// use leveret::protocol::queue;
    ///
    /// let declared = channel.call(queue::Declare::default().queue("hello").passive(true)).call()?;
    /// println!("{} messages", declared.message_count);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<R>(&self, request: R) -> Call<'_, R>
    where
        R: Request + ChannelMethod + Into<Method>,
    {
        Call::new(self, request)
    }

    /// Sends any method that nothing answers: one that has no reply, or one with no-wait set.
    pub fn send<M>(&self, method: M) -> SendMethod<'_, M>
    where
        M: ChannelMethod + Into<Method>,
    {
        SendMethod::new(self, method)
    }

    /// Publishes a message to an exchange (`basic.publish`); the empty exchange delivers to the
    /// queue that the routing key names.
    ///
    /// [`send`](Publish::send) waits while publishing is paused, and returns when the message is
    /// **queued, which is before it is sent**. To know that it arrived, close the connection or
    /// have the broker confirm it: see the async API's
    /// [`publish`](asynchronous::Channel::publish), which says too what becomes of a plain publish
    /// on a channel that confirms.
    ///
    /// ```no_run
    /// # fn example(channel: leveret::blocking::Channel) -> leveret::Result<()> {
    /// use leveret::Properties;
    ///
    /// channel.publish("", "hello", "Hello, world!").send()?;
    ///
    /// let persistent = Properties::default().persistent(true).content_type("application/json");
    /// channel.publish("logs", "kern.info", r#"{"up": true}"#).properties(&persistent).mandatory(true).send()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "basic_publish")]
    #[inline]
    pub fn publish<'a>(
        &'a self,
        exchange: impl Into<Name<'a>>,
        routing_key: impl Into<Name<'a>>,
        body: impl Into<Body<'a>>,
    ) -> Publish<'a> {
        Publish::new(self.inner.publish(exchange, routing_key, body), self.inner.driving())
    }

    /// Makes the broker confirm what is published on this channel from now on (`confirm.select`),
    /// and gives the [`Publisher`] that waits for those confirms.
    ///
    /// # Errors
    ///
    /// The channel is closed, transactional, or no answer came in time.
    #[doc(alias = "confirm_delivery")]
    pub fn confirm_select(&self) -> Result<Publisher> {
        Ok(wait(self.inner.driving(), self.inner.confirm_select())?.into())
    }

    /// Starts a consumer on a queue (`basic.consume`).
    ///
    /// ```no_run
    /// # fn example(channel: leveret::blocking::Channel) -> leveret::Result<()> {
    /// for delivery in channel.consume("hello").prefetch(100).call()? {
    ///     let delivery = delivery?;
    ///     println!("{}", String::from_utf8_lossy(delivery.body()));
    ///     delivery.ack()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "basic_consume")]
    pub fn consume(&self, queue: impl Into<ShortString>) -> Consume<'_> {
        Consume::new(self.inner.consume(queue))
    }

    /// The consumer with this tag that was started by [`Channel::call`] or [`Channel::send`], and
    /// that nobody has taken.
    pub fn consumer(&self, tag: impl Into<ShortString>) -> Option<Consumer> {
        self.inner.consumer(tag).map(Consumer::from)
    }

    /// Takes one message from a queue (`basic.get`), or none where it is empty.
    #[doc(alias = "basic_get")]
    pub fn get(&self, queue: impl Into<ShortString>) -> Get<'_> {
        Get::new(self.inner.get(queue))
    }

    /// The messages that come back on this channel (`basic.return`) and belong to no confirm that
    /// somebody waits for: see the async API's [`returns`](asynchronous::Channel::returns).
    #[doc(alias("basic_return", "add_on_return_callback"))]
    pub fn returns(&self) -> Returns {
        self.inner.returns().into()
    }

    /// Closes the channel: what was queued goes first, then the broker is told, and agrees.
    ///
    /// `Ok` means that the broker has handled what was queued before, and agreed (`close-ok`).
    /// Deliveries that were not settled go back to their queues.
    ///
    /// # Errors
    ///
    /// The channel was closed by the broker or with its connection, before or instead of its
    /// answer, or no answer came in time.
    pub fn close(&self) -> Result<()> {
        wait(self.inner.driving(), self.inner.close())
    }

    /// Waits until the channel is over, by itself or with its connection; gives why. To wait
    /// without a handle, which keeps the channel open, take its [`events`](Self::events).
    pub fn wait_closed(&self) -> Error {
        let mut closed = self.inner.closed();
        let closed = wait_until(self.inner.driving(), None, |context| Pin::new(&mut closed).poll(context));
        closed.ok().flatten().unwrap_or_else(Error::waits_on_driver)
    }

    /// What happens to the channel from now on. It holds no handle: it does not keep the channel
    /// open.
    #[doc(alias("add_on_cancel_callback", "add_on_flow_callback"))]
    pub fn events(&self) -> ChannelEvents {
        self.inner.events().into()
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

    /// The connection that it is a channel of.
    pub fn connection(&self) -> Connection {
        self.inner.connection().into()
    }

    /// The number of the channel on its connection. It is used again when the channel is closed.
    #[doc(alias = "channel_number")]
    pub fn number(&self) -> u16 {
        self.inner.number()
    }

    /// The same channel, for tasks.
    pub fn into_async(self) -> asynchronous::Channel {
        self.inner
    }
}

impl From<asynchronous::Channel> for Channel {
    fn from(inner: asynchronous::Channel) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
