//! The deliveries of a consumer, taken out of the engine in batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Shared, Standing, Topic, Wait};
use crate::engine::{ConsumerEnd, ConsumerKey, Delivery, Failure, Taken};

/// The deliveries of one consumer. Dropping it cancels the consumer, and deliveries that were not
/// handed out return to the queue.
#[derive(Debug)]
pub(crate) struct Deliveries {
    key: ConsumerKey,
    standing: Standing,
    /// The deliveries that were taken under one hold of the lock and not yet handed out.
    ready: VecDeque<Delivery>,
    /// The generation of the channel in which they arrived.
    generation: u32,
    /// The losses of the connection that are taken into account.
    losses: u32,
    /// Whether deliveries are not settled, so that a loss takes nothing back.
    no_ack: bool,
    ended: bool,
    /// Whether the consumer was already dropped, by [`Deliveries::close`].
    closing: bool,
}

/// What a consumer gets next.
#[derive(Debug)]
pub(crate) enum Next {
    Delivery(Delivery),
    /// A message was larger than a limit and was rejected. The consumer continues.
    Oversize(Failure),
    /// The consumer has ended, with the reason if it was not reported before.
    End(Option<ConsumerEnd>),
}

impl Deliveries {
    pub(crate) fn new(link: &Arc<Shared>, key: ConsumerKey) -> Self {
        let standing = Standing::new(link, Topic::Deliveries);
        let (generation, no_ack) =
            link.with(|state| (state.engine.consumer_generation(key), state.engine.is_no_ack(key)));
        Self {
            key,
            standing,
            ready: VecDeque::new(),
            generation,
            losses: link.losses(),
            no_ack,
            ended: false,
            closing: false,
        }
    }

    /// The number of deliveries that can be handed out without the lock.
    pub(crate) fn held(&self) -> usize {
        self.ready.len()
    }

    /// Whether the end was reported.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether the broker counts each message as handled when it has sent it.
    pub(crate) fn is_no_ack(&self) -> bool {
        self.no_ack
    }

    #[inline]
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Next> {
        if self.losses != self.standing.link().losses() {
            self.drop_stale();
        }
        if let Some(delivery) = self.ready.pop_front() {
            return Poll::Ready(Next::Delivery(delivery));
        }
        if self.ended {
            return Poll::Ready(Next::End(None));
        }
        let (ready, generation, key) = (&mut self.ready, &mut self.generation, self.key);
        let taken = self.standing.poll(context, |engine, id| match engine.take_deliveries(key, ready, id) {
            Taken::Nothing if ready.is_empty() => Poll::Pending,
            taken => {
                *generation = engine.consumer_generation(key);
                Poll::Ready(taken)
            }
        });
        taken.map(|taken| match taken {
            Taken::Oversize(failure) => Next::Oversize(failure),
            Taken::End(end) => {
                self.ended = true;
                Next::End(Some(end))
            }
            // There is a delivery: the step under the lock checked it.
            Taken::Nothing => self.ready.pop_front().map_or(Next::End(None), Next::Delivery),
        })
    }

    /// The generation of the delivery that was returned last.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Drops the deliveries that were taken before a loss, because the broker delivers them again.
    #[cold]
    fn drop_stale(&mut self) {
        let link = self.standing.link();
        self.losses = link.losses();
        if link.with(|state| state.engine.is_lost_delivery(self.key, self.generation)) {
            self.ready.clear();
        }
    }

    /// Cancels the consumer. What arrived before is still handed out.
    pub(crate) fn cancel(&self) -> Result<Wait, Failure> {
        Wait::begin(self.standing.link(), |state, id, now| state.engine.cancel_consumer(self.key, id, now))
    }

    /// Drops the consumer, and returns a wait that completes when its deliveries have been
    /// returned.
    pub(crate) fn close(&mut self) -> Result<Wait, Failure> {
        if self.losses != self.standing.link().losses() {
            self.drop_stale();
        }
        let wait = Wait::begin(self.standing.link(), |state, id, now| {
            state.engine.drop_consumer(self.key, &self.ready, Some((id, now)));
            Ok(())
        });
        self.closing = true;
        self.ready.clear();
        wait
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        if self.losses != self.standing.link().losses() {
            self.drop_stale();
        }
        if !self.closing {
            self.standing.link().with(|state| state.engine.drop_consumer(self.key, &self.ready, None));
        }
    }
}
