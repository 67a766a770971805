//! The way of a publish through the gate.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::publish::{Publish, PublishKind};
use crate::engine::Completion;
use crate::error::{Error, Result};
use crate::link::{Passed, Wait};

/// A publish on its way, and where it is.
#[derive(Debug)]
pub(super) struct Passage<'a, K: PublishKind> {
    publish: Publish<'a, K>,
    stage: Stage<K::Output>,
}

#[derive(Debug)]
enum Stage<R> {
    Arriving,
    /// In line at the gate, where the message is: what it gives was taken along. On the heap, since
    /// few wait, and all publishes are moved.
    InLine(Box<(Wait, R)>),
    /// Published, and letting others run before saying so.
    Yielding(R),
    Done,
}

impl<'a, K: PublishKind> Passage<'a, K> {
    #[inline]
    pub(super) fn new(publish: Publish<'a, K>) -> Self {
        Self { publish, stage: Stage::Arriving }
    }

    /// Queues the message where the gate is open.
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

    /// Publishes at once where the gate is open, or puts the message in line.
    #[inline]
    fn arrive(&mut self, context: &mut Context<'_>) -> Poll<Result<K::Output>> {
        // Here and not before: a publish that is changed in place is moved less.
        self.publish.share_large_body();
        let channel = self.publish.channel.get();
        match channel.shared().publish(channel.key(), &self.publish.frames(), K::CONFIRMED)? {
            Passed::Through { confirm, yields: false } => Poll::Ready(Ok(K::output(channel, confirm))),
            Passed::Through { confirm, yields: true } => {
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
