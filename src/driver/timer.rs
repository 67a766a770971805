//! The timer of a driver, by which the driver knows that everything that had arrived by some time
//! was read.
//!
//! A reactor checks the sockets for readiness, and after that the clock for timers. So a timer that
//! fires proves that the reactor has checked the transport at that time, and a read that finds
//! nothing after that proves that all input was read. A read alone proves nothing: on a thread that
//! was blocked, readiness is not updated, whatever has arrived in the meantime.

use std::task::Context;
use std::time::{Duration, Instant};

use super::pump::TICK;
use super::runtime::Alarm;

/// A timer, and what it proves.
pub(super) struct Timer<A> {
    alarm: A,
    /// The time to which it is set.
    armed: Option<Instant>,
    /// Whether it fired late and was set once more.
    again: bool,
    /// The reactor has checked the transport at this time, or later.
    looked: Instant,
    /// The number of reads since then that returned bytes.
    reads: u32,
    /// The time up to which everything that had arrived was read.
    drained: Instant,
}

/// How late a timer has to fire to count as late: its thread was blocked, or its process was
/// stopped. The check of the sockets that belongs to it may have been interrupted (`EINTR`, after
/// SIGCONT), so the next check is awaited.
const LATE: Duration = Duration::from_millis(50);

/// After this many reads, whatever had arrived before them was read, even if more keeps arriving:
/// it is more than a socket buffers.
const READS: u32 = 512;

impl<A: Alarm> Timer<A> {
    pub(super) fn new(alarm: A, now: Instant) -> Self {
        Self { alarm, armed: None, again: false, looked: now, reads: 0, drained: now }
    }

    /// The time up to which everything that had arrived was read.
    pub(super) fn drained(&self) -> Instant {
        self.drained
    }

    /// Records a read. `found` is whether it returned bytes.
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

    /// Sets it to `at`, unless it is set to an earlier time: firing too early costs one wake-up,
    /// and setting it again for every frame costs more. It is never set to a time in the past,
    /// because it would fire at once and prove nothing.
    pub(super) fn arm(&mut self, at: Instant, now: Instant) {
        let at = at.max(now + TICK);
        if self.armed.is_none_or(|armed| armed > at) {
            self.alarm.set(at);
            self.armed = Some(at);
        }
    }

    /// Returns `true` if it has fired.
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
