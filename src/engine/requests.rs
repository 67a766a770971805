//! What the application asks of a channel: open, call, send, settle.

use std::sync::Arc;
use std::time::Instant;

use super::channel::{ChannelLife, Effect, Ending, Expected};
use super::closing::ConnectionLife;
use super::{ChannelKey, Closure, Engine, Event, Failure, Fate, Reason, Scope, WaiterId};
use crate::protocol::{Method, MethodId, ProtocolMethod, Request, basic, channel};

/// How a delivery is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// It was handled; with `multiple`, and everything before it.
    Ack {
        /// Everything up to the tag.
        multiple: bool,
    },
    /// It was not handled.
    Nack {
        /// Everything up to the tag.
        multiple: bool,
        /// Back to the queue, or away (to the dead-letter exchange, if any).
        requeue: bool,
    },
    /// The same for one delivery, as the standard has it.
    Reject {
        /// Back to the queue, or away.
        requeue: bool,
    },
}

impl Engine {
    /// Opens a channel; `waiter` hears when it is open.
    ///
    /// # Errors
    ///
    /// The connection is closed, or all channels are in use.
    pub fn open_channel(&mut self, waiter: WaiterId, now: Instant) -> Result<ChannelKey, Failure> {
        self.check_open()?;
        let limit = self.channels.max();
        let key = self.channels.insert().ok_or(Failure::ChannelsExhausted { limit })?;
        let position = self.position();
        self.encoder.method(&mut self.outbound, key.number, &channel::Open::default())?;
        let expected = Expected { id: channel::Open::ID, name: channel::Open::NAME, replies: channel::Open::REPLIES };
        if let Some(channel) = self.channels.get_mut(key) {
            let number = channel.expect(expected, Some(waiter), Effect::Open, position);
            self.watch_call(key, number, now);
        }
        Ok(key)
    }

    /// Calls a method on a channel; `waiter` hears the reply, one of `replies`.
    ///
    /// Methods that change the channel's state (consume, cancel, get, select) do so whoever calls them.
    ///
    /// # Errors
    ///
    /// The channel is closed, or the request cannot be encoded or is not answered.
    pub fn call(
        &mut self,
        key: ChannelKey,
        request: &Method,
        replies: &'static [MethodId],
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        if request.is_no_wait() {
            return Err(Failure::NoWaitCall(request.name()));
        }
        self.check_channel(key)?;
        let effect = self.effect_of(key, request)?;
        let position = self.position();
        self.encoder.any_method(&mut self.outbound, key.number, request)?;
        if let Method::ConfirmSelect(_) = request {
            self.select_confirms(key);
        }
        if let Some(channel) = self.channels.get_mut(key) {
            let number = channel.expect(Expected::of(request, replies), Some(waiter), effect, position);
            self.watch_call(key, number, now);
        }
        Ok(())
    }

    /// Sends a method that nothing answers: one without replies, or one with no-wait.
    ///
    /// # Errors
    ///
    /// The channel is closed, or the method cannot be encoded or would be answered.
    pub fn send(&mut self, key: ChannelKey, method: &Method, is_request: bool) -> Result<(), Failure> {
        if is_request && !method.is_no_wait() {
            return Err(Failure::ReplyExpected(method.name()));
        }
        self.check_channel(key)?;
        let effect = self.effect_of(key, method)?;
        match (method, effect) {
            // Deliveries cross a cancel, and only its answer tells which is the last: the broker is asked for one after
            // all, and nobody waits for it.
            (Method::BasicCancel(cancel), Effect::Cancel(ending)) => {
                self.cancel_without_waiter(key, ending, cancel.consumer_tag.clone())
            }
            (Method::BasicConsume(consume), Effect::Consume { tag, no_ack }) => {
                if consume.consumer_tag.is_empty() {
                    return Err(Failure::ConsumerTagMissing);
                }
                self.encoder.any_method(&mut self.outbound, key.number, method)?;
                self.start_consumer(key, tag, no_ack);
                Ok(())
            }
            (method, _) => {
                self.encoder.any_method(&mut self.outbound, key.number, method)?;
                if let Method::ConfirmSelect(_) = method {
                    self.select_confirms(key);
                }
                Ok(())
            }
        }
    }

    /// Settles a delivery, or everything up to one.
    ///
    /// # Errors
    ///
    /// The channel that the delivery came on is closed.
    #[inline]
    pub fn settle(&mut self, key: ChannelKey, delivery_tag: u64, settle: Settle) -> Result<(), Failure> {
        self.check_channel(key)?;
        let out = &mut self.outbound;
        match settle {
            Settle::Ack { multiple } => {
                let ack = basic::Ack::default().delivery_tag(delivery_tag).multiple(multiple);
                self.encoder.method(out, key.number, &ack)?;
            }
            Settle::Nack { multiple, requeue } => {
                let nack = basic::Nack::default().delivery_tag(delivery_tag).multiple(multiple).requeue(requeue);
                self.encoder.method(out, key.number, &nack)?;
            }
            Settle::Reject { requeue } => {
                let reject = basic::Reject::default().delivery_tag(delivery_tag).requeue(requeue);
                self.encoder.method(out, key.number, &reject)?;
            }
        }
        Ok(())
    }

    /// The connection takes requests.
    #[inline]
    pub(super) fn check_open(&self) -> Result<(), Failure> {
        match &self.state {
            ConnectionLife::Open => Ok(()),
            ConnectionLife::Closing { closure, .. } | ConnectionLife::Closed { closure, .. } => {
                Err(Failure::refused(closure))
            }
        }
    }

    /// The channel takes requests.
    #[inline]
    pub(super) fn check_channel(&self, key: ChannelKey) -> Result<(), Failure> {
        let open = matches!(self.state, ConnectionLife::Open)
            && self.channels.get(key).is_some_and(|channel| channel.state == ChannelLife::Open);
        if open { Ok(()) } else { Err(self.channel_refusal(key)) }
    }

    /// Why a channel that is not open takes no requests.
    #[cold]
    fn channel_refusal(&self, key: ChannelKey) -> Failure {
        let closure = self.channel_closure(key).unwrap_or_else(|| {
            let scope = Scope::Channel(key.number);
            Arc::new(Closure { scope, ..Closure::silent(Reason::Requested) })
        });
        Failure::Closed { closure, fate: Fate::NotSent }
    }

    /// What the reply to `request` will change.
    fn effect_of(&self, key: ChannelKey, request: &Method) -> Result<Effect, Failure> {
        let channel = self.channels.get(key);
        match request {
            Method::BasicConsume(consume) => {
                let is_abandoned = |key| self.is_abandoned(key);
                if channel.is_some_and(|channel| channel.has_consumer(&consume.consumer_tag, is_abandoned)) {
                    return Err(Failure::ConsumerTagInUse(consume.consumer_tag.clone()));
                }
                Ok(Effect::Consume { tag: consume.consumer_tag.clone(), no_ack: consume.no_ack })
            }
            Method::BasicCancel(cancel) => {
                let known = channel.and_then(|channel| channel.consumers.get(&cancel.consumer_tag).copied());
                Ok(Effect::Cancel(known.map_or_else(|| Ending::Tagged(cancel.consumer_tag.clone()), Ending::Known)))
            }
            Method::BasicGet(get) => Ok(Effect::Get { no_ack: get.no_ack }),
            _ => Ok(Effect::None),
        }
    }

    pub(super) fn complete(&mut self, waiter: Option<WaiterId>, completion: super::Completion) {
        if let Some(waiter) = waiter {
            self.events.push_back(Event::Completed(waiter, completion));
        }
    }
}
