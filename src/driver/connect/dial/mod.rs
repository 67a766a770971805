//! Performs a [`DialPlan`]: resolves names, connects, and continues with one connection at a time
//! through TLS, credentials and the handshake.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;

use super::handshake::negotiate;
use super::used::Used;
use super::{Agreed, Renewal, fetch_credentials, secure};
use crate::config::{ConnectionParameters, Credentials};
use crate::driver::runtime::{Alarm, Runtime};
use crate::engine::Settings;
use crate::error::{ConnectCause, ConnectError, Phase};
use crate::link::Clock;
use crate::recovery::{DialPlan, Reached, Step, Target};
use crate::transport::{Stream, Transport};

/// A plan that is being performed.
pub(super) struct Dial<'a, S, R: Runtime> {
    runtime: &'a R,
    clock: Clock,
    alarm: R::Alarm,
    plan: DialPlan<'a>,
    parameters: &'a ConnectionParameters,
    used: &'a Used,
    under_way: Vec<UnderWay<'a, S>>,
}

/// The work for an attempt.
struct UnderWay<'a, S> {
    target: Target,
    doing: Doing<'a, S>,
}

type Doing<'a, S> = Pin<Box<dyn Future<Output = Outcome<S>> + Send + 'a>>;

/// The outcome of the work.
pub(super) type Outcome<S> = Result<Done<S>, ConnectCause>;

/// The work that was done.
pub(super) enum Done<S> {
    Resolved(Vec<SocketAddr>),
    Connected(S),
    Secured(Transport<S>),
    Provided(Transport<S>, Credentials, Option<Renewal>),
    Agreed(Box<Agreed<S>>),
}

/// What the caller, which has the network, has to do.
pub(super) enum Next<S> {
    /// Find the addresses of the endpoint of this attempt, or connect to its address: see
    /// [`Dial::begin`].
    Start(Target),
    /// The open has ended.
    End(Result<Box<Agreed<S>>, ConnectError>),
}

impl<'a, S: Stream, R: Runtime> Dial<'a, S, R> {
    /// Dials the endpoints of the parameters.
    pub(super) fn new(
        runtime: &'a R,
        parameters: &'a ConnectionParameters,
        lost: Option<&'a Reached>,
        used: &'a Used,
    ) -> Self {
        let mut plan = DialPlan::new(parameters, fastrand::u64(..), runtime.clock().now());
        if let Some(lost) = lost {
            plan.avoid(lost);
        }
        Self::of(plan, runtime, parameters, used)
    }

    /// Continues on a stream that the caller gave.
    pub(super) fn on_stream(runtime: &'a R, stream: S, parameters: &'a ConnectionParameters, used: &'a Used) -> Self {
        let (plan, target) = DialPlan::on_transport(parameters, runtime.clock().now());
        let mut dial = Self::of(plan, runtime, parameters, used);
        dial.secure(target, stream);
        dial
    }

    fn of(plan: DialPlan<'a>, runtime: &'a R, parameters: &'a ConnectionParameters, used: &'a Used) -> Self {
        let (clock, alarm) = (runtime.clock(), runtime.alarm());
        Self { runtime, clock, alarm, plan, parameters, used, under_way: Vec::new() }
    }

    /// The plan.
    pub(super) fn plan(&self) -> &DialPlan<'a> {
        &self.plan
    }

    /// Starts work for an attempt.
    pub(super) fn begin(&mut self, target: Target, doing: impl Future<Output = Outcome<S>> + Send + 'a) {
        self.under_way.push(UnderWay { target, doing: Box::pin(doing) });
    }

    /// Continues until an attempt has to be started or the open has ended.
    pub(super) async fn next(&mut self) -> Next<S> {
        loop {
            // Attempts that all fail at once, such as unknown names, would otherwise not let other
            // tasks of the thread run.
            poll_fn(|context| self.runtime.poll_share(context)).await;
            // Outcomes that are ready are handled before the deadlines: an attempt with an outcome
            // has not timed out.
            let mut outcome = self.outcome_now().await;
            if outcome.is_none() {
                outcome = match self.plan.poll(self.clock.now()) {
                    Step::Start(target) => return Next::Start(target),
                    Step::End(error) => return Next::End(Err(error)),
                    Step::Wait(until) => self.outcome(until).await,
                    Step::GiveUp(target) => {
                        self.under_way.retain(|attempt| attempt.target != target);
                        None
                    }
                };
            }
            if let Some(agreed) = outcome.and_then(|(target, outcome)| self.handle(target, outcome)) {
                return Next::End(Ok(agreed));
            }
        }
    }

    /// The next outcome; `None` if the time has come before it.
    async fn outcome(&mut self, until: Option<std::time::Instant>) -> Option<(Target, Outcome<S>)> {
        if let Some(until) = until {
            self.alarm.set(until);
        }
        poll_fn(|context| match self.poll_outcome(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if until.is_some() => self.alarm.poll(context).map(|()| None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// An outcome that is ready.
    async fn outcome_now(&mut self) -> Option<(Target, Outcome<S>)> {
        poll_fn(|context| match self.poll_outcome(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn poll_outcome(&mut self, context: &mut Context<'_>) -> Poll<(Target, Outcome<S>)> {
        for (index, attempt) in self.under_way.iter_mut().enumerate() {
            if let Poll::Ready(outcome) = attempt.doing.as_mut().poll(context) {
                return Poll::Ready((self.under_way.remove(index).target, outcome));
            }
        }
        Poll::Pending
    }

    /// Reports an outcome to the plan, and continues with the attempt. Returns the connection when
    /// the handshake is complete.
    fn handle(&mut self, target: Target, outcome: Outcome<S>) -> Option<Box<Agreed<S>>> {
        match outcome {
            Err(cause) => self.plan.handle_failed(target, cause),
            Ok(Done::Resolved(addresses)) => self.plan.handle_resolved(target, addresses),
            Ok(Done::Connected(stream)) => {
                if self.plan.handle_connected(target) {
                    self.secure(target, stream);
                }
            }
            Ok(Done::Secured(transport)) => self.provide(target, transport),
            Ok(Done::Provided(transport, credentials, renewal)) => {
                self.shake_hands(target, transport, credentials, renewal);
            }
            Ok(Done::Agreed(agreed)) => return Some(agreed),
        }
        None
    }

    /// Continues with TLS, if the parameters have it.
    fn secure(&mut self, target: Target, stream: S) {
        let Some(tls) = &self.parameters.tls else { return self.provide(target, Transport::Plain(stream)) };
        self.plan.enter(target, Phase::Tls, self.clock.now());
        // A stream that the caller gave has no endpoint whose name the certificate could be checked
        // against. The first endpoint of the parameters is used.
        let endpoint = self.plan.endpoint(target).or(self.parameters.endpoints.first());
        let host = endpoint.map_or("", |endpoint| endpoint.host.as_str());
        let runtime = self.runtime.clone();
        self.begin(target, async move { secure(runtime, stream, tls, host).await.map(Done::Secured) });
    }

    /// Continues with the credentials of the parameters, or asks their provider for credentials.
    fn provide(&mut self, target: Target, transport: Transport<S>) {
        let Self { runtime, parameters, .. } = *self;
        let Some(provider) = parameters.credentials.provider() else {
            return self.shake_hands(target, transport, parameters.credentials.clone(), None);
        };
        self.plan.enter(target, Phase::Credentials, self.clock.now());
        self.begin(target, async move {
            let (credentials, renewal) = fetch_credentials(runtime, provider, parameters).await?;
            Ok(Done::Provided(transport, credentials, renewal))
        });
    }

    fn shake_hands(
        &mut self,
        target: Target,
        mut transport: Transport<S>,
        credentials: Credentials,
        renewal: Option<Renewal>,
    ) {
        let Self { parameters, used, .. } = *self;
        let reached = self.plan.reached(target);
        self.plan.enter(target, Phase::Handshake, self.clock.now());
        self.begin(target, async move {
            let mut input = BytesMut::new();
            let negotiated = negotiate(&mut transport, parameters, &credentials, used, &mut input).await?;
            let settings = Settings::from(parameters);
            Ok(Done::Agreed(Box::new(Agreed { transport, negotiated, settings, input, renewal, reached })))
        });
    }
}

#[cfg(test)]
mod tests;
