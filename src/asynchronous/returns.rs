//! Messages that came back.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::Channel;
use crate::engine::{Returned, WaiterId};

/// The stream of messages that come back on a channel (`basic.return`) and belong to no confirmed publish. It ends with
/// the channel, or when a later stream takes over.
///
/// It keeps up to 4096 messages that nobody has taken, of up to 16 MiB together; beyond that the oldest go, and
/// [`Returns::lost`] counts them.
pub struct Returns {
    channel: Channel,
    waiter: WaiterId,
}

impl Returns {
    pub(super) fn new(channel: Channel) -> Self {
        let waiter = channel.shared().with(|state| {
            let waiter = state.waiters.insert();
            state.engine.listen_for_returns(channel.key(), waiter);
            waiter
        });
        Self { channel, waiter }
    }

    /// The next message. Dropped before it is done, no message is lost.
    pub async fn next(&mut self) -> Option<Returned> {
        poll_fn(|context| self.poll_returned(context)).await
    }

    /// How many messages were dropped because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.channel.shared().with(|state| state.engine.lost_returns(self.channel.key()))
    }

    fn poll_returned(&self, context: &Context<'_>) -> Poll<Option<Returned>> {
        let mut waker = Some(context.waker().clone());
        let (key, id) = (self.channel.key(), self.waiter);
        let (taken, displaced) = self.channel.shared().with(|state| {
            // None where a later stream has taken over, or nothing is left of a channel that is closed.
            let listens = state.engine.is_listening_for_returns(key, id);
            let taken = if listens { state.engine.take_returned(key).ok() } else { None };
            let waits = matches!(taken, Some(None));
            (taken, waits.then(|| state.waiters.poll(id, &mut waker)))
        });
        drop((displaced, waker));
        match taken {
            Some(Some(returned)) => Poll::Ready(Some(returned)),
            Some(None) => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

impl Stream for Returns {
    type Item = Returned;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Returned>> {
        self.poll_returned(context)
    }
}

impl fmt::Debug for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returns").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Drop for Returns {
    fn drop(&mut self) {
        let id = self.waiter;
        let waker = self.channel.shared().with(|state| {
            state.engine.stop_returns(self.channel.key(), id);
            state.forget(id)
        });
        drop(waker);
    }
}
