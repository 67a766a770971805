//! The builder of a message to publish, and its future.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Channel;
use super::passage::Passage;
use super::publisher::{Confirm, ConfirmedFuture};
use crate::engine::WaiterId;
use crate::error::Result;
use crate::frame::{self, Body};
use crate::protocol::basic::Properties;
use crate::wire::Name;

/// A message that is published when it is awaited: [`Plain`], from [`Channel::publish`], or
/// [`Confirmed`] by the broker, from [`Publisher::publish`](super::Publisher::publish).
///
/// Publishing pauses while too much waits for the socket or for confirms, and while the broker
/// blocks the connection (see [`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)).
/// Meanwhile a message waits for its turn, first come, first served, from the first poll of its
/// future on. It is queued when its turn arrives, whether or not the future is polled again. If the
/// future is dropped before that, the message is not published; if it is dropped later, the whole
/// message is.
///
/// Names, properties and body are borrowed or owned, each as it is passed. Messages that own all of
/// them can be collected and returned from a function. [`into_owned`](Publish::into_owned) makes a
/// message that also owns its handle of the channel, for a spawned task:
///
/// ```no_run
/// # async fn example(publisher: leveret::Publisher) -> Result<(), Box<dyn std::error::Error>> {
/// let publishes: Vec<_> = (0..10).map(|number| publisher.publish("", format!("jobs.{number}"), "dig")).collect();
/// for publish in publishes {
///     publish.confirmed().await?;
/// }
/// tokio::spawn(publisher.publish("", "jobs", "dig").into_owned().confirmed()).await??;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a message is published when this is awaited"]
pub struct Publish<'a, K = Plain> {
    pub(super) channel: Handle<'a>,
    exchange: Name<'a>,
    routing_key: Name<'a>,
    mandatory: bool,
    properties: MessageProperties<'a>,
    body: Body<'a>,
    kind: PhantomData<fn() -> K>,
}

/// The channel on which a message is published.
#[derive(Debug)]
pub(super) enum Handle<'a> {
    Borrowed(&'a Channel),
    Owned(Channel),
}

impl Handle<'_> {
    #[inline]
    pub(super) fn get(&self) -> &Channel {
        match self {
            Self::Borrowed(channel) => channel,
            Self::Owned(channel) => channel,
        }
    }
}

/// The properties of a message to publish: borrowed, owned, or none.
///
/// `&Properties`, `Properties` and `Option<&Properties>` convert into it. Borrowed properties need
/// no allocation.
#[derive(Debug, Clone, Default)]
pub struct MessageProperties<'a>(Given<'a>);

#[derive(Debug, Clone, Default)]
enum Given<'a> {
    #[default]
    None,
    Borrowed(&'a Properties),
    Owned(Box<Properties>),
}

impl MessageProperties<'_> {
    /// Returns the properties, or `None` if there are none.
    #[inline]
    pub fn get(&self) -> Option<&Properties> {
        match &self.0 {
            Given::None => None,
            Given::Borrowed(properties) => Some(properties),
            Given::Owned(properties) => Some(properties),
        }
    }

    fn into_owned(self) -> MessageProperties<'static> {
        MessageProperties(match self.0 {
            Given::None => Given::None,
            Given::Borrowed(properties) => Given::Owned(Box::new(properties.clone())),
            Given::Owned(properties) => Given::Owned(properties),
        })
    }
}

impl<'a> From<&'a Properties> for MessageProperties<'a> {
    #[inline]
    fn from(properties: &'a Properties) -> Self {
        Self(Given::Borrowed(properties))
    }
}

impl From<Properties> for MessageProperties<'_> {
    fn from(properties: Properties) -> Self {
        Self(Given::Owned(Box::new(properties)))
    }
}

impl<'a> From<Option<&'a Properties>> for MessageProperties<'a> {
    fn from(properties: Option<&'a Properties>) -> Self {
        Self(properties.map_or(Given::None, Given::Borrowed))
    }
}

/// The kind of a message to publish: [`Plain`] or [`Confirmed`]. Code that accepts both is generic
/// over it. The trait is sealed.
pub trait PublishKind: sealed::Sealed + std::fmt::Debug + Send + Sync + 'static {
    /// What the publish resolves to when the message is queued.
    type Output: std::fmt::Debug + Send + Unpin + 'static;

    /// Whether the broker's decision about the message is reported.
    #[doc(hidden)]
    const CONFIRMED: bool;

    /// Makes the output of a publish that is queued; `confirm` is the waiter for the broker's
    /// decision.
    #[doc(hidden)]
    fn output(channel: &Channel, confirm: Option<WaiterId>) -> Self::Output;
}

mod sealed {
    /// Restricts implementations to this crate.
    pub trait Sealed {}
}

/// The kind of a message that the broker does not confirm.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Plain;

/// The kind of a message that the broker confirms.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Confirmed;

impl sealed::Sealed for Plain {}
impl sealed::Sealed for Confirmed {}

impl PublishKind for Plain {
    type Output = ();

    const CONFIRMED: bool = false;

    #[inline]
    fn output(_: &Channel, _: Option<WaiterId>) {}
}

impl PublishKind for Confirmed {
    type Output = Confirm;

    const CONFIRMED: bool = true;

    #[inline]
    fn output(channel: &Channel, confirm: Option<WaiterId>) -> Confirm {
        Confirm::new(channel.clone(), confirm)
    }
}

impl<'a, K> Publish<'a, K> {
    #[inline]
    pub(super) fn new(channel: &'a Channel, exchange: Name<'a>, routing_key: Name<'a>, body: Body<'a>) -> Self {
        let (properties, kind) = (MessageProperties::default(), PhantomData);
        Self { channel: Handle::Borrowed(channel), exchange, routing_key, mandatory: false, properties, body, kind }
    }

    /// Sets whether the broker returns the message if it can route it to no queue. A plain message
    /// that is returned arrives at [`Channel::returns`]. The confirm of a confirmed message that is
    /// returned fails with an error that holds the message.
    ///
    /// A returned message is matched to a confirmed publish by its exchange, routing key,
    /// properties and body. If several messages are equal in all of these, one confirm may report
    /// what happened to another. A broker may change properties, so that several publishes may be
    /// the origin of a returned message: then the confirm of the oldest fails with the message,
    /// [`returns`](Channel::returns) gives the message too, and the confirms of the others fail as
    /// [unknown](crate::Error::is_unknown). A confirm is never `Ok` if its message may have been
    /// returned.
    #[inline]
    pub fn mandatory(mut self, mandatory: bool) -> Self {
        self.mandatory = mandatory;
        self
    }

    /// Sets the properties of the message, by value or by reference.
    ///
    /// ```no_run
    /// # async fn example(channel: leveret::Channel) -> leveret::Result<()> {
    /// use leveret::Properties;
    ///
    /// channel.publish("", "jobs", "dig").properties(Properties::default().persistent(true)).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn properties(mut self, properties: impl Into<MessageProperties<'a>>) -> Self {
        self.properties = properties.into();
        self
    }

    /// Returns the same message with everything in it owned: what was borrowed is copied. It also
    /// holds a handle of the channel, which keeps the channel open.
    pub fn into_owned(self) -> Publish<'static, K> {
        Publish {
            channel: Handle::Owned(self.channel.get().clone()),
            exchange: self.exchange.into_owned(),
            routing_key: self.routing_key.into_owned(),
            mandatory: self.mandatory,
            properties: self.properties.into_owned(),
            body: self.body.into_owned(),
            kind: PhantomData,
        }
    }

    /// Makes a large body shared, which may copy it. Called before the lock is taken, so that the
    /// copy does not delay others.
    #[inline]
    pub(super) fn share_large_body(&mut self) {
        self.body.share_large();
    }

    #[inline]
    pub(super) fn frames(&self) -> frame::Publish<'_> {
        frame::Publish {
            exchange: self.exchange.as_bytes(),
            routing_key: self.routing_key.as_bytes(),
            mandatory: self.mandatory,
            properties: self.properties.get(),
            body: &self.body,
        }
    }
}

impl<'a, K: PublishKind> Publish<'a, K> {
    /// Publishes the message if it can be queued at once.
    ///
    /// # Errors
    ///
    /// Returns an error if publishing is paused
    /// ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), if the channel is closed, or
    /// if the message cannot be encoded. The message is not published then.
    #[inline]
    pub fn try_publish(self) -> Result<K::Output> {
        Passage::new(self).try_pass()
    }
}

impl<'a> Publish<'a, Confirmed> {
    /// Publishes the message and waits for the broker's decision, which costs one round trip.
    #[inline]
    pub fn confirmed(self) -> ConfirmedFuture<'a> {
        ConfirmedFuture::new(self.into_future())
    }
}

impl<'a, K: PublishKind> IntoFuture for Publish<'a, K> {
    type Output = Result<K::Output>;
    type IntoFuture = PublishFuture<'a, K>;

    #[inline]
    fn into_future(self) -> PublishFuture<'a, K> {
        PublishFuture { passage: Passage::new(self) }
    }
}

/// The future of a [`Publish`], which resolves when the message is queued; for a confirmed message,
/// to its [`Confirm`].
#[derive(Debug)]
#[must_use = "a message is published when this is awaited"]
pub struct PublishFuture<'a, K: PublishKind = Plain> {
    passage: Passage<'a, K>,
}

impl<K: PublishKind> Future for PublishFuture<'_, K> {
    type Output = Result<K::Output>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.passage.poll(context)
    }
}
