//! What an engine holds. After the end of a connection that is only what handles may still ask for.

use std::fmt;

use crate::engine::Engine;
use crate::engine::channel::Channel;

/// Counts of what an engine holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[doc(hidden)]
pub struct Leftovers {
    /// Channels that are open, opening or closing.
    pub channels: usize,
    /// Publishes that wait at the gate, which holds publishes back while too much is queued or
    /// unconfirmed.
    pub waiting: usize,
    /// Publishes that are not confirmed.
    pub in_flight: u64,
    /// Bytes of publishes that may be sent again.
    pub kept: u64,
    /// Bytes that wait for the transport.
    pub queued: u64,
    /// Bytes of messages that wait for consumers that have not ended.
    pub undelivered: u64,
    /// Unanswered calls and closes of channels.
    pub unanswered: usize,
    /// Events that were not taken.
    pub events: usize,
    /// Causes of closed channels, kept until their last handles are dropped.
    pub closures: usize,
    /// Channels whose returned messages are kept, until their streams are dropped.
    pub returns: usize,
    /// Deadlines of unanswered requests.
    pub deadlines: usize,
    /// Observers, until they are dropped.
    pub observers: usize,
    /// Consumers without a listener.
    pub consumers: usize,
    /// Consumers with a listener, until that drops them.
    pub listened: usize,
    /// Waiters for something other than the answer to a request or the confirm of a publish: for
    /// the end of a close or of a consumer, for a new secret, for all confirms of a channel, or for
    /// room.
    pub waiters: usize,
}

impl Engine {
    /// Returns what is held at present.
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
            kept: self.keeping.octets(),
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
    /// Returns the same without what handles hold.
    pub fn without_handles(self) -> Self {
        Self { closures: 0, returns: 0, observers: 0, listened: 0, ..self }
    }

    /// Returns `true` if nothing is held.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Leftovers {
    /// Writes the counts that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            channels,
            waiting,
            in_flight,
            kept,
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
            ("kept bytes of publishes", kept),
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
