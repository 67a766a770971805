//! A consumer: where it is in its life, who listens, and what waits.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ready::Ready;
use super::tags::DeliveryTags;
use crate::engine::slots::Place;
use crate::engine::{ChannelKey, Closure, Message, WaiterId};
use crate::wire::ShortString;

/// A message that the broker pushed to a consumer.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The number by which it is acknowledged, unique on its channel.
    pub delivery_tag: u64,
    /// It was delivered before, to this consumer or another.
    pub redelivered: bool,
}

impl Delivery {
    /// Bytes that it takes to keep it: those of the message, and its place in a queue.
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
    /// The broker cancelled it: its queue is gone, for instance.
    CancelledByBroker,
    /// It was cancelled because more waited for consumers than may wait.
    Overflowed {
        /// Bytes that waited for it.
        waited: u64,
        /// Bytes that may wait for all consumers of the connection.
        limit: u64,
    },
    /// Its channel or connection is closed.
    Closed(Arc<Closure>),
}

/// Where a consumer is in its life.
///
/// ```text
///   consume is sent              consume-ok              cancel is sent                 cancel-ok
/// ──────────────────▶ Starting ─────────────▶ Running ──────────────────▶ Cancelling ─────────────▶ Ended
///                        │                       │                            │                       ▲
///                        └───────────────────────┴── the broker's cancel, the channel closes ─────────┘
/// ```
///
/// A consumer is in the table from its first delivery or its consume-ok on, whichever arrives
/// first. A cancel that is wanted while it starts is sent at consume-ok: RabbitMQ crashes the
/// channel where it arrives earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum ConsumerLife {
    Starting,
    Running,
    Cancelling,
    Ended(ConsumerEnd),
}

/// Who listens to a consumer.
#[derive(Debug)]
pub(in crate::engine) enum Listener {
    /// Nobody so far: it can be claimed by its tag.
    Nobody,
    /// Somebody has it, and nobody else can get it.
    Somebody,
    /// Nobody any more. What arrived is given back when the broker sends no more.
    Gone(Leaving),
}

/// What a consumer that nobody listens to has to do before it goes.
#[derive(Debug, Default)]
pub(in crate::engine) struct Leaving {
    /// Deliveries that no code has seen.
    pub(super) unseen: DeliveryTags,
    /// Who waits until they are given back, and where the deadline of that is.
    pub(super) waiters: Vec<(WaiterId, Option<Place>)>,
}

/// A consumer that did not keep up. It has ended for whoever listens, before the broker agrees, and
/// nothing more is kept for it.
#[derive(Debug)]
pub(in crate::engine) struct Overflow {
    /// Bytes that waited for it.
    pub(in crate::engine) waited: u64,
    /// Bytes that may wait for all consumers.
    pub(in crate::engine) limit: u64,
    /// Deliveries that no code will see. They are given back when the broker sends no more.
    pub(in crate::engine) unseen: DeliveryTags,
}

/// Whether the queue of a consumer is a stream, as far as can be told.
///
/// Deliveries of a stream are never nacked: RabbitMQ 3 closes the connection at that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Stream {
    /// Nothing says so.
    No,
    /// A message has the header of one. It may have been republished from a stream to another
    /// queue.
    Maybe,
    /// It was asked for an offset.
    Yes,
}

impl Stream {
    /// What a message says of its queue. Its properties are not decoded for that: a header's name
    /// stands in them as it is.
    pub(in crate::engine) fn of(message: &Message) -> Self {
        Self::said_by(message.property_octets())
    }

    /// The same of properties as they came.
    pub(in crate::engine) fn said_by(properties: &[u8]) -> Self {
        const OFFSET: &[u8] = b"\x0fx-stream-offset";
        let found = properties.windows(OFFSET.len()).any(|octets| octets == OFFSET);
        if found { Self::Maybe } else { Self::No }
    }
}

/// How the deliveries of a consumer are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Terms {
    pub(in crate::engine) no_ack: bool,
    pub(in crate::engine) stream: Stream,
}

/// Words of delivery tags that are kept for a consumer which has ended before the broker agrees.
///
/// What they stand for counts against no limit, and goes back at once when they are more. So the
/// number bounds two things at their worst:
///
/// * Memory: less than a mebibyte, for words in a tree whose nodes are half empty.
/// * Output: where each of the 64 tags of each word needs a nack of its own, of 21 bytes, some 26
///   MiB. That is less than twice the default `write_limit`, so one such burst does not make
///   reading pause by itself.
const MOST_UNSEEN: usize = 20 * 1024;

/// One consumer.
#[derive(Debug)]
pub(in crate::engine) struct Consumer {
    pub(in crate::engine) channel: ChannelKey,
    pub(in crate::engine) tag: ShortString,
    pub(in crate::engine) terms: Terms,
    pub(in crate::engine) life: ConsumerLife,
    pub(in crate::engine) listener: Listener,
    pub(in crate::engine) ready: Ready,
    /// Under which size it is ranked among those for which most waits.
    pub(super) ranked: u64,
    /// It did not keep up.
    pub(in crate::engine) overflow: Option<Box<Overflow>>,
    /// The standing waiter, once somebody listens.
    pub(super) waiter: Option<WaiterId>,
    /// The waiter was told and has not taken since.
    pub(super) told: bool,
}

impl Consumer {
    pub(super) fn new(channel: ChannelKey, tag: ShortString, terms: Terms, life: ConsumerLife) -> Self {
        Self {
            channel,
            tag,
            terms,
            life,
            listener: Listener::Nobody,
            ready: Ready::default(),
            ranked: 0,
            overflow: None,
            waiter: None,
            told: false,
        }
    }

    /// Names the waiter, where it has to be told that there is something.
    #[inline]
    pub(in crate::engine) fn tell(&mut self) -> Option<WaiterId> {
        if self.told {
            return None;
        }
        let waiter = self.waiter?;
        self.told = true;
        Some(waiter)
    }

    /// Somebody has it from here on.
    pub(super) fn claim(&mut self) {
        if matches!(self.listener, Listener::Nobody) {
            self.listener = Listener::Somebody;
        }
    }

    pub(in crate::engine) fn is_abandoned(&self) -> bool {
        matches!(self.listener, Listener::Gone(_))
    }

    /// Somebody listens.
    pub(in crate::engine) fn is_listened(&self) -> bool {
        matches!(self.listener, Listener::Somebody)
    }

    /// How many wait until it is let go of.
    pub(in crate::engine) fn waiters(&self) -> usize {
        match &self.listener {
            Listener::Gone(leaving) => leaving.waiters.len(),
            Listener::Nobody | Listener::Somebody => 0,
        }
    }

    /// How it ended, for whoever listens.
    pub(super) fn end(&self) -> Option<ConsumerEnd> {
        match (&self.overflow, &self.life) {
            (Some(overflow), _) => Some(ConsumerEnd::Overflowed { waited: overflow.waited, limit: overflow.limit }),
            (None, ConsumerLife::Ended(end)) => Some(end.clone()),
            (None, _) => None,
        }
    }

    /// It ended with its channel: nothing can be given back any more, and the broker has it back
    /// already.
    pub(in crate::engine) fn is_closed(&self) -> bool {
        matches!(self.life, ConsumerLife::Ended(ConsumerEnd::Closed(_)))
    }

    /// Takes note of a delivery where none are kept any more; tells whether that is so.
    #[inline]
    pub(in crate::engine) fn turns_away(&mut self, delivery_tag: u64) -> bool {
        let no_ack = self.terms.no_ack;
        let Some(unseen) = self.unseen() else { return false };
        if !no_ack {
            unseen.insert(delivery_tag);
        }
        true
    }

    /// Deliveries that no code will see, where none are kept any more.
    #[inline]
    fn unseen(&mut self) -> Option<&mut DeliveryTags> {
        match (&mut self.listener, &mut self.overflow) {
            (Listener::Gone(leaving), _) => Some(&mut leaving.unseen),
            (_, Some(overflow)) => Some(&mut overflow.unseen),
            _ => None,
        }
    }

    /// Takes those out where they are more than are kept until the broker sends no more.
    pub(super) fn take_excess(&mut self) -> Option<DeliveryTags> {
        self.unseen().filter(|unseen| unseen.extent() > MOST_UNSEEN).map(std::mem::take)
    }

    /// Takes out what waits, to be given back when the broker sends no more.
    pub(in crate::engine) fn take_back(&mut self, unseen: &mut DeliveryTags) -> Vec<VecDeque<Delivery>> {
        let parts = self.ready.take_all();
        parts.iter().flatten().for_each(|delivery| self.leave_unseen(delivery, unseen));
        parts
    }

    /// Nobody sees a delivery.
    pub(super) fn leave_unseen(&mut self, delivery: &Delivery, unseen: &mut DeliveryTags) {
        self.terms.stream = self.terms.stream.max(Stream::of(&delivery.message));
        unseen.insert(delivery.delivery_tag);
    }
}

/// Consumers of a channel that are over, the latest last: a delivery that arrives for one of them
/// is given back.
#[derive(Debug, Default)]
pub(in crate::engine) struct Departed {
    consumers: VecDeque<(ShortString, Terms)>,
}

impl Departed {
    /// Consumers that are remembered. Only deliveries that were on their way need it.
    const KEPT: usize = 64;

    pub(super) fn push(&mut self, tag: ShortString, terms: Terms) {
        if self.consumers.len() == Self::KEPT {
            self.consumers.pop_front();
        }
        self.consumers.push_back((tag, terms));
    }

    /// The terms of the latest one with this tag.
    pub(in crate::engine) fn get(&self, tag: &[u8]) -> Option<Terms> {
        self.consumers.iter().rev().find(|(known, _)| known.as_bytes() == tag).map(|(_, terms)| *terms)
    }
}
