//! Waiting for what happens again and again, such as deliveries and notices.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Shared, State};
use crate::engine::{ChannelKey, Engine, Interest, WaiterId, WaitsFor};

/// What a standing waiter waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Topic {
    /// Notices of the connection.
    Connection,
    /// Notices of a channel.
    Channel(ChannelKey),
    /// Returned messages of a channel.
    Returns(ChannelKey),
    /// Deliveries. The waiter is registered when they are taken.
    Deliveries,
    /// What a supervisor has to do.
    Supervision,
}

/// A standing waiter. It holds no handle, so it keeps no channel or connection open.
#[derive(Debug)]
pub(crate) struct Standing {
    link: Arc<Shared>,
    waiter: WaiterId,
    topic: Topic,
}

impl Standing {
    /// Listens for returned messages, in place of a previous listener; or waits for deliveries.
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
                Topic::Supervision => state.engine.supervise(waiter),
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

    /// Takes what there is, or stores the waker if there is nothing.
    #[inline]
    pub(crate) fn poll<T>(
        &self,
        context: &Context<'_>,
        take: impl FnOnce(&mut Engine, WaiterId) -> Poll<T>,
    ) -> Poll<T> {
        // Cloned before the lock, because cloning may run code outside this crate.
        let mut waker = Some(context.waker().clone());
        let (taken, displaced) = self.link.with(|state: &mut State| {
            let taken = take(&mut state.engine, self.waiter);
            let displaced = taken.is_pending().then(|| state.waiters.poll(self.waiter, &mut waker));
            (taken, displaced)
        });
        drop((displaced, waker));
        taken
    }

    /// How much was dropped because it was not taken.
    pub(crate) fn lost(&self) -> u64 {
        self.link.with(|state| match self.topic {
            Topic::Connection => state.engine.lost_connection_notices(self.waiter),
            Topic::Channel(key) => state.engine.lost_channel_notices(key, self.waiter),
            Topic::Returns(key) => state.engine.lost_returns(key),
            Topic::Deliveries | Topic::Supervision => 0,
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
                Topic::Deliveries | Topic::Supervision => {}
            }
            state.forget(self.waiter, WaitsFor::Answer)
        });
        drop(waker);
    }
}
