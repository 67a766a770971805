//! Who wants to hear what happens to a connection or to a channel, and what each has not heard yet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::engine::steps::step;
use crate::engine::{ChannelKey, ChannelNotice, Closure, ConnectionNotice, Engine, Event, WaiterId};

/// What somebody wants to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Everything, in order.
    Everything,
    /// The end alone.
    End,
}

/// Those who observe one connection or one channel.
#[derive(Debug)]
pub(in crate::engine) struct Observers<N> {
    everything: BTreeMap<WaiterId, Observer<N>>,
    /// Those who want to hear of the end alone, each with what it has not heard. They may be many,
    /// and a notice that is not the end does not look at them.
    end: BTreeMap<WaiterId, Option<N>>,
}

#[derive(Debug)]
struct Observer<N> {
    unheard: VecDeque<N>,
    lost: u64,
}

impl<N> Default for Observers<N> {
    fn default() -> Self {
        Self { everything: BTreeMap::new(), end: BTreeMap::new() }
    }
}

impl<N: Clone> Observers<N> {
    /// Notices kept for somebody who does not take them; beyond that the oldest go.
    const KEPT: usize = 1024;

    fn insert(&mut self, waiter: WaiterId, interest: Interest, unheard: Option<N>) {
        match interest {
            Interest::Everything => {
                let unheard = unheard.into_iter().collect();
                self.everything.insert(waiter, Observer { unheard, lost: 0 });
            }
            Interest::End => {
                self.end.insert(waiter, unheard);
            }
        }
    }

    /// Keeps a notice for everybody whom it concerns, and names them.
    fn tell(&mut self, notice: &N, is_end: bool) -> Vec<WaiterId> {
        let mut told = Vec::new();
        for (waiter, observer) in &mut self.everything {
            step();
            if observer.unheard.len() == Self::KEPT {
                observer.unheard.pop_front();
                observer.lost += 1;
            }
            observer.unheard.push_back(notice.clone());
            told.push(*waiter);
        }
        if is_end {
            for (waiter, unheard) in &mut self.end {
                step();
                *unheard = Some(notice.clone());
                told.push(*waiter);
            }
        }
        told
    }

    pub(super) fn len(&self) -> usize {
        self.everything.len() + self.end.len()
    }

    fn take(&mut self, waiter: WaiterId) -> Option<N> {
        match self.everything.get_mut(&waiter) {
            Some(observer) => observer.unheard.pop_front(),
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

/// Observing. Each observer is a standing waiter, told by [`Event::Readable`] that there is
/// something to take.
impl Engine {
    /// From now on `waiter` hears what happens to the connection; of one that is over, that it is.
    pub fn observe_connection(&mut self, waiter: WaiterId, interest: Interest) {
        let over = self.state.closure().filter(|_| self.state.is_closed()).cloned();
        self.observers.insert(waiter, interest, over.map(ConnectionNotice::Closed));
    }

    /// The oldest notice about the connection that `waiter` has not heard.
    pub fn take_connection_notice(&mut self, waiter: WaiterId) -> Option<ConnectionNotice> {
        self.observers.take(waiter)
    }

    /// Notices about the connection that went unheard because `waiter` did not take them.
    pub fn lost_connection_notices(&self, waiter: WaiterId) -> u64 {
        self.observers.lost(waiter)
    }

    /// `waiter` observes the connection no more.
    pub fn ignore_connection(&mut self, waiter: WaiterId) {
        self.observers.remove(waiter);
    }

    /// From now on `waiter` hears what happens to a channel; of one that is over, that it is.
    pub fn observe_channel(&mut self, key: ChannelKey, waiter: WaiterId, interest: Interest) {
        let over = if self.channels.get(key).is_some() { None } else { self.channel_closure(key) };
        let observers = self.channel_observers.entry(key.incarnation).or_default();
        observers.insert(waiter, interest, over.map(ChannelNotice::Closed));
    }

    /// The oldest notice about a channel that `waiter` has not heard.
    pub fn take_channel_notice(&mut self, key: ChannelKey, waiter: WaiterId) -> Option<ChannelNotice> {
        self.channel_observers.get_mut(&key.incarnation)?.take(waiter)
    }

    /// Notices about a channel that went unheard because `waiter` did not take them.
    pub fn lost_channel_notices(&self, key: ChannelKey, waiter: WaiterId) -> u64 {
        self.channel_observers.get(&key.incarnation).map_or(0, |observers| observers.lost(waiter))
    }

    /// `waiter` observes a channel no more.
    pub fn ignore_channel(&mut self, key: ChannelKey, waiter: WaiterId) {
        if let Some(observers) = self.channel_observers.get_mut(&key.incarnation) {
            observers.remove(waiter);
            if observers.len() == 0 {
                self.channel_observers.remove(&key.incarnation);
            }
        }
    }

    /// Tells everybody who observes the connection, until that is over.
    pub fn tell_connection(&mut self, notice: &ConnectionNotice) {
        if !self.state.is_closed() {
            let told = self.observers.tell(notice, false);
            self.events.extend(told.into_iter().map(Event::Readable));
        }
    }

    /// Tells everybody who observes a channel.
    pub(in crate::engine) fn tell_channel(&mut self, key: ChannelKey, notice: &ChannelNotice) {
        let Some(observers) = self.channel_observers.get_mut(&key.incarnation) else { return };
        let told = observers.tell(notice, matches!(notice, ChannelNotice::Closed(_)));
        self.events.extend(told.into_iter().map(Event::Readable));
    }

    /// The connection is over.
    pub(super) fn tell_end(&mut self, closure: &Arc<Closure>) {
        let told = self.observers.tell(&ConnectionNotice::Closed(Arc::clone(closure)), true);
        self.events.extend(told.into_iter().map(Event::Readable));
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
    fn each_observer_hears_everything_once_or_the_end_alone() {
        let mut observers = Observers::default();
        observers.insert(waiter(1), Interest::Everything, None);
        observers.insert(waiter(2), Interest::End, None);
        assert_eq!(observers.tell(&"news", false), [waiter(1)]);
        assert_eq!(observers.tell(&"end", true), [waiter(1), waiter(2)]);
        assert_eq!(
            [1, 1, 1, 2, 2, 3].map(|slot| observers.take(waiter(slot))),
            [Some("news"), Some("end"), None, Some("end"), None, None]
        );
    }

    #[test]
    fn who_does_not_listen_loses_the_oldest_and_is_told_how_many() {
        let mut observers = Observers::default();
        observers.insert(waiter(1), Interest::Everything, None);
        for number in 0..Observers::<usize>::KEPT + 3 {
            observers.tell(&number, false);
        }
        assert_eq!((observers.lost(waiter(1)), observers.take(waiter(1))), (3, Some(3)));
    }
}
