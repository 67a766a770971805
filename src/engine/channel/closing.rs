//! Closing a channel, requested by either side.

use std::sync::Arc;
use std::time::Instant;

use super::{Channel, ChannelLife};
use crate::engine::changes::Change;
use crate::engine::connection::broker_closure;
use crate::engine::inbound::Assembly;
use crate::engine::outbound::HELD;
use crate::engine::{
    ChannelKey, ChannelNotice, Closure, Completion, ConsumerEnd, Engine, Event, Failure, Fate, Reason, Scope,
    Violation, WaiterId,
};
use crate::protocol::{MethodId, ProtocolMethod, ReplyCode, channel};
use crate::wire::ShortString;

impl Engine {
    /// Closes a channel. `waiter` completes with [`Completion::Closed`] when the broker has sent
    /// `channel.close-ok`. Closing a channel that the application has already closed completes in
    /// the same way.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is already closed for another reason than a request of the
    /// application.
    pub fn close_channel(
        &mut self,
        key: ChannelKey,
        code: ReplyCode,
        text: impl Into<ShortString>,
        waiter: Option<WaiterId>,
        now: Instant,
    ) -> Result<(), Failure> {
        self.start_closing(key, code, &text.into(), waiter)?;
        if let Some(waiter) = waiter {
            self.watch_channel_close(key, waiter, now);
        }
        Ok(())
    }

    fn start_closing(
        &mut self,
        key: ChannelKey,
        code: ReplyCode,
        text: &ShortString,
        waiter: Option<WaiterId>,
    ) -> Result<(), Failure> {
        let known = self.channels.get_mut(key);
        if let Some(channel) = known.filter(|channel| channel.state == ChannelLife::Closing) {
            channel.add_closer(waiter);
            return Ok(());
        }
        if self.close_suspended(key, code, text, waiter) {
            return Ok(());
        }
        if let Err(failure) = self.check_channel(key).or_else(|failure| self.allow_reopening(key, failure)) {
            return match failure {
                Failure::Closed { closure, .. } if closure.is_requested() => {
                    self.await_requested_end(key, &closure, waiter);
                    Ok(())
                }
                failure => Err(failure),
            };
        }
        let close = channel::Close::default().reply_code(code).reply_text(text.clone());
        let position = self.encode_method(key, &close)?;
        let (scope, reply_text) = (Scope::Channel(key.number), text.to_string());
        let requested = Closure::silent(Reason::Requested);
        let closure = Arc::new(Closure { scope, reply_code: Some(code), reply_text, ..requested });
        self.begin_closing_channel(key, &closure, waiter, position);
        Ok(())
    }

    /// Records that a close was encoded, which begins at `position`.
    fn begin_closing_channel(
        &mut self,
        key: ChannelKey,
        closure: &Arc<Closure>,
        waiter: Option<WaiterId>,
        position: u64,
    ) {
        self.channels.record(key, closure);
        self.evict_from_gate(Some(key), closure);
        let close_end = if position == HELD { HELD } else { self.position() };
        if let Some(channel) = self.channels.get_mut(key) {
            channel.state = ChannelLife::Closing;
            channel.close_end = close_end;
            channel.add_closer(waiter);
            self.reading.await_answer();
        }
        self.end_consumers(key, closure);
    }

    /// Ends one channel for a violation that leaves the stream of frames readable.
    pub(in crate::engine) fn end_channel(&mut self, key: ChannelKey, violation: Violation) {
        if self.check_channel(key).is_err() {
            return;
        }
        let code = violation.reply_code();
        let ids = violation.method().unwrap_or(MethodId::new(0, 0));
        let text = violation.to_string();
        let short: String = text.chars().take(80).collect();
        let close =
            channel::Close::default().reply_code(code).reply_text(short).class_id(ids.class).method_id(ids.method);
        let queued = self.encode_method(key, &close);
        debug_assert!(queued.is_ok(), "a short text always fits");
        let Ok(position) = queued else { return };
        let (scope, method) = (Scope::Channel(key.number), violation.method());
        let violated = Closure::silent(Reason::Violation(violation));
        let closure = Closure { scope, method, reply_code: Some(code), reply_text: text, ..violated };
        self.begin_closing_channel(key, &Arc::new(closure), None, position);
    }

    /// Handles another request to close a channel that was closed on request, alone or with its
    /// connection: `waiter` gets the outcome of that close.
    fn await_requested_end(&mut self, key: ChannelKey, closure: &Closure, waiter: Option<WaiterId>) {
        if let Some(channel) = self.channels.get_mut(key).filter(|_| !self.state.is_closed()) {
            channel.add_closer(waiter);
            return;
        }
        let with_connection = self.state.failed().filter(|_| closure.scope == Scope::Connection);
        let failed = self.channels.unagreed(key).or(with_connection).cloned();
        self.complete(waiter, failed.map_or(Completion::Closed, Completion::Failed));
    }

    /// Closes the channel if it is open, and forgets it. To be called when its last handle is
    /// dropped.
    pub fn release_channel(&mut self, key: ChannelKey) {
        let closed = self.start_closing(key, ReplyCode::REPLY_SUCCESS, &ShortString::from_static("dropped"), None);
        debug_assert!(closed.is_ok() || self.check_channel(key).is_err(), "an open channel can be closed");
        self.channels.forget(key);
    }

    /// Handles `channel.close` from the broker.
    pub(in crate::engine) fn handle_channel_close(&mut self, key: ChannelKey, close: &channel::Close) {
        let queued = self.encoder.method(&mut self.outbound, key.number, &channel::CloseOk::default());
        debug_assert!(queued.is_ok(), "close-ok always fits");
        let method = MethodId::new(close.class_id, close.method_id);
        let closure = broker_closure(Scope::Channel(key.number), close.reply_code, &close.reply_text, method);
        if self.refuses_restart(key, closure.method) {
            return self.lose_channel(key, &closure);
        }
        if self.survives_close(key, &closure) {
            self.lose_channel(key, &closure);
            return self.count_close(key, closure);
        }
        if let Some(closing) = self.channels.get_mut(key).filter(|channel| channel.state == ChannelLife::Closing) {
            if !closing.held.is_holding() {
                // Both sides closed at once. The broker still answers our close (AMQP 0-9-1
                // §1.5.2.5) and sends nothing else. It discarded everything that was sent after the
                // request that it complains of, so our close does not report success.
                closing.assembly = Assembly::Idle;
                closing.crossed.get_or_insert(closure);
                return;
            }
            // Our close waits for a commit that will not be answered any more, so it is not sent.
            self.fail_closers(key, &Failure::Closed { closure: Arc::clone(&closure), fate: Fate::Unknown });
        }
        self.remove_channel(key, &closure);
    }

    /// Handles `channel.close-ok`. It is valid only after our close was written, because the caller
    /// takes it as proof that the broker has read everything that was sent before the close.
    pub(in crate::engine) fn handle_channel_close_ok(&mut self, key: ChannelKey) -> Result<(), Violation> {
        let unexpected = Violation::UnexpectedMethod(<channel::CloseOk as ProtocolMethod>::ID);
        let closing = self.channels.get(key).filter(|channel| channel.state == ChannelLife::Closing);
        let closing = closing.filter(|channel| channel.close_end <= self.written);
        let crossed = closing.ok_or(unexpected)?.crossed.clone();
        if let Some(closure) = crossed {
            self.fail_closers(key, &Failure::Closed { closure, fate: Fate::Unknown });
        }
        if let Some(closure) = self.channels.closure(key).cloned() {
            self.remove_channel(key, &closure);
        } else {
            // Its last handle was dropped, so the reason need not be kept.
            let closure = Closure { scope: Scope::Channel(key.number), ..Closure::silent(Reason::Requested) };
            self.remove_channel(key, &Arc::new(closure));
            self.channels.forget(key);
        }
        Ok(())
    }

    /// Removes a channel and completes everything that waits on it.
    pub(in crate::engine) fn remove_channel(&mut self, key: ChannelKey, closure: &Arc<Closure>) {
        self.evict_from_gate(Some(key), closure);
        self.end_consumers(key, closure);
        let Some(channel) = self.channels.remove(key, closure) else { return };
        if !channel.is_private {
            self.push_change(Change::ChannelClosed(key));
        }
        // A channel that was closing has an earlier cause of its own.
        let first = self.channels.closure(key).cloned().unwrap_or_else(|| Arc::clone(closure));
        self.resolve_channel(*channel, &first, closure);
        self.tell_channel(key, &ChannelNotice::Closed(first));
    }

    /// Completes everything that waits on a channel: requests and publishes with `closure`, the
    /// first cause, and those that close the channel with `last`, the final one.
    fn resolve_channel(&mut self, channel: Channel, closure: &Arc<Closure>, last: &Arc<Closure>) {
        let Channel { key, state, calls, closers, confirms, returns, held, .. } = channel;
        self.drop_held(held);
        let calls = calls.into_sorted();
        self.reading.answered(calls.len() + usize::from(state == ChannelLife::Closing));
        let mut blamed = closure.method;
        for call in &calls {
            // The broker handles requests in order, so of several calls of the blamed method it
            // refused the first.
            let is_blamed = blamed.take_if(|method| *method == call.request).is_some();
            self.fail_call(call, closure, is_blamed);
        }
        if let Some(mut confirms) = confirms {
            let watchers = confirms.take_watchers();
            let mut undecided = 0;
            let mut entries = confirms.into_undecided().peekable();
            while let Some((_, entry, kept)) = entries.next() {
                let is_only = undecided == 0 && entries.peek().is_none_or(|(_, next, _)| next.position >= self.taken);
                let fate = self.fate_of_publish(entry.position, is_only, closure);
                let fate = kept.as_ref().map_or(fate, |kept| kept.fate(fate));
                undecided += 1;
                let failure = Failure::Closed { closure: Arc::clone(closure), fate };
                self.complete(entry.waiter, Completion::Failed(failure));
                self.discarded.bodies.extend(entry.into_body());
                self.release_kept(kept);
            }
            self.gate.count_confirmed(undecided);
            for watcher in watchers {
                let failure = Failure::Closed { closure: Arc::clone(closure), fate: Fate::Unknown };
                self.complete(Some(watcher), Completion::Failed(failure));
            }
        }
        for (closer, deadline) in closers {
            self.deadlines.end(deadline);
            let failure = Failure::Closed { closure: Arc::clone(last), fate: Fate::Unknown };
            let closed = if last.is_requested() { Completion::Closed } else { Completion::Failed(failure) };
            self.complete(Some(closer), closed);
        }
        self.events.extend(returns.listener.map(Event::Readable));
        self.channels.keep_returns(key, returns);
        self.admit();
    }

    /// The fate of an unconfirmed publish that begins at `position`. `is_only` is whether it is the
    /// only unconfirmed one of its channel that the transport may have accepted.
    pub(in crate::engine) fn fate_of_publish(&self, position: u64, is_only: bool, closure: &Closure) -> Fate {
        match self.fate_at(position) {
            // The broker blames a publish. It can only be this one: every earlier publish was
            // confirmed.
            Fate::Unknown if is_only && closure.refuses_publish() && position < self.taken => Fate::Refused,
            fate => fate,
        }
    }

    /// Fails every pending close of a channel.
    pub(in crate::engine) fn fail_channel_closers(&mut self, failure: &Failure) {
        for key in self.channels.keys() {
            self.fail_closers(key, failure);
        }
    }

    /// Fails the pending closes of a channel, and records the failure for later ones.
    fn fail_closers(&mut self, key: ChannelKey, failure: &Failure) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let closers = std::mem::take(&mut channel.closers);
        if channel.state == ChannelLife::Closing {
            self.channels.record_unagreed(key, failure);
        }
        for (closer, deadline) in closers {
            self.deadlines.end(deadline);
            self.complete(Some(closer), Completion::Failed(failure.clone()));
        }
    }

    /// Closes a channel of which the broker does not know, because its transport was lost. Returns
    /// `false` if it is not such a channel.
    fn close_suspended(
        &mut self,
        key: ChannelKey,
        code: ReplyCode,
        text: &ShortString,
        waiter: Option<WaiterId>,
    ) -> bool {
        let state = self.channels.get(key).map(|channel| channel.state);
        if !matches!(state, Some(ChannelLife::Suspended)) || self.state.closure().is_some() {
            return false;
        }
        let (scope, reply_text) = (Scope::Channel(key.number), text.to_string());
        let requested = Closure::silent(Reason::Requested);
        let closure = Arc::new(Closure { scope, reply_code: Some(code), reply_text, ..requested });
        self.channels.record(key, &closure);
        self.remove_channel(key, &closure);
        // What is parked for it fails.
        self.notify_supervisor();
        self.complete(waiter, Completion::Closed);
        true
    }

    /// Lets a channel be closed that is being reopened.
    fn allow_reopening(&self, key: ChannelKey, failure: Failure) -> Result<(), Failure> {
        let is_reopening = self.channels.get(key).is_some_and(|channel| channel.state == ChannelLife::Reopening);
        let is_restored = self.channels.open(key).is_some() && self.recovering().is_some() && !self.is_down();
        if is_reopening || is_restored { Ok(()) } else { Err(failure) }
    }

    fn end_consumers(&mut self, key: ChannelKey, closure: &Arc<Closure>) {
        let consumers = self.channels.get_mut(key).map(|channel| std::mem::take(&mut channel.consumers));
        for consumer in consumers.into_iter().flatten().map(|(_, consumer)| consumer) {
            self.end_consumer(consumer, ConsumerEnd::Closed(Arc::clone(closure)));
        }
    }

    pub(in crate::engine) fn evict_from_gate(&mut self, channel: Option<ChannelKey>, closure: &Arc<Closure>) {
        for (key, waiting) in self.gate.evict(channel) {
            self.fail_waiting(key, waiting, &Failure::refused(closure));
        }
    }
}
