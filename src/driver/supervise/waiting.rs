//! Waiting of a supervisor: for the application, for time, and for what the engine awaits.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::driver::runtime::{Alarm, Runtime};
use crate::engine::{Completion, Failure};
use crate::link::{Shared, Standing, Topic, Wait};

/// What a supervisor watches.
pub(super) struct Watch<R> {
    shared: Arc<Shared>,
    standing: Standing,
    runtime: R,
}

/// How long an answer is awaited while restoring, if there is no `call_timeout`.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

impl<R: Runtime> Watch<R> {
    pub(super) fn new(shared: &Arc<Shared>, runtime: R) -> Self {
        Self { shared: Arc::clone(shared), standing: Standing::new(shared, Topic::Supervision), runtime }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Waits while the connection is down. Returns `None` if it was closed in the meantime.
    pub(super) async fn pause(&self, pause: Duration) -> Option<()> {
        let until = self.shared.now() + pause;
        let mut alarm = self.runtime.alarm();
        alarm.set(until);
        self.while_down(poll_fn(move |context| alarm.poll(context))).await
    }

    /// Waits for `work` while the connection is down, and fails what has waited for the recovery
    /// for too long. Returns `None` if the connection was closed in the meantime: the work is then
    /// dropped.
    pub(super) async fn while_down<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut alarm = self.runtime.alarm();
        poll_fn(|context| {
            if self.poll_closed(context, &mut alarm) {
                return Poll::Ready(None);
            }
            work.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// An alarm at this time.
    pub(super) fn alarm(&self, at: Option<Instant>) -> R::Alarm {
        let mut alarm = self.runtime.alarm();
        if let Some(at) = at {
            alarm.set(at);
        }
        alarm
    }

    /// Waits for `work` until a time. Returns `None` if that has come first: the work is then
    /// dropped.
    pub(super) async fn before<T>(&self, at: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut alarm = self.alarm(at);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if at.is_some() => alarm.poll(context).map(|()| None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Gives up the transport if what the broker lost is still being restored. Returns whether it
    /// is.
    pub(super) fn give_up_restoring(&self) -> bool {
        self.shared.with(|state| {
            let is_restoring = state.engine.recovering().is_some();
            if is_restoring {
                let error = std::io::Error::new(std::io::ErrorKind::TimedOut, "the time for the recovery has passed");
                state.engine.handle_transport_lost(Some(&error));
            }
            is_restoring
        })
    }

    /// Whether the connection is not down any more, so that the recovery ends.
    fn poll_closed(&self, context: &mut Context<'_>, alarm: &mut R::Alarm) -> bool {
        loop {
            let now = self.shared.now();
            let looked = self.standing.poll(context, |engine, _| {
                engine.expire_waits(now);
                if engine.is_down() { Poll::<Option<Instant>>::Pending } else { Poll::Ready(None) }
            });
            if looked.is_ready() {
                return true;
            }
            let Some(next) = self.shared.with(|state| state.engine.next_expiry()) else { return false };
            alarm.set(next);
            if alarm.poll(context).is_pending() {
                return false;
            }
        }
    }

    /// Waits until the engine has notified the supervisor, or until a time has come. Returns at
    /// once if it was notified since the last call, so that a notification is not missed by a
    /// supervisor that was busy.
    pub(super) async fn until(&self, at: Option<Instant>) {
        let mut alarm = self.alarm(at);
        poll_fn(|context| {
            let notified = self.standing.poll(context, |engine, _| match engine.take_notification() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            });
            if notified.is_ready() || at.is_none() { notified } else { alarm.poll(context) }
        })
        .await;
    }

    /// Waits for an answer, for as long as a call of the application would.
    pub(super) fn answer(
        &self,
        wait: Result<Wait, Failure>,
    ) -> impl Future<Output = Result<Completion, Failure>> + Send + use<R> {
        let mut alarm = self.runtime.alarm();
        alarm.set(self.shared.now() + PATIENCE);
        async move {
            let mut wait = pin!(wait?);
            poll_fn(|context| {
                if let Poll::Ready(answer) = wait.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                // With a shorter `call_timeout`, the wait ends by itself.
                alarm.poll(context).map(|()| Err(Failure::TimedOut("the request that restores it")))
            })
            .await
        }
    }
}
