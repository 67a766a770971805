//! One channel: its state, the calls that wait for replies, and what hangs on it.

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
    /// Everything is possible.
    Open,
    /// `channel.close` was sent. Replies and confirms that were on their way still count;
    /// deliveries do not, and what has no place on an open channel is passed over.
    Closing,
}

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) key: ChannelKey,
    pub(super) state: ChannelLife,
    pub(super) calls: Calls,
    /// Who waits for the close to be complete, with the places of their deadlines.
    pub(super) closers: BTreeMap<WaiterId, Option<Place>>,
    /// Where in the stream our close ends, once there is one;
    /// [`HELD`](crate::engine::outbound::HELD) while it waits for a commit.
    pub(super) close_end: u64,
    /// The close of the broker's that ours crossed.
    pub(super) crossed: Option<Arc<Closure>>,
    pub(super) assembly: Assembly,
    /// Octets kept from a content method until its header comes.
    pub(super) scratch: Vec<u8>,
    pub(super) consumers: BTreeMap<ShortString, ConsumerKey>,
    /// Consumers that are over.
    pub(super) departed: Departed,
    /// Deliveries that wait to be settled.
    pub(super) unsettled: Unsettled,
    /// What waits for the answer to a commit.
    pub(super) held: Held,
    /// What was asked of the broker by `basic.qos`.
    pub(super) prefetch: Prefetch,
    /// The consumer of the latest delivery: the next one is most likely for it too.
    pub(super) recent: Option<ConsumerKey>,
    pub(super) confirms: Option<Confirms>,
    pub(super) returns: Returns,
    /// The broker asked for no more content (`channel.flow`).
    pub(super) flow_stopped: bool,
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
        }
    }

    /// Takes out the message under way, if it is complete.
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

    /// How many wait for the close to be complete, or for all confirms.
    pub(super) fn waiters(&self) -> usize {
        self.closers.len() + self.confirms.as_ref().map_or(0, Confirms::watchers)
    }

    /// Somebody waits for the close to be complete, without a deadline so far.
    pub(super) fn add_closer(&mut self, waiter: Option<WaiterId>) {
        self.closers.extend(waiter.map(|waiter| (waiter, None)));
    }

    /// The tag is taken, by a consumer or by one that is about to be. One that `is_abandoned` was
    /// cancelled ahead of whatever is sent now.
    pub(super) fn has_consumer(&self, tag: &ShortString, is_abandoned: impl Fn(ConsumerKey) -> bool) -> bool {
        let runs = self.consumers.get(tag).is_some_and(|key| !is_abandoned(*key));
        !tag.is_empty() && (runs || self.calls.is_starting(tag))
    }
}
