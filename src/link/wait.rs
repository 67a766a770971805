//! Waiting for a completion, which every request does.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::{Polled, Shared, State};
use crate::engine::{ChannelKey, Completion, Failure, Settled, WaiterId, WaitsFor};

/// A slot in the table of waiters, which is freed when this is dropped. The engine is then
/// notified, and undoes what the completion brings: a channel that opens is closed again, a message
/// that was fetched returns to its queue, a place at the gate is given up.
#[derive(Debug)]
pub(crate) struct Wait {
    link: Arc<Shared>,
    id: WaiterId,
    waits_for: WaitsFor,
    done: bool,
}

impl Wait {
    /// Takes a slot and makes a request in one step, at the present time.
    pub(crate) fn begin(
        link: &Arc<Shared>,
        ask: impl FnOnce(&mut State, WaiterId, Instant) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let now = link.now();
        Self::begin_for(link, WaitsFor::Answer, |state, id| ask(state, id, now))
    }

    /// Waits until there is room again for bytes that wait for the socket, after
    /// [`Failure::WriteLimit`].
    pub(crate) fn for_room(link: &Arc<Shared>) -> Result<Self, Failure> {
        Self::begin_for(link, WaitsFor::Room, |state, id| state.engine.wait_for_room(id))
    }

    /// Waits until the broker has confirmed everything that was published on a channel so far.
    /// Returns the outcome instead if it has.
    pub(crate) fn for_confirms(link: &Arc<Shared>, key: ChannelKey) -> Result<Result<Settled, Self>, Failure> {
        let mut settled = None;
        let wait = Self::begin_for(link, WaitsFor::Confirms(key), |state, id| {
            settled = state.engine.wait_for_confirms(key, id)?;
            Ok(())
        })?;
        Ok(settled.ok_or(wait))
    }

    fn begin_for(
        link: &Arc<Shared>,
        waits_for: WaitsFor,
        ask: impl FnOnce(&mut State, WaiterId) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let id = link.with(|state| {
            let id = state.waiters.insert();
            let asked = ask(state, id);
            if asked.is_err() {
                drop(state.waiters.remove(id));
            }
            asked.map(|()| id)
        })?;
        Ok(Self::new(Arc::clone(link), id, waits_for))
    }

    /// Wraps a slot that was taken before.
    pub(crate) fn new(link: Arc<Shared>, id: WaiterId, waits_for: WaitsFor) -> Self {
        Self { link, id, waits_for, done: false }
    }
}

impl Future for Wait {
    type Output = Result<Completion, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.link.poll(self.id, context);
        self.done = !matches!(polled, Polled::Pending(_));
        match polled {
            Polled::Pending(_) => Poll::Pending,
            Polled::Ready(Completion::Failed(failure)) => Poll::Ready(Err(failure)),
            Polled::Ready(completion) => Poll::Ready(Ok(completion)),
            Polled::Stale => Poll::Ready(Err(Failure::Internal("a completion was taken twice"))),
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.done {
            self.link.forget(self.id, self.waits_for);
        }
    }
}
