//! The loss of a channel alone: the broker closes it, and the connection remains.

use std::sync::Arc;
use std::time::Instant;

use crate::config::{ChannelRecovery, WhileDown};
use crate::engine::channel::ChannelLife;
use crate::engine::connection::ConnectionLife;
use crate::engine::{ChannelKey, ChannelNotice, Closure, Engine, Failure};
use crate::protocol::ReplyCode;

impl Engine {
    /// Whether a channel that the broker closes for this cause is opened again. It must have been
    /// open: if the broker refuses to open it, that would have no end.
    pub(in crate::engine) fn survives_close(&self, key: ChannelKey, closure: &Closure) -> bool {
        let takes_requests = matches!(self.state, ConnectionLife::Open | ConnectionLife::Restoring { .. });
        let is_open = self.channels.open(key).is_some_and(|channel| !channel.is_private);
        let is_covered = self.survives().is_some_and(|terms| match terms.channels {
            ChannelRecovery::None => false,
            ChannelRecovery::AckTimeout => is_ack_timeout(closure),
            ChannelRecovery::All => true,
        });
        takes_requests && is_open && is_covered
    }

    /// Suspends a channel that the broker has closed. What was delivered on it is stale, although
    /// the transport remains: so it begins a generation.
    pub(in crate::engine) fn lose_channel(&mut self, key: ChannelKey, closure: &Arc<Closure>) {
        self.generation = self.generation.wrapping_add(1);
        self.suspend_channel(key, closure);
        self.gate.set_stopped(key, true);
        // The close has ended them. Their queues may have gone with them.
        for consumer in self.consumers.iter_mut() {
            consumer.is_doubted |= consumer.channel == key && consumer.is_recorded();
        }
        if self.survives().is_some_and(|terms| terms.while_down == WhileDown::Fail) {
            let cause = self.recovering().cloned();
            self.refuse_waiting(Some(key), cause.as_ref());
        }
        self.complete_waiters_for_room();
        self.notify_supervisor();
    }

    /// Records why a channel is suspended that the broker has closed.
    pub(in crate::engine) fn count_close(&mut self, key: ChannelKey, closure: Arc<Closure>) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.closed = Some(closure);
        }
    }

    /// Takes the closes that have suspended channels. For each, the supervisor decides whether the
    /// channel is opened again.
    pub fn take_channel_closes(&mut self) -> Vec<(ChannelKey, Arc<Closure>)> {
        let mut closes = Vec::new();
        for key in self.channels.keys() {
            let closed = self.channels.get_mut(key).and_then(|channel| channel.closed.take());
            closes.extend(closed.map(|closure| (key, closure)));
        }
        closes
    }

    /// Ends a suspended channel for good.
    pub fn end_suspended(&mut self, key: ChannelKey, closure: &Arc<Closure>, now: Instant) {
        if self.is_suspended(key) {
            self.remove_channel(key, closure);
            self.release_parked_if_open(now);
        }
    }

    /// Lets the requests of the application through on a channel that was lost alone and is open
    /// again: those that were parked, and those that follow.
    pub fn resume_channel(&mut self, key: ChannelKey, now: Instant) {
        let reopened = self.channels.get_mut(key).filter(|channel| channel.state == ChannelLife::Reopening);
        let Some(channel) = reopened.filter(|_| self.state.is_open()) else { return };
        channel.state = ChannelLife::Open;
        self.gate.set_stopped(key, false);
        self.tell_channel(key, &ChannelNotice::Recovered);
        self.release_parked(now);
        self.admit();
    }

    /// Fails what is parked for channels that have been closed since, if no channel is being
    /// recovered.
    pub fn release_stranded(&mut self, now: Instant) {
        if !self.channels.iter().any(|channel| channel.state.is_suspended()) {
            self.release_parked_if_open(now);
        }
    }

    fn release_parked_if_open(&mut self, now: Instant) {
        let parked = self.survival.as_ref().map_or(0, |survival| survival.parking.len());
        if parked > 0 && self.state.is_open() {
            self.release_parked(now);
        }
    }

    /// Fails the publishes that wait at the gate for the first time, of one channel or of all.
    pub(in crate::engine) fn refuse_waiting(&mut self, key: Option<ChannelKey>, cause: Option<&Arc<Closure>>) {
        let failure = Failure::Recovering { cause: cause.cloned() };
        for (place, is_resent) in self.gate.places() {
            if !is_resent && key.is_none_or(|key| place.channel() == key) {
                self.fail_place(place, &failure);
            }
        }
    }
}

/// Whether RabbitMQ has closed a channel because a delivery was not acknowledged in time. Only its
/// text tells.
fn is_ack_timeout(closure: &Closure) -> bool {
    let text = closure.reply_text.as_str();
    let text = text.split_once(" - ").map_or(text, |(_, text)| text);
    closure.reply_code == Some(ReplyCode::PRECONDITION_FAILED)
        && text.starts_with("delivery acknowledgement on channel ")
        && text.contains(" timed out")
}
