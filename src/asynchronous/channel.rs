//! A channel of a connection.

use std::fmt;
use std::sync::Arc;

use super::connection::ConnectionHandle;
use super::publisher::Publisher;
use super::{Call, ChannelEvents, Closed, Consume, Get, Publish, Returns, SendMethod};
#[cfg(feature = "blocking")]
use crate::driver::mio::Driving;
use crate::engine::{ChannelKey, ChannelState};
use crate::error::{Error, Result};
use crate::frame::Body;
use crate::link::{Shared, Topic, Wait};
use crate::protocol::{ChannelMethod, Method, ReplyCode, Request, confirm};
use crate::wire::{Name, ShortString};

/// A channel: an independent sequence of requests within a connection, with its own errors (AMQP
/// 0-9-1 §2.2.4).
///
/// If a request on a channel is an error, the broker closes that channel and no other.
///
/// Besides the methods that are documented by hand, there is one for each method of the protocol:
/// [`Channel::queue_declare`], [`Channel::exchange_bind`], [`Channel::basic_qos`],
/// [`Channel::tx_select`], … They are generated from the specification. Required names are
/// arguments. Each method returns a builder with a setter for every other field; awaiting the
/// builder makes the call.
///
/// ```no_run
/// # async fn example(connection: leveret::Connection) -> leveret::Result<()> {
/// use leveret::ExchangeKind;
///
/// let channel = connection.open_channel().await?;
/// channel.exchange_declare("logs", ExchangeKind::TOPIC).durable(true).await?;
/// let queue = channel.queue_declare("").exclusive(true).await?.queue;
/// channel.queue_bind(queue.clone(), "logs", "kern.*").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Dropping
///
/// Clones are handles of the same channel. Consumers, deliveries and confirms hold a handle too.
/// Dropping the last handle closes the channel in the background, after what was queued is sent.
/// When a channel is closed, by that or by [`Channel::close`], the broker takes back what was
/// delivered on it and not settled (neither acknowledged nor rejected):
///
/// * A message of a classic or quorum queue returns to its queue, and is delivered again as
///   redelivered. A quorum queue counts that as one delivery of the message (`x-delivery-count`).
/// * A message of a stream stays in the stream in any case.
#[derive(Clone)]
pub struct Channel {
    handle: Arc<ChannelHandle>,
}

/// What all handles of a channel share. Dropping it closes the channel.
struct ChannelHandle {
    connection: Arc<ConnectionHandle>,
    key: ChannelKey,
}

impl Channel {
    pub(super) fn new(connection: Arc<ConnectionHandle>, key: ChannelKey) -> Self {
        Self { handle: Arc::new(ChannelHandle { connection, key }) }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.connection.shared
    }

    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn driving(&self) -> Option<&Driving> {
        self.handle.connection.driving()
    }

    pub(super) fn key(&self) -> ChannelKey {
        self.handle.key
    }

    /// Calls any method of the protocol that has a reply, given as its generated struct.
    ///
    /// ```no_run
    /// # async fn example(channel: leveret::Channel) -> leveret::Result<()> {
    /// use leveret::protocol::queue;
    ///
    /// let declared = channel.call(queue::Declare::default().queue("hello").passive(true)).await?;
    /// println!("{} messages", declared.message_count);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// To get a consumer that was started by this method, use [`Channel::consumer`].
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
    /// The future waits while publishing is paused, and resolves when the message is **queued,
    /// which is before it is sent**. If the program ends right after that, leveret still writes
    /// what is queued, for at most 3 s, but the program does not learn whether it arrived. To be
    /// sure that the broker has read the message, close the connection:
    /// [`Connection::close`](super::Connection::close) returns `Ok` when the broker has read
    /// everything that was queued. To learn what became of the message, have the broker confirm it:
    /// see [`Channel::confirm_select`].
    ///
    /// ```no_run
    /// # async fn example(channel: leveret::Channel) -> leveret::Result<()> {
    /// use leveret::Properties;
    ///
    /// channel.publish("", "hello", "Hello, world!").await?;
    ///
    /// let persistent = Properties::default().persistent(true).content_type("application/json");
    /// channel.publish("logs", "kern.info", r#"{"up": true}"#).properties(&persistent).mandatory(true).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A [`Name`] is made from any kind of string, by value or by reference: text, bytes, or a name
    /// that a declare or a delivery returned.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed or the message cannot be encoded.
    ///
    /// On a channel in [confirm mode](Channel::confirm_select), returns an error of the kind
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) and sends nothing, because a refusal by the
    /// broker would go unnoticed: publish with the [`Publisher`] there. This holds from the moment
    /// that `confirm.select` is queued. A message that was already waiting for its turn is still
    /// published; [`Publisher::settled`] counts what becomes of it.
    #[doc(alias = "basic_publish")]
    #[inline]
    pub fn publish<'a>(
        &'a self,
        exchange: impl Into<Name<'a>>,
        routing_key: impl Into<Name<'a>>,
        body: impl Into<Body<'a>>,
    ) -> Publish<'a> {
        Publish::new(self, exchange.into(), routing_key.into(), body.into())
    }

    /// Puts the channel into confirm mode (`confirm.select`): from now on the broker confirms each
    /// message that is published on it. Returns the [`Publisher`] for such messages. See the
    /// broker's page on [publisher
    /// confirms](https://www.rabbitmq.com/docs/confirms#publisher-confirms).
    ///
    /// If the future is dropped before it resolves, the channel may be in confirm mode.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed or transactional, or if no answer arrives within
    /// `call_timeout`.
    #[doc(alias = "confirm_delivery")]
    pub async fn confirm_select(&self) -> Result<Publisher> {
        self.call(confirm::Select::default()).await?;
        Ok(Publisher::new(self.clone()))
    }

    /// Starts a consumer on a queue (`basic.consume`).
    ///
    /// ```no_run
    /// # async fn example(channel: leveret::Channel) -> leveret::Result<()> {
    /// let mut consumer = channel.consume("hello").prefetch(100).await?;
    /// while let Some(delivery) = consumer.try_next().await? {
    ///     println!("{}", String::from_utf8_lossy(delivery.body()));
    ///     delivery.ack().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A consumer that takes messages more slowly than the broker sends them should bound what the
    /// broker sends, with [`Consume::prefetch`]: see [slow
    /// consumers](super::Consumer#slow-consumers).
    ///
    /// If the future is dropped before it resolves, the consumer is cancelled, and the messages
    /// that were sent to it return to the queue.
    #[doc(alias = "basic_consume")]
    pub fn consume(&self, queue: impl Into<ShortString>) -> Consume<'_> {
        Consume::new(self, queue.into())
    }

    /// Returns the consumer with this tag that was started by [`Channel::call`] or
    /// [`Channel::send`], or `None` if there is none or it was returned already.
    pub fn consumer(&self, tag: impl Into<ShortString>) -> Option<super::Consumer> {
        let tag = tag.into();
        let key = self.shared().with(|state| state.engine.claim_consumer(self.key(), &tag))?;
        Some(super::Consumer::new(self.clone(), key, tag))
    }

    /// Fetches one message from a queue (`basic.get`), or `None` if the queue is empty.
    ///
    /// If the future is dropped before it resolves, a message that was fetched returns to the
    /// queue.
    #[doc(alias = "basic_get")]
    pub fn get(&self, queue: impl Into<ShortString>) -> Get<'_> {
        Get::new(self, queue.into())
    }

    /// Returns a stream of the messages that are returned on this channel (`basic.return`) and that
    /// do not clearly belong to one [`Confirm`](super::Confirm) that still exists.
    ///
    /// On a channel that is not in confirm mode, these are all returned messages. On a channel in
    /// [confirm mode](Channel::confirm_select), the [`Confirm`](super::Confirm) of a returned
    /// message fails, and its error holds the message; the stream has only
    ///
    /// * messages whose confirm was dropped before they were returned;
    /// * messages that the broker changed, so that several publishes may be their origin: the
    ///   confirm of the oldest of these publishes fails with the message too, and the confirms of
    ///   the others fail as [unknown](Error::is_unknown);
    /// * messages that resemble no publish that awaits its confirm: then the confirm of every
    ///   mandatory publish that awaits one fails as unknown.
    ///
    /// A channel has one such stream at a time: a later one replaces an earlier one, which then
    /// ends. Messages that are returned while there is none are dropped.
    #[doc(alias("basic_return", "add_on_return_callback"))]
    pub fn returns(&self) -> Returns {
        Returns::new(self.clone())
    }

    /// Closes the channel (`channel.close`), after what was queued is sent, and waits until the
    /// broker agrees (`channel.close-ok`).
    ///
    /// `Ok` means that the broker has handled everything that was queued before. Deliveries that
    /// were not settled return to their queues. If the future is dropped before it resolves, the
    /// channel closes all the same.
    ///
    /// # Errors
    ///
    /// Returns an error if the broker closed the channel, or the connection ended, before the
    /// broker agreed; or if no answer arrives within `call_timeout`.
    pub async fn close(&self) -> Result<()> {
        let wait = Wait::begin(self.shared(), |state, id, now| {
            let code = ReplyCode::REPLY_SUCCESS;
            state.engine.close_channel(self.key(), code, "closed by the application", Some(id), now)
        })?;
        wait.await?;
        Ok(())
    }

    /// Waits until the channel ends, alone or with its connection, and returns why. The future
    /// holds no handle, so it does not keep the channel open.
    #[doc(alias = "add_on_close_callback")]
    pub fn closed(&self) -> Closed {
        Closed::new(self.shared(), Topic::Channel(self.key()))
    }

    /// Returns a stream of what happens to the channel from now on. The stream holds no handle, so
    /// it does not keep the channel open.
    #[doc(alias("add_on_cancel_callback", "add_on_flow_callback"))]
    pub fn events(&self) -> ChannelEvents {
        ChannelEvents::new(self.shared(), self.key())
    }

    /// Returns the state of the channel.
    pub fn state(&self) -> ChannelState {
        self.shared().with(|state| state.engine.channel_state(self.key()))
    }

    /// Returns `true` if the channel accepts requests. While it is recovered, it does not.
    pub fn is_open(&self) -> bool {
        self.closed_by().is_none() && self.state() != ChannelState::Recovering
    }

    /// Returns why the channel is closed or closing, or `None` while it is open. Later calls report
    /// the same cause.
    pub fn closed_by(&self) -> Option<Error> {
        let closure = self.shared().with(|state| state.engine.channel_closure(self.key()))?;
        Some(closure.into())
    }

    /// Returns the connection of the channel.
    pub fn connection(&self) -> super::Connection {
        super::Connection::of(Arc::clone(&self.handle.connection))
    }

    /// Returns the number of the channel on its connection. After the channel is closed, another
    /// channel may get the same number.
    #[doc(alias = "channel_number")]
    pub fn number(&self) -> u16 {
        self.key().number
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("number", &self.number()).field("open", &self.is_open()).finish()
    }
}

impl Drop for ChannelHandle {
    fn drop(&mut self) {
        self.connection.shared.with(|state| state.engine.release_channel(self.key));
    }
}
