//! Deadlines of calls, and what happens when time passes.

use std::collections::VecDeque;
use std::time::Instant;

use super::heartbeat::Due;
use super::{ChannelKey, Completion, Engine, Failure, Reason, WaiterId};
use crate::frame::Encoder;
use crate::protocol::{ProtocolMethod, channel};

/// Calls by deadline. All wait equally long, so that they are in order by themselves.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    calls: VecDeque<CallDeadline>,
}

#[derive(Debug, Clone, Copy)]
struct CallDeadline {
    at: Instant,
    channel: ChannelKey,
    waited: Waited,
}

/// What has to have happened by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// The call of this number is answered.
    Reply(u64),
    /// The close of the channel is, which this waiter waits for.
    CloseOk(WaiterId),
}

impl Engine {
    /// Takes note of the time at which a call is given up.
    pub(super) fn watch_call(&mut self, channel: ChannelKey, number: u64, now: Instant) {
        self.watch(channel, Waited::Reply(number), now);
    }

    /// The same for the close of a channel.
    pub(super) fn watch_channel_close(&mut self, channel: ChannelKey, waiter: WaiterId, now: Instant) {
        self.watch(channel, Waited::CloseOk(waiter), now);
    }

    fn watch(&mut self, channel: ChannelKey, waited: Waited, now: Instant) {
        if let Some(timeout) = self.settings.call_timeout {
            self.deadlines.calls.push_back(CallDeadline { at: now + timeout, channel, waited });
        }
    }

    /// The deadline of the oldest call that is still waiting. Those that were answered are passed over.
    pub(super) fn next_call_deadline(&mut self) -> Option<Instant> {
        let channels = &self.channels;
        let waits = |call: &CallDeadline| {
            let Some(channel) = channels.get(call.channel) else { return false };
            match call.waited {
                Waited::Reply(number) => channel.calls.get(number).is_some(),
                Waited::CloseOk(waiter) => channel.closers.contains(&waiter),
            }
        };
        while self.deadlines.calls.pop_front_if(|call| !waits(call)).is_some() {}
        self.deadlines.calls.front().map(|call| call.at)
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.state.deadline().is_some_and(|at| at <= now) {
            self.handle_close_timeout();
        }
        if self.state.is_closed() {
            return;
        }
        while self.next_call_deadline().is_some_and(|at| at <= now) {
            self.give_up_oldest_call();
        }
        self.give_up_secret_updates(now);
        if self.blocked_until.is_some_and(|at| at <= now) {
            return self.lose(Reason::BlockedTooLong);
        }
        match self.heartbeat.due(now) {
            Due::Nothing => {}
            // What waits for the socket is a sign of life itself, once the socket takes it.
            Due::Send if self.queued() > 0 => {}
            Due::Send => Encoder::heartbeat(&mut self.outbound),
            Due::GiveUp => self.lose(Reason::HeartbeatsMissed),
        }
    }

    /// The waiter hears of the timeout; the call keeps its place, so that its reply finds it.
    fn give_up_oldest_call(&mut self) {
        let Some(CallDeadline { channel, waited, .. }) = self.deadlines.calls.pop_front() else { return };
        let Some(channel) = self.channels.get_mut(channel) else { return };
        let (waiter, name) = match waited {
            Waited::CloseOk(waiter) => {
                channel.closers.retain(|closer| *closer != waiter);
                (Some(waiter), channel::Close::NAME)
            }
            Waited::Reply(number) => match channel.calls.get(number) {
                Some(call) => (call.waiter, call.name),
                None => return,
            },
        };
        self.complete(waiter, Completion::Failed(Failure::TimedOut(name)));
    }
}
