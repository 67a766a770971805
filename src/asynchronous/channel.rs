//! A channel of a connection.

use std::fmt;
use std::sync::Arc;

use super::connection::ConnectionHandle;
use super::publisher::Publisher;
use super::{Call, ChannelEvents, Closed, Consume, Get, Publish, Returns, SendMethod};
use crate::engine::{ChannelKey, ChannelState};
use crate::error::{Error, Result};
use crate::frame::Body;
use crate::link::{Shared, Topic, Wait};
use crate::protocol::{ChannelMethod, Method, ReplyCode, Request, confirm};
use crate::wire::{Name, ShortString};

/// A channel: a stream of requests of its own within a connection, with its own errors (AMQP 0-9-1
/// §2.2.4).
///
/// An error of the broker's closes the channel that caused it and nothing else.
///
/// Besides what is written out here, there is a method for each of the protocol's:
/// [`Channel::queue_declare`], [`Channel::exchange_bind`], [`Channel::basic_qos`],
/// [`Channel::tx_select`], … They are generated from the specification: required names are
/// arguments, everything else is set on what they return, and awaiting that makes the call.
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
/// Clones are handles of the same channel. Dropping the last one (consumers, deliveries and
/// confirms hold one too) closes it in the background, after what was queued. With the close, by
/// that or by [`Channel::close`], the broker takes back what was delivered on the channel and not
/// settled:
///
/// * to classic and quorum queues it goes back, and is delivered again as redelivered; a quorum
///   queue counts that as one delivery of each (`x-delivery-count`);
/// * the messages of a stream stay where they are in any case.
#[derive(Clone)]
pub struct Channel {
    handle: Arc<ChannelHandle>,
}

/// What all handles of a channel hold. Its drop closes the channel.
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

    pub(super) fn key(&self) -> ChannelKey {
        self.handle.key
    }

    /// Calls any method of the protocol that is answered, given as the struct that the
    /// specification makes of it.
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
    /// A consumer that is started this way is taken with [`Channel::consumer`].
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
    /// Awaiting it waits while publishing is paused, and resolves when the message is **queued,
    /// which is before it is sent**. A program that ends right after this still writes what is
    /// queued, for at most 3 s, and does not hear whether it arrived: close the connection first
    /// ([`Connection::close`](super::Connection::close) is `Ok` when the broker has read all of
    /// it), or have the broker confirm what it gets ([`Channel::confirm_select`]), which is also
    /// the only way to learn what became of the message.
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
    /// A [`Name`] is made of whatever is a string, by value or by reference: text, bytes, the name
    /// that a declare or a delivery gave.
    ///
    /// On a channel that [confirms](Channel::confirm_select) its publishes this fails with
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) and nothing is sent, because nobody would hear
    /// of a message that the broker refuses: publish with the [`Publisher`]. That holds from the
    /// moment that confirms are asked for. Only a message that waited in line by then still goes
    /// out; what becomes of it is among what [`Publisher::settled`] counts.
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

    /// Makes the broker confirm what is published on this channel from now on (`confirm.select`),
    /// and gives the [`Publisher`] that awaits those confirms. See the broker's page on [publisher
    /// confirms](https://www.rabbitmq.com/docs/confirms#publisher-confirms).
    ///
    /// # Errors
    ///
    /// The channel is closed, transactional, or no answer came in time.
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
    /// Handle messages in a time that suits what the broker sends, or bound what it sends with
    /// [`Consume::prefetch`]: see [slow consumers](super::Consumer#slow-consumers).
    ///
    /// Dropped before it is done, the consumer is cancelled and what it was sent goes back to the
    /// queue.
    #[doc(alias = "basic_consume")]
    pub fn consume(&self, queue: impl Into<ShortString>) -> Consume<'_> {
        Consume::new(self, queue.into())
    }

    /// The consumer with this tag that was started by [`Channel::call`] or [`Channel::send`], and
    /// that nobody has taken.
    pub fn consumer(&self, tag: impl Into<ShortString>) -> Option<super::Consumer> {
        let tag = tag.into();
        let key = self.shared().with(|state| state.engine.claim_consumer(self.key(), &tag))?;
        Some(super::Consumer::new(self.clone(), key, tag))
    }

    /// Takes one message from a queue (`basic.get`), or none where it is empty.
    ///
    /// Dropped before it is done, a message that was got goes back to the queue.
    #[doc(alias = "basic_get")]
    pub fn get(&self, queue: impl Into<ShortString>) -> Get<'_> {
        Get::new(self, queue.into())
    }

    /// The messages that come back on this channel (`basic.return`) and belong to no confirm that
    /// somebody awaits.
    ///
    /// On a channel that does not confirm, these are all. On one that
    /// [confirms](Channel::confirm_select), a message that comes back makes the
    /// [`Confirm`](super::Confirm) of its publish fail, and that error has it; here arrive
    ///
    /// * messages whose confirm was dropped before they came back;
    /// * messages that the broker changed on the way, so that each of several publishes may be
    ///   theirs: the confirm of the oldest fails with it as well, and those of the others as
    ///   [unknown](Error::is_unknown);
    /// * messages that are like nothing that was published and is undecided: every such confirm of
    ///   a mandatory publish then fails as unknown.
    ///
    /// There is one stream per channel: a later one takes over from an earlier one. Messages that
    /// come while there is none are dropped.
    #[doc(alias("basic_return", "add_on_return_callback"))]
    pub fn returns(&self) -> Returns {
        Returns::new(self.clone())
    }

    /// Closes the channel: what was queued goes first, then the broker is told, and agrees.
    ///
    /// `Ok` means that the broker has handled what was queued before, and agreed (`close-ok`).
    /// Deliveries that were not settled go back to their queues. Dropped before it is done, the
    /// channel closes all the same.
    ///
    /// # Errors
    ///
    /// The channel was closed by the broker or with its connection, before or instead of its
    /// answer, or no answer came in time.
    pub async fn close(&self) -> Result<()> {
        let wait = Wait::begin(self.shared(), |state, id, now| {
            let code = ReplyCode::REPLY_SUCCESS;
            state.engine.close_channel(self.key(), code, "closed by the application", Some(id), now)
        })?;
        wait.await?;
        Ok(())
    }

    /// Waits until the channel is over, by itself or with its connection; gives why. It holds no
    /// handle: it does not keep the channel open.
    #[doc(alias = "add_on_close_callback")]
    pub fn closed(&self) -> Closed {
        Closed::new(self.shared(), Topic::Channel(self.key()))
    }

    /// What happens to the channel from now on. It holds no handle: it does not keep the channel
    /// open.
    #[doc(alias("add_on_cancel_callback", "add_on_flow_callback"))]
    pub fn events(&self) -> ChannelEvents {
        ChannelEvents::new(self.shared(), self.key())
    }

    /// Where the channel is in its life.
    pub fn state(&self) -> ChannelState {
        self.shared().with(|state| state.engine.channel_state(self.key()))
    }

    /// The channel takes requests.
    pub fn is_open(&self) -> bool {
        self.closed_by().is_none()
    }

    /// Why the channel is closed or closing, once it is: the cause that any later call reports.
    pub fn closed_by(&self) -> Option<Error> {
        let closure = self.shared().with(|state| state.engine.channel_closure(self.key()))?;
        Some(closure.into())
    }

    /// The connection that it is a channel of.
    pub fn connection(&self) -> super::Connection {
        super::Connection::of(Arc::clone(&self.handle.connection))
    }

    /// The number of the channel on its connection. It is used again when the channel is closed.
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
