//! The waiting deliveries of a consumer, in parts that are taken one at a time.

use std::collections::VecDeque;

use crate::engine::Delivery;
use crate::engine::inbound::Oversize;

/// Deliveries that were not taken, in order.
///
/// They are kept in parts, and the oldest part is taken as a whole. So the cost of taking does not
/// grow with what waits, and a slow consumer holds at most one part that is not counted here.
///
/// The first delivery is not counted: one message of any size may wait for a consumer that has
/// taken all others.
///
/// Reports of messages that were too large wait here too, and are counted: a peer that sends
/// nothing but such messages must not fill the memory either.
#[derive(Debug, Default)]
pub(in crate::engine) struct Ready {
    /// Full parts, to which nothing is added. A consumer that keeps up has none.
    full: VecDeque<Part>,
    /// The counted bytes of the full parts.
    full_size: u64,
    last: Part,
    /// The buffer of a part that was taken, for reuse by the next part. With `last` and the buffer
    /// that the consumer holds, at most three empty buffers are kept.
    spare: VecDeque<Delivery>,
    /// Reports of messages that were larger than a limit, until the listener takes them.
    reports: VecDeque<Oversize>,
    /// How many reports are counted: all of them, or none.
    counted_reports: u64,
}

#[derive(Debug, Default)]
struct Part {
    deliveries: VecDeque<Delivery>,
    /// The bytes that are counted for them.
    size: u64,
}

/// The size in bytes at which a part is full: what a driver reads at a time. With parts of this
/// size, a slow consumer makes room often enough that it is held back and not mistaken for one that
/// has stopped.
const PART: u64 = 64 * 1024;

/// The bytes that are counted for a report: its size, and as much again for spare room in the
/// queue.
const REPORT: u64 = 2 * size_of::<Oversize>() as u64;

impl Ready {
    /// Adds a delivery, and returns the bytes that are counted for it.
    #[inline]
    pub(super) fn push(&mut self, delivery: Delivery) -> u64 {
        let size = if self.is_empty() { 0 } else { delivery.size() };
        self.last.deliveries.push_back(delivery);
        self.last.size += size;
        if self.last.size >= PART {
            self.begin_part();
        }
        size
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.last.deliveries.is_empty() && self.full.is_empty()
    }

    #[cold]
    fn begin_part(&mut self) {
        let mut deliveries = std::mem::take(&mut self.spare);
        // Room for as many deliveries as the last part had, so that the uncounted memory of the
        // queue stays small.
        deliveries.reserve(self.last.deliveries.len());
        let next = Part { deliveries, size: 0 };
        let part = std::mem::replace(&mut self.last, next);
        self.full_size += part.size;
        self.full.push_back(part);
    }

    /// Moves the oldest part into `empty`, which has to be empty, and returns the bytes that were
    /// counted for it.
    #[inline]
    pub(super) fn take(&mut self, empty: &mut VecDeque<Delivery>) -> u64 {
        if let Some(part) = self.full.pop_front() {
            return self.hand_over(part, empty);
        }
        std::mem::swap(&mut self.last.deliveries, empty);
        std::mem::take(&mut self.last.size)
    }

    #[cold]
    fn hand_over(&mut self, part: Part, empty: &mut VecDeque<Delivery>) -> u64 {
        if self.full.is_empty() {
            // Releases the memory of the list after a burst.
            self.full = VecDeque::new();
        }
        self.full_size = self.full_size.saturating_sub(part.size);
        self.spare = std::mem::replace(empty, part.deliveries);
        part.size
    }

    /// Adds a report, and returns the bytes that are counted for it.
    pub(super) fn report(&mut self, oversize: Oversize) -> u64 {
        self.reports.push_back(oversize);
        self.counted_reports += 1;
        REPORT
    }

    /// Takes the oldest report, with the bytes that were counted for it.
    #[inline]
    pub(super) fn take_report(&mut self) -> Option<(Oversize, u64)> {
        if self.reports.is_empty() { None } else { self.pop_report() }
    }

    #[cold]
    fn pop_report(&mut self) -> Option<(Oversize, u64)> {
        let report = self.reports.pop_front()?;
        if self.reports.is_empty() {
            // Releases the memory of the queue after a burst.
            self.reports = VecDeque::new();
        }
        let size = if self.counted_reports > 0 { REPORT } else { 0 };
        self.counted_reports = self.counted_reports.saturating_sub(1);
        Some((report, size))
    }

    /// Drops the reports, which have no listener. To be called after [`Ready::uncount`].
    pub(super) fn drop_reports(&mut self) {
        self.reports = VecDeque::new();
    }

    /// The bytes that are counted.
    pub(super) fn size(&self) -> u64 {
        self.full_size + self.last.size + self.counted_reports * REPORT
    }

    /// Stops counting what waits, and returns the bytes that were counted.
    pub(in crate::engine) fn uncount(&mut self) -> u64 {
        let size = self.size();
        self.full_size = 0;
        self.last.size = 0;
        self.counted_reports = 0;
        for part in &mut self.full {
            part.size = 0;
        }
        size
    }

    /// Removes every delivery. To be called after [`Ready::uncount`]. The reports stay, because
    /// their messages do not arrive again.
    pub(in crate::engine) fn take_all(&mut self) -> Vec<VecDeque<Delivery>> {
        let reports = std::mem::take(&mut self.reports);
        let Self { full, last, .. } = std::mem::replace(self, Self { reports, ..Self::default() });
        full.into_iter().chain([last]).map(|part| part.deliveries).filter(|part| !part.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::engine::Message;
    use crate::engine::inbound::Head;

    fn delivery(delivery_tag: u64, len: usize) -> Delivery {
        let message = Message::new(Bytes::from(vec![0; len]), Head::default(), None);
        Delivery { message, delivery_tag, redelivered: false }
    }

    /// What waits, with these lengths.
    fn waiting(lens: impl IntoIterator<Item = usize>) -> Ready {
        let mut ready = Ready::default();
        for (tag, len) in (1..).zip(lens) {
            ready.push(delivery(tag, len));
        }
        ready
    }

    fn take(ready: &mut Ready) -> (Vec<u64>, u64) {
        let mut taken = VecDeque::new();
        let size = ready.take(&mut taken);
        (taken.iter().map(|delivery| delivery.delivery_tag).collect(), size)
    }

    /// Bytes that are counted for a delivery of this length.
    fn size(len: usize) -> u64 {
        delivery(1, len).size()
    }

    #[test]
    fn all_that_waits_is_taken_at_once_where_it_is_little() {
        let mut ready = waiting([10; 5]);
        assert_eq!(ready.size(), 4 * size(10));
        assert_eq!(take(&mut ready), (vec![1, 2, 3, 4, 5], 4 * size(10)));
        assert_eq!((take(&mut ready), ready.size()), ((vec![], 0), 0));
    }

    #[test]
    fn much_is_taken_in_parts_and_in_order() {
        let mut ready = waiting([20_000; 10]);
        let all = ready.size();
        let (mut tags, mut sizes) = (Vec::new(), Vec::new());
        loop {
            let (part, size) = take(&mut ready);
            if part.is_empty() {
                break;
            }
            tags.extend(part);
            sizes.push(size);
            assert_eq!(ready.size(), all - sizes.iter().sum::<u64>());
        }
        assert_eq!(tags, (1..=10).collect::<Vec<_>>());
        assert!(sizes.len() > 2 && sizes.iter().all(|part| *part < PART + size(20_000)), "{sizes:?}");
    }

    #[test]
    fn the_first_that_waits_is_not_counted_whatever_its_size() {
        let mut ready = waiting([10_000_000]);
        assert_eq!(ready.size(), 0);
        ready.push(delivery(2, 100));
        assert_eq!(ready.size(), size(100));
        assert_eq!(take(&mut ready), (vec![1, 2], size(100)));
    }

    #[test]
    fn what_is_not_counted_any_more_can_still_be_taken() {
        let mut ready = waiting([20_000; 10]);
        let all = ready.size();
        assert_eq!((ready.uncount(), ready.size()), (all, 0));
        let (part, size) = take(&mut ready);
        assert!(!part.is_empty() && size == 0);
        let rest: usize = ready.take_all().iter().map(VecDeque::len).sum();
        assert_eq!(part.len() + rest, 10);
        assert!(ready.is_empty());
    }

    #[test]
    fn reports_are_counted_until_they_are_taken_and_outlive_the_deliveries() {
        let mut ready = waiting([10; 2]);
        let size = ready.size();
        let reported: u64 = (0..100).map(|size| ready.report(Oversize::Body(size))).sum();
        assert_eq!((reported, ready.size()), (100 * REPORT, size + 100 * REPORT));
        assert_eq!(ready.take_report(), Some((Oversize::Body(0), REPORT)));
        assert_eq!(ready.uncount(), size + 99 * REPORT);
        assert_eq!(ready.take_all().iter().map(VecDeque::len).sum::<usize>(), 2);
        let rest: Vec<_> = std::iter::from_fn(|| ready.take_report()).collect();
        assert_eq!((rest.len(), rest.first()), (99, Some(&(Oversize::Body(1), 0))));
        assert_eq!((ready.size(), ready.reports.capacity()), (0, 0));
    }
}
