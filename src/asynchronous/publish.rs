//! Publishing: one short step under the lock, once the gate is open.

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
/// While publishing is paused (see [`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)) a
/// message that was polled waits in line, first come, first served, and is published when its turn
/// comes, whether or not it is polled again. Dropped before its turn, it is not published; dropped
/// later, all of it was.
///
/// Names, properties and body are borrowed or owned, each as it is given. A message that owns all
/// of them can be collected and returned; [`into_owned`](Publish::into_owned) makes one that
/// outlives the handle too, for a task of its own:
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

/// The channel that a message is published on.
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
/// `&Properties`, `Properties` and `Option<&Properties>` convert. What is borrowed costs no
/// allocation.
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
    /// The properties, where there are some.
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

/// What becomes of a message that is published: [`Plain`] or [`Confirmed`]. Code that takes either
/// is generic over it.
pub trait PublishKind: sealed::Sealed + std::fmt::Debug + Send + Sync + 'static {
    /// What a message gives once it is queued.
    type Output: std::fmt::Debug + Send + Unpin + 'static;

    /// Somebody hears what the broker does with the message.
    #[doc(hidden)]
    const CONFIRMED: bool;

    /// What a publish that is queued gives, `confirm` being who hears.
    #[doc(hidden)]
    fn output(channel: &Channel, confirm: Option<WaiterId>) -> Self::Output;
}

mod sealed {
    /// Nobody else implements it.
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

    /// The message comes back where no queue takes it: a plain one to [`Channel::returns`]; of a
    /// confirmed one, the confirm fails with it.
    ///
    /// Which confirmed publish a message that comes back belongs to is told by its exchange,
    /// routing key, properties and body: of messages that are equal in all of these, one confirm
    /// may report what happened to another. A broker may change properties on the way, so that it
    /// can be told no more which of several messages came back: the confirm of the oldest fails
    /// with it, and [`returns`](Channel::returns) gives it too, and the confirms of the others fail
    /// as [unknown](crate::Error::is_unknown). No confirm is `Ok` where its message may have come
    /// back.
    #[inline]
    pub fn mandatory(mut self, mandatory: bool) -> Self {
        self.mandatory = mandatory;
        self
    }

    /// The properties of the message, by value or by reference.
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

    /// The same message, which borrows nothing: what was borrowed is copied, and it keeps the
    /// channel open.
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

    /// A large body is copied, if it has to be, before the lock is taken.
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
    /// Publishes now, or not at all.
    ///
    /// # Errors
    ///
    /// Publishing is paused ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), the
    /// channel is closed, or the message cannot be encoded.
    #[inline]
    pub fn try_publish(self) -> Result<K::Output> {
        Passage::new(self).try_pass()
    }
}

impl<'a> Publish<'a, Confirmed> {
    /// Waits for the broker's decision too: one round trip per message.
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

/// Waits until a message is queued; gives the [`Confirm`] of a confirmed one.
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
