//! Consumers of a connection: what waits for each, and how each ended.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{ChannelKey, Closure, ConsumerKey, Message, WaiterId};
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

/// Why a consumer gets no more deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerEnd {
    /// The application cancelled it.
    Cancelled,
    /// The broker cancelled it: its queue is gone, for instance.
    CancelledByBroker,
    /// Its channel or connection is closed.
    Closed(Arc<Closure>),
}

/// One consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) channel: ChannelKey,
    pub(super) tag: ShortString,
    pub(super) no_ack: bool,
    pub(super) ready: VecDeque<Delivery>,
    /// Sizes of messages that were over the limit, and that the listener has not heard of.
    pub(super) oversize: VecDeque<u64>,
    /// The standing waiter, once somebody listens.
    pub(super) waiter: Option<WaiterId>,
    /// The waiter was told and has not taken since.
    pub(super) told: bool,
    /// Somebody has it, and nobody else can get it.
    pub(super) claimed: bool,
    /// Nobody listens any more; what still arrives goes back.
    pub(super) abandoned: bool,
    pub(super) end: Option<ConsumerEnd>,
}

impl Consumer {
    /// Names the waiter, where it has to be told that there is something.
    #[inline]
    pub(super) fn tell(&mut self) -> Option<WaiterId> {
        if self.told {
            return None;
        }
        let waiter = self.waiter?;
        self.told = true;
        Some(waiter)
    }
}

/// All consumers, in a dense table whose places are reused under new incarnations.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    places: Vec<Option<(u64, Consumer)>>,
    free: Vec<u32>,
    started: u64,
}

impl Consumers {
    pub(super) fn insert(&mut self, consumer: Consumer) -> Option<ConsumerKey> {
        self.started += 1;
        let incarnation = self.started;
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.places.len()).ok()?;
                self.places.push(None);
                index
            }
        };
        let place = self.places.get_mut(usize::try_from(index).ok()?)?;
        *place = Some((incarnation, consumer));
        Some(ConsumerKey { index, incarnation })
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: ConsumerKey) -> Option<&mut Consumer> {
        let place = self.places.get_mut(usize::try_from(key.index).ok()?)?;
        place.as_mut().filter(|(incarnation, _)| *incarnation == key.incarnation).map(|(_, consumer)| consumer)
    }

    #[inline]
    pub(super) fn get(&self, key: ConsumerKey) -> Option<&Consumer> {
        let place = self.places.get(usize::try_from(key.index).ok()?)?;
        place.as_ref().filter(|(incarnation, _)| *incarnation == key.incarnation).map(|(_, consumer)| consumer)
    }

    /// Removes the consumers of a channel.
    pub(super) fn remove_all_of(&mut self, channel: ChannelKey) {
        for (index, place) in (0..).zip(&mut self.places) {
            if place.take_if(|(_, consumer)| consumer.channel == channel).is_some() {
                self.free.push(index);
            }
        }
    }

    pub(super) fn remove(&mut self, key: ConsumerKey) -> Option<Consumer> {
        let place = self.places.get_mut(usize::try_from(key.index).ok()?)?;
        if place.as_ref().is_none_or(|(incarnation, _)| *incarnation != key.incarnation) {
            return None;
        }
        self.free.push(key.index);
        place.take().map(|(_, consumer)| consumer)
    }
}
