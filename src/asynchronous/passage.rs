//! The steps of a publish: it passes the engine's gate (`engine::publish::gate`), which holds
//! publishes back while publishing is paused, or it waits in line there.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::publish::{Publish, PublishKind};
use crate::engine::Completion;
use crate::error::{Error, Result};
use crate::link::{Passed, Wait};

/// A publish, and which step it is at.
#[derive(Debug)]
pub(super) struct Passage<'a, K: PublishKind> {
    publish: Publish<'a, K>,
    stage: Stage<K::Output>,
}

#[derive(Debug)]
enum Stage<R> {
    Arriving,
    /// Waiting in line at the gate. The gate has the message; the output is kept here until then.
    /// Boxed, because few publishes wait and all of them are moved.
    InLine(Box<(Wait, R)>),
    /// Published. It yields to other tasks once before it resolves.
    Yielding(R),
    Done,
}

impl<'a, K: PublishKind> Passage<'a, K> {
    #[inline]
    pub(super) fn new(publish: Publish<'a, K>) -> Self {
        Self { publish, stage: Stage::Arriving }
    }

    /// Queues the message if the gate is open; otherwise returns an error.
    pub(super) fn try_pass(mut self) -> Result<K::Output> {
        self.publish.share_large_body();
        let channel = self.publish.channel.get();
        let confirm = channel.shared().try_publish(channel.key(), &self.publish.frames(), K::CONFIRMED)?;
        Ok(K::output(channel, confirm))
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<K::Output>> {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Arriving => self.arrive(context),
            Stage::InLine(waiting) => self.wait(waiting, context),
            Stage::Yielding(output) => Poll::Ready(Ok(output)),
            Stage::Done => Poll::Ready(Err(Error::internal("a publish was polled after it was done"))),
        }
    }

    /// Queues the message at once if the gate is open; otherwise puts it in line.
    #[inline]
    fn arrive(&mut self, context: &mut Context<'_>) -> Poll<Result<K::Output>> {
        // Done here and not in the constructor: changing the publish in place avoids a move of it.
        self.publish.share_large_body();
        let channel = self.publish.channel.get();
        match channel.shared().publish(channel.key(), &self.publish.frames(), K::CONFIRMED)? {
            Passed::Through { confirm, yields: false } => Poll::Ready(Ok(K::output(channel, confirm))),
            Passed::Through { confirm, yields: true } => {
                // The message is queued, so dropping the future here loses only its output.
                // Yielding lets the driver write before this task queues more.
                self.stage = Stage::Yielding(K::output(channel, confirm));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Passed::InLine { confirm, turn } => {
                let output = K::output(channel, confirm);
                self.wait(Box::new((turn, output)), context)
            }
        }
    }

    fn wait(&mut self, mut waiting: Box<(Wait, K::Output)>, context: &mut Context<'_>) -> Poll<Result<K::Output>> {
        let turn = Pin::new(&mut waiting.0).poll(context);
        if turn.is_pending() {
            self.stage = Stage::InLine(waiting);
            return Poll::Pending;
        }
        Poll::Ready(match ready!(turn)? {
            Completion::Published => Ok(waiting.1),
            _ => Err(Error::internal("the gate gave something else")),
        })
    }
}
