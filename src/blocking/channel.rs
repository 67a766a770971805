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

/// A channel: an independent sequence of requests within a connection, with its own errors (AMQP
/// 0-9-1 §2.2.4).
///
/// If a request on a channel is an error, the broker closes that channel and no other.
///
/// Besides the methods that are documented by hand, there is one for each method of the protocol,
/// generated from the specification. Required names are arguments. Each method returns a builder
/// with a setter for every other field; [`call`](Call::call) makes the call.
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
/// Clones are handles of the same channel. Consumers, deliveries and confirms hold a handle too.
/// Dropping the last handle closes the channel in the background, after what was queued is sent:
/// see the async API's [`Channel`](asynchronous::Channel#dropping) for what that does to
/// deliveries.
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

    /// Calls any method of the protocol that has a reply, given as its generated struct.
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

    /// Sends any method that is not answered: one that has no reply, or one with no-wait set.
    pub fn send<M>(&self, method: M) -> SendMethod<'_, M>
    where
        M: ChannelMethod + Into<Method>,
    {
        SendMethod::new(self, method)
    }

    /// Publishes a message to an exchange (`basic.publish`). The exchange with the empty name
    /// delivers to the queue that the routing key names.
    ///
    /// The method [`send`](Publish::send) waits while publishing is paused, and returns when the
    /// message is **queued, which is before it is sent**. To be sure that the broker has read the
    /// message, close the connection; to learn what became of the message, have the broker confirm
    /// it: see the async API's [`publish`](asynchronous::Channel::publish). It also says what
    /// happens to a plain publish on a channel in confirm mode.
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

    /// Puts the channel into confirm mode (`confirm.select`): from now on the broker confirms each
    /// message that is published on it. Returns the [`Publisher`] for such messages. See the
    /// broker's page on [publisher
    /// confirms](https://www.rabbitmq.com/docs/confirms#publisher-confirms).
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed or transactional, or if no answer arrives within
    /// `call_timeout`.
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

    /// Returns the consumer with this tag that was started by [`Channel::call`] or
    /// [`Channel::send`], or `None` if there is none or it was returned already.
    pub fn consumer(&self, tag: impl Into<ShortString>) -> Option<Consumer> {
        self.inner.consumer(tag).map(Consumer::from)
    }

    /// Fetches one message from a queue (`basic.get`), or `None` if the queue is empty.
    #[doc(alias = "basic_get")]
    pub fn get(&self, queue: impl Into<ShortString>) -> Get<'_> {
        Get::new(self.inner.get(queue))
    }

    /// Returns an iterator of the messages that are returned on this channel (`basic.return`) and
    /// that do not clearly belong to one [`Confirm`](super::Confirm) that still exists: see the
    /// async API's [`returns`](asynchronous::Channel::returns).
    #[doc(alias("basic_return", "add_on_return_callback"))]
    pub fn returns(&self) -> Returns {
        self.inner.returns().into()
    }

    /// Closes the channel (`channel.close`), after what was queued is sent, and waits until the
    /// broker agrees (`channel.close-ok`).
    ///
    /// `Ok` means that the broker has handled everything that was queued before. Deliveries that
    /// were not settled (neither acknowledged nor rejected) return to their queues.
    ///
    /// # Errors
    ///
    /// Returns an error if the broker closed the channel, or the connection ended, before the
    /// broker agreed; or if no answer arrives within `call_timeout`.
    pub fn close(&self) -> Result<()> {
        wait(self.inner.driving(), self.inner.close())
    }

    /// Waits until the channel ends, alone or with its connection, and returns why. A handle keeps
    /// the channel open; to wait without a handle, use its [`events`](Self::events).
    pub fn wait_closed(&self) -> Error {
        let mut closed = self.inner.closed();
        let closed = wait_until(self.inner.driving(), None, |context| Pin::new(&mut closed).poll(context));
        closed.ok().flatten().unwrap_or_else(Error::waits_on_driver)
    }

    /// Returns an iterator of what happens to the channel from now on. The iterator holds no
    /// handle, so it does not keep the channel open.
    #[doc(alias("add_on_cancel_callback", "add_on_flow_callback"))]
    pub fn events(&self) -> ChannelEvents {
        self.inner.events().into()
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

    /// Returns the connection of the channel.
    pub fn connection(&self) -> Connection {
        self.inner.connection().into()
    }

    /// Returns the number of the channel on its connection. After the channel is closed, another
    /// channel may get the same number.
    #[doc(alias = "channel_number")]
    pub fn number(&self) -> u16 {
        self.inner.number()
    }

    /// Converts into a handle of the async API for the same channel.
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
