//! The calls of a channel that wait for their replies, and which reply answers which.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::consume::Terms;
use crate::engine::outbound::{DEFERRED, HELD};
use crate::engine::slots::Place;
use crate::engine::steps::step;
use crate::engine::{ChannelKey, ConsumerKey, Engine, WaiterId};
use crate::protocol::{Method, MethodId, ProtocolMethod, tx};
use crate::wire::ShortString;

/// A call whose reply is due.
#[derive(Debug)]
pub(in crate::engine) struct PendingCall {
    /// The call's number on its channel.
    pub(super) number: u64,
    pub(super) request: MethodId,
    pub(super) replies: &'static [MethodId],
    pub(in crate::engine) waiter: Option<WaiterId>,
    pub(in crate::engine) effect: Effect,
    /// Where in the stream the request begins.
    pub(super) position: u64,
    /// Where its deadline is, until it is answered or given up.
    pub(in crate::engine) deadline: Option<Place>,
}

/// What the reply changes besides resolving the call.
#[derive(Debug)]
pub(in crate::engine) enum Effect {
    None,
    /// The channel is open.
    Open,
    /// A consumer starts.
    Consume(Starting),
    /// A consumer ends.
    Cancel {
        tag: ShortString,
        ending: Ending,
    },
    /// The reply brings a message.
    Get {
        no_ack: bool,
    },
}

/// A consumer that the broker has not agreed to.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Starting {
    /// Empty where the broker makes one up.
    pub(super) tag: ShortString,
    pub(in crate::engine) terms: Terms,
    /// Whoever made the call gets the consumer with the reply, and nobody else can get it.
    pub(in crate::engine) claimed: bool,
}

/// Which consumer a cancel is to end.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Ending {
    Known(ConsumerKey),
    /// The one that has the tag when the broker agrees: it may have been starting when the cancel
    /// was made.
    Tagged,
    /// One that is over here already: the broker has ended it.
    Departed,
}

/// What a request expects in return.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Expected {
    pub(in crate::engine) id: MethodId,
    pub(in crate::engine) name: &'static str,
    pub(in crate::engine) replies: &'static [MethodId],
}

impl Expected {
    /// What `method` expects; no replies where nothing answers it.
    pub(in crate::engine) fn of(method: &Method, replies: &'static [MethodId]) -> Self {
        Self { id: method.id(), name: method.name(), replies }
    }
}

/// Calls by what identifies their replies.
///
/// RabbitMQ sends consume-ok and cancel-ok after the answer to whatever follows them on the
/// channel, because the queue sends them and the channel answers the rest. Both carry the
/// consumer's tag, by which they find their call. All other replies come in the order of their
/// calls; one that does not is taken for the oldest call that it can answer.
#[derive(Debug, Default)]
pub(in crate::engine) struct Calls {
    made: u64,
    in_order: VecDeque<PendingCall>,
    /// Consumes whose tag the broker makes up; their answers bring tags that no other call has.
    unnamed: VecDeque<PendingCall>,
    consumes: BTreeMap<ShortString, VecDeque<PendingCall>>,
    cancels: BTreeMap<ShortString, VecDeque<PendingCall>>,
    /// Those of `consumes` and `cancels` whose requests are held, the first to go first, by number
    /// and tag.
    held: VecDeque<(u64, ShortString)>,
}

impl Calls {
    /// How far behind the oldest call a reply may look for its own. It bounds what an answer costs
    /// that matches nothing.
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

    /// The reply that carries no tag answers a call.
    pub(in crate::engine) fn expects(&self, reply: MethodId) -> bool {
        self.in_order.iter().take(Self::LOOK_AHEAD).any(|call| call.replies.contains(&reply))
    }

    /// Takes out the call that `reply`, which carries no tag, answers.
    pub(in crate::engine) fn answered(&mut self, reply: MethodId) -> Option<PendingCall> {
        let mut oldest = self.in_order.iter().take(Self::LOOK_AHEAD);
        let position = oldest.position(|call| call.replies.contains(&reply))?;
        take_at(&mut self.in_order, position)
    }

    /// Takes out the call that a method of the broker answers.
    pub(super) fn answered_by(&mut self, reply: &Method) -> Option<PendingCall> {
        match reply {
            Method::BasicConsumeOk(ok) => {
                take_tagged(&mut self.consumes, &ok.consumer_tag).or_else(|| take_at(&mut self.unnamed, 0))
            }
            Method::BasicCancelOk(ok) => take_tagged(&mut self.cancels, &ok.consumer_tag),
            reply => self.answered(reply.id()),
        }
    }

    /// The consumer that is starting with this tag, or that may turn out to have it.
    pub(in crate::engine) fn starting(&self, tag: &ShortString) -> Option<&Starting> {
        let named = self.consumes.get(tag).and_then(VecDeque::front);
        let call = named.or_else(|| self.unnamed.front())?;
        // What comes ahead of the answer to an earlier cancel is of the consumer that had the tag
        // before.
        let cancel = self.cancels.get(tag).and_then(VecDeque::front);
        match &call.effect {
            Effect::Consume(starting) if cancel.is_none_or(|cancel| cancel.number > call.number) => Some(starting),
            _ => None,
        }
    }

    /// The broker has not agreed to the end of a consumer with this tag.
    pub(super) fn is_cancelling(&self, tag: &ShortString) -> bool {
        self.cancels.contains_key(tag)
    }

    /// A consumer is starting with this very tag.
    pub(in crate::engine) fn is_starting(&self, tag: &ShortString) -> bool {
        self.consumes.contains_key(tag)
    }

    /// The first cancel of a consumer that waits until it has started begins at `position` now.
    pub(in crate::engine) fn place_cancel(&mut self, tag: &ShortString, position: u64) {
        let mut waiting = self.cancels.get_mut(tag).into_iter().flatten();
        if let Some(call) = waiting.find(|call| call.position == DEFERRED) {
            call.position = position;
            if position == HELD {
                self.held.push_back((call.number, tag.clone()));
            }
        }
    }

    /// A cancel of this consumer waits until it has started.
    pub(in crate::engine) fn has_deferred_cancel(&self, tag: &ShortString) -> bool {
        self.cancels.get(tag).is_some_and(|calls| calls.iter().any(|call| call.position == DEFERRED))
    }

    /// Calls that were held begin at `position` now: all up to the first commit among them.
    ///
    /// Commits may be many, and what they hold with them, so that none may look at what a later one
    /// holds: what is held is at the back of each queue, in order.
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

    /// Calls for which memory is held.
    #[cfg(test)]
    pub(in crate::engine) fn allocated(&self) -> usize {
        self.in_order.capacity() + self.unnamed.capacity() + self.held.capacity()
    }

    /// All calls, in the order in which they were made.
    pub(super) fn into_sorted(self) -> Vec<PendingCall> {
        let tagged = self.consumes.into_values().chain(self.cancels.into_values()).flatten();
        let mut calls: Vec<PendingCall> = self.in_order.into_iter().chain(self.unnamed).chain(tagged).collect();
        calls.sort_unstable_by_key(|call| call.number);
        calls
    }
}

/// What of a queue is held.
fn held_of(calls: &mut VecDeque<PendingCall>) -> impl Iterator<Item = &mut PendingCall> {
    let first = calls.partition_point(|call| call.position != HELD);
    calls.range_mut(first..)
}

/// The call of this number.
fn find(calls: &mut VecDeque<PendingCall>, number: u64) -> Option<&mut PendingCall> {
    let index = calls.binary_search_by_key(&number, |call| call.number).ok()?;
    calls.get_mut(index)
}

fn take_at(calls: &mut VecDeque<PendingCall>, index: usize) -> Option<PendingCall> {
    let call = calls.remove(index);
    shrink(calls);
    call
}

/// Gives memory back after a burst.
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

    /// Takes out the call of a channel that something answers.
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
