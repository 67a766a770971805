//! What an engine holds: after the end of a connection, nothing but what handles still ask for.

use std::fmt;

use crate::engine::Engine;
use crate::engine::channel::Channel;

/// Counts of what is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[doc(hidden)]
pub struct Leftovers {
    /// Channels that are open, opening or closing.
    pub channels: usize,
    /// Messages that wait at the gate.
    pub waiting: usize,
    /// Publishes that are not decided about.
    pub in_flight: u64,
    /// Bytes that wait for the transport.
    pub queued: u64,
    /// Bytes of messages that wait for consumers which are not over.
    pub undelivered: u64,
    /// Calls and closes of channels that are not answered.
    pub unanswered: usize,
    /// Events that nobody took.
    pub events: usize,
    /// Causes of closed channels, until their last handles are gone.
    pub closures: usize,
    /// Channels whose returned messages are kept, until their streams are gone.
    pub returns: usize,
    /// Deadlines of what is not answered.
    pub deadlines: usize,
    /// Observers, until they are gone.
    pub observers: usize,
    /// Consumers that nobody listens to.
    pub consumers: usize,
    /// Consumers that somebody listens to, until they are let go of.
    pub listened: usize,
    /// Those who wait for something else than the answer to a request or the fate of a publish: for
    /// the end of a close or of a consumer, for a new secret, for all confirms of a channel, for
    /// room.
    pub waiters: usize,
}

impl Engine {
    /// What is held at present.
    #[doc(hidden)]
    pub fn leftovers(&self) -> Leftovers {
        let (closures, returns) = self.channels.kept();
        let of_channels: usize = self.channel_observers.values().map(super::Observers::len).sum();
        let (listened, consumers): (Vec<_>, Vec<_>) =
            self.consumers.iter().partition(|consumer| consumer.is_listened());
        let waiters = self.state.waiters()
            + self.secret_updates.len()
            + self.passing.waiting()
            + self.channels.iter().map(Channel::waiters).sum::<usize>()
            + consumers.iter().map(|consumer| consumer.waiters()).sum::<usize>();
        Leftovers {
            channels: self.channels.len(),
            waiting: self.gate.waiting(),
            in_flight: self.gate.in_flight(),
            queued: self.queued(),
            undelivered: self.reading.waiting(),
            unanswered: self.reading.unanswered(),
            events: self.events.len(),
            closures,
            returns,
            deadlines: self.deadlines.len(),
            observers: self.observers.len() + of_channels,
            consumers: consumers.len(),
            listened: listened.len(),
            waiters,
        }
    }
}

impl Leftovers {
    /// The same without what handles hold.
    pub fn without_handles(self) -> Self {
        Self { closures: 0, returns: 0, observers: 0, listened: 0, ..self }
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Leftovers {
    /// What is not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            channels,
            waiting,
            in_flight,
            queued,
            undelivered,
            unanswered,
            events,
            closures,
            returns,
            deadlines,
            observers,
            consumers,
            listened,
            waiters,
        } = *self;
        let counts = [
            ("channels", channels as u64),
            ("messages at the gate", waiting as u64),
            ("publishes in flight", in_flight),
            ("queued bytes", queued),
            ("undelivered bytes", undelivered),
            ("unanswered requests", unanswered as u64),
            ("events", events as u64),
            ("closures of channels", closures as u64),
            ("streams of returns", returns as u64),
            ("deadlines", deadlines as u64),
            ("observers", observers as u64),
            ("consumers that nobody listens to", consumers as u64),
            ("consumers that somebody listens to", listened as u64),
            ("waiters", waiters as u64),
        ];
        let mut left = counts.iter().filter(|(_, count)| *count > 0);
        left.try_for_each(|(what, count)| write!(f, "{count} {what}; "))
    }
}
