//! The timer of a driver, and how the driver knows that everything that had arrived by some time
//! was read.
//!
//! A reactor reports readiness when it looks at the sockets, and a timer fires when it looks at the
//! clock, which it does after the sockets. So a timer that fires proves that the reactor has looked
//! at the transport at that time, and a read that finds nothing after that proves that all input
//! was read. A read alone proves nothing: a thread that was blocked finds no readiness, whatever
//! has arrived meanwhile.

use std::task::Context;
use std::time::{Duration, Instant};

use super::pump::TICK;
use super::runtime::Alarm;

/// A timer, and what it proves.
pub(super) struct Timer<A> {
    alarm: A,
    /// What it is set to.
    armed: Option<Instant>,
    /// It fired late, and was set once more.
    again: bool,
    /// The reactor has looked at the transport at this time, or later.
    looked: Instant,
    /// Reads that brought something since then.
    reads: u32,
    /// Everything that had arrived by this time was read.
    drained: Instant,
}

/// A timer that fires later than this was set by a thread that was blocked, or in a process that
/// was stopped. The look at the sockets that went with it may have been interrupted (`EINTR`, after
/// SIGCONT): one more is waited for.
const LATE: Duration = Duration::from_millis(50);

/// Reads after which whatever had arrived before them is read, though more arrives all the time:
/// more than a socket buffers.
const READS: u32 = 512;

impl<A: Alarm> Timer<A> {
    pub(super) fn new(alarm: A, now: Instant) -> Self {
        Self { alarm, armed: None, again: false, looked: now, reads: 0, drained: now }
    }

    /// Everything that had arrived by this time was read.
    pub(super) fn drained(&self) -> Instant {
        self.drained
    }

    /// A read brought something, or found nothing.
    #[inline]
    pub(super) fn note_read(&mut self, found: bool) {
        self.reads += u32::from(found);
        if !found || self.reads >= READS {
            self.drained = self.looked;
        }
    }

    pub(super) fn disarm(&mut self) {
        self.armed = None;
    }

    /// Sets it to `at`, where it is not set to an earlier time: one that is set too early costs a
    /// wake, setting it anew for every frame costs more. One that was set to a time in the past
    /// would fire at once, and prove nothing.
    pub(super) fn arm(&mut self, at: Instant, now: Instant) {
        let at = at.max(now + TICK);
        if self.armed.is_none_or(|armed| armed > at) {
            self.alarm.set(at);
            self.armed = Some(at);
        }
    }

    /// Whether it has fired.
    pub(super) fn poll_fired(&mut self, context: &mut Context<'_>, now: Instant) -> bool {
        while let Some(armed) = self.armed {
            if self.alarm.poll(context).is_pending() {
                return false;
            }
            self.armed = None;
            let late = now.saturating_duration_since(armed) > LATE;
            if late && !std::mem::replace(&mut self.again, true) {
                self.arm(now + TICK, now);
                continue;
            }
            self.again = false;
            self.looked = armed;
            self.reads = 0;
            return true;
        }
        false
    }
}
