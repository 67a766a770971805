//! The table of channels: numbers, incarnations, and why each closed one is closed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::{Channel, ChannelLife};
use crate::engine::publish::Returns;
use crate::engine::{ChannelKey, Closure, Failure, Scope};

/// Channels by number. The lowest free number is used first, and a number is reused only after the
/// close of its channel is complete.
#[derive(Debug)]
pub(in crate::engine) struct Channels {
    places: Vec<Option<Box<Channel>>>,
    free: BinaryHeap<Reverse<u16>>,
    max: u16,
    /// The incarnation of the next channel.
    next: u64,
    /// The causes of closed channels that still have handles.
    closures: BTreeMap<u64, Arc<Closure>>,
    /// The failures of those closes that the broker did not answer with `close-ok`.
    unagreed: BTreeMap<u64, Failure>,
    /// Returned messages of closed channels that were not taken.
    returns: BTreeMap<u64, Returns>,
}

impl Channels {
    /// Creates a table of at most `max` channels; 0 stands for all 65,535 numbers.
    pub(in crate::engine) fn new(max: u16) -> Self {
        let max = if max == 0 { u16::MAX } else { max };
        Self {
            places: Vec::new(),
            free: BinaryHeap::new(),
            max,
            next: 0,
            closures: BTreeMap::new(),
            unagreed: BTreeMap::new(),
            returns: BTreeMap::new(),
        }
    }

    /// Counts incarnations from `base`.
    pub(in crate::engine) fn count_from(&mut self, base: u64) {
        self.next = base;
    }

    pub(in crate::engine) fn max(&self) -> u16 {
        self.max
    }

    /// Sets the number of channels that the next transport allows; 0 stands for all.
    pub(in crate::engine) fn set_max(&mut self, max: u16) {
        self.max = if max == 0 { u16::MAX } else { max };
    }

    /// The channels whose numbers the present transport does not allow.
    pub(in crate::engine) fn beyond_max(&self) -> Vec<ChannelKey> {
        self.keys().into_iter().filter(|key| key.number > self.max).collect()
    }

    /// Removes a channel of which the broker was not told.
    pub(in crate::engine) fn abandon(&mut self, key: ChannelKey) {
        if self.get(key).is_none() {
            return;
        }
        let place = usize::from(key.number).checked_sub(1).and_then(|index| self.places.get_mut(index));
        if place.and_then(Option::take).is_some() {
            self.free.push(Reverse(key.number));
        }
    }

    /// How many numbers are free.
    pub(in crate::engine) fn vacancies(&self) -> usize {
        usize::from(self.max).saturating_sub(self.len())
    }

    /// Adds a channel, unless all numbers are in use.
    pub(in crate::engine) fn insert(&mut self) -> Option<ChannelKey> {
        // Of an earlier transport, larger numbers may be free than this one allows.
        let number = match self.free.peek().copied() {
            Some(Reverse(number)) if number > self.max => return None,
            Some(Reverse(number)) => {
                self.free.pop();
                number
            }
            None => {
                let next = u16::try_from(self.places.len()).ok()?.checked_add(1)?;
                if next > self.max {
                    return None;
                }
                self.places.push(None);
                next
            }
        };
        let key = ChannelKey { number, incarnation: self.next };
        self.next = self.next.wrapping_add(1);
        let place = self.places.get_mut(usize::from(number).checked_sub(1)?)?;
        *place = Some(Box::new(Channel::new(key)));
        Some(key)
    }

    /// The channel that has this number now.
    #[inline]
    pub(in crate::engine) fn by_number(&mut self, number: u16) -> Option<&mut Channel> {
        let place = self.places.get_mut(usize::from(number).checked_sub(1)?)?;
        place.as_deref_mut()
    }

    /// The channel with this number and incarnation, if it exists.
    #[inline]
    pub(in crate::engine) fn get_mut(&mut self, key: ChannelKey) -> Option<&mut Channel> {
        self.by_number(key.number).filter(|channel| channel.key == key)
    }

    #[inline]
    pub(in crate::engine) fn get(&self, key: ChannelKey) -> Option<&Channel> {
        let place = self.places.get(usize::from(key.number).checked_sub(1)?)?;
        place.as_deref().filter(|channel| channel.key == key)
    }

    /// The same, if it takes requests.
    #[inline]
    pub(in crate::engine) fn open(&self, key: ChannelKey) -> Option<&Channel> {
        self.get(key).filter(|channel| channel.state == ChannelLife::Open)
    }

    /// The same, if it takes requests.
    #[inline]
    pub(in crate::engine) fn open_mut(&mut self, key: ChannelKey) -> Option<&mut Channel> {
        self.get_mut(key).filter(|channel| channel.state == ChannelLife::Open)
    }

    /// Removes a channel and frees its number. Records the cause if a handle may ask for it.
    pub(super) fn remove(&mut self, key: ChannelKey, closure: &Arc<Closure>) -> Option<Box<Channel>> {
        self.get(key)?;
        let channel = self.places.get_mut(usize::from(key.number).checked_sub(1)?)?.take()?;
        self.free.push(Reverse(key.number));
        if self.len() == 0 {
            // Releases memory after a burst.
            self.places = Vec::new();
            self.free = BinaryHeap::new();
        }
        // A channel that never opened has no handle that could ask. The cause of one that was
        // closing is already recorded if it has a handle. A channel that ends with the connection
        // has the cause of the connection.
        let has_handle = matches!(channel.state, ChannelLife::Open | ChannelLife::Suspended | ChannelLife::Reopening);
        if has_handle && !channel.is_released && closure.scope != Scope::Connection {
            self.record(key, closure);
        }
        Some(channel)
    }

    /// Records why a channel is closed, unless an earlier cause is known.
    pub(super) fn record(&mut self, key: ChannelKey, closure: &Arc<Closure>) {
        self.closures.entry(key.incarnation).or_insert_with(|| Arc::clone(closure));
    }

    /// Why this channel is closed.
    pub(in crate::engine) fn closure(&self, key: ChannelKey) -> Option<&Arc<Closure>> {
        self.closures.get(&key.incarnation)
    }

    /// Records that a close of a channel failed.
    pub(super) fn record_unagreed(&mut self, key: ChannelKey, failure: &Failure) {
        if self.closures.contains_key(&key.incarnation) {
            self.unagreed.entry(key.incarnation).or_insert_with(|| failure.clone());
        }
    }

    /// Why the close of a channel failed.
    pub(super) fn unagreed(&self, key: ChannelKey) -> Option<&Failure> {
        self.unagreed.get(&key.incarnation)
    }

    /// Forgets the cause and the returned messages of a channel whose last handle was dropped.
    pub(super) fn forget(&mut self, key: ChannelKey) {
        // It may still be there, if it cannot be closed because the connection is being closed.
        if let Some(channel) = self.get_mut(key) {
            channel.is_released = true;
        }
        self.unagreed.remove(&key.incarnation);
        self.closures.remove(&key.incarnation);
        self.returns.remove(&key.incarnation);
    }

    /// Keeps the returned messages of a closed channel until its last handle is dropped.
    pub(super) fn keep_returns(&mut self, key: ChannelKey, returns: Returns) {
        // Without a listener, no handle can ask for them.
        if returns.listener.is_some() {
            self.returns.insert(key.incarnation, returns);
        }
    }

    /// The returned messages of a channel, open or closed.
    pub(in crate::engine) fn returns_mut(&mut self, key: ChannelKey) -> Option<&mut Returns> {
        let number = usize::from(key.number).checked_sub(1)?;
        let open = self.places.get_mut(number).and_then(Option::as_deref_mut).filter(|channel| channel.key == key);
        match open {
            Some(channel) => Some(&mut channel.returns),
            None => self.returns.get_mut(&key.incarnation),
        }
    }

    /// The keys of all channels, in the order of their numbers.
    pub(in crate::engine) fn keys(&self) -> Vec<ChannelKey> {
        self.iter().map(|channel| channel.key).collect()
    }

    /// All channels, in the order of their numbers.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.places.iter().flatten().map(|channel| &**channel)
    }

    /// The numbers of causes and of lists of returned messages that are kept for closed channels.
    pub(in crate::engine) fn kept(&self) -> (usize, usize) {
        (self.closures.len(), self.returns.len())
    }

    pub(in crate::engine) fn len(&self) -> usize {
        self.places.len().saturating_sub(self.free.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::engine::Reason;

    fn closure() -> Arc<Closure> {
        Arc::new(Closure::silent(Reason::Requested))
    }

    #[test]
    fn numbers_are_reused_lowest_first_and_incarnations_never() {
        let mut channels = Channels::new(3);
        let keys: Vec<_> = (0..3).map(|_| channels.insert().unwrap()).collect();
        assert_eq!(keys.iter().map(|key| key.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(channels.insert(), None);
        channels.remove(keys[2], &closure());
        channels.remove(keys[0], &closure());
        let again = channels.insert().unwrap();
        assert_eq!((again.number, again.incarnation), (1, 3));
        assert!(channels.get_mut(keys[0]).is_none());
        assert!(channels.get_mut(again).is_some());
    }

    #[test]
    fn the_first_cause_of_a_close_is_the_one_that_is_remembered() {
        let mut channels = Channels::new(0);
        let key = channels.insert().unwrap();
        let first = Arc::new(Closure::silent(Reason::HeartbeatsMissed));
        channels.record(key, &first);
        channels.remove(key, &closure());
        assert_eq!(channels.closure(key), Some(&first));
        channels.forget(key);
        assert_eq!(channels.closure(key), None);
    }
}
