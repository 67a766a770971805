//! Replies of the broker: each completes a call of its channel and applies the effect of that call.

use super::ChannelLife;
use super::calls::{Effect, Ending, PendingCall};
use crate::engine::consume::{ConsumerLife, Listener, Stream, Terms};
use crate::engine::{
    ChannelKey, ChannelNotice, Completion, ConsumerEnd, Engine, Failure, Fate, Message, Reply, Violation,
};
use crate::protocol::{Method, ReplyCode};
use crate::wire::ShortString;

impl Engine {
    /// Handles a reply without content.
    pub(in crate::engine) fn handle_reply(&mut self, key: ChannelKey, method: Method) -> Result<(), Violation> {
        let id = method.id();
        if let Method::BasicConsumeOk(ok) = &method {
            self.check_tag(key, &ok.consumer_tag)?;
        }
        let call = self.answer_call(key, |calls| calls.answered_by(&method)).ok_or(Violation::UnexpectedReply(id))?;
        self.finish_call(key, call, method, None);
        Ok(())
    }

    /// Checks that no running consumer has the tag of one that starts. The new consumer would take
    /// the deliveries of the other, which would wait forever.
    fn check_tag(&self, key: ChannelKey, tag: &ShortString) -> Result<(), Violation> {
        let taken = self.channels.get(key).and_then(|channel| channel.consumers.get(tag));
        let taken = taken
            .and_then(|consumer| self.consumers.get(*consumer))
            .is_some_and(|consumer| consumer.life != ConsumerLife::Starting && !consumer.is_abandoned());
        if taken { Err(Violation::ConsumerTagInUse(key.number)) } else { Ok(()) }
    }

    /// Applies the effect of a call and completes it.
    pub(in crate::engine) fn finish_call(
        &mut self,
        key: ChannelKey,
        call: PendingCall,
        method: Method,
        content: Option<Message>,
    ) {
        self.deadlines.end(call.deadline);
        let mut reply = Box::new(Reply { content, ..Reply::plain(key, self.channel_generation(key), method) });
        match (call.effect, &reply.method) {
            (Effect::Open, _) => {
                if let Some(channel) = self.channels.get_mut(key).filter(|it| it.state == ChannelLife::Opening) {
                    channel.state = ChannelLife::Open;
                }
                self.complete(call.waiter, Completion::Opened(key));
                return;
            }
            (Effect::Record(change), method) => self.record_reply(key, *change, method),
            (Effect::NameQueue, method) => self.remember_queue(key, method),
            (Effect::Reopen, _) => {
                // If the channel was lost alone, the supervisor lets its requests through.
                let alone = self.state.is_open();
                let reopened = self.channels.get_mut(key).filter(|it| it.state == ChannelLife::Reopening);
                if let Some(channel) = reopened.filter(|_| !alone) {
                    channel.state = ChannelLife::Open;
                    // If it was lost alone, publishes wait for nothing else.
                    self.gate.set_stopped(key, false);
                    self.admit();
                }
                self.complete(call.waiter, Completion::Restored);
                return;
            }
            (Effect::Consume(starting), Method::BasicConsumeOk(ok)) if starting.again => {
                let tag = ok.consumer_tag.clone();
                // It is gone if its channel was closed since.
                let known = self.consumer_of(key, &tag);
                let consumer = known.and_then(|_| self.start_consumer(key, &tag, &starting));
                self.send_deferred_cancels(key, &tag);
                if consumer.is_some() {
                    self.tell_channel(key, &ChannelNotice::ConsumerRecovered(tag.clone()));
                }
                // It may have been dropped while it was started.
                if let Some(consumer) = consumer.filter(|consumer| self.is_abandoned(*consumer)) {
                    let ending = Ending::Known(consumer);
                    let cancelled = self.cancel_without_waiter(key, ending, tag);
                    debug_assert!(cancelled.is_ok() || self.check_channel(key).is_err(), "a known tag fits a frame");
                }
            }
            (Effect::Consume(starting), Method::BasicConsumeOk(ok)) => {
                let tag = ok.consumer_tag.clone();
                reply.consumer = self.start_consumer(key, &tag, &starting);
                reply.claimed = starting.claimed;
                self.send_deferred_cancels(key, &tag);
            }
            (Effect::Cancel { tag, ending }, _) => {
                let consumer = match ending {
                    Ending::Known(consumer) => Some(consumer),
                    Ending::Tagged => self.channels.get(key).and_then(|channel| channel.consumers.get(&tag).copied()),
                    Ending::Departed => None,
                };
                if let Some(consumer) = consumer {
                    self.end_consumer(consumer, ConsumerEnd::Cancelled);
                }
            }
            (Effect::Get { no_ack: false }, Method::BasicGetOk(ok)) => reply.unsettled = Some(ok.delivery_tag),
            (_, Method::BasicRecoverOk(_)) => {
                if let Some(channel) = self.channels.get_mut(key) {
                    channel.unsettled.handle_recovered();
                }
            }
            (_, Method::TxCommitOk(_)) => self.release(key),
            _ => {}
        }
        self.complete(call.waiter, Completion::Reply(reply));
    }

    /// Takes back a completion whose waiter is gone, and undoes what it brought: a channel that was
    /// opened is closed, a consumer that was started is cancelled, and a message is returned to its
    /// queue.
    pub fn handle_abandoned(&mut self, completion: Completion) {
        match completion {
            Completion::Opened(key) => self.release_channel(key),
            Completion::Reply(reply) => {
                // A consumer that was claimed by its tag in the meantime stays.
                let is_free =
                    |key| self.consumers.get(key).is_some_and(|it| matches!(it.listener, Listener::Unclaimed));
                if let Some(consumer) = reply.consumer.filter(|key| reply.claimed || is_free(*key)) {
                    self.drop_consumer(consumer, [], None);
                }
                let is_stale = self.channel_generation(reply.channel) != reply.generation;
                if let Some(delivery_tag) = reply.unsettled.filter(|_| !is_stale) {
                    self.requeue(reply.channel, delivery_tag, Terms { no_ack: false, stream: Stream::No });
                }
            }
            Completion::Settled(key, settled) => self.return_settled(key, settled),
            Completion::Confirmed(_)
            | Completion::Published
            | Completion::Room
            | Completion::SecretUpdated
            | Completion::Restored
            | Completion::Closed
            | Completion::Failed(_) => {}
        }
    }

    /// The fate of an unanswered call: refused if the close blames it, and otherwise what the
    /// transport accepted determines it.
    fn fate_of_call(&self, call: &PendingCall, closure: &crate::engine::Closure, is_blamed: bool) -> Fate {
        let is_refusal = is_blamed
            && closure.reason == crate::engine::Reason::Broker
            && closure.reply_code.is_some_and(|code| code != ReplyCode::REPLY_SUCCESS);
        if is_refusal { Fate::Refused } else { self.fate_at(call.position) }
    }

    /// Completes a call with the failure that `closure` causes.
    pub(in crate::engine) fn fail_call(
        &mut self,
        call: &PendingCall,
        closure: &std::sync::Arc<crate::engine::Closure>,
        is_blamed: bool,
    ) {
        self.deadlines.end(call.deadline);
        let failure = Failure::Closed {
            closure: std::sync::Arc::clone(closure),
            fate: self.fate_of_call(call, closure, is_blamed),
        };
        self.complete(call.waiter, Completion::Failed(failure));
    }
}
