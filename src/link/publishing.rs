//! Publishing: one short step under the lock, in which a message is queued or begins to wait at the
//! gate.

use std::sync::Arc;

use super::{Shared, State, Wait};
use crate::engine::{Admission, ChannelKey, Failure, WaiterId, WaitsFor};
use crate::frame::Publish;

/// The number of queued bytes after which a publisher yields, so that other tasks run, among them
/// the driver.
const YIELD_EVERY: usize = 64 * 1024;

/// What the gate did with a message. `confirm` is the waiter for its confirm, on a channel that
/// confirms.
#[derive(Debug)]
pub(crate) enum Passed {
    /// It is queued. `yields` is whether so much waits for the socket that the publisher should
    /// yield.
    Through { confirm: Option<WaiterId>, yields: bool },
    /// It waits at the gate with all its frames, and is queued when its turn comes. `turn`
    /// completes then. If `turn` is dropped before, the message is not published.
    InLine { confirm: Option<WaiterId>, turn: Wait },
}

impl Shared {
    /// Queues a message if the gate is open. Otherwise it waits at the gate.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed, if the message cannot be encoded, or if the
    /// channel confirms its publishes and `confirmed` is `false`.
    #[inline]
    pub(crate) fn publish(
        self: &Arc<Self>,
        key: ChannelKey,
        publish: &Publish<'_>,
        confirmed: bool,
    ) -> Result<Passed, Failure> {
        // All of it is one step under one hold of the lock. Between asking the gate and queueing,
        // another publisher could take the last room or the connection could close; and the waiter
        // of the confirm has to exist before the frames are queued, because the confirm may arrive
        // as soon as the lock is free.
        let (confirm, (turn, yields)) = self.with(|state| {
            with_confirm(state, confirmed, |state, confirm| {
                let before = state.engine.untaken() / YIELD_EVERY;
                if state.engine.publish_if_open(key, publish, confirm)? == Admission::Open {
                    return Ok((None, state.engine.untaken() / YIELD_EVERY > before));
                }
                let id = state.waiters.insert();
                match state.engine.wait_to_publish(key, publish, confirm, id) {
                    Ok(place) => {
                        state.engine.limit_wait(place, id, self.now());
                        Ok((Some((id, place)), false))
                    }
                    Err(failure) => {
                        drop(state.waiters.remove(id));
                        Err(failure)
                    }
                }
            })
        })?;
        Ok(match turn {
            None => Passed::Through { confirm, yields },
            Some((id, place)) => {
                Passed::InLine { confirm, turn: Wait::new(Arc::clone(self), id, WaitsFor::Turn(place)) }
            }
        })
    }

    /// Queues a message if the gate is open. Returns the waiter for its confirm, on a channel that
    /// confirms.
    ///
    /// # Errors
    ///
    /// Returns [`Failure::Backpressure`] if publishing is paused, or an error in the cases of
    /// [`Shared::publish`].
    #[inline]
    pub(crate) fn try_publish(
        &self,
        key: ChannelKey,
        publish: &Publish<'_>,
        confirmed: bool,
    ) -> Result<Option<WaiterId>, Failure> {
        let (confirm, ()) = self.with(|state| {
            with_confirm(state, confirmed, |state, confirm| {
                match state.engine.publish_if_open(key, publish, confirm)? {
                    Admission::Open => Ok(()),
                    Admission::Closed => Err(state.engine.pause(key)),
                }
            })
        })?;
        Ok(confirm)
    }
}

/// Runs `queue` with a waiter for the confirm, if there is to be one. The waiter is removed if
/// `queue` fails.
#[inline]
fn with_confirm<T>(
    state: &mut State,
    confirmed: bool,
    queue: impl FnOnce(&mut State, Option<WaiterId>) -> Result<T, Failure>,
) -> Result<(Option<WaiterId>, T), Failure> {
    let confirm = confirmed.then(|| state.waiters.insert());
    match queue(state, confirm) {
        Ok(queued) => Ok((confirm, queued)),
        Err(failure) => {
            // It was never polled, so it holds no waker that would be dropped under the lock.
            confirm.map(|id| state.waiters.remove(id));
            Err(failure)
        }
    }
}
