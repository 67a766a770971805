//! Publishing: one short step under the lock, once the gate is open.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Channel;
use crate::driver::State;
use crate::driver::Wait;
use crate::engine::{Admission, ChannelKey, Completion, Failure, WaiterId};
use crate::error::{Error, Result};
use crate::frame::{self, BY_REFERENCE, Body};
use crate::protocol::basic::Properties;

/// A message that is published when it is awaited.
///
/// Dropped before it is done, the message was not published, or all of it was.
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
        self.try_queue(|publish, state| publish.queue(state, None))
    }

    /// Does `queue` where the gate is open.
    pub(super) fn try_queue<R>(mut self, queue: Queue<'a, R>) -> Result<R> {
        self.share_large_body();
        let channel = self.channel;
        Ok(channel.shared().with(|state| match state.engine.admission(channel.key())? {
            Admission::Open => queue(&self, state),
            Admission::Closed => Err(Failure::Backpressure),
        })?)
    }

    /// A large body is copied, if it has to be, before the lock is taken.
    pub(super) fn share_large_body(&mut self) {
        if let Body::Borrowed(octets) = self.body
            && octets.len() >= BY_REFERENCE
        {
            self.body = Body::Shared(bytes::Bytes::copy_from_slice(octets));
        }
    }

    /// Queues the message, the gate having been passed.
    #[inline]
    pub(super) fn queue(&self, state: &mut State, confirm: Option<WaiterId>) -> Result<(), Failure> {
        let publish = frame::Publish {
            exchange: self.exchange,
            routing_key: self.routing_key,
            mandatory: self.mandatory,
            properties: self.properties,
            body: &self.body,
        };
        state.engine.publish(self.channel.key(), &publish, confirm).map(drop)
    }
}

impl<'a> IntoFuture for Publish<'a> {
    type Output = Result<()>;
    type IntoFuture = PublishFuture<'a>;

    fn into_future(self) -> PublishFuture<'a> {
        PublishFuture { passage: Passage::new(self, |publish, state| publish.queue(state, None)) }
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

/// What to do on the other side of the gate, under the same lock.
type Queue<'a, R> = fn(&Publish<'a>, &mut State) -> Result<R, Failure>;

/// The way of a publish through the gate.
#[derive(Debug)]
pub(super) struct Passage<'a, R> {
    publish: Publish<'a>,
    queue: Queue<'a, R>,
    stage: Stage<R>,
}

#[derive(Debug)]
enum Stage<R> {
    Arriving,
    Waiting(GateWait),
    /// Published, and letting others run before saying so.
    Yielding(R),
    Done,
}

/// A place at the gate.
#[derive(Debug)]
struct GateWait {
    wait: Wait,
}

/// What came of asking the gate.
enum Asked<R> {
    Through(R, bool),
    Queued(WaiterId),
}

impl<'a, R> Passage<'a, R> {
    pub(super) fn new(mut publish: Publish<'a>, queue: Queue<'a, R>) -> Self {
        publish.share_large_body();
        Self { publish, queue, stage: Stage::Arriving }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<R>> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Arriving => match self.arrive()? {
                    Asked::Through(result, false) => return Poll::Ready(Ok(result)),
                    Asked::Through(result, true) => return self.yield_now(result, context),
                    Asked::Queued(id) => {
                        let wait = Wait::new(Arc::clone(self.publish.channel.shared()), id);
                        self.stage = Stage::Waiting(GateWait { wait });
                    }
                },
                Stage::Waiting(mut gate) => match Pin::new(&mut gate.wait).poll(context) {
                    Poll::Pending => {
                        self.stage = Stage::Waiting(gate);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(Completion::Admitted(_))) => return Poll::Ready(self.pass()),
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

    /// Publishes at once where the gate is open, or takes a place in front of it.
    #[inline]
    fn arrive(&self) -> Result<Asked<R>> {
        let Self { publish, queue, .. } = self;
        let key: ChannelKey = publish.channel.key();
        Ok(publish.channel.shared().with(|state| match state.engine.admission(key)? {
            Admission::Open => {
                let before = state.engine.untaken() / YIELD_EVERY;
                let result = queue(publish, state)?;
                Ok(Asked::Through(result, state.engine.untaken() / YIELD_EVERY > before))
            }
            Admission::Closed => {
                let id = state.waiters.insert();
                state.engine.wait_for_admission(key, id);
                Ok::<_, Failure>(Asked::Queued(id))
            }
        })?)
    }

    /// Publishes after having been let in.
    fn pass(&self) -> Result<R> {
        let Self { publish, queue, .. } = self;
        Ok(publish.channel.shared().with(|state| {
            let result = queue(publish, state);
            state.engine.use_admission();
            result
        })?)
    }

    fn yield_now(&mut self, result: R, context: &Context<'_>) -> Poll<Result<R>> {
        self.stage = Stage::Yielding(result);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for GateWait {
    fn drop(&mut self) {
        // Who was let in has left already, and leaving costs a look at everybody who waits.
        if !self.wait.is_over() {
            let id = self.wait.id();
            self.wait.shared().with(|state| state.engine.leave_gate(id));
        }
    }
}
