//! The backpressure detector of Pika 0.x: it compares the bytes that wait with the average frame,
//! frame by frame.

use crate::engine::{ConnectionNotice, Engine};
use crate::frame::FrameWalk;

/// Counts frames and bytes over the life of the connection, if it is turned on.
#[derive(Debug)]
pub(in crate::engine) struct Detector {
    multiplier: Option<u32>,
    frames: u64,
    octets: u64,
    /// How far the frames of the outbound buffer were counted.
    seen: FrameWalk,
    /// Whether it has reported backpressure since everything was last written.
    reported: bool,
}

impl Detector {
    pub(in crate::engine) fn new(multiplier: Option<u32>) -> Self {
        Self { multiplier, frames: 0, octets: 0, seen: FrameWalk::default(), reported: false }
    }

    /// Counts a frame of this length, including which `queued` bytes wait. Returns the size of the
    /// average frame if that is too much.
    fn count(&mut self, length: u64, queued: u64) -> Option<u64> {
        let multiplier = self.multiplier?;
        self.frames += 1;
        self.octets += length;
        // Multiplied instead of divided, so that nothing is lost in rounding.
        let too_much = u128::from(queued) * u128::from(self.frames) > u128::from(self.octets) * u128::from(multiplier);
        too_much.then(|| self.octets / self.frames)
    }
}

impl Engine {
    /// Changes how many average frames may wait before [`ConnectionNotice::Backpressure`] is
    /// reported; at least 1. It has no effect if the detector is off.
    pub fn set_backpressure_multiplier(&mut self, multiplier: u32) {
        self.detect_backpressure();
        if let Some(present) = &mut self.detector.multiplier {
            *present = multiplier.max(1);
        }
    }

    /// Counts the frames that were queued since the last time.
    ///
    /// It is called before the count of waiting bytes changes by a write, so that what waited with
    /// each frame can be computed: what waits now, less the frames after it.
    #[inline]
    pub(in crate::engine) fn detect_backpressure(&mut self) {
        if self.detector.multiplier.is_some() {
            self.look_at_frames();
        }
    }

    /// Starts again at the front of the buffer, after the old one was taken.
    pub(in crate::engine) fn forget_seen_frames(&mut self) {
        self.detector.seen = FrameWalk::default();
    }

    /// Reports the end of backpressure, if it was reported and everything is written.
    #[inline]
    pub(in crate::engine) fn report_relief(&mut self) {
        if self.detector.reported && self.queued() == 0 {
            self.detector.reported = false;
            self.tell_connection(&ConnectionNotice::Relieved);
        }
    }

    #[cold]
    fn look_at_frames(&mut self) {
        let lengths = self.outbound.walk_frames(&mut self.detector.seen);
        let mut queued = self.queued() - lengths.iter().sum::<u64>();
        for length in lengths {
            queued += length;
            if let Some(average) = self.detector.count(length, queued) {
                self.detector.reported = true;
                self.tell_connection(&ConnectionNotice::Backpressure { queued, average });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the frames at which it speaks, where nothing is drained.
    fn fires(multiplier: u32, lengths: &[u64]) -> Vec<usize> {
        let mut detector = Detector::new(Some(multiplier));
        let mut queued = 0;
        let mut fired = Vec::new();
        for (number, length) in (1..).zip(lengths) {
            queued += length;
            if detector.count(*length, queued).is_some() {
                fired.push(number);
            }
        }
        fired
    }

    #[test]
    fn frames_of_one_size_are_too_many_when_more_wait_than_the_multiplier() {
        assert_eq!(fires(10, &[8; 13]), [11, 12, 13]);
        assert_eq!(fires(2, &[8; 4]), [3, 4]);
    }

    #[test]
    fn what_is_drained_at_once_is_never_too_much() {
        let mut detector = Detector::new(Some(10));
        assert!((0..1000).all(|_| detector.count(8, 8).is_none()));
    }

    #[test]
    fn a_large_frame_after_small_ones_is_the_rules_false_alarm() {
        let mut detector = Detector::new(Some(10));
        assert!((0..20).all(|_| detector.count(8, 8).is_none()));
        assert_eq!(detector.count(1008, 1008), Some(1168 / 21));
    }

    #[test]
    fn a_detector_that_is_off_counts_nothing() {
        let mut detector = Detector::new(None);
        assert_eq!(detector.count(8, u64::MAX), None);
        assert_eq!(detector.frames, 0);
    }
}
