//! Deadlines of calls, and what is due when time passes.

use std::time::Instant;

use super::heartbeat::Due;
use crate::engine::slots::{LinkedSlab, Place};
use crate::engine::steps::step;
use crate::engine::{ChannelKey, Completion, Engine, Reason, WaiterId};
use crate::frame::Encoder;
use crate::protocol::{ProtocolMethod, channel};

/// The waits for answers of the broker, by their deadlines: the earliest is at the front.
///
/// All waits are equally long, so insertion at the back keeps the order. An answered wait is
/// removed by its place at once. So a call that is not answered does not keep the deadlines of
/// calls that were answered after it, and everything that is due is at the front.
#[derive(Debug, Default)]
pub(in crate::engine) struct Deadlines {
    waiting: LinkedSlab<Deadline>,
}

#[derive(Debug)]
struct Deadline {
    at: Instant,
    /// `None` for the renewal of secrets.
    waiter: Option<WaiterId>,
    awaited: Awaited,
}

/// What has to arrive before the deadline.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Awaited {
    /// The answer to the method of this name.
    Answer(&'static str),
    /// The `close-ok` of this channel.
    CloseOk(ChannelKey),
}

impl Deadlines {
    /// Adds a wait that times out at `at`. Returns the place by which it is ended.
    pub(in crate::engine) fn add(
        &mut self,
        at: Instant,
        waiter: impl Into<Option<WaiterId>>,
        awaited: Awaited,
    ) -> Place {
        self.waiting.push_back(Deadline { at, waiter: waiter.into(), awaited })
    }

    /// Ends a wait, which may have no deadline. Returns `false` if it has already timed out.
    pub(in crate::engine) fn end(&mut self, deadline: Option<Place>) -> bool {
        let Some(place) = deadline else { return true };
        step();
        self.waiting.remove(place).is_some()
    }

    /// When the first wait times out.
    pub(super) fn first(&self) -> Option<Instant> {
        self.waiting.front().map(|deadline| deadline.at)
    }

    /// Removes the first wait if it has timed out at `time`.
    fn pop_due(&mut self, time: Instant) -> Option<Deadline> {
        self.first().filter(|at| *at <= time)?;
        step();
        self.waiting.pop_front()
    }

    /// The number of waits.
    pub(in crate::engine) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Engine {
    /// When a call that is made at `now` times out.
    pub(in crate::engine) fn call_deadline(&self, now: Instant) -> Option<Instant> {
        self.settings.call_timeout.map(|timeout| now + timeout)
    }

    /// Adds the deadline of `waiter` for the close of a channel, if it waits for one.
    pub(in crate::engine) fn watch_channel_close(&mut self, channel: ChannelKey, waiter: WaiterId, now: Instant) {
        let Some(at) = self.call_deadline(now) else { return };
        let closer = self.channels.get_mut(channel).and_then(|closing| closing.closers.get_mut(&waiter));
        if let Some(deadline) = closer {
            *deadline = Some(self.deadlines.add(at, waiter, Awaited::CloseOk(channel)));
        }
    }

    /// The earliest time at which something times out unless input arrives before.
    pub(in crate::engine) fn silence_deadline(&self) -> Option<Instant> {
        [self.heartbeat.gives_up_at(), self.state.deadline(), self.deadlines.first(), self.blocked_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due at `now`. A wait for input times out only if its deadline is not after
    /// `drained`, a time up to which everything that the transport had received was read and handed
    /// in.
    ///
    /// After a process was stopped or a thread was blocked, both its timer and its input are late.
    /// The input may hold what the timer is about, so it is handled first. As long as something is
    /// due at `now` that was not due at `drained`, [`Engine::poll_deadline`] returns a time in the
    /// past, and [`Engine::poll_reading`] returns `true`. The driver then checks readiness once
    /// more, reads until nothing is left, and calls this method again.
    pub fn handle_timeout(&mut self, now: Instant, drained: Instant) {
        let drained = drained.min(now);
        // A flush waits for the transport to accept bytes and not for input, so it ends by the time
        // alone.
        let heard = if self.state.is_closed() { now } else { drained };
        if self.state.deadline().is_some_and(|at| at <= heard) {
            self.handle_close_timeout();
        }
        if self.state.is_closed() {
            return;
        }
        self.end_overflow(now);
        self.pass_renewal(now);
        self.expire_waits(now);
        while let Some(deadline) = self.deadlines.pop_due(drained) {
            self.give_up(&deadline, now);
        }
        if self.blocked_until.is_some_and(|at| at <= drained) {
            return self.lose(Reason::BlockedTooLong);
        }
        match self.heartbeat.due(now, drained) {
            Due::Nothing => {}
            // Bytes that wait for the socket are a sign of life once the socket accepts them. Bytes
            // that wait for a commit are not.
            Due::Send if self.is_unwritten() => {}
            Due::Send => Encoder::heartbeat(&mut self.outbound),
            Due::GiveUp => self.lose(Reason::HeartbeatsMissed),
        }
    }

    /// Fails the waiter with the timeout. A call keeps its place among the calls of its channel, so
    /// that a late reply is matched with it.
    fn give_up(&mut self, deadline: &Deadline, now: Instant) {
        let name = match deadline.awaited {
            Awaited::Answer(name) => name,
            Awaited::CloseOk(key) => {
                if let (Some(channel), Some(waiter)) = (self.channels.get_mut(key), &deadline.waiter) {
                    channel.closers.remove(waiter);
                }
                channel::Close::NAME
            }
        };
        let failure = self.timed_out(name);
        match deadline.waiter {
            Some(waiter) => self.complete(Some(waiter), Completion::Failed(failure)),
            None => self.handle_no_renewal(failure.to_string(), now),
        }
    }
}
