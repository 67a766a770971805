//! Restoring on a new transport what the broker lost: performs the plan of
//! [`recovery`](crate::recovery).
//!
//! First the topology is declared, on a channel that no handle has. Then the channels are opened,
//! and the consumers of direct reply-to are started. Then the requests of the application are let
//! through, and the other consumers are started.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use super::closes::Closes;
use super::doubts::{Doubts, Next};
use super::hook::run_hook;
use super::private::Private;
use super::waiting::Watch;
use crate::config::{ConnectionParameters, Endpoint, RecoverySettings};
use crate::driver::runtime::Runtime;
use crate::engine::{ChannelKey, Closure, Completion, ConnectionNotice, Entity, Failure, Reason, Scope};
use crate::error::Error;
use crate::link::Wait;
use crate::protocol::{Method, MethodId, ReplyCode, Request, exchange, queue};
use crate::recovery::{Backoff, Phase, Replay, ReplayRequest, ReplayStep, StepId, Suspects};

/// What outlives the restoring on one transport.
#[derive(Debug)]
pub(super) struct Progress {
    /// What may have ended earlier transports.
    pub(super) suspects: Suspects,
    pub(super) replay: Option<Replay>,
    /// How often channels were closed alone.
    closes: Closes,
    /// The latest loss was a close for want of a permission.
    was_refused: bool,
    /// Where the present transport is connected, if it is not the program's.
    pub(super) endpoint: Option<Endpoint>,
}

impl Progress {
    pub(super) fn new(terms: &RecoverySettings) -> Self {
        Self {
            suspects: Suspects::default(),
            replay: None,
            closes: Closes::new(terms),
            was_refused: false,
            endpoint: None,
        }
    }

    /// Whether the connection was closed for want of a permission, and was not for the same before.
    /// So a provider of credentials is asked again once.
    pub(super) fn is_renewed(&mut self, cause: &Closure) -> bool {
        let is_refused = cause.reason == Reason::Broker && cause.reply_code == Some(ReplyCode::ACCESS_REFUSED);
        let was_refused = std::mem::replace(&mut self.was_refused, is_refused);
        is_refused && !was_refused
    }

    /// Records that the transport is lost.
    pub(super) fn lost(&mut self, cause: &Arc<Closure>) {
        let Some(replay) = self.replay.take() else { return };
        // A broker that stops and a network that fails say nothing about what was being restored.
        let is_about_it = match cause.reason {
            Reason::Broker => cause.reply_code != Some(ReplyCode::CONNECTION_FORCED),
            Reason::Violation(_) => true,
            _ => false,
        };
        self.suspects = match is_about_it {
            true => replay.connection_lost(&Error::from(Arc::clone(cause))),
            false => replay.into_suspects(),
        };
    }
}

/// The restoring on one transport.
pub(super) struct Restoring<'a, R: Runtime> {
    pub(super) watch: &'a Watch<R>,
    pub(super) terms: RecoverySettings,
    pub(super) parameters: &'a ConnectionParameters,
    pub(super) progress: &'a mut Progress,
    /// The channel on which the topology is declared, once it is open.
    private: Option<Private>,
    /// The requests that are not answered.
    waits: BTreeMap<StepId, Sent>,
    /// Whether the requests of the application are let through.
    is_through: bool,
    /// What could not be restored before that.
    failed: Vec<(Entity, Failure)>,
}

/// A request of the plan that was sent.
struct Sent {
    /// The private channel on which it was sent; `None` if it starts a consumer on its own channel.
    private: Option<ChannelKey>,
    answer: Pin<Box<dyn Future<Output = Result<Completion, Failure>> + Send>>,
}

/// The transport is given up: something took too long, or cannot be understood.
pub(super) struct Void(pub(super) String);

impl<'a, R: Runtime> Restoring<'a, R> {
    pub(super) fn new(watch: &'a Watch<R>, parameters: &'a ConnectionParameters, progress: &'a mut Progress) -> Self {
        let (waits, failed) = (BTreeMap::new(), Vec::new());
        Self {
            watch,
            terms: parameters.recovery_settings(),
            parameters,
            progress,
            private: None,
            waits,
            is_through: false,
            failed,
        }
    }

    /// Restores, and then waits for the end of the transport. It ends only if it gives up the
    /// transport.
    pub(super) async fn run(mut self, backoff: &mut Backoff) {
        if let Err(Void(why)) = self.restore_and_maintain(backoff).await {
            let text = format!("what the broker lost was not restored: {why}");
            let error = std::io::Error::new(std::io::ErrorKind::TimedOut, text);
            self.watch.shared().with(|state| {
                // A connection that the application closes has nothing to restore, and ends by
                // itself.
                if state.engine.closure().is_none() {
                    state.engine.handle_transport_lost(Some(&error));
                }
            });
        }
    }

    async fn restore_and_maintain(&mut self, backoff: &mut Backoff) -> Result<(), Void> {
        if backoff.is_outage() {
            self.restore(backoff).await?;
        }
        self.is_through = true;
        let mut doubts = Doubts::default();
        loop {
            let closes = &mut self.progress.closes;
            closes.reopen_channels(self.watch).await?;
            match doubts.settle(self.watch, &self.terms, closes).await? {
                Next::Until(next) => self.watch.until(next).await,
                Next::Missing(queue) => self.restore_queue(&queue).await?,
            }
        }
    }

    async fn restore(&mut self, backoff: &mut Backoff) -> Result<(), Void> {
        self.progress.replay = self.plan();
        self.perform().await?;
        self.progress.closes.reopen_channels(self.watch).await?;
        self.begin(Phase::ReplyTo);
        self.perform().await?;
        run_hook(self.watch, self.parameters).await?;
        self.let_through(backoff);
        self.begin(Phase::Consumers);
        loop {
            self.perform().await?;
            self.progress.closes.reopen_channels(self.watch).await?;
            let Some(replay) = self.progress.replay.as_ref().filter(|replay| !replay.is_finished()) else { break };
            let next = replay.poll_deadline();
            self.watch.until(next).await;
        }
        self.progress.replay = None;
        self.progress.suspects = Suspects::default();
        self.release_private();
        Ok(())
    }

    fn begin(&mut self, phase: Phase) {
        if let Some(replay) = &mut self.progress.replay {
            replay.begin(phase);
        }
    }

    /// Lets the requests of the application through.
    fn let_through(&mut self, backoff: &mut Backoff) {
        let shared = self.watch.shared();
        let now = shared.now();
        let (outage, failed) = (backoff.handle_recovered(now), std::mem::take(&mut self.failed));
        let endpoint = self.progress.endpoint.clone();
        self.is_through = true;
        shared.with(|state| {
            let generation = state.engine.generation();
            state.engine.tell_connection(&ConnectionNotice::Recovered { generation, outage, endpoint, failed });
            state.engine.open_gate(now);
        });
    }

    /// Performs the present phase, until everything in it is done or put off.
    pub(super) async fn perform(&mut self) -> Result<(), Void> {
        loop {
            self.send_steps().await?;
            // What depends on something that failed has failed by now.
            self.report();
            if self.waits.is_empty() {
                return Ok(());
            }
            let (id, private, answer) = self.next_answer().await;
            self.handle(id, private, answer).await?;
        }
    }

    /// Sends the steps that may be sent now.
    async fn send_steps(&mut self) -> Result<(), Void> {
        loop {
            let now = self.watch.shared().now();
            let Some(replay) = &mut self.progress.replay else { return Ok(()) };
            replay.handle_timeout(now);
            let shared = self.watch.shared();
            let step = shared.with(|state| state.topology.as_ref().and_then(|record| replay.next(record, now)));
            let Some(step) = step else { return Ok(()) };
            self.send(step).await?;
        }
    }

    async fn send(&mut self, step: ReplayStep) -> Result<(), Void> {
        let ReplayStep { id, request } = step;
        let shared = self.watch.shared();
        let (private, wait) = match request {
            ReplayRequest::Private(method) => {
                if self.private.is_none() {
                    self.private = Private::open(self.watch).await?;
                }
                let private = self.private.as_ref().map(Private::key);
                let wait = match private {
                    Some(channel) => Wait::begin(shared, |state, id, now| {
                        state.engine.call_private(channel, &method, replies_of(&method), id, now)
                    }),
                    None => {
                        let limit = shared.with(|state| state.engine.negotiated().channel_max);
                        Err(Failure::ChannelsExhausted { limit })
                    }
                };
                (private, wait)
            }
            ReplayRequest::Consume { consumer, .. } => {
                (None, Wait::begin(shared, |state, id, now| state.engine.restart_consumer(consumer, id, now)))
            }
        };
        let answer = Box::pin(self.watch.answer(wait));
        self.waits.insert(id, Sent { private, answer });
        Ok(())
    }

    /// Waits for an answer. Of those that are there, it is the first that was asked for: a close is
    /// about that one.
    async fn next_answer(&mut self) -> (StepId, Option<ChannelKey>, Result<Completion, Failure>) {
        let waits = &mut self.waits;
        let (id, private, answer) = poll_fn(|context| {
            for (id, sent) in waits.iter_mut() {
                if let Poll::Ready(answer) = sent.answer.as_mut().poll(context) {
                    return Poll::Ready((*id, sent.private, answer));
                }
            }
            Poll::Pending
        })
        .await;
        self.waits.remove(&id);
        (id, private, answer)
    }

    /// Tells the plan what became of a step.
    async fn handle(
        &mut self,
        id: StepId,
        private: Option<ChannelKey>,
        answer: Result<Completion, Failure>,
    ) -> Result<(), Void> {
        let shared = self.watch.shared();
        let now = shared.now();
        let Some(replay) = &mut self.progress.replay else { return Ok(()) };
        let failure = match answer {
            Ok(Completion::Reply(reply)) => {
                let success = replay.succeeded(id, &reply.method);
                shared.with(|state| {
                    if let Some((from, to)) = success.renamed {
                        if let Some(topology) = &mut state.topology {
                            topology.rename_queue(&from, &to);
                        }
                        state.engine.rename_queue(&from, &to);
                        state.engine.tell_connection(&ConnectionNotice::QueueRenamed { from, to });
                    }
                    if let Some(entity) = success.recovered {
                        state.engine.tell_connection(&ConnectionNotice::EntityRecovered(entity));
                    }
                });
                return Ok(());
            }
            Ok(_) => return Err(Void("a request was answered by something else".to_owned())),
            Err(failure) => failure,
        };
        match &failure {
            Failure::Closed { closure, .. } if matches!(closure.scope, Scope::Channel(_)) => {
                // The first one is blamed. The plan hands out those behind it again.
                replay.failed(id, Error::from(failure.clone()), now);
                if private.is_none() {
                    return self.progress.closes.reopen_channels(self.watch).await;
                }
                // The broker has closed it, and there may be another one by now.
                if self.private.as_ref().map(Private::key) == private {
                    self.private = None;
                }
                Ok(())
            }
            // The application has closed the channel or dropped the consumer in the meantime.
            Failure::NoSuchConsumer
            | Failure::ChannelsExhausted { .. }
            | Failure::ConsumerTagInUse(_)
            | Failure::Recovering { .. }
            | Failure::Encode(_) => {
                replay.unsent(id, Error::from(failure), now);
                Ok(())
            }
            Failure::Closed { closure, .. } if closure.is_requested() => {
                replay.failed(id, Error::from(failure), now);
                Ok(())
            }
            Failure::TimedOut(_) | Failure::TimedOutBlocked { .. } => {
                let why = failure.to_string();
                if let Some(replay) = self.progress.replay.take() {
                    self.progress.suspects = replay.timed_out(id, &Error::from(failure));
                }
                Err(Void(why))
            }
            failure => Err(Void(failure.to_string())),
        }
    }

    /// Reports what could not be restored.
    fn report(&mut self) {
        let Some(replay) = &mut self.progress.replay else { return };
        for consumer in replay.take_forgotten() {
            self.watch.shared().with(|state| state.engine.end_forgotten(consumer));
        }
        for failed in replay.take_failures() {
            let failure = failed.error.to_failure();
            if let (Some(consumer), false) = (failed.consumer, failed.is_retried) {
                let closure = closure_of(&failure);
                self.watch.shared().with(|state| state.engine.end_stopped(consumer, closure));
            }
            if self.is_through {
                let notice = ConnectionNotice::EntityFailed(failed.entity, failure);
                self.watch.shared().with(|state| state.engine.tell_connection(&notice));
            } else {
                self.failed.push((failed.entity, failure));
            }
        }
    }

    pub(super) fn release_private(&mut self) {
        self.private = None;
    }
}

/// Why a consumer ends that cannot be restored.
fn closure_of(failure: &Failure) -> Arc<Closure> {
    match failure {
        Failure::Closed { closure, .. } => Arc::clone(closure),
        other => Arc::new(Closure::silent(Reason::Io(std::io::ErrorKind::TimedOut, other.to_string()))),
    }
}

/// The replies to a request of the plan.
fn replies_of(request: &Method) -> &'static [MethodId] {
    match request {
        Method::ExchangeDeclare(_) => exchange::Declare::REPLIES,
        Method::ExchangeBind(_) => exchange::Bind::REPLIES,
        Method::QueueBind(_) => queue::Bind::REPLIES,
        _ => queue::Declare::REPLIES,
    }
}
