//! Settling a delivery: the part of it that the broker waits for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::Channel;
use crate::engine::{Failure, Settle};
use crate::error::{Error, Result};
use crate::link::Wait;
use crate::wire::ShortString;

/// Where deliveries are from: they share it, so that a delivery costs one count of references.
pub(super) struct Source {
    pub(super) channel: Channel,
    /// Empty where there is no consumer.
    pub(super) consumer_tag: ShortString,
    pub(super) no_ack: bool,
}

/// What the broker does with a message that was not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Requeue {
    /// It puts the message back into its queue, to be delivered again.
    Yes,
    /// It puts the message away: to the dead-letter exchange of the queue where there is one, else
    /// it is lost.
    No,
}

impl Requeue {
    fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

/// The right to settle one delivery, apart from its message: from
/// [`Delivery::into_parts`](super::Delivery::into_parts).
///
/// Each method takes it, so that a delivery cannot be settled twice. One that is dropped leaves the
/// delivery unsettled, and the broker delivers the message again when the channel is closed.
///
/// ```no_run
/// # async fn handle(_: bytes::Bytes) {}
/// # async fn example(delivery: leveret::Delivery) -> leveret::Result<()> {
/// let (message, acker) = delivery.into_parts();
/// handle(message.into_body()).await;
/// acker.ack().await
/// # }
/// ```
#[must_use = "a delivery that nobody settles is delivered again"]
pub struct Acker {
    source: Arc<Source>,
    delivery_tag: u64,
}

impl Acker {
    #[inline]
    pub(super) fn new(source: Arc<Source>, delivery_tag: u64) -> Self {
        Self { source, delivery_tag }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// The number by which the broker knows the delivery on its channel.
    pub fn delivery_tag(&self) -> u64 {
        self.delivery_tag
    }

    /// The channel that the delivery came on.
    pub fn channel(&self) -> &Channel {
        &self.source.channel
    }

    /// Acknowledges the message: see [`Delivery::ack`](super::Delivery::ack).
    #[doc(alias = "basic_ack")]
    pub fn ack(self) -> SettleFuture {
        self.settle(Settle::Ack { multiple: false })
    }

    /// Acknowledges this message and all that were delivered before it on the channel: see
    /// [`Delivery::ack_multiple`](super::Delivery::ack_multiple).
    pub fn ack_multiple(self) -> SettleFuture {
        self.settle(Settle::Ack { multiple: true })
    }

    /// Gives the message back: see [`Delivery::nack`](super::Delivery::nack).
    #[doc(alias = "basic_nack")]
    pub fn nack(self, requeue: Requeue) -> SettleFuture {
        self.settle(Settle::Nack { multiple: false, requeue: requeue.is_yes() })
    }

    /// Gives back this message and all that were delivered before it on the channel: see
    /// [`Delivery::nack_multiple`](super::Delivery::nack_multiple).
    pub fn nack_multiple(self, requeue: Requeue) -> SettleFuture {
        self.settle(Settle::Nack { multiple: true, requeue: requeue.is_yes() })
    }

    /// Gives the message back as the standard has it: see
    /// [`Delivery::reject`](super::Delivery::reject).
    #[doc(alias = "basic_reject")]
    pub fn reject(self, requeue: Requeue) -> SettleFuture {
        self.settle(Settle::Reject { requeue: requeue.is_yes() })
    }

    /// The message has gone by now, so that what waits is small.
    #[inline]
    fn settle(self, settle: Settle) -> SettleFuture {
        SettleFuture { acker: self, settle, room: None }
    }
}

impl fmt::Debug for Acker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = &self.source.channel;
        f.debug_struct("Acker").field("delivery_tag", &self.delivery_tag).field("channel", channel).finish()
    }
}

/// Settles a delivery when it is awaited, and resolves when that is queued for the broker, which
/// does not answer it.
///
/// That is at once, unless the broker does not read and more waits for the socket than
/// `write_limit`: then it waits until there is room. Dropped before it is done, it leaves the
/// delivery unsettled.
#[derive(Debug)]
#[must_use = "a delivery is settled when this is awaited"]
pub struct SettleFuture {
    acker: Acker,
    settle: Settle,
    /// On the heap, since it is seldom there.
    room: Option<Box<Wait>>,
}

impl Future for SettleFuture {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { acker: Acker { source, delivery_tag }, settle, room } = &mut *self;
        let Source { channel, no_ack, .. } = &**source;
        if *no_ack {
            return Poll::Ready(Err(Error::nothing_to_settle()));
        }
        loop {
            if let Some(waiting) = room {
                let waited = ready!(Pin::new(&mut **waiting).poll(context));
                *room = None;
                waited?;
            }
            match channel.shared().with(|state| state.engine.settle(channel.key(), *delivery_tag, *settle)) {
                Err(Failure::WriteLimit { .. }) => *room = Some(Box::new(Wait::for_room(channel.shared())?)),
                settled => return Poll::Ready(Ok(settled?)),
            }
        }
    }
}
