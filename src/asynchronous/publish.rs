//! Publishing: one short step under the lock, once the gate is open.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Channel;
use crate::driver::State;
use crate::driver::Wait;
use crate::engine::{Admission, ChannelKey, Completion, Failure, GatePlace, WaiterId};
use crate::error::{Error, Result};
use crate::frame::{self, BY_REFERENCE, Body};
use crate::protocol::basic::Properties;

/// A message that is published when it is awaited.
///
/// While publishing is paused (see [`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)) a message that was polled
/// waits in line, first come, first served, and is published when its turn comes, whether or not it is polled again. Dropped
/// before its turn, it is not published; dropped later, all of it was.
#[derive(Debug)]
#[must_use = "a message is published when this is awaited"]
pub struct Publish<'a> {
    pub(super) channel: &'a Channel,
    pub(super) exchange: &'a [u8],
    pub(super) routing_key: &'a [u8],
    pub(super) mandatory: bool,
    pub(super) properties: Option<&'a Properties>,
    pub(super) body: Body<'a>,
}

/// Octets queued after which a publisher lets others run, the connection's own task among them.
const YIELD_EVERY: usize = 64 * 1024;

impl<'a> Publish<'a> {
    pub(super) fn new(channel: &'a Channel, exchange: &'a [u8], routing_key: &'a [u8], body: Body<'a>) -> Self {
        Self { channel, exchange, routing_key, mandatory: false, properties: None, body }
    }

    /// The message comes back where no queue takes it.
    pub fn mandatory(mut self, mandatory: bool) -> Self {
        self.mandatory = mandatory;
        self
    }

    /// The properties of the message.
    pub fn properties(mut self, properties: &'a Properties) -> Self {
        self.properties = Some(properties);
        self
    }

    /// Publishes now, or not at all.
    ///
    /// # Errors
    ///
    /// Publishing is paused ([`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure)), the channel is closed, or
    /// the message cannot be encoded.
    pub fn try_publish(self) -> Result<()> {
        self.try_queue()
    }

    /// Queues the message where the gate is open.
    pub(super) fn try_queue<R: Outcome>(mut self) -> Result<R> {
        self.share_large_body();
        let key = self.channel.key();
        let confirm = self.channel.shared().with(|state| {
            with_confirm::<R, _>(state, |state, confirm| {
                match state.engine.publish_if_open(key, &self.frames(), confirm)? {
                    Admission::Open => Ok(()),
                    Admission::Closed => Err(Failure::Backpressure),
                }
            })
        })?;
        Ok(R::new(self.channel, confirm.0))
    }

    /// A large body is copied, if it has to be, before the lock is taken.
    pub(super) fn share_large_body(&mut self) {
        if let Body::Borrowed(octets) = self.body
            && octets.len() >= BY_REFERENCE
        {
            self.body = Body::Shared(bytes::Bytes::copy_from_slice(octets));
        }
    }

    #[inline]
    fn frames(&self) -> frame::Publish<'_> {
        frame::Publish {
            exchange: self.exchange,
            routing_key: self.routing_key,
            mandatory: self.mandatory,
            properties: self.properties,
            body: &self.body,
        }
    }
}

/// What a publish gives.
pub(super) trait Outcome: Sized {
    /// Somebody hears what the broker does with the message.
    const CONFIRMED: bool;

    /// What a publish that is queued gives, `confirm` being who hears.
    fn new(channel: &Channel, confirm: Option<WaiterId>) -> Self;
}

impl Outcome for () {
    const CONFIRMED: bool = false;

    fn new(_: &Channel, _: Option<WaiterId>) -> Self {}
}

/// Does something with the waiter of a confirm, where there is to be one; it is gone again where that fails.
#[inline]
fn with_confirm<R: Outcome, T>(
    state: &mut State,
    queue: impl FnOnce(&mut State, Option<WaiterId>) -> Result<T, Failure>,
) -> Result<(Option<WaiterId>, T), Failure> {
    let confirm = R::CONFIRMED.then(|| state.waiters.insert());
    match queue(state, confirm) {
        Ok(queued) => Ok((confirm, queued)),
        Err(failure) => {
            // Nobody has polled it: it holds no waker.
            confirm.map(|id| state.waiters.remove(id));
            Err(failure)
        }
    }
}

impl<'a> IntoFuture for Publish<'a> {
    type Output = Result<()>;
    type IntoFuture = PublishFuture<'a>;

    fn into_future(self) -> PublishFuture<'a> {
        PublishFuture { passage: Passage::new(self) }
    }
}

/// Waits until a message is queued.
#[derive(Debug)]
#[must_use = "a message is published when this is awaited"]
pub struct PublishFuture<'a> {
    passage: Passage<'a, ()>,
}

impl Future for PublishFuture<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.passage.poll(context)
    }
}

/// The way of a publish through the gate.
#[derive(Debug)]
pub(super) struct Passage<'a, R> {
    publish: Publish<'a>,
    stage: Stage<R>,
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

impl<'a, R: Outcome> Passage<'a, R> {
    pub(super) fn new(mut publish: Publish<'a>) -> Self {
        publish.share_large_body();
        Self { publish, stage: Stage::Arriving }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<R>> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Arriving => {
                    let channel = self.publish.channel;
                    let (confirm, asked) = self.arrive()?;
                    let result = R::new(channel, confirm);
                    match asked {
                        Asked::Through { yields: false } => return Poll::Ready(Ok(result)),
                        Asked::Through { yields: true } => return self.yield_now(result, context),
                        Asked::Waiting(id, place) => {
                            let wait = Wait::new(Arc::clone(channel.shared()), id);
                            self.stage = Stage::Waiting(Box::new((GateWait { wait, place }, result)));
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
                Stage::Yielding(result) => return Poll::Ready(Ok(result)),
                Stage::Done => {
                    return Poll::Ready(Err(Error::internal("a publish was polled after it was done")));
                }
            }
        }
    }

    /// Publishes at once where the gate is open, or puts the message in line.
    #[inline]
    fn arrive(&self) -> Result<(Option<WaiterId>, Asked)> {
        let (key, frames): (ChannelKey, _) = (self.publish.channel.key(), self.publish.frames());
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
        Ok(self.publish.channel.shared().with(|state| with_confirm::<R, _>(state, arrive))?)
    }

    fn yield_now(&mut self, result: R, context: &Context<'_>) -> Poll<Result<R>> {
        self.stage = Stage::Yielding(result);
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
