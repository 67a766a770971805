//! Waiting for a completion: the future under every request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Polled, Shared, State};
use crate::engine::{Completion, Failure, WaiterId};
use crate::error::Error;

/// A slot in the table of waiters, freed when it is dropped. What comes afterwards is put right: a channel that opens is
/// closed again, a message that was got goes back.
#[derive(Debug)]
pub(crate) struct Wait {
    shared: Arc<Shared>,
    id: WaiterId,
    over: bool,
}

impl Wait {
    /// Takes a slot and asks the engine for something in one step.
    pub(crate) fn begin(
        shared: &Arc<Shared>,
        ask: impl FnOnce(&mut State, WaiterId) -> Result<(), Failure>,
    ) -> Result<Self, Error> {
        let id = shared.with(|state| {
            let id = state.waiters.insert();
            let asked = ask(state, id);
            if asked.is_err() {
                drop(state.waiters.remove(id));
            }
            asked.map(|()| id)
        })?;
        Ok(Self::new(Arc::clone(shared), id))
    }

    /// Stands for a slot that was taken already.
    pub(crate) fn new(shared: Arc<Shared>, id: WaiterId) -> Self {
        Self { shared, id, over: false }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn id(&self) -> WaiterId {
        self.id
    }

    /// The completion was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }
}

impl Future for Wait {
    type Output = Result<Completion, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.shared.poll(self.id, context) {
            Polled::Pending(_) => Poll::Pending,
            Polled::Ready(completion) => {
                self.over = true;
                Poll::Ready(match completion {
                    Completion::Failed(failure) => Err(failure.into()),
                    completion => Ok(completion),
                })
            }
            Polled::Stale => {
                self.over = true;
                Poll::Ready(Err(Error::internal("a completion was taken twice")))
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.over {
            self.shared.forget(self.id);
        }
    }
}

/// Waits until there is room again for what waits for the socket.
#[derive(Debug)]
pub(crate) struct Room(Wait);

impl Room {
    pub(crate) fn wait(shared: &Arc<Shared>) -> Result<Self, Error> {
        Wait::begin(shared, |state, id| state.engine.wait_for_room(id)).map(Self)
    }
}

impl Future for Room {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|completion| completion.map(drop))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.0.is_over() {
            self.0.shared.with(|state| state.engine.stop_waiting_for_room(self.0.id));
        }
    }
}

/// The runtime's clock, so that tests can turn it.
pub(crate) fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}
