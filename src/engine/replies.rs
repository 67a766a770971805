//! Replies of the broker: each answers a call of its channel, and changes what that call was to change.

use super::calls::{Effect, Ending, PendingCall};
use super::channel::ChannelLife;
use super::consumers::{ConsumerLife, Stream, Terms};
use super::{ChannelKey, Completion, ConsumerEnd, Engine, Failure, Fate, Message, Reply, Violation};
use crate::protocol::{Method, ReplyCode};
use crate::wire::ShortString;

impl Engine {
    /// Takes a reply that came without content.
    pub(super) fn handle_reply(&mut self, key: ChannelKey, method: Method) -> Result<(), Violation> {
        let id = method.id();
        if let Method::BasicConsumeOk(ok) = &method {
            self.check_tag(key, &ok.consumer_tag)?;
        }
        let call = self.channels.get_mut(key).and_then(|channel| channel.calls.answered_by(&method));
        let call = call.ok_or(Violation::UnexpectedReply(id))?;
        self.finish_call(key, call, method, None);
        Ok(())
    }

    /// A consumer that starts has a tag of its own. It would take the deliveries of the one that has it already, which
    /// would wait for ever.
    fn check_tag(&self, key: ChannelKey, tag: &ShortString) -> Result<(), Violation> {
        let taken = self.channels.get(key).and_then(|channel| channel.consumers.get(tag));
        let taken = taken
            .and_then(|consumer| self.consumers.get(*consumer))
            .is_some_and(|consumer| consumer.life != ConsumerLife::Starting && !consumer.is_abandoned());
        if taken { Err(Violation::ConsumerTagInUse(key.number)) } else { Ok(()) }
    }

    /// Resolves a call.
    pub(super) fn finish_call(&mut self, key: ChannelKey, call: PendingCall, method: Method, content: Option<Message>) {
        let mut reply = Box::new(Reply { channel: key, method, content, consumer: None, unsettled: None });
        match (call.effect, &reply.method) {
            (Effect::Open, _) => {
                if let Some(channel) = self.channels.get_mut(key).filter(|it| it.state == ChannelLife::Opening) {
                    channel.state = ChannelLife::Open;
                }
                self.complete(call.waiter, Completion::Opened(key));
                return;
            }
            (Effect::Consume(starting), Method::BasicConsumeOk(ok)) => {
                let tag = ok.consumer_tag.clone();
                reply.consumer = self.start_consumer(key, &tag, &starting);
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

    /// A completion came for somebody who is gone: what it brought must not be lost, nor stay.
    pub fn handle_abandoned(&mut self, completion: Completion) {
        match completion {
            Completion::Opened(key) => self.release_channel(key),
            Completion::Admitted(_) => self.use_admission(),
            Completion::Reply(reply) => {
                if let Some(consumer) = reply.consumer {
                    self.drop_consumer(consumer, [], None);
                }
                if let Some(delivery_tag) = reply.unsettled {
                    self.requeue(reply.channel, delivery_tag, Terms { no_ack: false, stream: Stream::No });
                }
            }
            Completion::Settled(key, settled) => self.return_settled(key, settled),
            Completion::Confirmed(_) | Completion::SecretUpdated | Completion::Closed | Completion::Failed(_) => {}
        }
    }

    /// What became of a call in flight: refused where the close blames it, else by what the transport accepted.
    fn fate_of_call(&self, call: &PendingCall, closure: &super::Closure, is_blamed: bool) -> Fate {
        let is_refusal = is_blamed
            && closure.reason == super::Reason::Broker
            && closure.reply_code.is_some_and(|code| code != ReplyCode::REPLY_SUCCESS);
        if is_refusal { Fate::Refused } else { self.fate_at(call.position) }
    }

    /// What became of octets queued at `position`.
    ///
    /// What waits when the broker closes is discarded by it unread, what waits when the transport goes is dropped; but
    /// what waits when we close because of a violation goes out ahead of the close.
    pub(super) fn fate_at(&self, position: u64) -> Fate {
        let goes_out = self.closure().is_some_and(|closure| matches!(closure.reason, super::Reason::Violation(_)));
        if position >= self.written && !goes_out { Fate::NotSent } else { Fate::Unknown }
    }

    /// Fails a call.
    pub(super) fn fail_call(&mut self, call: &PendingCall, closure: &std::sync::Arc<super::Closure>, is_blamed: bool) {
        let failure = Failure::Closed {
            closure: std::sync::Arc::clone(closure),
            fate: self.fate_of_call(call, closure, is_blamed),
        };
        self.complete(call.waiter, Completion::Failed(failure));
    }
}
