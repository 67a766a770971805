//! The output of one connection, and the faults of its transport.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::broker::Transport;
use crate::frame::Outbound;

/// What waits for the transport of a connection, and the faults of that transport.
#[derive(Debug, Default)]
pub(in crate::broker) struct Link {
    /// The latest output.
    pub(in crate::broker) outbound: Outbound,
    /// Earlier output that is delayed, with the times from which it may be written.
    held: VecDeque<(Instant, Outbound)>,
    /// Output whose delay has passed.
    released: VecDeque<Outbound>,
    /// The bytes in these two.
    late: usize,
    delay: Duration,
    silent: bool,
    /// How many bytes may still be written, if a fault limits them.
    output_left: Option<u64>,
    /// How many bytes may still be read, if a fault limits them.
    input_left: Option<u64>,
    /// The largest number of bytes that are read per second, if a fault limits it.
    rate: Option<u32>,
    /// Nothing is read before this time, because of `rate`.
    rests_until: Option<Instant>,
    ending: Option<Transport>,
}

impl Link {
    /// The longest delay. Adding it to a point in time cannot overflow.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

    /// What is to be done with the transport. It is not closed before delayed output may be
    /// written, and not while it is silent.
    pub(in crate::broker) fn transport(&self) -> Transport {
        let waits = self.silent || self.late > 0 || !(self.delay.is_zero() || self.outbound.is_empty());
        match self.ending {
            Some(Transport::Closing) if waits => Transport::Open,
            ending => ending.unwrap_or(Transport::Open),
        }
    }

    /// Whether it was cut or is to be closed.
    pub(in crate::broker) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// The bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.outbound.len() + self.late
    }

    /// Ends the output. What waits is still written.
    pub(in crate::broker) fn finish(&mut self) {
        self.ending.get_or_insert(Transport::Closing);
    }

    /// Drops the transport, even if output waits.
    pub(in crate::broker) fn cut(&mut self) {
        self.ending = Some(Transport::Gone);
        self.outbound = Outbound::new();
        self.held.clear();
        self.released.clear();
        self.late = 0;
    }

    /// Stops reading and writing, and keeps the transport open.
    pub(in crate::broker) fn fall_silent(&mut self) {
        self.silent = true;
    }

    /// Delays everything that is sent from now on.
    pub(in crate::broker) fn delay(&mut self, delay: Duration) {
        // A delay of a century is as good as an infinite one.
        self.delay = delay.min(Self::LONGEST);
    }

    pub(in crate::broker) fn cut_output_after(&mut self, bytes: u64) {
        self.output_left = Some(bytes);
        if bytes == 0 {
            self.cut();
        }
    }

    pub(in crate::broker) fn cut_input_after(&mut self, bytes: u64) {
        self.input_left = Some(bytes);
        if bytes == 0 {
            self.cut();
        }
    }

    /// Limits reading to this many bytes per second.
    pub(in crate::broker) fn slow_input(&mut self, rate: u32) {
        self.rate = Some(rate.max(1));
    }

    /// Whether reading pauses because of `rate`.
    pub(super) fn rests(&self) -> bool {
        self.rests_until.is_some()
    }

    /// How many of `len` bytes may be read.
    pub(super) fn readable(&self, len: usize) -> usize {
        self.input_left.map_or(len, |left| len.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    /// Whether `len` bytes are all that may be read.
    pub(super) fn is_input_over(&self, len: usize) -> bool {
        self.input_left.is_some_and(|left| left <= len as u64)
    }

    /// Records that bytes were read. The transport is lost if a fault allows no more.
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

    /// Takes what may be written at `now`.
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

    /// Releases output whose delay has passed.
    pub(in crate::broker) fn release(&mut self, now: Instant) {
        while let Some((_, released)) = self.held.pop_front_if(|&mut (due, _)| due <= now) {
            self.released.push_back(released);
        }
    }

    /// Ends a pause of reading that has passed. Returns `true` if it ended one.
    pub(in crate::broker) fn rested(&mut self, now: Instant) -> bool {
        self.rests_until.take_if(|until| *until <= now).is_some()
    }

    /// When delayed output may be written, or a pause of reading ends.
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

/// The first `len` bytes.
fn front(mut out: Outbound, mut len: usize) -> Outbound {
    let mut front = Outbound::new();
    while len > 0 && !out.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[])];
        out.slices(&mut slices);
        let [slice] = slices;
        let bytes = slice.get(..len.min(slice.len())).unwrap_or_default();
        front.extend(bytes);
        let taken = bytes.len();
        len -= taken;
        out.advance(taken);
    }
    front
}
