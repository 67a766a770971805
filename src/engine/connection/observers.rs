//! Observers of connections and channels, and the notices that each has not taken yet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::steps::step;
use crate::engine::{ChannelKey, ChannelNotice, Closure, ConnectionNotice, Engine, Event, WaiterId};

/// Which notices an observer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// All notices, in order.
    Everything,
    /// Only the end.
    End,
}

/// The observers of one connection or one channel.
#[derive(Debug)]
pub(in crate::engine) struct Observers<N> {
    everything: BTreeMap<WaiterId, Observer<N>>,
    /// The observers of only the end, each with the notice that it has not taken. They may be many,
    /// so a notice that is not the end does not visit them.
    end: BTreeMap<WaiterId, Option<N>>,
}

#[derive(Debug)]
struct Observer<N> {
    pending: VecDeque<N>,
    lost: u64,
}

impl<N> Default for Observers<N> {
    fn default() -> Self {
        Self { everything: BTreeMap::new(), end: BTreeMap::new() }
    }
}

impl<N: Clone> Observers<N> {
    /// How many notices are kept for an observer that does not take them. The oldest is dropped to
    /// make room.
    const KEPT: usize = 1024;

    fn insert(&mut self, waiter: WaiterId, interest: Interest, pending: Option<N>) {
        match interest {
            Interest::Everything => {
                let pending = pending.into_iter().collect();
                self.everything.insert(waiter, Observer { pending, lost: 0 });
            }
            Interest::End => {
                self.end.insert(waiter, pending);
            }
        }
    }

    /// Keeps a notice for every observer that it concerns, and returns those observers.
    fn notify(&mut self, notice: &N, is_end: bool) -> Vec<WaiterId> {
        let mut notified = Vec::new();
        for (waiter, observer) in &mut self.everything {
            step();
            if observer.pending.len() == Self::KEPT {
                observer.pending.pop_front();
                observer.lost += 1;
            }
            observer.pending.push_back(notice.clone());
            notified.push(*waiter);
        }
        if is_end {
            for (waiter, pending) in &mut self.end {
                step();
                *pending = Some(notice.clone());
                notified.push(*waiter);
            }
        }
        notified
    }

    pub(super) fn len(&self) -> usize {
        self.everything.len() + self.end.len()
    }

    fn take(&mut self, waiter: WaiterId) -> Option<N> {
        match self.everything.get_mut(&waiter) {
            Some(observer) => observer.pending.pop_front(),
            None => self.end.get_mut(&waiter)?.take(),
        }
    }

    fn lost(&self, waiter: WaiterId) -> u64 {
        self.everything.get(&waiter).map_or(0, |observer| observer.lost)
    }

    fn remove(&mut self, waiter: WaiterId) {
        step();
        self.everything.remove(&waiter);
        self.end.remove(&waiter);
    }
}

/// Observing. Each observer is a standing waiter, which stays registered; [`Event::Readable`]
/// reports that there is something to take.
impl Engine {
    /// Registers `waiter` as an observer of the connection. If the connection has ended, that is
    /// its first notice.
    pub fn observe_connection(&mut self, waiter: WaiterId, interest: Interest) {
        let over = self.state.closure().filter(|_| self.state.is_ended()).cloned();
        self.observers.insert(waiter, interest, over.map(ConnectionNotice::Closed));
    }

    /// Takes the oldest notice about the connection that `waiter` has not taken.
    pub fn take_connection_notice(&mut self, waiter: WaiterId) -> Option<ConnectionNotice> {
        self.observers.take(waiter)
    }

    /// Returns how many notices about the connection were dropped because `waiter` did not take
    /// them.
    pub fn lost_connection_notices(&self, waiter: WaiterId) -> u64 {
        self.observers.lost(waiter)
    }

    /// Removes `waiter` from the observers of the connection.
    pub fn ignore_connection(&mut self, waiter: WaiterId) {
        self.observers.remove(waiter);
    }

    /// Registers `waiter` as an observer of a channel. If the channel has ended, that is its first
    /// notice.
    pub fn observe_channel(&mut self, key: ChannelKey, waiter: WaiterId, interest: Interest) {
        let over = if self.channels.get(key).is_some() { None } else { self.channel_closure(key) };
        let observers = self.channel_observers.entry(key.incarnation).or_default();
        observers.insert(waiter, interest, over.map(ChannelNotice::Closed));
    }

    /// Takes the oldest notice about a channel that `waiter` has not taken.
    pub fn take_channel_notice(&mut self, key: ChannelKey, waiter: WaiterId) -> Option<ChannelNotice> {
        self.channel_observers.get_mut(&key.incarnation)?.take(waiter)
    }

    /// Returns how many notices about a channel were dropped because `waiter` did not take them.
    pub fn lost_channel_notices(&self, key: ChannelKey, waiter: WaiterId) -> u64 {
        self.channel_observers.get(&key.incarnation).map_or(0, |observers| observers.lost(waiter))
    }

    /// Removes `waiter` from the observers of a channel.
    pub fn ignore_channel(&mut self, key: ChannelKey, waiter: WaiterId) {
        if let Some(observers) = self.channel_observers.get_mut(&key.incarnation) {
            observers.remove(waiter);
            if observers.len() == 0 {
                self.channel_observers.remove(&key.incarnation);
            }
        }
    }

    /// Notifies the observers of the connection, unless it has ended.
    pub fn tell_connection(&mut self, notice: &ConnectionNotice) {
        if !self.state.is_ended() {
            let notified = self.observers.notify(notice, false);
            self.events.extend(notified.into_iter().map(Event::Readable));
        }
    }

    /// Notifies the observers of a channel.
    pub(in crate::engine) fn tell_channel(&mut self, key: ChannelKey, notice: &ChannelNotice) {
        let Some(observers) = self.channel_observers.get_mut(&key.incarnation) else { return };
        let notified = observers.notify(notice, matches!(notice, ChannelNotice::Closed(_)));
        self.events.extend(notified.into_iter().map(Event::Readable));
    }

    /// Notifies the observers of the connection of its end.
    pub(super) fn tell_end(&mut self, closure: &Arc<Closure>) {
        let notified = self.observers.notify(&ConnectionNotice::Closed(Arc::clone(closure)), true);
        self.events.extend(notified.into_iter().map(Event::Readable));
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn waiter(slot: u32) -> WaiterId {
        WaiterId { slot, generation: NonZeroU32::MIN }
    }

    #[test]
    fn each_observer_gets_everything_once_or_only_the_end() {
        let mut observers = Observers::default();
        observers.insert(waiter(1), Interest::Everything, None);
        observers.insert(waiter(2), Interest::End, None);
        assert_eq!(observers.notify(&"news", false), [waiter(1)]);
        assert_eq!(observers.notify(&"end", true), [waiter(1), waiter(2)]);
        assert_eq!(
            [1, 1, 1, 2, 2, 3].map(|slot| observers.take(waiter(slot))),
            [Some("news"), Some("end"), None, Some("end"), None, None]
        );
    }

    #[test]
    fn an_observer_that_takes_nothing_loses_the_oldest_and_learns_how_many() {
        let mut observers = Observers::default();
        observers.insert(waiter(1), Interest::Everything, None);
        for number in 0..Observers::<usize>::KEPT + 3 {
            observers.notify(&number, false);
        }
        assert_eq!((observers.lost(waiter(1)), observers.take(waiter(1))), (3, Some(3)));
    }
}
