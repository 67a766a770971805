//! Channels: their states, their calls and replies, and what belongs to each.

mod calls;
mod closing;
mod replies;
mod requests;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::consume::{Departed, Prefetch, Unsettled};
use crate::engine::inbound::{Assembly, Gathering};
use crate::engine::outbound::Held;
use crate::engine::publish::{Confirms, Returns};
use crate::engine::slots::Place;
use crate::engine::{ChannelKey, Closure, ConsumerKey, WaiterId};
use crate::wire::ShortString;

pub(super) use calls::{Effect, Ending, Expected, Starting};
pub(super) use table::Channels;

use calls::Calls;

/// Where a channel is in its life.
///
/// ```text
///             open-ok                  close (ours)                close-ok
/// Opening ───────────────▶ Open ──────────────────────▶ Closing ───────────────▶ gone, number free
///    │                      │                               │
///    │ close (broker's)     │ close (broker's)              │ close (broker's): close-ok, keep waiting
///    ▼                      ▼                               ▼
///  gone: close-ok is sent, the number is free           gone at close-ok
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChannelLife {
    /// `channel.open` was sent.
    Opening,
    /// All requests are possible.
    Open,
    /// It was requested while the connection was down, and `channel.open` was not sent.
    Unsent,
    /// Its transport was lost, or the broker has closed it alone and it is opened again. The broker
    /// does not know it.
    Suspended,
    /// `channel.open` was sent again after a loss. A channel that was lost alone stays so until the
    /// supervisor lets its requests through.
    Reopening,
    /// `channel.close` was sent. Replies and confirms that still arrive count; deliveries do not,
    /// and a violation is ignored.
    Closing,
}

impl ChannelLife {
    /// Whether its requests wait for a recovery.
    pub(super) fn is_suspended(self) -> bool {
        matches!(self, Self::Suspended | Self::Reopening | Self::Unsent)
    }
}

/// What the broker has in an open transaction.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// Whether something was published or settled since it began.
    pub(super) is_dirty: bool,
    /// Whether work of it was lost with the connection.
    pub(super) is_lost: bool,
}

impl Transaction {
    /// Records a loss. `transacts` is whether the channel has transactions, and `held` whether work
    /// waited for the reply to a commit.
    pub(super) fn lose(&mut self, transacts: bool, held: bool) {
        self.is_lost |= transacts && (self.is_dirty || held);
        self.is_dirty = false;
    }
}

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) key: ChannelKey,
    pub(super) state: ChannelLife,
    pub(super) calls: Calls,
    /// The waiters of the close, with the places of their deadlines.
    pub(super) closers: BTreeMap<WaiterId, Option<Place>>,
    /// Where in the stream our close ends, once it was encoded;
    /// [`HELD`](crate::engine::outbound::HELD) while it waits for a commit.
    pub(super) close_end: u64,
    /// The broker's close, if it crossed ours.
    pub(super) crossed: Option<Arc<Closure>>,
    pub(super) assembly: Assembly,
    /// Exchange and routing key of a content method, kept until its header arrives.
    pub(super) scratch: Vec<u8>,
    pub(super) consumers: BTreeMap<ShortString, ConsumerKey>,
    /// The latest consumers that have ended.
    pub(super) departed: Departed,
    /// Deliveries that wait to be settled.
    pub(super) unsettled: Unsettled,
    /// Output that waits for the reply to a commit.
    pub(super) held: Held,
    /// The prefetch counts that were set by `basic.qos`.
    pub(super) prefetch: Prefetch,
    /// The consumer of the latest delivery, which is tried first for the next one.
    pub(super) recent: Option<ConsumerKey>,
    pub(super) confirms: Option<Confirms>,
    pub(super) returns: Returns,
    /// Whether the broker has stopped content (`channel.flow`).
    pub(super) flow_stopped: bool,
    /// The transport on which it was opened last.
    pub(super) generation: u32,
    pub(super) transaction: Transaction,
    /// The queue that an empty name means: the last one that was declared. Kept only if the
    /// topology is recorded.
    pub(super) queue: ShortString,
    /// Whether it belongs to the recovery and not to the application.
    pub(super) is_private: bool,
    /// Whether its last handle was dropped.
    pub(super) is_released: bool,
    /// Why the broker closed it, if it was suspended for that and is not open again.
    pub(super) closed: Option<Arc<Closure>>,
}

impl Channel {
    pub(super) fn new(key: ChannelKey) -> Self {
        Self {
            key,
            state: ChannelLife::Opening,
            calls: Calls::default(),
            closers: BTreeMap::new(),
            close_end: 0,
            crossed: None,
            assembly: Assembly::Idle,
            scratch: Vec::new(),
            consumers: BTreeMap::new(),
            departed: Departed::default(),
            unsettled: Unsettled::default(),
            held: Held::default(),
            prefetch: Prefetch::default(),
            recent: None,
            confirms: None,
            returns: Returns::default(),
            flow_stopped: false,
            generation: 0,
            transaction: Transaction::default(),
            queue: ShortString::new(),
            is_private: false,
            is_released: false,
            closed: None,
        }
    }

    /// Removes the message that is being assembled, if it is complete.
    #[inline]
    pub(super) fn take_content(&mut self) -> Option<(ChannelKey, Gathering)> {
        if !matches!(&self.assembly, Assembly::Body(gathering) if gathering.is_complete()) {
            return None;
        }
        match std::mem::replace(&mut self.assembly, Assembly::Idle) {
            Assembly::Body(gathering) => Some((self.key, gathering)),
            Assembly::Idle | Assembly::Header(..) => None,
        }
    }

    /// The number of waiters for the close or for all confirms.
    pub(super) fn waiters(&self) -> usize {
        self.closers.len() + self.confirms.as_ref().map_or(0, Confirms::watchers)
    }

    /// Adds a waiter for the close, without a deadline so far.
    pub(super) fn add_closer(&mut self, waiter: Option<WaiterId>) {
        self.closers.extend(waiter.map(|waiter| (waiter, None)));
    }

    /// Whether the tag is in use, by a consumer that runs or is starting. A consumer that
    /// `is_abandoned` does not count: its cancel is sent before any new consume.
    pub(super) fn has_consumer(&self, tag: &ShortString, is_abandoned: impl Fn(ConsumerKey) -> bool) -> bool {
        let runs = self.consumers.get(tag).is_some_and(|key| !is_abandoned(*key));
        !tag.is_empty() && (runs || self.calls.is_starting(tag))
    }
}
