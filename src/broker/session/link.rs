//! The octets of one connection, and what is done to them on purpose.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::broker::Transport;
use crate::frame::Outbound;

/// What waits for the transport of a connection, and the faults of that transport.
#[derive(Debug, Default)]
pub(in crate::broker) struct Link {
    /// What was said last, in order.
    pub(in crate::broker) outbound: Outbound,
    /// What was said before, and when it may go.
    held: VecDeque<(Instant, Outbound)>,
    /// What was held back, and may go.
    released: VecDeque<Outbound>,
    /// Octets in these two.
    late: usize,
    delay: Duration,
    silent: bool,
    /// Octets that may still go out.
    output_left: Option<u64>,
    /// Octets that may still come in.
    input_left: Option<u64>,
    /// Octets a second that are read at most, where that is limited.
    rate: Option<u32>,
    /// Nothing is read before that: what was read last took so long.
    rests_until: Option<Instant>,
    ending: Option<Transport>,
}

impl Link {
    /// The longest delay: adding it to a point in time cannot overflow.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

    /// What is to become of the transport. It closes no sooner than what is held back for it may
    /// go, and not at all while it is silent.
    pub(in crate::broker) fn transport(&self) -> Transport {
        let waits = self.silent || self.late > 0 || !(self.delay.is_zero() || self.outbound.is_empty());
        match self.ending {
            Some(Transport::Closing) if waits => Transport::Open,
            ending => ending.unwrap_or(Transport::Open),
        }
    }

    /// It has been cut, or is to be closed.
    pub(in crate::broker) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Octets that were said and not taken.
    pub(super) fn waiting(&self) -> usize {
        self.outbound.len() + self.late
    }

    /// Nothing more is said; what waits still goes out.
    pub(in crate::broker) fn finish(&mut self) {
        self.ending.get_or_insert(Transport::Closing);
    }

    /// The transport is dropped, whatever waits.
    pub(in crate::broker) fn cut(&mut self) {
        self.ending = Some(Transport::Gone);
        self.outbound = Outbound::new();
        self.held.clear();
        self.released.clear();
        self.late = 0;
    }

    /// Neither reads nor writes from now on, and keeps the transport.
    pub(in crate::broker) fn fall_silent(&mut self) {
        self.silent = true;
    }

    /// Everything said from now on goes out this much later.
    pub(in crate::broker) fn delay(&mut self, delay: Duration) {
        // A delay without end is one that nobody sees the end of.
        self.delay = delay.min(Self::LONGEST);
    }

    pub(in crate::broker) fn cut_output_after(&mut self, octets: u64) {
        self.output_left = Some(octets);
        if octets == 0 {
            self.cut();
        }
    }

    pub(in crate::broker) fn cut_input_after(&mut self, octets: u64) {
        self.input_left = Some(octets);
        if octets == 0 {
            self.cut();
        }
    }

    /// Reads no more than so many octets a second.
    pub(in crate::broker) fn slow_input(&mut self, rate: u32) {
        self.rate = Some(rate.max(1));
    }

    /// Nothing is read at the moment.
    pub(super) fn rests(&self) -> bool {
        self.rests_until.is_some()
    }

    /// How many of these octets may be looked at.
    pub(super) fn readable(&self, len: usize) -> usize {
        self.input_left.map_or(len, |left| len.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    /// All octets that may come in are there.
    pub(super) fn is_input_over(&self, len: usize) -> bool {
        self.input_left.is_some_and(|left| left <= len as u64)
    }

    /// Octets were used; the transport is lost where these were the last.
    pub(super) fn handle_read(&mut self, len: usize, now: Instant) {
        if let Some(rate) = self.rate {
            let micros = (len as u64).saturating_mul(1_000_000) / u64::from(rate);
            self.rests_until = now.checked_add(Duration::from_micros(micros));
        }
        if let Some(left) = &mut self.input_left {
            *left = left.saturating_sub(len as u64);
            if *left == 0 {
                self.cut();
            }
        }
    }

    /// What may go out now.
    pub(in crate::broker) fn take(&mut self, now: Instant) -> Option<Outbound> {
        if self.silent || self.ending == Some(Transport::Gone) {
            return None;
        }
        let said = std::mem::take(&mut self.outbound);
        if self.delay.is_zero() && self.held.is_empty() && self.released.is_empty() {
            return self.limit(said);
        }
        if !said.is_empty() {
            let due = self.held.back().map_or(now, |&(last, _)| last.max(now)).max(now + self.delay);
            self.late += said.len();
            self.held.push_back((due, said));
        }
        self.release(now);
        let released = self.released.pop_front()?;
        self.late = self.late.saturating_sub(released.len());
        self.limit(released)
    }

    /// What was held back long enough may go.
    pub(in crate::broker) fn release(&mut self, now: Instant) {
        while let Some((_, released)) = self.held.pop_front_if(|&mut (due, _)| due <= now) {
            self.released.push_back(released);
        }
    }

    /// Reading goes on when it has rested long enough; tells whether it does from now on.
    pub(in crate::broker) fn rested(&mut self, now: Instant) -> bool {
        self.rests_until.take_if(|until| *until <= now).is_some()
    }

    /// When something that is held back may go, or reading goes on.
    pub(in crate::broker) fn deadline(&self) -> Option<Instant> {
        let held = self.held.front().map(|&(due, _)| due);
        let due = held.into_iter().chain(self.rests_until).min()?;
        (!self.silent && self.ending != Some(Transport::Gone)).then_some(due)
    }

    fn limit(&mut self, out: Outbound) -> Option<Outbound> {
        let Some(left) = self.output_left else { return (!out.is_empty()).then_some(out) };
        let len = out.len() as u64;
        if len < left {
            self.output_left = Some(left - len);
            return (!out.is_empty()).then_some(out);
        }
        self.cut();
        self.ending = Some(Transport::Closing);
        self.output_left = Some(0);
        let out = front(out, usize::try_from(left).unwrap_or(usize::MAX));
        (!out.is_empty()).then_some(out)
    }
}

/// The first `len` octets.
fn front(mut out: Outbound, mut len: usize) -> Outbound {
    let mut front = Outbound::new();
    while len > 0 && !out.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[])];
        out.slices(&mut slices);
        let [slice] = slices;
        let octets = slice.get(..len.min(slice.len())).unwrap_or_default();
        front.extend(octets);
        let taken = octets.len();
        len -= taken;
        out.advance(taken);
    }
    front
}
