//! Consumers that the broker has cancelled. Whether their queue is gone or only away is asked
//! before they end: a broker that stops cancels consumers before it closes their connection.

use crate::engine::consume::ConsumerLife;
use crate::engine::{ConsumerEnd, ConsumerKey, Engine, Stopped};

impl Engine {
    /// Handles the broker's cancel of a consumer that comes back after a loss. Returns `false` if
    /// it is not one.
    pub(in crate::engine) fn doubt(&mut self, key: ConsumerKey) -> bool {
        if !self.records() {
            return false;
        }
        let Some(consumer) = self.consumers.get_mut(key) else { return false };
        let comes_back = consumer.is_recorded() && consumer.is_listened() && consumer.overflow.is_none();
        if !comes_back || consumer.life != ConsumerLife::Running {
            return false;
        }
        // The broker knows it no longer, as after a loss.
        consumer.is_doubted = true;
        self.notify_supervisor();
        true
    }

    /// Returns the consumers that the broker has ended, by a cancel or with their channel alone,
    /// and that have not ended here, in the order in which they were started. Those of channels
    /// that are not open are left out.
    pub fn doubted_consumers(&self) -> Vec<(ConsumerKey, Stopped)> {
        let doubted = self.consumers.entries().filter(|(_, consumer)| {
            let is_lost = self.channels.get(consumer.channel).is_some_and(|channel| channel.state.is_suspended());
            consumer.is_doubted && !is_lost
        });
        let stopped = doubted.filter_map(|(key, consumer)| {
            let restart = consumer.restart.as_ref()?;
            Some((restart.order, key, Stopped::of(consumer, restart)))
        });
        let mut stopped: Vec<_> = stopped.collect();
        stopped.sort_unstable_by_key(|(order, ..)| *order);
        stopped.into_iter().map(|(_, key, stopped)| (key, stopped)).collect()
    }

    /// Ends a consumer whose queue is gone.
    pub fn end_doubted(&mut self, key: ConsumerKey) {
        if self.consumers.get(key).is_some_and(|consumer| consumer.is_doubted) {
            self.end_consumer(key, ConsumerEnd::CancelledByBroker);
        }
    }
}
