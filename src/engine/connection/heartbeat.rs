//! When to send a heartbeat, and when the broker counts as lost (AMQP 0-9-1 §4.2.7).

use std::time::{Duration, Instant};

/// The two heartbeat timers of a connection. Traffic only stores a time; the deadlines are computed
/// when they are asked for.
#[derive(Debug)]
pub(in crate::engine) struct Heartbeat {
    interval: Option<Duration>,
    last_sent: Instant,
    last_received: Instant,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Half an interval passed without a write.
    Send,
    /// Two intervals passed without input.
    GiveUp,
}

impl Heartbeat {
    /// Starts the timers. `seconds` is the negotiated interval; 0 turns both off.
    pub(in crate::engine) fn new(seconds: u16, now: Instant) -> Self {
        let interval = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        Self { interval, last_sent: now, last_received: now }
    }

    /// Records that the socket accepted bytes.
    #[inline]
    pub(in crate::engine) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    /// Records that bytes arrived. Any byte counts as a sign of life.
    #[inline]
    pub(in crate::engine) fn received(&mut self, now: Instant) {
        self.last_received = now;
    }

    /// When something may be due.
    pub(in crate::engine) fn deadline(&self) -> Option<Instant> {
        let interval = self.interval?;
        Some((self.last_sent + interval / 2).min(self.last_received + interval * 2))
    }

    /// When the broker counts as lost, unless input arrives before.
    pub(super) fn gives_up_at(&self) -> Option<Instant> {
        self.interval.map(|interval| self.last_received + interval * 2)
    }

    /// What is due at `now`, if all input that arrived until `drained` was read. A heartbeat that
    /// is due counts as sent at once, so that a stalled socket gets one and not many.
    pub(super) fn due(&mut self, now: Instant, drained: Instant) -> Due {
        let Some(interval) = self.interval else { return Due::Nothing };
        if drained >= self.last_received + interval * 2 {
            Due::GiveUp
        } else if now >= self.last_sent + interval / 2 {
            self.last_sent = now;
            Due::Send
        } else {
            Due::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is due where everything that arrived is read.
    fn due(heartbeat: &mut Heartbeat, now: Instant) -> Due {
        heartbeat.due(now, now)
    }

    #[test]
    fn a_heartbeat_is_due_after_half_an_interval_without_a_write() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(10, start);
        assert_eq!(heartbeat.deadline(), Some(start + Duration::from_secs(5)));
        assert_eq!(due(&mut heartbeat, start + Duration::from_millis(4999)), Due::Nothing);
        assert_eq!(due(&mut heartbeat, start + Duration::from_secs(5)), Due::Send);
        assert_eq!(due(&mut heartbeat, start + Duration::from_secs(5)), Due::Nothing);
        heartbeat.sent(start + Duration::from_secs(7));
        assert_eq!(due(&mut heartbeat, start + Duration::from_millis(11_999)), Due::Nothing);
        assert_eq!(due(&mut heartbeat, start + Duration::from_secs(12)), Due::Send);
    }

    #[test]
    fn two_silent_intervals_end_the_connection() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(10, start);
        heartbeat.received(start + Duration::from_secs(3));
        heartbeat.sent(start + Duration::from_secs(22));
        assert_eq!(due(&mut heartbeat, start + Duration::from_secs(22)), Due::Nothing);
        assert_eq!(due(&mut heartbeat, start + Duration::from_secs(23)), Due::GiveUp);
    }

    #[test]
    fn zero_turns_heartbeats_off() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(0, start);
        assert_eq!(heartbeat.deadline(), None);
        assert_eq!(due(&mut heartbeat, start + Duration::from_secs(1_000_000)), Due::Nothing);
    }

    #[test]
    fn silence_counts_only_up_to_where_the_input_was_read() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(10, start);
        let late = start + Duration::from_secs(100);
        assert_eq!(heartbeat.due(late, start + Duration::from_secs(19)), Due::Send);
        assert_eq!(heartbeat.due(late, start + Duration::from_secs(19)), Due::Nothing);
        assert_eq!(heartbeat.due(late, start + Duration::from_secs(20)), Due::GiveUp);
    }
}
