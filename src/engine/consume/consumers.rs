//! One consumer: its state, its listener, and its waiting deliveries.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ready::Ready;
use super::tags::DeliveryTags;
use crate::engine::slots::Place;
use crate::engine::{ChannelKey, Closure, Message, WaiterId};
use crate::protocol::basic;
use crate::wire::ShortString;

/// A message that the broker delivered to a consumer.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The delivery tag by which it is acknowledged, unique on its channel.
    pub delivery_tag: u64,
    /// Whether it was delivered before, to this consumer or another.
    pub redelivered: bool,
}

impl Delivery {
    /// The bytes that it takes to keep it: those of the message, and its place in a queue.
    #[inline]
    pub(super) fn size(&self) -> u64 {
        (self.message.size() + size_of::<Self>()) as u64
    }
}

/// Why a consumer gets no more deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerEnd {
    /// The application cancelled it.
    Cancelled,
    /// The broker cancelled it, for instance because its queue was deleted.
    CancelledByBroker,
    /// The client cancelled it, because more bytes waited for consumers than `read_limit`.
    Overflowed {
        /// Bytes that waited for it.
        waited: u64,
        /// Bytes that may wait for all consumers of the connection.
        limit: u64,
    },
    /// Its channel or connection was closed.
    Closed(Arc<Closure>),
}

/// The state of a consumer.
///
/// ```text
///   consume is sent              consume-ok              cancel is sent                 cancel-ok
/// ──────────────────▶ Starting ─────────────▶ Running ──────────────────▶ Cancelling ─────────────▶ Ended
///                        │                       │                            │                       ▲
///                        └───────────────────────┴── the broker's cancel, the channel closes ─────────┘
/// ```
///
/// A consumer is in the table from its first delivery or its `consume-ok` on, whichever arrives
/// first. A cancel that is requested while it starts is sent at `consume-ok`: RabbitMQ crashes the
/// channel if it arrives earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum ConsumerLife {
    Starting,
    Running,
    Cancelling,
    Ended(ConsumerEnd),
}

/// Whether a consumer has a listener: the code that takes its deliveries.
#[derive(Debug)]
pub(in crate::engine) enum Listener {
    /// It has none so far, and can be claimed by its tag.
    Unclaimed,
    /// It has one, and no other can claim it.
    Claimed,
    /// Its listener was dropped. What arrived is returned to the queue when the broker sends no
    /// more.
    Dropped(Leaving),
}

/// What a consumer whose listener was dropped has to do before it is removed.
#[derive(Debug, Default)]
pub(in crate::engine) struct Leaving {
    /// Deliveries that the application has not seen.
    pub(super) unseen: DeliveryTags,
    /// The waiters for their return, with the places of their deadlines.
    pub(super) waiters: Vec<(WaiterId, Option<Place>)>,
}

/// The state of a consumer that did not keep up. For its listener it has ended, before the broker
/// agrees, and no more deliveries are kept for it.
#[derive(Debug)]
pub(in crate::engine) struct Overflow {
    /// Bytes that waited for it.
    pub(in crate::engine) waited: u64,
    /// Bytes that may wait for all consumers.
    pub(in crate::engine) limit: u64,
    /// Deliveries that the application will not see. They are returned to the queue when the broker
    /// sends no more.
    pub(in crate::engine) unseen: DeliveryTags,
}

/// Whether the queue of a consumer is a stream, as far as the client knows.
///
/// Deliveries of a stream are never nacked: RabbitMQ 3 closes the connection for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Stream {
    /// Nothing indicates it.
    No,
    /// A message has the header of a stream. It may have been republished from a stream to another
    /// queue.
    Maybe,
    /// The consumer was started with an offset.
    Yes,
}

impl Stream {
    /// What a message indicates about its queue. Its properties are not decoded for that, because
    /// the name of the header stands in them literally.
    pub(in crate::engine) fn of(message: &Message) -> Self {
        Self::of_properties(message.property_octets())
    }

    /// The same for the encoded properties.
    pub(in crate::engine) fn of_properties(properties: &[u8]) -> Self {
        const OFFSET: &[u8] = b"\x0fx-stream-offset";
        let found = properties.windows(OFFSET.len()).any(|octets| octets == OFFSET);
        if found { Self::Maybe } else { Self::No }
    }
}

/// What determines how the deliveries of a consumer are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Terms {
    pub(in crate::engine) no_ack: bool,
    pub(in crate::engine) stream: Stream,
}

/// The largest number of words of delivery tags (64 tags each) that are kept for a consumer that
/// has ended before the broker agrees.
///
/// These deliveries count against no limit, and are returned at once when there are more. So this
/// number bounds the worst case of two things:
///
/// * Memory: less than 1 MiB, for words in a tree whose nodes are half empty.
/// * Output: if each of the 64 tags of each word needs a nack of its own, of 21 bytes, some 26 MiB.
///   That is less than twice the default `write_limit`, so one such burst does not make reading
///   pause by itself.
const MOST_UNSEEN: usize = 20 * 1024;

/// A consumer.
#[derive(Debug)]
pub(in crate::engine) struct Consumer {
    pub(in crate::engine) channel: ChannelKey,
    pub(in crate::engine) tag: ShortString,
    pub(in crate::engine) terms: Terms,
    pub(in crate::engine) life: ConsumerLife,
    pub(in crate::engine) listener: Listener,
    pub(in crate::engine) ready: Ready,
    /// The size under which it is in the ranking of consumers by waiting bytes.
    pub(super) ranked: u64,
    /// Set when it did not keep up.
    pub(in crate::engine) overflow: Option<Box<Overflow>>,
    /// The standing waiter of the listener, once there is one.
    pub(super) waiter: Option<WaiterId>,
    /// Whether the waiter was notified and has not taken since.
    pub(super) notified: bool,
    /// The transport on which it was started last.
    pub(in crate::engine) generation: u32,
    /// Whether the broker has ended it, by a cancel or with its channel alone, and it is not known
    /// whether its queue is gone.
    pub(in crate::engine) is_doubted: bool,
    /// What starts it again after a loss. `None` if the topology is not recorded, or if it has
    /// ended.
    pub(in crate::engine) restart: Option<Box<Restart>>,
}

/// What starts a consumer again.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Restart {
    /// The request, with the name of its queue.
    pub(in crate::engine) request: basic::Consume,
    /// The prefetch that was in force when it was started.
    pub(in crate::engine) prefetch: u16,
    /// Its place among the consumers.
    pub(in crate::engine) order: u64,
    /// Whether it comes back. One that does not is known to the record, because it keeps an
    /// auto-delete queue.
    pub(in crate::engine) recorded: bool,
    /// Whether its queue is declared again when the broker has cancelled it.
    pub(in crate::engine) resumes: bool,
}

/// What becomes of a consumer that a program did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comeback {
    /// Whether it is started again after a loss.
    pub recorded: bool,
    /// Whether its queue is declared again, if it is recorded, when the broker has cancelled it
    /// because the queue was deleted.
    pub resumes: bool,
}

impl Consumer {
    /// Whether it comes back after a loss, unless it has ended.
    pub(in crate::engine) fn is_recorded(&self) -> bool {
        self.restart.as_ref().is_some_and(|restart| restart.recorded)
    }

    pub(super) fn new(channel: ChannelKey, tag: ShortString, terms: Terms, life: ConsumerLife) -> Self {
        Self {
            channel,
            tag,
            terms,
            life,
            listener: Listener::Unclaimed,
            ready: Ready::default(),
            ranked: 0,
            overflow: None,
            waiter: None,
            notified: false,
            generation: 0,
            is_doubted: false,
            restart: None,
        }
    }

    /// Marks the waiter as notified, and returns it if it was not.
    #[inline]
    pub(in crate::engine) fn notify(&mut self) -> Option<WaiterId> {
        if self.notified {
            return None;
        }
        let waiter = self.waiter?;
        self.notified = true;
        Some(waiter)
    }

    /// Gives it a listener, unless it has or had one.
    pub(super) fn claim(&mut self) {
        if matches!(self.listener, Listener::Unclaimed) {
            self.listener = Listener::Claimed;
        }
    }

    pub(in crate::engine) fn is_abandoned(&self) -> bool {
        matches!(self.listener, Listener::Dropped(_))
    }

    /// Whether it has a listener.
    pub(in crate::engine) fn is_listened(&self) -> bool {
        matches!(self.listener, Listener::Claimed)
    }

    /// The number of waiters for its removal.
    pub(in crate::engine) fn waiters(&self) -> usize {
        match &self.listener {
            Listener::Dropped(leaving) => leaving.waiters.len(),
            Listener::Unclaimed | Listener::Claimed => 0,
        }
    }

    /// How it ended, as its listener sees it.
    pub(super) fn end(&self) -> Option<ConsumerEnd> {
        match (&self.overflow, &self.life) {
            (Some(overflow), _) => Some(ConsumerEnd::Overflowed { waited: overflow.waited, limit: overflow.limit }),
            (None, ConsumerLife::Ended(end)) => Some(end.clone()),
            (None, _) => None,
        }
    }

    /// Whether it ended with its channel. Nothing can be returned any more, and the broker has
    /// already requeued its deliveries.
    pub(in crate::engine) fn is_closed(&self) -> bool {
        matches!(self.life, ConsumerLife::Ended(ConsumerEnd::Closed(_)))
    }

    /// Returns `true` if deliveries are not kept any more. In that case records the delivery as
    /// unseen.
    #[inline]
    pub(in crate::engine) fn turns_away(&mut self, delivery_tag: u64) -> bool {
        let no_ack = self.terms.no_ack;
        let Some(unseen) = self.unseen() else { return false };
        if !no_ack {
            unseen.insert(delivery_tag);
        }
        true
    }

    /// The deliveries that the application will not see, if none are kept any more.
    #[inline]
    fn unseen(&mut self) -> Option<&mut DeliveryTags> {
        match (&mut self.listener, &mut self.overflow) {
            (Listener::Dropped(leaving), _) => Some(&mut leaving.unseen),
            (_, Some(overflow)) => Some(&mut overflow.unseen),
            _ => None,
        }
    }

    /// Removes the unseen deliveries if there are more than [`MOST_UNSEEN`] words of them.
    pub(super) fn take_excess(&mut self) -> Option<DeliveryTags> {
        self.unseen().filter(|unseen| unseen.extent() > MOST_UNSEEN).map(std::mem::take)
    }

    /// Removes the waiting deliveries, and adds their tags to those that are returned when the
    /// broker sends no more.
    pub(in crate::engine) fn take_back(&mut self, unseen: &mut DeliveryTags) -> Vec<VecDeque<Delivery>> {
        let parts = self.ready.take_all();
        parts.iter().flatten().for_each(|delivery| self.leave_unseen(delivery, unseen));
        parts
    }

    /// Records a delivery that the application will not see.
    pub(super) fn leave_unseen(&mut self, delivery: &Delivery, unseen: &mut DeliveryTags) {
        self.terms.stream = self.terms.stream.max(Stream::of(&delivery.message));
        unseen.insert(delivery.delivery_tag);
    }
}

/// The latest consumers of a channel that have ended, oldest first. A delivery that arrives for one
/// of them is returned to its queue.
#[derive(Debug, Default)]
pub(in crate::engine) struct Departed {
    consumers: VecDeque<(ShortString, Terms)>,
}

impl Departed {
    /// How many consumers are remembered. Only deliveries that were on their way need it.
    const KEPT: usize = 64;

    pub(super) fn push(&mut self, tag: ShortString, terms: Terms) {
        if self.consumers.len() == Self::KEPT {
            self.consumers.pop_front();
        }
        self.consumers.push_back((tag, terms));
    }

    /// The terms of the latest of them with this tag.
    pub(in crate::engine) fn get(&self, tag: &[u8]) -> Option<Terms> {
        self.consumers.iter().rev().find(|(known, _)| known.as_bytes() == tag).map(|(_, terms)| *terms)
    }
}
