//! Observing a connection or a channel from outside the lock.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::Shared;
use crate::engine::{ChannelKey, Engine, Interest, WaiterId};

/// A standing waiter that observes a connection, or a channel of it. It holds no handle: it keeps nothing open.
pub(crate) struct Observation {
    shared: Arc<Shared>,
    waiter: WaiterId,
    channel: Option<ChannelKey>,
}

impl Observation {
    pub(crate) fn new(shared: &Arc<Shared>, channel: Option<ChannelKey>, interest: Interest) -> Self {
        let waiter = shared.with(|state| {
            let waiter = state.waiters.insert();
            match channel {
                Some(key) => state.engine.observe_channel(key, waiter, interest),
                None => state.engine.observe_connection(waiter, interest),
            }
            waiter
        });
        Self { shared: Arc::clone(shared), waiter, channel }
    }

    /// Takes a notice, or leaves the waker where there is none.
    pub(crate) fn poll<N>(
        &self,
        context: &Context<'_>,
        take: impl FnOnce(&mut Engine, WaiterId) -> Option<N>,
    ) -> Poll<N> {
        let mut waker = Some(context.waker().clone());
        let (taken, displaced) = self.shared.with(|state| match take(&mut state.engine, self.waiter) {
            Some(notice) => (Some(notice), None),
            None => (None, Some(state.waiters.poll(self.waiter, &mut waker))),
        });
        drop((displaced, waker));
        taken.map_or(Poll::Pending, Poll::Ready)
    }

    /// The channel that is observed; none where it is the connection.
    pub(crate) fn channel(&self) -> Option<ChannelKey> {
        self.channel
    }

    /// Notices that went by because they were not taken.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.with(|state| match self.channel {
            Some(key) => state.engine.lost_channel_notices(key, self.waiter),
            None => state.engine.lost_connection_notices(self.waiter),
        })
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let waker = self.shared.with(|state| {
            match self.channel {
                Some(key) => state.engine.ignore_channel(key, self.waiter),
                None => state.engine.ignore_connection(self.waiter),
            }
            state.forget(self.waiter)
        });
        drop(waker);
    }
}
