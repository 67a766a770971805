//! Publishing: one short step under the lock, through the gate or into its line.

use std::sync::Arc;

use super::{Shared, State, Wait};
use crate::engine::{Admission, ChannelKey, Failure, WaiterId, WaitsFor};
use crate::frame::Publish;

/// Bytes queued after which a publisher lets others run, the driver among them.
const YIELD_EVERY: usize = 64 * 1024;

/// What became of a message at the gate. On a confirming channel, `confirm` hears what the broker
/// does with it.
#[derive(Debug)]
pub(crate) enum Passed {
    /// It is queued; `yields` where so much waits for the socket that others should run.
    Through { confirm: Option<WaiterId>, yields: bool },
    /// It is in line, with all its frames, and is queued when its turn comes: the wait resolves
    /// then. Dropped before, it is not published.
    InLine { confirm: Option<WaiterId>, turn: Wait },
}

impl Shared {
    /// Queues a message where the gate is open, and else puts it in line.
    ///
    /// # Errors
    ///
    /// The channel is closed, the message cannot be encoded, or the channel confirms its publishes
    /// and nobody hears of this one.
    #[inline]
    pub(crate) fn publish(
        self: &Arc<Self>,
        key: ChannelKey,
        publish: &Publish<'_>,
        confirmed: bool,
    ) -> Result<Passed, Failure> {
        let (confirm, (turn, yields)) = self.with(|state| {
            with_confirm(state, confirmed, |state, confirm| {
                let before = state.engine.untaken() / YIELD_EVERY;
                if state.engine.publish_if_open(key, publish, confirm)? == Admission::Open {
                    return Ok((None, state.engine.untaken() / YIELD_EVERY > before));
                }
                let id = state.waiters.insert();
                match state.engine.wait_to_publish(key, publish, confirm, id) {
                    Ok(place) => Ok((Some((id, place)), false)),
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

    /// Queues a message where the gate is open; gives who hears what the broker does with it.
    ///
    /// # Errors
    ///
    /// Publishing is paused ([`Failure::Backpressure`]), or those of [`Shared::publish`].
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
                    Admission::Closed => Err(Failure::Backpressure),
                }
            })
        })?;
        Ok(confirm)
    }
}

/// Does something with the waiter of a confirm, where there is to be one; it is gone again where
/// that fails.
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
            // Nobody has polled it: it holds no waker.
            confirm.map(|id| state.waiters.remove(id));
            Err(failure)
        }
    }
}
