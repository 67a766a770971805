//! Performs the steps of a [`Race`] on a network: resolves, connects, and lets one at a time agree
//! with its broker.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, timeout_at};

use super::attempts::{Attempts, Record, Used};
use super::race::{Race, Step, Target};
use super::{Agreed, Transport, agree, within, within_since};
use crate::config::{ConnectionParameters, Endpoint, EndpointOrder};
use crate::error::{ConnectCause, Phase, Progress};

/// What names are resolved and addresses connected on.
pub(super) trait Network: Sync {
    /// What connects.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// All addresses of an endpoint's name; at least one.
    fn resolve(
        &self,
        endpoint: &Endpoint,
        parameters: &ConnectionParameters,
    ) -> impl Future<Output = Result<Vec<SocketAddr>, ConnectCause>> + Send;

    /// Connects to one address.
    fn connect(
        &self,
        address: SocketAddr,
        parameters: &ConnectionParameters,
    ) -> impl Future<Output = Result<Self::Stream, ConnectCause>> + Send;
}

/// Tries everything, cycle by cycle. None where nothing came of it: the attempts tell why.
pub(super) async fn try_all<N: Network>(
    network: &N,
    parameters: &ConnectionParameters,
    attempts: &mut Attempts,
) -> Option<Agreed<Transport<N::Stream>>> {
    let mut endpoints: Vec<&Endpoint> = parameters.endpoints.iter().collect();
    if parameters.endpoint_order == EndpointOrder::Shuffled {
        fastrand::shuffle(&mut endpoints);
    }
    let delay = parameters.connection_attempt_delay.filter(|delay| !delay.is_zero());
    for cycle in 0..parameters.connection_attempts {
        if cycle > 0 {
            sleep(parameters.retry_delay).await;
        }
        attempts.record.begin_cycle();
        let race = Race::new(endpoints.len(), delay);
        let dial = Dial { network, parameters, endpoints: &endpoints, race, under_way: Vec::new() };
        if let Some(agreed) = dial.run(attempts).await {
            return Some(agreed);
        }
        if !attempts.record.may_heal() {
            break;
        }
    }
    None
}

/// A race that is being run.
struct Dial<'a, N: Network> {
    network: &'a N,
    parameters: &'a ConnectionParameters,
    /// In the order in which they are tried.
    endpoints: &'a [&'a Endpoint],
    race: Race,
    under_way: Vec<UnderWay<'a, N::Stream>>,
}

/// An attempt that resolves or connects.
struct UnderWay<'a, S> {
    target: Target,
    future: Pin<Box<dyn Future<Output = Outcome<S>> + Send + 'a>>,
}

/// What became of it.
type Outcome<S> = Result<Done<S>, ConnectCause>;

enum Done<S> {
    Resolved(Vec<SocketAddr>),
    Connected(Connected<S>),
}

/// A stream, and when its attempt began.
struct Connected<S> {
    stream: S,
    since: Instant,
}

impl<'a, N: Network> Dial<'a, N> {
    async fn run(mut self, attempts: &mut Attempts) -> Option<Agreed<Transport<N::Stream>>> {
        loop {
            match self.race.poll(Instant::now().into_std()) {
                Step::End => return None,
                Step::Start(target) => self.start(target, &mut attempts.record),
                Step::Wait(until) => {
                    let Some((target, outcome)) = self.outcome(until).await else { continue };
                    let record = &mut attempts.record;
                    let Some((progress, connected)) = self.handle(target, outcome, record) else { continue };
                    let turn = attempts.turn.insert(progress);
                    match self.take_turn(connected, turn, (record, &mut attempts.used)).await {
                        Ok(agreed) => return Some(agreed),
                        Err(cause) => {
                            if let Some(progress) = attempts.turn.take() {
                                attempts.record.fail(progress, cause);
                            }
                            self.race.handle_failed(target);
                        }
                    }
                }
            }
        }
    }

    fn start(&mut self, target: Target, record: &mut Record) {
        let Self { network, parameters, .. } = *self;
        // A race between as many endpoints as there are names no other.
        let Some(&endpoint) = self.endpoints.get(target.endpoint) else { return self.race.handle_failed(target) };
        let phase = if target.address.is_some() { Phase::Connect } else { Phase::Resolve };
        record.begin(target, Progress { endpoint: Some(endpoint.clone()), address: target.address, phase });
        let future: Pin<Box<dyn Future<Output = _> + Send + 'a>> = match target.address {
            None => Box::pin(resolve(network, endpoint, parameters)),
            Some(address) => Box::pin(connect(network, address, parameters)),
        };
        self.under_way.push(UnderWay { target, future });
    }

    /// The next outcome; none where the time has come before it.
    async fn outcome(&mut self, until: Option<std::time::Instant>) -> Option<(Target, Outcome<N::Stream>)> {
        let outcome = poll_fn(|context| self.poll_outcome(context));
        match until {
            // An outcome that is there goes first.
            Some(until) => timeout_at(until.into(), outcome).await.ok(),
            None => Some(outcome.await),
        }
    }

    fn poll_outcome(&mut self, context: &mut Context<'_>) -> Poll<(Target, Outcome<N::Stream>)> {
        for (index, attempt) in self.under_way.iter_mut().enumerate() {
            if let Poll::Ready(outcome) = attempt.future.as_mut().poll(context) {
                return Poll::Ready((self.under_way.remove(index).target, outcome));
            }
        }
        Poll::Pending
    }

    /// Takes note of an outcome. Gives a stream that goes on; one that does not is hung up.
    fn handle(
        &mut self,
        target: Target,
        outcome: Outcome<N::Stream>,
        record: &mut Record,
    ) -> Option<(Progress, Connected<N::Stream>)> {
        let progress = record.end(target)?;
        match outcome {
            Ok(Done::Resolved(addresses)) => self.race.handle_resolved(target.endpoint, addresses),
            Ok(Done::Connected(connected)) => {
                return self.race.handle_connected(target).then_some((progress, connected));
            }
            Err(cause) => {
                record.fail(progress, cause);
                self.race.handle_failed(target);
            }
        }
        None
    }

    /// Lets a stream agree with its broker, while others go on connecting.
    async fn take_turn(
        &mut self,
        connected: Connected<N::Stream>,
        progress: &mut Progress,
        attempts: (&mut Record, &mut Used),
    ) -> Result<Agreed<Transport<N::Stream>>, ConnectCause> {
        let (record, used) = attempts;
        let Connected { stream, since } = connected;
        let host = progress.endpoint.as_ref().map_or_else(String::new, |endpoint| endpoint.host.clone());
        let parameters = self.parameters;
        let agreeing = agree(stream, &host, parameters, progress, used);
        let mut agreeing = pin!(within_since(since, "stack_timeout", parameters.stack_timeout, agreeing));
        poll_fn(|context| {
            if let Poll::Ready(agreed) = agreeing.as_mut().poll(context) {
                return Poll::Ready(agreed.flatten());
            }
            while let Poll::Ready((target, outcome)) = self.poll_outcome(context) {
                let hung_up = self.handle(target, outcome, record);
                debug_assert!(hung_up.is_none(), "the turn is taken");
            }
            Poll::Pending
        })
        .await
    }
}

async fn resolve<N: Network>(
    network: &N,
    endpoint: &Endpoint,
    parameters: &ConnectionParameters,
) -> Outcome<N::Stream> {
    let resolving = network.resolve(endpoint, parameters);
    within("connect_timeout", parameters.connect_timeout, resolving).await?.map(Done::Resolved)
}

/// Connects to an address. The attempt's own time begins here.
async fn connect<N: Network>(
    network: &N,
    address: SocketAddr,
    parameters: &ConnectionParameters,
) -> Outcome<N::Stream> {
    let since = Instant::now();
    let connecting = within("connect_timeout", parameters.connect_timeout, network.connect(address, parameters));
    let stream = within("stack_timeout", parameters.stack_timeout, connecting).await???;
    Ok(Done::Connected(Connected { stream, since }))
}

#[cfg(test)]
mod tests;
