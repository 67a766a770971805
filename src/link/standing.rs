//! Waiting for something that comes again and again, from outside the lock.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Shared, State};
use crate::engine::{ChannelKey, Engine, Interest, WaiterId, WaitsFor};

/// What comes again and again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Topic {
    /// What happens to the connection.
    Connection,
    /// What happens to a channel.
    Channel(ChannelKey),
    /// Messages that come back on a channel.
    Returns(ChannelKey),
    /// Deliveries: the engine learns who waits when they are taken.
    Deliveries,
}

/// A standing waiter. It holds no handle: it keeps nothing open.
#[derive(Debug)]
pub(crate) struct Standing {
    link: Arc<Shared>,
    waiter: WaiterId,
    topic: Topic,
}

impl Standing {
    /// Listens for messages that come back, in the place of whoever listened before; or waits for
    /// deliveries.
    pub(crate) fn new(link: &Arc<Shared>, topic: Topic) -> Self {
        Self::observing(link, topic, Interest::Everything)
    }

    /// Observes a connection or a channel.
    pub(crate) fn observing(link: &Arc<Shared>, topic: Topic, interest: Interest) -> Self {
        let waiter = link.with(|state| {
            let waiter = state.waiters.insert();
            match topic {
                Topic::Connection => state.engine.observe_connection(waiter, interest),
                Topic::Channel(key) => state.engine.observe_channel(key, waiter, interest),
                Topic::Returns(key) => state.engine.listen_for_returns(key, waiter),
                Topic::Deliveries => {}
            }
            waiter
        });
        Self { link: Arc::clone(link), waiter, topic }
    }

    pub(crate) fn link(&self) -> &Arc<Shared> {
        &self.link
    }

    pub(crate) fn topic(&self) -> Topic {
        self.topic
    }

    /// Takes what there is, or leaves the waker where there is nothing.
    #[inline]
    pub(crate) fn poll<T>(
        &self,
        context: &Context<'_>,
        take: impl FnOnce(&mut Engine, WaiterId) -> Poll<T>,
    ) -> Poll<T> {
        // Cloned out here, where foreign code may run.
        let mut waker = Some(context.waker().clone());
        let (taken, displaced) = self.link.with(|state: &mut State| {
            let taken = take(&mut state.engine, self.waiter);
            let displaced = taken.is_pending().then(|| state.waiters.poll(self.waiter, &mut waker));
            (taken, displaced)
        });
        drop((displaced, waker));
        taken
    }

    /// How much went by because it was not taken.
    pub(crate) fn lost(&self) -> u64 {
        self.link.with(|state| match self.topic {
            Topic::Connection => state.engine.lost_connection_notices(self.waiter),
            Topic::Channel(key) => state.engine.lost_channel_notices(key, self.waiter),
            Topic::Returns(key) => state.engine.lost_returns(key),
            Topic::Deliveries => 0,
        })
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let waker = self.link.with(|state| {
            match self.topic {
                Topic::Connection => state.engine.ignore_connection(self.waiter),
                Topic::Channel(key) => state.engine.ignore_channel(key, self.waiter),
                Topic::Returns(key) => state.engine.stop_returns(key, self.waiter),
                Topic::Deliveries => {}
            }
            state.forget(self.waiter, WaitsFor::Answer)
        });
        drop(waker);
    }
}
