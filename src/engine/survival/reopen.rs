//! The next transport: what the supervisor requests before the application's requests are sent.

use std::time::Instant;

use crate::engine::channel::{ChannelLife, Effect, Expected, Starting};
use crate::engine::connection::{ConnectionLife, Heartbeat};
use crate::engine::consume::{Consumer, ConsumerLife, Restart};
use crate::engine::{
    ChannelKey, ChannelNotice, Closure, ConsumerEnd, ConsumerKey, Engine, Failure, Negotiated, WaiterId, largest_header,
};
use crate::frame::{Decoder, Encoder};
use crate::protocol::{Method, MethodId, ProtocolMethod, Request, basic, channel, confirm, tx};
use std::sync::Arc;

impl Engine {
    /// Begins the next generation, on a transport of which this was negotiated. Returns `false` if
    /// the connection is not down.
    pub fn resume(&mut self, negotiated: Negotiated, now: Instant) -> bool {
        let ConnectionLife::Down { cause, .. } = &self.state else { return false };
        let cause = Arc::clone(cause);
        let bodies = std::mem::take(&mut self.outbound).into_bodies();
        self.discarded.bodies.extend(bodies);
        self.written = self.taken;
        self.cut = None;
        self.passing.all_written();
        self.decoder = Decoder::new(negotiated.frame_max).with_any_header();
        let smaller = negotiated.frame_max != 0 && negotiated.frame_max < self.negotiated.frame_max;
        self.encoder = Encoder::new(negotiated.frame_max);
        self.max_header = largest_header(negotiated.frame_max, self.settings.max_header_size);
        self.heartbeat = Heartbeat::new(negotiated.heartbeat, now);
        self.channels.set_max(negotiated.channel_max);
        self.negotiated = negotiated;
        self.state = ConnectionLife::Restoring { cause: Arc::clone(&cause) };
        if smaller {
            // They were encoded for larger frames.
            let failure = Failure::Recovering { cause: Some(Arc::clone(&cause)) };
            for (key, waiting) in self.gate.evict(None) {
                self.fail_waiting(key, waiting, &failure);
            }
        }
        self.close_surplus_channels();
        true
    }

    /// Returns the channels that are to be reopened, in the order of their numbers. Without a
    /// transport there are none.
    pub fn suspended_channels(&self) -> Vec<ChannelKey> {
        if !matches!(self.state, ConnectionLife::Restoring { .. } | ConnectionLife::Open) {
            return Vec::new();
        }
        let suspended = self.channels.iter().filter(|channel| channel.state == ChannelLife::Suspended);
        suspended.map(|channel| channel.key).collect()
    }

    /// Opens a suspended channel again, in the modes that it had. `waiter` completes with
    /// [`Completion::Reply`](crate::engine::Completion::Reply) or
    /// [`Completion::Restored`](crate::engine::Completion::Restored).
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is not suspended, or if there is no transport.
    pub fn reopen_channel(&mut self, key: ChannelKey, waiter: WaiterId, now: Instant) -> Result<(), Failure> {
        if !matches!(self.state, ConnectionLife::Restoring { .. } | ConnectionLife::Open) {
            return Err(self.channel_refusal(key));
        }
        let generation = self.generation;
        let suspended = self.channels.get_mut(key).filter(|channel| channel.state == ChannelLife::Suspended);
        let Some(channel) = suspended else { return Err(self.channel_refusal(key)) };
        channel.state = ChannelLife::Reopening;
        channel.generation = generation;
        let (confirms, transacts) = (channel.confirms.is_some(), channel.unsettled.transacts());
        let mode = match (confirms, transacts) {
            (true, _) => Some((Method::from(confirm::Select::default()), confirm::Select::REPLIES)),
            (false, true) => Some((Method::from(tx::Select::default()), tx::Select::REPLIES)),
            (false, false) => None,
        };
        let open = Method::from(channel::Open::default());
        let last = if mode.is_none() { Some(waiter) } else { None };
        self.restore(key, &open, channel::Open::REPLIES, Effect::Reopen, last, now)?;
        match mode {
            Some((select, replies)) => self.restore(key, &select, replies, Effect::None, Some(waiter), now),
            None => Ok(()),
        }
    }

    /// Sends a request that restores something, whatever the state of the connection.
    fn restore(
        &mut self,
        key: ChannelKey,
        request: &Method,
        replies: &'static [MethodId],
        effect: Effect,
        waiter: Option<WaiterId>,
        now: Instant,
    ) -> Result<(), Failure> {
        let position = self.encode(key, |encoder, out| encoder.any_method(out, key.number, request))?;
        let expected = Expected::of(request, replies);
        match waiter {
            Some(waiter) => self.expect_reply(key, expected, waiter, effect, position, now),
            None => self.push_call(key, expected, None, effect, position, None),
        }
        Ok(())
    }

    /// Whether this is the channel of the application's hook, which takes requests before the gate
    /// opens.
    #[cold]
    pub(in crate::engine) fn takes_requests_of_hook(&self, key: ChannelKey) -> bool {
        let is_private = self.channels.open(key).is_some_and(|channel| channel.is_private);
        is_private && matches!(self.state, ConnectionLife::Restoring { .. })
    }

    /// Whether the last free channel number is kept for what is done in a recovery on a channel
    /// that no handle has. If there is only one number, the application has it.
    pub(in crate::engine) fn keeps_last_number(&self) -> bool {
        let is_last = self.channels.vacancies() == 1 && self.channels.max() > 1;
        is_last && self.survives_loss() && !self.channels.iter().any(|channel| channel.is_private)
    }

    /// How many channels the application can have.
    pub(in crate::engine) fn channel_limit(&self) -> u16 {
        let max = self.channels.max();
        if max > 1 && self.survives_loss() { max.saturating_sub(1) } else { max }
    }

    /// Opens a channel that no handle has, for declaring what the broker lost. `waiter` completes
    /// with [`Completion::Opened`](crate::engine::Completion::Opened).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no transport, or if all channel numbers are in use.
    pub fn open_private_channel(&mut self, waiter: WaiterId, now: Instant) -> Result<ChannelKey, Failure> {
        if !matches!(self.state, ConnectionLife::Restoring { .. } | ConnectionLife::Open) {
            self.check_open()?;
            return Err(Failure::Internal("there is no transport"));
        }
        let limit = self.channels.max();
        let key = self.channels.insert().ok_or(Failure::ChannelsExhausted { limit })?;
        if let Some(channel) = self.channels.get_mut(key) {
            channel.is_private = true;
            channel.generation = self.generation;
        }
        self.encode_open(key, waiter, now)?;
        Ok(key)
    }

    /// Makes a call on a private channel.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed, or if the request cannot be encoded.
    pub fn call_private(
        &mut self,
        key: ChannelKey,
        request: &Method,
        replies: &'static [MethodId],
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        let open = self.channels.open(key).is_some_and(|channel| channel.is_private);
        if !open || !self.state.is_listening() {
            return Err(self.channel_refusal(key));
        }
        self.restore(key, request, replies, Effect::None, Some(waiter), now)
    }

    /// Lets the requests of the application through: those that were parked, and those that follow.
    pub fn open_gate(&mut self, now: Instant) {
        if !matches!(self.state, ConnectionLife::Restoring { .. }) {
            return;
        }
        self.state = ConnectionLife::Open;
        if let Some(survival) = &mut self.survival {
            survival.gate_waits.clear();
        }
        let reopened: Vec<ChannelKey> = self
            .channels
            .iter()
            .filter(|channel| channel.state == ChannelLife::Open && !channel.is_private)
            .map(|channel| channel.key)
            .collect();
        for key in reopened {
            self.tell_channel(key, &ChannelNotice::Recovered);
        }
        self.gate.unshut();
        self.admit_resent();
        self.release_parked(now);
        self.admit();
    }

    /// Returns the consumers that are to be started again on this channel, in the order in which
    /// they were started.
    pub fn stopped_consumers(&self) -> Vec<(ConsumerKey, Stopped)> {
        let stopped = self.consumers.entries().filter_map(|(key, consumer)| {
            let restart = consumer.restart.as_ref()?;
            let is_stopped = consumer.life == ConsumerLife::Running
                && consumer.generation != self.channel_generation(consumer.channel)
                && !consumer.is_abandoned();
            is_stopped.then(|| (restart.order, key, Stopped::of(consumer, restart)))
        });
        let mut stopped: Vec<_> = stopped.collect();
        stopped.sort_unstable_by_key(|(order, ..)| *order);
        stopped.into_iter().map(|(_, key, stopped)| (key, stopped)).collect()
    }

    /// Returns all consumers of channels that are lost, in the order in which they were started.
    pub fn lost_consumers(&self) -> Vec<(ConsumerKey, ChannelKey)> {
        let lost = self.consumers.entries().filter(|(_, consumer)| {
            let suspended = self.channels.get(consumer.channel).is_some_and(|channel| channel.state.is_suspended());
            suspended && consumer.restart.is_some()
        });
        lost.map(|(key, consumer)| (key, consumer.channel)).collect()
    }

    /// Starts a consumer again. `waiter` completes with
    /// [`Completion::Reply`](crate::engine::Completion::Reply).
    ///
    /// # Errors
    ///
    /// Returns an error if the consumer is gone, or if its channel is not open.
    pub fn restart_consumer(&mut self, key: ConsumerKey, waiter: WaiterId, now: Instant) -> Result<(), Failure> {
        let channel = self.consumers.get(key).ok_or(Failure::NoSuchConsumer)?.channel;
        let generation = self.channel_generation(channel);
        let consumer = self.consumers.get_mut(key).ok_or(Failure::NoSuchConsumer)?;
        let is_stopped =
            consumer.life == ConsumerLife::Running && (consumer.generation != generation || consumer.is_doubted);
        let Some(restart) = consumer.restart.clone().filter(|_| is_stopped && !consumer.is_abandoned()) else {
            return Err(Failure::NoSuchConsumer);
        };
        let (tag, terms) = (consumer.tag.clone(), consumer.terms);
        if self.channels.open(channel).is_none() || !self.state.is_listening() {
            return Err(self.channel_refusal(channel));
        }
        if !terms.no_ack {
            self.set_prefetch(channel, Some(restart.prefetch))?;
        }
        let request = Method::from(restart.request.clone().consumer_tag(tag.clone()).no_wait(false));
        let starting = Starting { tag, terms, claimed: true, restart: Some(restart), again: true };
        let effect = Effect::Consume(starting);
        if let Some(consumer) = self.consumers.get_mut(key) {
            consumer.life = ConsumerLife::Starting;
            consumer.is_doubted = false;
            consumer.generation = generation;
        }
        self.restore(channel, &request, basic::Consume::REPLIES, effect, Some(waiter), now)
    }

    /// Returns the generation of the channel in which a consumer was started last.
    pub fn consumer_generation(&self, key: ConsumerKey) -> u32 {
        self.consumers.get(key).map_or(self.generation, |consumer| consumer.generation)
    }

    /// Returns `true` if what was delivered to a consumer in this generation is delivered again,
    /// because its channel was lost since.
    pub fn is_lost_delivery(&self, key: ConsumerKey, generation: u32) -> bool {
        let consumer = self.consumers.get(key).filter(|consumer| !consumer.terms.no_ack);
        consumer.is_some_and(|consumer| self.is_stale(consumer.channel, generation))
    }

    /// Ends a consumer that cannot be started again.
    pub fn end_stopped(&mut self, key: ConsumerKey, closure: Arc<Closure>) {
        self.end_consumer(key, ConsumerEnd::Closed(closure));
    }

    /// Ends a consumer that is not started again because the application has deleted its queue.
    /// The broker would have cancelled it if it had been running.
    pub fn end_forgotten(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let (channel, tag) = (consumer.channel, consumer.tag.clone());
        let is_stopped =
            consumer.life == ConsumerLife::Running && consumer.generation != self.channel_generation(channel);
        if is_stopped && !consumer.is_abandoned() {
            self.tell_channel(channel, &ChannelNotice::ConsumerCancelled(tag));
            self.end_consumer(key, ConsumerEnd::CancelledByBroker);
        }
    }

    /// Whether the close of a channel by the broker refuses a consumer that is started again. The
    /// channel is then reopened, and only that consumer fails.
    pub(in crate::engine) fn refuses_restart(&self, key: ChannelKey, method: Option<MethodId>) -> bool {
        let is_consume = method == Some(<basic::Consume as ProtocolMethod>::ID);
        is_consume && self.channels.get(key).is_some_and(|channel| channel.calls.is_restarting())
    }

    /// Renames a queue that the broker named anew, wherever its name is remembered.
    pub fn rename_queue(&mut self, from: &crate::wire::ShortString, to: &crate::wire::ShortString) {
        for key in self.channels.keys() {
            if let Some(channel) = self.channels.get_mut(key).filter(|channel| channel.queue == *from) {
                channel.queue = to.clone();
            }
        }
        for consumer in self.consumers.iter_mut() {
            if let Some(restart) = consumer.restart.as_mut().filter(|restart| restart.request.queue == *from) {
                restart.request.queue = to.clone();
            }
        }
    }
}

/// A consumer that was running when its transport was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Its channel.
    pub channel: ChannelKey,
    /// Its queue.
    pub queue: crate::wire::ShortString,
    /// Its tag.
    pub tag: crate::wire::ShortString,
    /// Whether its queue is declared again if it was deleted.
    pub resumes: bool,
}

impl Stopped {
    pub(super) fn of(consumer: &Consumer, restart: &Restart) -> Self {
        Self {
            channel: consumer.channel,
            queue: restart.request.queue.clone(),
            tag: consumer.tag.clone(),
            resumes: restart.resumes,
        }
    }
}
