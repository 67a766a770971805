//! Deadlines of calls, and what happens when time passes.

use std::time::Instant;

use super::heartbeat::Due;
use crate::engine::slots::{LinkedSlab, Place};
use crate::engine::steps::step;
use crate::engine::{ChannelKey, Completion, Engine, Reason, WaiterId};
use crate::frame::Encoder;
use crate::protocol::{ProtocolMethod, channel};

/// Those who wait for an answer of the broker, the one that is given up first at the front.
///
/// All wait equally long, so that they are in order by themselves. Whatever is answered takes
/// itself out by its place, at once: a call that nobody answers does not keep the deadlines of
/// those that were answered after it, and all that is due is at the front.
#[derive(Debug, Default)]
pub(in crate::engine) struct Deadlines {
    waiting: LinkedSlab<Deadline>,
}

#[derive(Debug)]
struct Deadline {
    at: Instant,
    /// None for the schedule of secrets.
    waiter: Option<WaiterId>,
    awaited: Awaited,
}

/// What has to arrive by then.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) enum Awaited {
    /// The answer to the method of this name.
    Answer(&'static str),
    /// The agreement to the close of this channel.
    CloseOk(ChannelKey),
}

impl Deadlines {
    /// Adds somebody who waits until `at`; gives the place by which the wait is ended.
    pub(in crate::engine) fn add(
        &mut self,
        at: Instant,
        waiter: impl Into<Option<WaiterId>>,
        awaited: Awaited,
    ) -> Place {
        self.waiting.push_back(Deadline { at, waiter: waiter.into(), awaited })
    }

    /// Ends a wait, which may have no deadline. Returns `false` if it was given up before.
    pub(in crate::engine) fn end(&mut self, deadline: Option<Place>) -> bool {
        let Some(place) = deadline else { return true };
        step();
        self.waiting.remove(place).is_some()
    }

    /// When the first wait is given up.
    pub(super) fn first(&self) -> Option<Instant> {
        self.waiting.front().map(|deadline| deadline.at)
    }

    /// Takes the first wait out if its time has come at `time`.
    fn pop_due(&mut self, time: Instant) -> Option<Deadline> {
        self.first().filter(|at| *at <= time)?;
        step();
        self.waiting.pop_front()
    }

    /// How many wait.
    pub(in crate::engine) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Engine {
    /// When a call that is made now is given up.
    pub(in crate::engine) fn call_deadline(&self, now: Instant) -> Option<Instant> {
        self.settings.call_timeout.map(|timeout| now + timeout)
    }

    /// Takes note of the time at which a close of a channel is given up for `waiter`, if that waits
    /// for one.
    pub(in crate::engine) fn watch_channel_close(&mut self, channel: ChannelKey, waiter: WaiterId, now: Instant) {
        let Some(at) = self.call_deadline(now) else { return };
        let closer = self.channels.get_mut(channel).and_then(|closing| closing.closers.get_mut(&waiter));
        if let Some(deadline) = closer {
            *deadline = Some(self.deadlines.add(at, waiter, Awaited::CloseOk(channel)));
        }
    }

    /// When something ends unless input arrives before.
    pub(in crate::engine) fn silence_deadline(&self) -> Option<Instant> {
        [self.heartbeat.gives_up_at(), self.state.deadline(), self.deadlines.first(), self.blocked_until]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due at `now`. What ends because nothing arrived ends only where its time had
    /// come at `drained`: a time up to which everything that the transport had received was read
    /// and handed in.
    ///
    /// A process that was stopped, or a thread that was blocked, finds both its timer and its input
    /// late. The input may hold what the timer is about, so it goes first. As long as something is
    /// due at `now` that was not due at `drained`, [`Engine::poll_deadline`] stays in the past, and
    /// [`Engine::poll_reading`] lets the transport be read: let whatever reports readiness look
    /// once more, read until there is nothing, and call this again.
    pub fn handle_timeout(&mut self, now: Instant, drained: Instant) {
        let drained = drained.min(now);
        // The end of a flush waits for the transport to take bytes, and for no input.
        let heard = if self.state.is_closed() { now } else { drained };
        if self.state.deadline().is_some_and(|at| at <= heard) {
            self.handle_close_timeout();
        }
        if self.state.is_closed() {
            return;
        }
        self.end_overflow(now);
        self.pass_renewal(now);
        while let Some(deadline) = self.deadlines.pop_due(drained) {
            self.give_up(&deadline, now);
        }
        if self.blocked_until.is_some_and(|at| at <= drained) {
            return self.lose(Reason::BlockedTooLong);
        }
        match self.heartbeat.due(now, drained) {
            Due::Nothing => {}
            // What waits for the socket is a sign of life itself, once the socket takes it; what
            // waits for a commit is none.
            Due::Send if self.is_unwritten() => {}
            Due::Send => Encoder::heartbeat(&mut self.outbound),
            Due::GiveUp => self.lose(Reason::HeartbeatsMissed),
        }
    }

    /// The waiter hears of the timeout. A call keeps its place among those of its channel, so that
    /// its reply finds it.
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
