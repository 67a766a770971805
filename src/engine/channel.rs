//! One channel: its state, the calls that wait for replies, and what hangs on it.

use std::collections::{BTreeMap, VecDeque};

use super::confirms::Confirms;
use super::content::Assembly;
use super::returns::Returns;
use super::{ChannelKey, ConsumerKey, WaiterId};
use crate::protocol::{Method, MethodId};
use crate::wire::ShortString;

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
    /// `channel.close` was sent. Replies and confirms that were on their way still count; deliveries do not, and what has
    /// no place on an open channel is passed over.
    Closing,
}

/// A call whose reply is due. Replies come in the order of the calls.
#[derive(Debug)]
pub(super) struct PendingCall {
    /// The call's number on its channel.
    pub(super) number: u64,
    pub(super) request: MethodId,
    pub(super) name: &'static str,
    pub(super) replies: &'static [MethodId],
    pub(super) waiter: Option<WaiterId>,
    pub(super) effect: Effect,
    /// Where in the stream the request began.
    pub(super) position: u64,
}

/// What the reply changes besides resolving the call.
#[derive(Debug)]
pub(super) enum Effect {
    None,
    /// The channel is open.
    Open,
    /// A consumer starts.
    Consume {
        tag: ShortString,
        no_ack: bool,
    },
    /// A consumer ends.
    Cancel(Ending),
    /// The reply brings a message.
    Get {
        no_ack: bool,
    },
}

/// Which consumer a cancel is to end.
#[derive(Debug)]
pub(super) enum Ending {
    Known(ConsumerKey),
    /// The one that has this tag when the broker agrees: it may have been starting when the cancel was made.
    Tagged(ShortString),
}

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) key: ChannelKey,
    pub(super) state: ChannelLife,
    pub(super) calls: VecDeque<PendingCall>,
    /// Calls made so far.
    pub(super) calls_made: u64,
    /// Who waits for the close to be complete.
    pub(super) closers: Vec<WaiterId>,
    pub(super) assembly: Assembly,
    /// Octets kept from a content method until its header comes.
    pub(super) scratch: Vec<u8>,
    pub(super) consumers: BTreeMap<ShortString, ConsumerKey>,
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
            calls: VecDeque::new(),
            calls_made: 0,
            closers: Vec::new(),
            assembly: Assembly::Idle,
            scratch: Vec::new(),
            consumers: BTreeMap::new(),
            recent: None,
            confirms: None,
            returns: Returns::default(),
            flow_stopped: false,
        }
    }

    /// Queues a call whose request begins at `position`.
    pub(super) fn expect(&mut self, request: Expected, waiter: Option<WaiterId>, effect: Effect, position: u64) -> u64 {
        self.calls_made += 1;
        let number = self.calls_made;
        let Expected { id, name, replies } = request;
        self.calls.push_back(PendingCall { number, request: id, name, replies, waiter, effect, position });
        number
    }

    /// The oldest call is one that `reply` answers.
    pub(super) fn expects(&self, reply: MethodId) -> bool {
        self.calls.front().is_some_and(|call| call.replies.contains(&reply))
    }

    /// The call that `reply` answers: the oldest, or none.
    pub(super) fn answered(&mut self, reply: MethodId) -> Option<PendingCall> {
        self.calls.pop_front_if(|call| call.replies.contains(&reply))
    }

    /// The tag is taken, by a consumer or by one that is about to be. One that `is_abandoned` was cancelled ahead of
    /// whatever is sent now.
    pub(super) fn has_consumer(&self, tag: &ShortString, is_abandoned: impl Fn(ConsumerKey) -> bool) -> bool {
        let starts = |call: &PendingCall| matches!(&call.effect, Effect::Consume { tag: taken, .. } if taken == tag);
        !tag.is_empty()
            && (self.consumers.get(tag).is_some_and(|key| !is_abandoned(*key)) || self.calls.iter().any(starts))
    }
}

/// What a request expects in return.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub(super) id: MethodId,
    pub(super) name: &'static str,
    pub(super) replies: &'static [MethodId],
}

impl Expected {
    /// What `method` expects; no replies where nothing answers it.
    pub(super) fn of(method: &Method, replies: &'static [MethodId]) -> Self {
        Self { id: method.id(), name: method.name(), replies }
    }
}
