//! The way of a publish through the gate.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::publish::{Publish, PublishKind};
use crate::driver::{State, Wait};
use crate::engine::{Admission, Completion, Failure, GatePlace, WaiterId};
use crate::error::{Error, Result};

/// Octets queued after which a publisher lets others run, the connection's own task among them.
const YIELD_EVERY: usize = 64 * 1024;

/// A publish on its way, and where it is.
#[derive(Debug)]
pub(super) struct Passage<'a, K: PublishKind> {
    publish: Publish<'a, K>,
    stage: Stage<K::Output>,
}

#[derive(Debug)]
enum Stage<R> {
    Arriving,
    /// In line at the gate, where the message is: what it gives was taken along. On the heap, since few wait, and all
    /// publishes are moved.
    Waiting(Box<(GateWait, R)>),
    /// Published, and letting others run before saying so.
    Yielding(R),
    Done,
}

/// A place at the gate. A message that is dropped there is not published.
#[derive(Debug)]
struct GateWait {
    wait: Wait,
    place: GatePlace,
}

/// What came of asking the gate.
enum Asked {
    Through { yields: bool },
    Waiting(WaiterId, GatePlace),
}

/// Does something with the waiter of a confirm, where there is to be one; it is gone again where that fails.
#[inline]
fn with_confirm<K: PublishKind, T>(
    state: &mut State,
    queue: impl FnOnce(&mut State, Option<WaiterId>) -> Result<T, Failure>,
) -> Result<(Option<WaiterId>, T), Failure> {
    let confirm = K::CONFIRMED.then(|| state.waiters.insert());
    match queue(state, confirm) {
        Ok(queued) => Ok((confirm, queued)),
        Err(failure) => {
            // Nobody has polled it: it holds no waker.
            confirm.map(|id| state.waiters.remove(id));
            Err(failure)
        }
    }
}

impl<'a, K: PublishKind> Passage<'a, K> {
    #[inline]
    pub(super) fn new(mut publish: Publish<'a, K>) -> Self {
        publish.share_large_body();
        Self { publish, stage: Stage::Arriving }
    }

    /// Queues the message where the gate is open.
    pub(super) fn try_pass(self) -> Result<K::Output> {
        let channel = self.publish.channel.get();
        let key = channel.key();
        let (confirm, ()) = channel.shared().with(|state| {
            with_confirm::<K, _>(state, |state, confirm| {
                match state.engine.publish_if_open(key, &self.publish.frames(), confirm)? {
                    Admission::Open => Ok(()),
                    Admission::Closed => Err(Failure::Backpressure),
                }
            })
        })?;
        Ok(K::output(channel, confirm))
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<K::Output>> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Arriving => {
                    let (confirm, asked) = self.arrive()?;
                    let channel = self.publish.channel.get();
                    let output = K::output(channel, confirm);
                    match asked {
                        Asked::Through { yields: false } => return Poll::Ready(Ok(output)),
                        Asked::Through { yields: true } => return self.yield_now(output, context),
                        Asked::Waiting(id, place) => {
                            let wait = Wait::new(Arc::clone(channel.shared()), id);
                            self.stage = Stage::Waiting(Box::new((GateWait { wait, place }, output)));
                        }
                    }
                }
                Stage::Waiting(mut waiting) => match Pin::new(&mut waiting.0.wait).poll(context) {
                    Poll::Pending => {
                        self.stage = Stage::Waiting(waiting);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(Completion::Published)) => return Poll::Ready(Ok(waiting.1)),
                    Poll::Ready(Ok(_)) => return Poll::Ready(Err(Error::internal("the gate gave something else"))),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                },
                Stage::Yielding(output) => return Poll::Ready(Ok(output)),
                Stage::Done => {
                    return Poll::Ready(Err(Error::internal("a publish was polled after it was done")));
                }
            }
        }
    }

    /// Publishes at once where the gate is open, or puts the message in line.
    #[inline]
    fn arrive(&self) -> Result<(Option<WaiterId>, Asked)> {
        let channel = self.publish.channel.get();
        let (key, frames) = (channel.key(), self.publish.frames());
        let arrive = |state: &mut State, confirm| {
            let before = state.engine.untaken() / YIELD_EVERY;
            if state.engine.publish_if_open(key, &frames, confirm)? == Admission::Open {
                return Ok(Asked::Through { yields: state.engine.untaken() / YIELD_EVERY > before });
            }
            let id = state.waiters.insert();
            match state.engine.wait_to_publish(key, &frames, confirm, id) {
                Ok(place) => Ok(Asked::Waiting(id, place)),
                Err(failure) => {
                    drop(state.waiters.remove(id));
                    Err(failure)
                }
            }
        };
        Ok(channel.shared().with(|state| with_confirm::<K, _>(state, arrive))?)
    }

    fn yield_now(&mut self, output: K::Output, context: &Context<'_>) -> Poll<Result<K::Output>> {
        self.stage = Stage::Yielding(output);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for GateWait {
    fn drop(&mut self) {
        if !self.wait.is_over() {
            let place = self.place;
            self.wait.shared().with(|state| state.engine.leave_gate(place));
        }
    }
}
