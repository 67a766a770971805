//! Waiting for a state of the broker.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::guard::StateGuard;
use super::shared::{Left, Shared};
use crate::broker::State;

/// The future of [`Broker::until`](super::Broker::until), which waits until a predicate holds.
pub(super) struct Until<P> {
    shared: Arc<Shared>,
    predicate: P,
    watcher: u64,
    /// Advances the broker's time if no client is connected.
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
}

impl<P: FnMut(&State) -> bool + Unpin> Until<P> {
    pub(super) fn new(shared: &Arc<Shared>, predicate: P) -> Self {
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { watcher: shared.watcher(), shared: Arc::clone(shared), predicate, timer, armed: None }
    }

    /// Calls the predicate, and registers the task for the next change.
    fn look(&mut self, context: &Context<'_>) -> (bool, Option<Instant>) {
        // Registered first, so that a change between the two steps is not missed.
        self.shared.watch(self.watcher, context.waker().clone());
        // The predicate is code of a test, which may inspect the state by a guard of its own.
        let state = StateGuard::new(&self.shared);
        ((self.predicate)(&state), state.poll_deadline())
    }
}

impl<P: FnMut(&State) -> bool + Unpin> Future for Until<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let (holds, deadline) = this.look(context);
            if holds {
                return Poll::Ready(());
            }
            let Some(deadline) = deadline else { return Poll::Pending };
            if this.armed != Some(deadline) {
                this.timer.as_mut().reset(deadline.into());
                this.armed = Some(deadline);
            }
            if this.timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.armed = None;
        }
    }
}

impl<P> Drop for Until<P> {
    fn drop(&mut self) {
        self.shared.leave(Left::Watcher(self.watcher));
    }
}
