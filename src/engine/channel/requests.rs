//! What the application asks of a channel: open, call, consume, send.

use std::sync::Arc;
use std::time::Instant;

use super::calls::{Effect, Ending, Expected, Starting};
use crate::engine::connection::{Awaited, ConnectionLife};
use crate::engine::consume::{Stream, Terms};
use crate::engine::{ChannelKey, Closure, Engine, Event, Failure, Fate, Reason, Scope, WaiterId};
use crate::frame::Outbound;
use crate::protocol::{Method, MethodId, ProtocolMethod, Request, basic, channel};

impl Engine {
    /// Opens a channel; `waiter` hears when it is open.
    ///
    /// # Errors
    ///
    /// The connection is closed, more waits for the socket than the limit allows, or all channels
    /// are in use.
    pub fn open_channel(&mut self, waiter: WaiterId, now: Instant) -> Result<ChannelKey, Failure> {
        self.check_open()?;
        self.check_room()?;
        let limit = self.channels.max();
        let key = self.channels.insert().ok_or(Failure::ChannelsExhausted { limit })?;
        let position = self.position();
        self.encoder.method(&mut self.outbound, key.number, &channel::Open::default())?;
        let expected = Expected { id: channel::Open::ID, name: channel::Open::NAME, replies: channel::Open::REPLIES };
        self.expect_reply(key, expected, waiter, Effect::Open, position, now);
        Ok(key)
    }

    /// Calls a method on a channel; `waiter` hears the reply, one of `replies`.
    ///
    /// Methods that change the channel's state (consume, cancel, get, select) do so whoever calls
    /// them.
    ///
    /// # Errors
    ///
    /// The channel is closed, more waits for the socket than the limit allows, or the request
    /// cannot be encoded or is not answered.
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
        self.check_room()?;
        let effect = self.effect_of(key, request)?;
        self.request(key, request, replies, effect, waiter, now)
    }

    /// Starts a consumer, which `waiter` gets with the reply and nobody else can get. The broker
    /// sends it at most `prefetch` unsettled deliveries, or as many as the application set for the
    /// channel, or else the default.
    ///
    /// # Errors
    ///
    /// The channel is closed or has a consumer of this tag, more waits for the socket than the
    /// limit allows, or the request cannot be encoded.
    pub fn consume(
        &mut self,
        key: ChannelKey,
        consume: basic::Consume,
        prefetch: Option<u16>,
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        let is_limited = !consume.no_ack;
        let request = Method::from(consume.no_wait(false));
        self.check_channel(key)?;
        self.check_room()?;
        let mut effect = self.effect_of(key, &request)?;
        if let Effect::Consume(starting) = &mut effect {
            starting.claimed = true;
        }
        // What cannot be encoded changes nothing: that is known before anything is sent.
        self.encoder.any_method(&mut Outbound::new(), key.number, &request)?;
        if is_limited {
            self.set_prefetch(key, prefetch)?;
        }
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

    /// Takes note of a call whose request begins at `position`, and of the time at which it is
    /// given up.
    fn expect_reply(
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

    /// A request changes the channel from the moment it is sent, as it does for the broker.
    fn take_note(&mut self, key: ChannelKey, request: &Method) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.unsettled.handle_request(request);
            channel.prefetch.handle_request(request);
        }
        match request {
            Method::ConfirmSelect(_) => self.select_confirms(key),
            Method::TxCommit(_) => self.hold(key),
            _ => {}
        }
    }

    /// Sends a method that nothing answers: one without replies, or one with no-wait.
    ///
    /// # Errors
    ///
    /// The channel is closed, more waits for the socket than the limit allows, or the method cannot
    /// be encoded or would be answered.
    pub fn send(&mut self, key: ChannelKey, method: &Method, is_request: bool) -> Result<(), Failure> {
        if is_request && !method.is_no_wait() {
            return Err(Failure::ReplyExpected(method.name()));
        }
        self.check_channel(key)?;
        self.check_room()?;
        let effect = self.effect_of(key, method)?;
        match (method, effect) {
            // Deliveries cross a cancel, and only its answer tells which is the last: the broker is
            // asked for one after all, and nobody waits for it.
            (Method::BasicCancel(_), Effect::Cancel { tag, ending }) => self.cancel_without_waiter(key, ending, tag),
            (Method::BasicConsume(consume), Effect::Consume(starting)) => {
                if consume.consumer_tag.is_empty() {
                    return Err(Failure::ConsumerTagMissing);
                }
                // No answer would tell the deliveries of one that is on its way out from those of
                // the new one.
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
                Ok(())
            }
        }
    }

    /// The connection takes requests.
    #[inline]
    pub(in crate::engine) fn check_open(&self) -> Result<(), Failure> {
        match &self.state {
            ConnectionLife::Open => Ok(()),
            ConnectionLife::Closing { closure, .. } | ConnectionLife::Closed { closure, .. } => {
                Err(Failure::refused(closure))
            }
        }
    }

    /// The channel takes requests.
    #[inline]
    pub(in crate::engine) fn check_channel(&self, key: ChannelKey) -> Result<(), Failure> {
        let open = self.state.is_open() && self.channels.open(key).is_some();
        if open { Ok(()) } else { Err(self.channel_refusal(key)) }
    }

    /// Why a channel that is not open takes no requests.
    #[cold]
    pub(in crate::engine) fn channel_refusal(&self, key: ChannelKey) -> Failure {
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
                let is_stream = consume.arguments.get("x-stream-offset").is_some();
                let stream = if is_stream { Stream::Yes } else { Stream::No };
                let terms = Terms { no_ack: consume.no_ack, stream };
                Ok(Effect::Consume(Starting { tag: consume.consumer_tag.clone(), terms, claimed: false }))
            }
            Method::BasicCancel(cancel) => {
                let known = channel.and_then(|channel| channel.consumers.get(&cancel.consumer_tag).copied());
                // The one that starts may have the tag of one that is on its way out.
                let starts = channel.is_some_and(|channel| channel.calls.is_starting(&cancel.consumer_tag));
                let ending = known.filter(|_| !starts).map_or(Ending::Tagged, Ending::Known);
                Ok(Effect::Cancel { tag: cancel.consumer_tag.clone(), ending })
            }
            Method::BasicGet(get) => Ok(Effect::Get { no_ack: get.no_ack }),
            _ => Ok(Effect::None),
        }
    }

    pub(in crate::engine) fn complete(&mut self, waiter: Option<WaiterId>, completion: crate::engine::Completion) {
        if let Some(waiter) = waiter {
            self.events.push_back(Event::Completed(waiter, completion));
        }
    }
}
