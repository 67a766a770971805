//! Performs a [`DialPlan`]: resolves, connects, and goes on with one connection at a time through
//! TLS, credentials and the handshake.

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
use crate::recovery::{DialPlan, Step, Target};
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

/// What is being done for an attempt.
struct UnderWay<'a, S> {
    target: Target,
    doing: Doing<'a, S>,
}

type Doing<'a, S> = Pin<Box<dyn Future<Output = Outcome<S>> + Send + 'a>>;

/// What became of it.
pub(super) type Outcome<S> = Result<Done<S>, ConnectCause>;

/// What was done.
pub(super) enum Done<S> {
    Resolved(Vec<SocketAddr>),
    Connected(S),
    Secured(Transport<S>),
    Provided(Transport<S>, Credentials, Option<Renewal>),
    Agreed(Box<Agreed<S>>),
}

/// What whoever knows the network has to do.
pub(super) enum Next<S> {
    /// Find the addresses of the attempt's endpoint, or connect to its address: see
    /// [`Dial::begin`].
    Start(Target),
    /// It is over.
    End(Result<Box<Agreed<S>>, ConnectError>),
}

impl<'a, S: Stream, R: Runtime> Dial<'a, S, R> {
    /// Everything that there is to try.
    pub(super) fn new(runtime: &'a R, parameters: &'a ConnectionParameters, used: &'a Used) -> Self {
        let plan = DialPlan::new(parameters, fastrand::u64(..), runtime.clock().now());
        Self::of(plan, runtime, parameters, used)
    }

    /// One stream that is there already.
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

    /// The plan that is performed.
    pub(super) fn plan(&self) -> &DialPlan<'a> {
        &self.plan
    }

    /// Something is done for an attempt from here on.
    pub(super) fn begin(&mut self, target: Target, doing: impl Future<Output = Outcome<S>> + Send + 'a) {
        self.under_way.push(UnderWay { target, doing: Box::pin(doing) });
    }

    /// Goes on, until there is something to be started or it is over.
    pub(super) async fn next(&mut self) -> Next<S> {
        loop {
            // Attempts that all fail at once, such as names that nothing is known of, would keep
            // the thread from everything else.
            poll_fn(|context| self.runtime.poll_share(context)).await;
            // All outcomes that are there go first: what has one did not run out of time.
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

    /// The next outcome; none where the time has come before it.
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

    /// An outcome that is there.
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

    /// Tells the plan of an outcome, and goes on from there. Gives what was agreed on at last.
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

    /// TLS, where the parameters have it.
    fn secure(&mut self, target: Target, stream: S) {
        let Some(tls) = &self.parameters.tls else { return self.provide(target, Transport::Plain(stream)) };
        self.plan.enter(target, Phase::Tls, self.clock.now());
        // There is no address that the caller's stream could be checked against: the broker's
        // certificate is for the first endpoint.
        let endpoint = self.plan.endpoint(target).or(self.parameters.endpoints.first());
        let host = endpoint.map_or("", |endpoint| endpoint.host.as_str());
        let runtime = self.runtime.clone();
        self.begin(target, async move { secure(runtime, stream, tls, host).await.map(Done::Secured) });
    }

    /// The credentials of the parameters, or those that their provider has now.
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
        self.plan.enter(target, Phase::Handshake, self.clock.now());
        self.begin(target, async move {
            let mut input = BytesMut::new();
            let negotiated = negotiate(&mut transport, parameters, &credentials, used, &mut input).await?;
            let settings = Settings::from(parameters);
            Ok(Done::Agreed(Box::new(Agreed { transport, negotiated, settings, input, renewal })))
        });
    }
}

#[cfg(test)]
mod tests;
