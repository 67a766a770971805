//! The table of consumers, and their ranking by waiting bytes.

use std::collections::BinaryHeap;

use super::consumers::Consumer;
use crate::engine::ConsumerKey;
use crate::engine::slots::{Place, Slab};
use crate::engine::steps::step;

/// All consumers.
#[derive(Debug, Default)]
pub(in crate::engine) struct Consumers {
    places: Slab<Consumer>,
    /// The consumers by their waiting bytes, kept only while more waits than the limit. Consumers
    /// may then have to end one by one, while the others continue to grow. An entry is valid if it
    /// is the latest of its consumer. Since then less may wait, but not more.
    ranking: Option<BinaryHeap<(u64, ConsumerKey)>>,
}

impl From<ConsumerKey> for Place {
    #[inline]
    fn from(key: ConsumerKey) -> Self {
        Self { slot: key.slot, generation: key.generation }
    }
}

impl From<Place> for ConsumerKey {
    fn from(place: Place) -> Self {
        Self { slot: place.slot, generation: place.generation }
    }
}

impl Consumers {
    pub(super) fn insert(&mut self, consumer: Consumer) -> ConsumerKey {
        self.places.insert(consumer).into()
    }

    #[inline]
    pub(in crate::engine) fn get_mut(&mut self, key: ConsumerKey) -> Option<&mut Consumer> {
        self.places.get_mut(key.into())
    }

    #[inline]
    pub(in crate::engine) fn get(&self, key: ConsumerKey) -> Option<&Consumer> {
        self.places.get(key.into())
    }

    pub(super) fn remove(&mut self, key: ConsumerKey) -> Option<Consumer> {
        self.places.remove(key.into())
    }

    pub(in crate::engine) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Consumer> {
        self.places.iter_mut().map(|(_, consumer)| consumer)
    }

    /// The consumers with their keys.
    pub(in crate::engine) fn entries(&self) -> impl Iterator<Item = (ConsumerKey, &Consumer)> {
        self.places.iter().map(|(place, consumer)| (place.into(), consumer))
    }

    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.places.iter().map(|(_, consumer)| consumer)
    }

    /// Updates the ranking, if there is one, after more waits for a consumer.
    #[inline]
    pub(super) fn note_growth(&mut self, key: ConsumerKey) {
        if self.ranking.is_some() {
            self.rank(key);
        }
    }

    #[cold]
    fn rank(&mut self, key: ConsumerKey) {
        let Some(ranking) = &mut self.ranking else { return };
        if ranking.len() > 2 * self.places.len() {
            // Most entries are outdated.
            return self.begin_ranking();
        }
        let Some(consumer) = self.places.get_mut(key.into()) else { return };
        let size = consumer.ready.size();
        if size > consumer.ranked {
            step();
            consumer.ranked = size;
            ranking.push((size, key));
        }
    }

    fn begin_ranking(&mut self) {
        let sized = self.places.iter_mut().filter_map(|(place, consumer)| {
            step();
            consumer.ranked = consumer.ready.size();
            (consumer.ranked > 0).then(|| (consumer.ranked, place.into()))
        });
        self.ranking = Some(sized.collect());
    }

    /// Removes the consumer with the most waiting bytes, if any, from the ranking. The caller ends
    /// it.
    pub(in crate::engine) fn take_largest(&mut self) -> Option<ConsumerKey> {
        if self.ranking.is_none() {
            self.begin_ranking();
        }
        let ranking = self.ranking.as_mut()?;
        while let Some((size, key)) = ranking.pop() {
            step();
            let Some(consumer) = self.places.get_mut(key.into()).filter(|consumer| consumer.ranked == size) else {
                continue;
            };
            let waits = consumer.ready.size();
            if waits == size {
                consumer.ranked = 0;
                return Some(key);
            }
            consumer.ranked = waits;
            if waits > 0 {
                ranking.push((waits, key));
            }
        }
        None
    }

    /// Drops the ranking, once no more waits than the limit.
    pub(in crate::engine) fn end_ranking(&mut self) {
        self.ranking = None;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::engine::consume::{ConsumerLife, Stream, Terms};
    use crate::engine::inbound::Head;
    use crate::engine::steps::steps_of;
    use crate::engine::{ChannelKey, Delivery, Message};

    fn consumer() -> Consumer {
        let terms = Terms { no_ack: false, stream: Stream::No };
        Consumer::new(ChannelKey { number: 1, incarnation: 1 }, "c".into(), terms, ConsumerLife::Running)
    }

    fn deliver(consumers: &mut Consumers, key: ConsumerKey, len: usize) -> u64 {
        let message = Message::new(Bytes::from(vec![0; len]), Head::default(), None);
        let delivery = Delivery { message, delivery_tag: 1, redelivered: false };
        let size = consumers.get_mut(key).unwrap().ready.push(delivery);
        consumers.note_growth(key);
        size
    }

    /// Ends the largest, as an overflow does.
    fn end_largest(consumers: &mut Consumers) -> Option<(ConsumerKey, u64)> {
        let key = consumers.take_largest()?;
        let size = consumers.get_mut(key).unwrap().ready.uncount();
        Some((key, size))
    }

    #[test]
    fn consumers_that_end_together_or_one_by_one_take_a_few_steps_each() {
        const COUNT: u64 = 100_000;
        let mut consumers = Consumers::default();
        let keys: Vec<_> = (0..COUNT).map(|_| consumers.insert(consumer())).collect();
        let (steps, ()) = steps_of(|| {
            for (len, key) in (0..).zip(&keys) {
                deliver(&mut consumers, *key, 1);
                deliver(&mut consumers, *key, len % 100);
            }
        });
        assert_eq!(steps, 0, "nobody has asked");
        let (steps, ended) = steps_of(|| {
            let mut ended = 0;
            while end_largest(&mut consumers).is_some() {
                ended += 1;
                // The next ones go on growing.
                if let Some(key) = keys.get(ended) {
                    deliver(&mut consumers, *key, 1);
                }
            }
            ended
        });
        assert!(ended >= keys.len());
        assert!(steps <= 10 * COUNT, "{steps} steps");
    }

    #[test]
    fn a_ranking_keeps_few_entries_however_much_is_delivered_and_taken() {
        let mut consumers = Consumers::default();
        let keys: Vec<_> = (0..10).map(|_| consumers.insert(consumer())).collect();
        consumers.begin_ranking();
        let (steps, ()) = steps_of(|| {
            for index in 0..100_000 {
                let key = keys[index % keys.len()];
                deliver(&mut consumers, key, 1);
                if index % 1000 == 0 {
                    consumers.get_mut(key).unwrap().ready.take(&mut VecDeque::new());
                }
                assert!(consumers.ranking.as_ref().unwrap().len() <= 2 * keys.len() + 1);
            }
        });
        assert!(steps <= 300_000, "{steps} steps");
    }

    #[test]
    fn a_burst_of_consumers_gives_its_memory_back_and_no_name_comes_twice() {
        let mut consumers = Consumers::default();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..3 {
            let burst: Vec<_> = (0..100_000).map(|_| consumers.insert(consumer())).collect();
            assert!(burst.iter().all(|key| seen.insert(*key)));
            let (last, others) = burst.split_last().unwrap();
            others.iter().for_each(|key| drop(consumers.remove(*key)));
            assert_eq!((consumers.iter().count(), consumers.get(*last).is_some()), (1, true));
            assert!(consumers.places.allocated() <= 128);
            consumers.remove(*last);
        }
    }

    proptest! {
        #[test]
        fn the_largest_is_found_whatever_was_delivered_and_taken(
            steps in prop::collection::vec((0_u8..10, 0_usize..6, 0_usize..200), 0..200),
        ) {
            let mut consumers = Consumers::default();
            let keys: Vec<_> = (0..6).map(|_| consumers.insert(consumer())).collect();
            let mut model: BTreeMap<ConsumerKey, u64> = keys.iter().map(|key| (*key, 0)).collect();
            for (step, index, len) in steps {
                let key = keys[index];
                match step {
                    0..6 => *model.get_mut(&key).unwrap() += deliver(&mut consumers, key, len),
                    6 | 7 => *model.get_mut(&key).unwrap() -= consumers.get_mut(key).unwrap().ready.take(&mut VecDeque::new()),
                    8 => {
                        let largest = model.values().max().copied().filter(|size| *size > 0);
                        let ended = end_largest(&mut consumers);
                        prop_assert_eq!(ended.map(|(_, size)| size), largest);
                        if let Some((key, size)) = ended {
                            prop_assert_eq!(model.insert(key, 0), Some(size));
                            consumers.get_mut(key).unwrap().ready.take_all();
                        }
                    }
                    _ => consumers.end_ranking(),
                }
            }
        }
    }
}
