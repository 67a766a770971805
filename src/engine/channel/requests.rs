//! Requests of the application on a channel: open, call, consume, send.

use std::sync::Arc;
use std::time::Instant;

use super::ChannelLife;
use super::calls::{Effect, Ending, Expected, Starting};
use crate::engine::connection::{Awaited, ConnectionLife};
use crate::engine::consume::{Stream, Terms};
use crate::engine::survival::Request as Parked;
use crate::engine::{ChannelKey, Closure, Comeback, Completion, Engine, Event, Failure, Fate, Reason, Scope, WaiterId};
use crate::frame::Outbound;
use crate::protocol::{Method, MethodId, ProtocolMethod, Request, basic, channel};

impl Engine {
    /// Opens a channel. `waiter` completes with [`Completion::Opened`] when the broker has
    /// answered.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is closed, if more bytes than `write_limit` wait for the
    /// socket, or if as many channels are open as were negotiated.
    pub fn open_channel(&mut self, waiter: WaiterId, now: Instant) -> Result<ChannelKey, Failure> {
        let recovering = self.check_open().err();
        if let Some(failure) = recovering.clone().filter(|failure| !self.waits_for_recovery(failure)) {
            return Err(failure);
        }
        self.check_room()?;
        let limit = self.channel_limit();
        if self.keeps_last_number() {
            return Err(Failure::ChannelsExhausted { limit });
        }
        let key = self.channels.insert().ok_or(Failure::ChannelsExhausted { limit })?;
        match recovering {
            None => self.encode_open(key, waiter, now)?,
            Some(failure) => {
                if let Some(channel) = self.channels.get_mut(key) {
                    channel.state = ChannelLife::Unsent;
                }
                self.park(failure, Some((waiter, now)), Parked::Open(key))?;
            }
        }
        Ok(key)
    }

    /// Sends the open of a channel.
    pub(in crate::engine) fn encode_open(
        &mut self,
        key: ChannelKey,
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        let generation = self.generation;
        if let Some(channel) = self.channels.get_mut(key) {
            channel.generation = generation;
        }
        let position = self.position();
        self.encoder.method(&mut self.outbound, key.number, &channel::Open::default())?;
        let expected = Expected { id: channel::Open::ID, name: channel::Open::NAME, replies: channel::Open::REPLIES };
        self.expect_reply(key, expected, waiter, Effect::Open, position, now);
        Ok(())
    }

    /// Sends a request on a channel. `waiter` completes with [`Completion::Reply`], which holds one
    /// of `replies`.
    ///
    /// Methods that change the state of the channel (consume, cancel, get, select) have that effect
    /// here too.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed, if more bytes than `write_limit` wait for the
    /// socket, if the request cannot be encoded, if it has no-wait set and is therefore not
    /// answered, or if it starts a consumer with a tag that is in use.
    pub fn call(
        &mut self,
        key: ChannelKey,
        request: &Method,
        replies: &'static [MethodId],
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        self.make_call(key, request, replies, true, (waiter, now))
    }

    /// Does what [`Engine::call`] does, but what the request declares, binds or starts does not
    /// come back after a loss.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`Engine::call`].
    pub fn call_unrecorded(
        &mut self,
        key: ChannelKey,
        request: &Method,
        replies: &'static [MethodId],
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        self.make_call(key, request, replies, false, (waiter, now))
    }

    /// Makes a call. `recorded` is whether what it makes comes back after a loss.
    pub(in crate::engine) fn make_call(
        &mut self,
        key: ChannelKey,
        request: &Method,
        replies: &'static [MethodId],
        recorded: bool,
        (waiter, now): (WaiterId, Instant),
    ) -> Result<(), Failure> {
        if request.is_no_wait() {
            return Err(Failure::NoWaitCall(request.name()));
        }
        if let Err(failure) = self.check_channel(key) {
            return self.call_while_down(key, request, (replies, recorded), (waiter, now), failure);
        }
        self.check_room()?;
        if matches!(request, Method::TxCommit(_)) && self.is_transaction_lost(key) {
            return self.roll_back_lost(key, waiter);
        }
        let request = self.name_queue(key, request);
        let request = &*request;
        let effect = self.effect_of(key, request, recorded)?;
        self.request(key, request, replies, effect, waiter, now)
    }

    /// Starts a consumer. `waiter` completes with [`Completion::Reply`], which names the consumer;
    /// [`Engine::claim_consumer`] does not give it to another. The broker sends the consumer at
    /// most `prefetch` unacknowledged deliveries. If that is `None`, the count that the application
    /// set for the channel by `basic.qos` applies, or else the default. `comeback`
    /// is what becomes of it if the program does not end it.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed or has a consumer with this tag, if more bytes
    /// than `write_limit` wait for the socket, or if the request cannot be encoded.
    pub fn consume(
        &mut self,
        key: ChannelKey,
        consume: basic::Consume,
        prefetch: Option<u16>,
        comeback: Comeback,
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        if let Err(failure) = self.check_channel(key) {
            let request = Parked::Consume(key, Box::new(consume), prefetch, comeback);
            return self.park(failure, Some((waiter, now)), request);
        }
        let is_limited = !consume.no_ack;
        let request = Method::from(consume.no_wait(false));
        let request = self.name_queue(key, &request).into_owned();
        self.check_room()?;
        let mut effect = self.effect_of(key, &request, comeback.recorded)?;
        if let Effect::Consume(starting) = &mut effect {
            starting.claimed = true;
            if let Some(restart) = &mut starting.restart {
                restart.resumes = comeback.resumes;
            }
        }
        // Encoding is tried first, so that a request that fails does not leave a changed prefetch.
        self.encoder.any_method(&mut Outbound::new(), key.number, &request)?;
        if is_limited {
            self.set_prefetch(key, prefetch)?;
        }
        self.note_prefetch(key, &mut effect);
        self.request(key, &request, basic::Consume::REPLIES, effect, waiter, now)
    }

    fn request(
        &mut self,
        key: ChannelKey,
        request: &Method,
        replies: &'static [MethodId],
        effect: Effect,
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        let position = match &effect {
            Effect::Cancel { tag, ending } => {
                let position = self.encode_cancel(key, tag)?;
                self.begin_cancelling(*ending);
                position
            }
            _ => self.encode(key, |encoder, out| encoder.any_method(out, key.number, request))?,
        };
        self.take_note(key, request);
        self.expect_reply(key, Expected::of(request, replies), waiter, effect, position, now);
        Ok(())
    }

    /// Records a call whose request begins at `position`, with its deadline.
    pub(in crate::engine) fn expect_reply(
        &mut self,
        key: ChannelKey,
        request: Expected,
        waiter: WaiterId,
        effect: Effect,
        position: u64,
        now: Instant,
    ) {
        let at = self.call_deadline(now);
        let deadline = at.map(|at| self.deadlines.add(at, waiter, Awaited::Answer(request.name)));
        self.push_call(key, request, Some(waiter), effect, position, deadline);
    }

    /// Applies what a request changes when it is sent. The broker changes its own state in the same
    /// order.
    fn take_note(&mut self, key: ChannelKey, request: &Method) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.unsettled.handle_request(request);
            channel.prefetch.handle_request(request);
            channel.transaction.handle_request(request);
        }
        match request {
            Method::ConfirmSelect(_) => self.select_confirms(key),
            Method::TxCommit(_) => self.hold(key),
            _ => {}
        }
    }

    /// Sends a method that is not answered: one without replies, or one with no-wait set.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed, if more bytes than `write_limit` wait for the
    /// socket, if the method cannot be encoded or would be answered, or if it starts a consumer
    /// without a tag or with a tag that is in use.
    pub fn send(&mut self, key: ChannelKey, method: &Method, is_request: bool) -> Result<(), Failure> {
        if is_request && !method.is_no_wait() {
            return Err(Failure::ReplyExpected(method.name()));
        }
        if let Err(failure) = self.check_channel(key) {
            return self.send_while_down(key, method, is_request, failure);
        }
        self.check_room()?;
        let method = self.name_queue(key, method);
        let method = &*method;
        let effect = self.effect_of(key, method, true)?;
        match (method, effect) {
            // Deliveries can cross a cancel, and only its reply shows which one is the last. So the
            // cancel is sent without no-wait, and no waiter waits for the reply.
            (Method::BasicCancel(_), Effect::Cancel { tag, ending }) => self.cancel_without_waiter(key, ending, tag),
            (Method::BasicConsume(consume), Effect::Consume(starting)) => {
                if consume.consumer_tag.is_empty() {
                    return Err(Failure::ConsumerTagMissing);
                }
                // With no-wait, no reply separates the deliveries of a consumer that is being
                // cancelled from those of the new one, so the tag must be free.
                let cancelling = self.channels.get(key).is_some_and(|it| it.calls.is_cancelling(&starting.tag));
                if cancelling || self.consumer_of(key, &starting.tag).is_some() {
                    return Err(Failure::ConsumerTagInUse(starting.tag));
                }
                self.encode(key, |encoder, out| encoder.any_method(out, key.number, method))?;
                self.start_consumer(key, &starting.tag, &starting);
                Ok(())
            }
            (method, _) => {
                self.encode(key, |encoder, out| encoder.any_method(out, key.number, method))?;
                self.take_note(key, method);
                self.record_sent(key, method);
                Ok(())
            }
        }
    }

    /// Returns an error if the connection does not take requests.
    #[inline]
    pub(in crate::engine) fn check_open(&self) -> Result<(), Failure> {
        match &self.state {
            ConnectionLife::Open => Ok(()),
            ConnectionLife::Down { cause, .. } | ConnectionLife::Restoring { cause } => {
                Err(Failure::Recovering { cause: Some(Arc::clone(cause)) })
            }
            ConnectionLife::Closing { closure, .. } | ConnectionLife::Closed { closure, .. } => {
                Err(Failure::refused(closure))
            }
        }
    }

    /// Returns an error if the channel does not take requests.
    #[inline]
    pub(in crate::engine) fn check_channel(&self, key: ChannelKey) -> Result<(), Failure> {
        let open = self.state.is_open() && self.channels.open(key).is_some();
        if open || self.takes_requests_of_hook(key) { Ok(()) } else { Err(self.channel_refusal(key)) }
    }

    /// Why a channel that is not open takes no requests.
    #[cold]
    pub(in crate::engine) fn channel_refusal(&self, key: ChannelKey) -> Failure {
        let closure = self.channel_closure(key);
        if closure.is_none()
            && let Some(failure) = self.recovering_failure(Some(key))
        {
            return failure;
        }
        let closure = closure.unwrap_or_else(|| {
            let scope = Scope::Channel(key.number);
            Arc::new(Closure { scope, ..Closure::silent(Reason::Requested) })
        });
        Failure::Closed { closure, fate: Fate::NotSent }
    }

    /// What the reply to `request` will change. `recorded` is whether what it makes comes back
    /// after a loss.
    fn effect_of(&self, key: ChannelKey, request: &Method, recorded: bool) -> Result<Effect, Failure> {
        let channel = self.channels.get(key);
        match request {
            Method::BasicConsume(consume) => {
                let is_abandoned = |key| self.is_abandoned(key);
                if channel.is_some_and(|channel| channel.has_consumer(&consume.consumer_tag, is_abandoned)) {
                    return Err(Failure::ConsumerTagInUse(consume.consumer_tag.clone()));
                }
                let is_stream = consume.arguments.get("x-stream-offset").is_some();
                let stream = if is_stream { Stream::Yes } else { Stream::No };
                let terms = Terms { no_ack: consume.no_ack, stream };
                let (tag, restart) = (consume.consumer_tag.clone(), self.restart_of(key, consume, recorded));
                Ok(Effect::Consume(Starting { tag, terms, claimed: false, restart, again: false }))
            }
            Method::BasicCancel(cancel) => {
                let known = channel.and_then(|channel| channel.consumers.get(&cancel.consumer_tag).copied());
                // A consumer that is starting may have the tag of one that is being cancelled. The
                // cancel is for the one that is starting.
                let starts = channel.is_some_and(|channel| channel.calls.is_starting(&cancel.consumer_tag));
                let ending = known.filter(|_| !starts).map_or(Ending::Tagged, Ending::Known);
                Ok(Effect::Cancel { tag: cancel.consumer_tag.clone(), ending })
            }
            Method::BasicGet(get) => Ok(Effect::Get { no_ack: get.no_ack }),
            request => Ok(self.topology_effect(request, recorded)),
        }
    }

    pub(in crate::engine) fn complete(&mut self, waiter: Option<WaiterId>, completion: Completion) {
        if let Some(waiter) = waiter {
            self.events.push_back(Event::Completed(waiter, completion));
        }
    }
}
