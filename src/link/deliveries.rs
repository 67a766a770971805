//! What the broker sends to a consumer, taken out of the engine in batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Shared, Standing, Topic, Wait};
use crate::engine::{ConsumerEnd, ConsumerKey, Delivery, Failure, Taken};

/// The deliveries of one consumer. Dropped, it cancels the consumer, and what was not handed out
/// goes back to the queue.
#[derive(Debug)]
pub(crate) struct Deliveries {
    key: ConsumerKey,
    standing: Standing,
    /// Taken in one hold of the lock, and not yet handed out.
    ready: VecDeque<Delivery>,
    ended: bool,
    /// It was let go of already.
    closing: bool,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    Delivery(Delivery),
    /// A message was over a limit, and was rejected; the consumer goes on.
    Oversize(Failure),
    /// Nothing more comes, for this reason where it was not told before.
    End(Option<ConsumerEnd>),
}

impl Deliveries {
    pub(crate) fn new(link: &Arc<Shared>, key: ConsumerKey) -> Self {
        let standing = Standing::new(link, Topic::Deliveries);
        Self { key, standing, ready: VecDeque::new(), ended: false, closing: false }
    }

    /// How many are there to be handed out, without the lock.
    pub(crate) fn held(&self) -> usize {
        self.ready.len()
    }

    /// The end was told.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// The broker takes each message as handled when it has sent it.
    pub(crate) fn is_no_ack(&self) -> bool {
        self.standing.link().with(|state| state.engine.is_no_ack(self.key))
    }

    #[inline]
    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Next> {
        if let Some(delivery) = self.ready.pop_front() {
            return Poll::Ready(Next::Delivery(delivery));
        }
        if self.ended {
            return Poll::Ready(Next::End(None));
        }
        let (ready, key) = (&mut self.ready, self.key);
        let taken = self.standing.poll(context, |engine, id| match engine.take_deliveries(key, ready, id) {
            Taken::Nothing if ready.is_empty() => Poll::Pending,
            taken => Poll::Ready(taken),
        });
        taken.map(|taken| match taken {
            Taken::Oversize(failure) => Next::Oversize(failure),
            Taken::End(end) => {
                self.ended = true;
                Next::End(Some(end))
            }
            // There is one: it was looked for under the lock.
            Taken::Nothing => self.ready.pop_front().map_or(Next::End(None), Next::Delivery),
        })
    }

    /// Asks the broker to send no more; what arrived before is still handed out.
    pub(crate) fn cancel(&self) -> Result<Wait, Failure> {
        Wait::begin(self.standing.link(), |state, id, now| state.engine.cancel_consumer(self.key, id, now))
    }

    /// Lets go of the consumer as dropping it does; the wait is over when that is done.
    pub(crate) fn close(&mut self) -> Result<Wait, Failure> {
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
        if !self.closing {
            self.standing.link().with(|state| state.engine.drop_consumer(self.key, &self.ready, None));
        }
    }
}
