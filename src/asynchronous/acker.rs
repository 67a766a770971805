//! The settlement of a delivery: its acknowledgement or rejection.

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

/// The origin of deliveries. All deliveries of a consumer share one, so that a delivery costs one
/// increment of a reference count.
pub(super) struct Source {
    pub(super) channel: Channel,
    /// Empty for a message that was fetched by `basic.get`.
    pub(super) consumer_tag: ShortString,
    pub(super) no_ack: bool,
    /// The generation of the channel in which they arrived.
    pub(super) generation: u32,
}

/// What the broker does with a message that was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Requeue {
    /// The broker puts the message back into its queue, and delivers it again.
    Yes,
    /// The broker removes the message from its queue. It publishes the message to the dead-letter
    /// exchange if the queue has one; otherwise the message is lost.
    No,
}

impl Requeue {
    fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

/// The right to settle one delivery (to acknowledge or reject it), without its message: returned by
/// [`Delivery::into_parts`](super::Delivery::into_parts).
///
/// The methods that settle take `self`, so that a delivery cannot be settled twice. Dropping an
/// `Acker` leaves the delivery unsettled, and the broker delivers the message again when the
/// channel is closed.
///
/// ```no_run
/// # async fn handle(_: bytes::Bytes) {}
/// # async fn example(delivery: leveret::Delivery) -> leveret::Result<()> {
/// let (message, acker) = delivery.into_parts();
/// handle(message.into_body()).await;
/// acker.ack().await
/// # }
/// ```
#[must_use = "a delivery that is not settled is delivered again"]
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

    /// Returns the number that identifies the delivery on its channel.
    pub fn delivery_tag(&self) -> u64 {
        self.delivery_tag
    }

    /// Returns the channel on which the delivery arrived.
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

    /// Rejects the message: see [`Delivery::nack`](super::Delivery::nack).
    #[doc(alias = "basic_nack")]
    pub fn nack(self, requeue: Requeue) -> SettleFuture {
        self.settle(Settle::Nack { multiple: false, requeue: requeue.is_yes() })
    }

    /// Rejects this message and all that were delivered before it on the channel: see
    /// [`Delivery::nack_multiple`](super::Delivery::nack_multiple).
    pub fn nack_multiple(self, requeue: Requeue) -> SettleFuture {
        self.settle(Settle::Nack { multiple: true, requeue: requeue.is_yes() })
    }

    /// Rejects the message by the standard's `basic.reject`: see
    /// [`Delivery::reject`](super::Delivery::reject).
    #[doc(alias = "basic_reject")]
    pub fn reject(self, requeue: Requeue) -> SettleFuture {
        self.settle(Settle::Reject { requeue: requeue.is_yes() })
    }

    /// Returns `true` if the delivery can no longer be settled, because its channel was lost since:
    /// see [`Delivery::is_stale`](super::Delivery::is_stale).
    pub fn is_stale(&self) -> bool {
        let Source { channel, generation, .. } = &*self.source;
        channel.shared().with(|state| state.engine.is_stale_delivery(channel.key(), *generation))
    }

    /// Makes the future. The message has been dropped already, so that the future is small.
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

/// A future that settles a delivery when it is awaited. It resolves when the settlement is queued;
/// the broker does not answer it.
///
/// It resolves at once, unless the broker does not read and more than `write_limit` bytes wait for
/// the socket; then it waits until there is room. If it is dropped before it resolves, the delivery
/// stays unsettled.
#[derive(Debug)]
#[must_use = "a delivery is settled when this is awaited"]
pub struct SettleFuture {
    acker: Acker,
    settle: Settle,
    /// Boxed, because it is rarely there and this future is moved often.
    room: Option<Box<Wait>>,
}

impl Future for SettleFuture {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { acker: Acker { source, delivery_tag }, settle, room } = &mut *self;
        let Source { channel, no_ack, generation, .. } = &**source;
        if *no_ack {
            return Poll::Ready(Err(Error::nothing_to_settle()));
        }
        // In a loop, because others may fill the room again before this task runs.
        loop {
            if let Some(waiting) = room {
                let waited = ready!(Pin::new(&mut **waiting).poll(context));
                *room = None;
                waited?;
            }
            let (key, tag) = (channel.key(), *delivery_tag);
            match channel.shared().with(|state| state.engine.settle_delivery(key, *generation, tag, *settle)) {
                Err(Failure::WriteLimit { .. }) => *room = Some(Box::new(Wait::for_room(channel.shared())?)),
                settled => return Poll::Ready(Ok(settled?)),
            }
        }
    }
}
