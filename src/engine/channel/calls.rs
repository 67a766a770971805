//! The pending calls of a channel, and the matching of replies to calls.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::changes::Change;
use crate::engine::consume::{Restart, Terms};
use crate::engine::outbound::{DEFERRED, HELD};
use crate::engine::slots::Place;
use crate::engine::steps::step;
use crate::engine::{ChannelKey, ConsumerKey, Engine, WaiterId};
use crate::protocol::{Method, MethodId, ProtocolMethod, tx};
use crate::wire::ShortString;

/// A call that has not been answered.
#[derive(Debug)]
pub(in crate::engine) struct PendingCall {
    /// The call's number on its channel.
    pub(super) number: u64,
    pub(in crate::engine) request: MethodId,
    pub(super) replies: &'static [MethodId],
    pub(in crate::engine) waiter: Option<WaiterId>,
    pub(in crate::engine) effect: Effect,
    /// Where in the stream the request begins.
    pub(super) position: u64,
    /// The place of its deadline in the list of deadlines, until it is answered or times out.
    pub(in crate::engine) deadline: Option<Place>,
}

/// What the reply changes besides completing the call.
#[derive(Debug)]
pub(in crate::engine) enum Effect {
    None,
    /// The channel becomes open.
    Open,
    /// The channel becomes open again.
    Reopen,
    /// A consumer becomes running.
    Consume(Starting),
    /// A consumer ends.
    Cancel {
        tag: ShortString,
        ending: Ending,
    },
    /// The topology changes.
    Record(Box<Change>),
    /// A queue that is not recorded becomes the one that an empty name means.
    NameQueue,
    /// The reply carries a message.
    Get {
        no_ack: bool,
    },
}

/// A consumer that the broker has not accepted yet.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Starting {
    /// Empty if the broker chooses the tag.
    pub(in crate::engine) tag: ShortString,
    pub(in crate::engine) terms: Terms,
    /// Whether the caller gets the consumer with the reply, so that no other can claim it.
    pub(in crate::engine) claimed: bool,
    /// What starts it again after a loss, if the topology is recorded.
    pub(in crate::engine) restart: Option<Box<Restart>>,
    /// Whether it is started again.
    pub(in crate::engine) again: bool,
}

/// The consumer that a cancel ends.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Ending {
    Known(ConsumerKey),
    /// The consumer that has the tag when `cancel-ok` arrives. It may still be starting when the
    /// cancel is requested.
    Tagged,
    /// A consumer that has already ended on this side, because the broker cancelled it.
    Departed,
}

/// A request and the replies that can answer it.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Expected {
    pub(in crate::engine) id: MethodId,
    pub(in crate::engine) name: &'static str,
    pub(in crate::engine) replies: &'static [MethodId],
}

impl Expected {
    /// Describes `method`. `replies` is empty if nothing answers it.
    pub(in crate::engine) fn of(method: &Method, replies: &'static [MethodId]) -> Self {
        Self { id: method.id(), name: method.name(), replies }
    }
}

/// Pending calls, by what identifies their replies.
///
/// RabbitMQ sends `consume-ok` and `cancel-ok` after the replies to later requests on the channel,
/// because the queue process sends these two and the channel process sends the rest. Both carry the
/// consumer tag, which identifies their call. All other replies arrive in the order of their calls.
/// A reply that arrives out of order is matched with the oldest call that it can answer.
#[derive(Debug, Default)]
pub(in crate::engine) struct Calls {
    made: u64,
    in_order: VecDeque<PendingCall>,
    /// Consumes whose tag the broker chooses. Their replies carry tags that belong to no other
    /// call.
    unnamed: VecDeque<PendingCall>,
    consumes: BTreeMap<ShortString, VecDeque<PendingCall>>,
    cancels: BTreeMap<ShortString, VecDeque<PendingCall>>,
    /// The calls in `consumes` and `cancels` whose requests wait for a commit, by number and tag,
    /// in the order in which they will be sent.
    held: VecDeque<(u64, ShortString)>,
}

impl Calls {
    /// How many of the oldest calls a reply is compared with. It bounds the cost of a reply that
    /// matches none.
    const LOOK_AHEAD: usize = 64;

    /// Adds a call whose request begins at `position`.
    pub(super) fn push(
        &mut self,
        request: Expected,
        waiter: Option<WaiterId>,
        effect: Effect,
        position: u64,
        deadline: Option<Place>,
    ) {
        self.made += 1;
        let number = self.made;
        let Expected { id, replies, .. } = request;
        let call = PendingCall { number, request: id, replies, waiter, effect, position, deadline };
        let (tagged, tag) = match &call.effect {
            Effect::Consume(starting) if starting.tag.is_empty() => return self.unnamed.push_back(call),
            Effect::Consume(Starting { tag, .. }) => (&mut self.consumes, tag.clone()),
            Effect::Cancel { tag, .. } => (&mut self.cancels, tag.clone()),
            _ => return self.in_order.push_back(call),
        };
        if position == HELD {
            self.held.push_back((number, tag.clone()));
        }
        tagged.entry(tag).or_default().push_back(call);
    }

    /// Whether a call awaits `reply`, a method that carries no tag.
    pub(in crate::engine) fn expects(&self, reply: MethodId) -> bool {
        self.in_order.iter().take(Self::LOOK_AHEAD).any(|call| call.replies.contains(&reply))
    }

    /// Removes the call that `reply`, a method that carries no tag, answers.
    pub(in crate::engine) fn answered(&mut self, reply: MethodId) -> Option<PendingCall> {
        let mut oldest = self.in_order.iter().take(Self::LOOK_AHEAD);
        let position = oldest.position(|call| call.replies.contains(&reply))?;
        take_at(&mut self.in_order, position)
    }

    /// Removes the call that a method of the broker answers.
    pub(super) fn answered_by(&mut self, reply: &Method) -> Option<PendingCall> {
        match reply {
            Method::BasicConsumeOk(ok) => {
                take_tagged(&mut self.consumes, &ok.consumer_tag).or_else(|| take_at(&mut self.unnamed, 0))
            }
            Method::BasicCancelOk(ok) => take_tagged(&mut self.cancels, &ok.consumer_tag),
            reply => self.answered(reply.id()),
        }
    }

    /// The consumer that is starting with this tag, or that the broker may give this tag.
    pub(in crate::engine) fn starting(&self, tag: &ShortString) -> Option<&Starting> {
        let named = self.consumes.get(tag).and_then(VecDeque::front);
        let call = named.or_else(|| self.unnamed.front())?;
        // A delivery that arrives before the reply to an earlier cancel belongs to the consumer
        // that had the tag before.
        let cancel = self.cancels.get(tag).and_then(VecDeque::front);
        match &call.effect {
            Effect::Consume(starting) if cancel.is_none_or(|cancel| cancel.number > call.number) => Some(starting),
            _ => None,
        }
    }

    /// Whether a cancel of a consumer with this tag has not been answered.
    pub(super) fn is_cancelling(&self, tag: &ShortString) -> bool {
        self.cancels.contains_key(tag)
    }

    /// Whether the first consume without an answer starts a consumer again. A close that blames a
    /// consume is about that one.
    pub(in crate::engine) fn is_restarting(&self) -> bool {
        let named = self.consumes.values().filter_map(VecDeque::front);
        let first = named.chain(self.unnamed.front()).min_by_key(|call| call.number);
        first.is_some_and(|call| matches!(&call.effect, Effect::Consume(starting) if starting.again))
    }

    /// Whether a consumer that was requested with exactly this tag is starting.
    pub(in crate::engine) fn is_starting(&self, tag: &ShortString) -> bool {
        self.consumes.contains_key(tag)
    }

    /// Records that the first deferred cancel of this consumer now begins at `position`.
    pub(in crate::engine) fn place_cancel(&mut self, tag: &ShortString, position: u64) {
        let mut waiting = self.cancels.get_mut(tag).into_iter().flatten();
        if let Some(call) = waiting.find(|call| call.position == DEFERRED) {
            call.position = position;
            if position == HELD {
                self.held.push_back((call.number, tag.clone()));
            }
        }
    }

    /// Whether a cancel of this consumer waits until the consumer has started.
    pub(in crate::engine) fn has_deferred_cancel(&self, tag: &ShortString) -> bool {
        self.cancels.get(tag).is_some_and(|calls| calls.iter().any(|call| call.position == DEFERRED))
    }

    /// Records that held calls now begin at `position`: all up to and including the first commit
    /// among them.
    ///
    /// The calls that are held are at the back of each queue, in order. Looking only at those up to
    /// the first commit keeps the cost of many commits linear: no call that a later commit holds is
    /// visited.
    pub(in crate::engine) fn place_held(&mut self, position: u64) {
        let mut last = u64::MAX;
        for call in held_of(&mut self.in_order) {
            step();
            call.position = position;
            if call.request == <tx::Commit as ProtocolMethod>::ID {
                last = call.number;
                break;
            }
        }
        for call in held_of(&mut self.unnamed).take_while(|call| call.number <= last) {
            call.position = position;
        }
        while let Some((number, tag)) = self.held.pop_front_if(|(number, _)| *number <= last) {
            step();
            let tagged = [self.consumes.get_mut(&tag), self.cancels.get_mut(&tag)];
            for call in tagged.into_iter().flatten().filter_map(|calls| find(calls, number)) {
                call.position = position;
            }
        }
        shrink(&mut self.held);
    }

    /// The number of calls for which memory is allocated.
    #[cfg(test)]
    pub(in crate::engine) fn allocated(&self) -> usize {
        self.in_order.capacity() + self.unnamed.capacity() + self.held.capacity()
    }

    /// All calls, in the order in which they were made.
    pub(in crate::engine) fn into_sorted(self) -> Vec<PendingCall> {
        let tagged = self.consumes.into_values().chain(self.cancels.into_values()).flatten();
        let mut calls: Vec<PendingCall> = self.in_order.into_iter().chain(self.unnamed).chain(tagged).collect();
        calls.sort_unstable_by_key(|call| call.number);
        calls
    }
}

/// The part of a queue that is held.
fn held_of(calls: &mut VecDeque<PendingCall>) -> impl Iterator<Item = &mut PendingCall> {
    let first = calls.partition_point(|call| call.position != HELD);
    calls.range_mut(first..)
}

/// Finds the call with this number.
fn find(calls: &mut VecDeque<PendingCall>, number: u64) -> Option<&mut PendingCall> {
    let index = calls.binary_search_by_key(&number, |call| call.number).ok()?;
    calls.get_mut(index)
}

fn take_at(calls: &mut VecDeque<PendingCall>, index: usize) -> Option<PendingCall> {
    let call = calls.remove(index);
    shrink(calls);
    call
}

/// Releases memory after a burst.
fn shrink<T>(queue: &mut VecDeque<T>) {
    const KEPT: usize = 64;
    if queue.capacity() > KEPT && queue.len() < queue.capacity() / 8 {
        queue.shrink_to(KEPT.max(2 * queue.len()));
    }
}

impl Engine {
    /// Adds a call to its channel.
    pub(in crate::engine) fn push_call(
        &mut self,
        key: ChannelKey,
        request: Expected,
        waiter: Option<WaiterId>,
        effect: Effect,
        position: u64,
        deadline: Option<Place>,
    ) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        self.reading.await_answer();
        channel.calls.push(request, waiter, effect, position, deadline);
    }

    /// Removes the call of a channel that `find` selects.
    pub(in crate::engine) fn answer_call(
        &mut self,
        key: ChannelKey,
        find: impl FnOnce(&mut Calls) -> Option<PendingCall>,
    ) -> Option<PendingCall> {
        let call = find(&mut self.channels.get_mut(key)?.calls)?;
        self.reading.answered(1);
        Some(call)
    }
}

fn take_tagged(calls: &mut BTreeMap<ShortString, VecDeque<PendingCall>>, tag: &ShortString) -> Option<PendingCall> {
    let waiting = calls.get_mut(tag)?;
    let call = waiting.pop_front();
    if waiting.is_empty() {
        calls.remove(tag);
    }
    call
}
