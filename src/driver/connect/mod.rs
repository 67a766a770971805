//! Opening a connection from its parameters: performs the dial plan of
//! [`recovery`](crate::recovery) on a network.

mod dial;
mod handshake;
mod options;
#[cfg(feature = "tls")]
mod tls;
mod used;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;

use self::dial::{Dial, Done, Next, Outcome};
use self::used::Used;
use super::runtime::{Alarm, Network, Runtime};
use super::supervise::Dialer;
use crate::config::{ConnectionParameters, Credentials, CredentialsProvider, Endpoint};
use crate::engine::{Negotiated, Settings};
use crate::error::{ConnectCause, ConnectError};
use crate::recovery::{Reached, Target};
use crate::transport::{Stream, Transport};

pub(super) use options::{prepare, reachable};

/// A transport after the handshake, with what was negotiated, and with what was read after the
/// handshake.
pub(crate) struct Agreed<S> {
    pub(crate) transport: Transport<S>,
    pub(crate) negotiated: Negotiated,
    pub(crate) settings: Settings,
    pub(crate) input: BytesMut,
    /// How the secret is renewed, if it expires.
    pub(crate) renewal: Option<Renewal>,
    /// Where it is connected; `None` if the caller gave the transport.
    pub(crate) reached: Option<Reached>,
}

/// The source of credentials that expire.
pub(crate) struct Renewal {
    pub(crate) provider: Arc<dyn CredentialsProvider>,
    pub(crate) valid_for: Duration,
    /// How long the provider may take.
    pub(crate) limit: Option<Duration>,
}

/// Opens a connection over a network.
pub(super) async fn open_over<N: Network>(
    network: &N,
    parameters: &ConnectionParameters,
    lost: Option<&Reached>,
) -> Result<Agreed<N::Stream>, ConnectError> {
    let used = Used::default();
    let mut dial = Dial::new(network.runtime(), parameters, lost, &used);
    loop {
        match dial.next().await {
            Next::End(result) => return result.map(|agreed| *agreed),
            Next::Start(target) => {
                let endpoint = dial.plan().endpoint(target);
                dial.begin(target, start(network, target, endpoint, parameters));
            }
        }
    }
}

/// The endpoints of the parameters, dialled over a network.
pub(super) struct OverNetwork<N> {
    network: N,
    parameters: ConnectionParameters,
    /// Where the latest connection was opened.
    reached: Mutex<Option<Reached>>,
}

impl<N> OverNetwork<N> {
    pub(super) fn new(network: N, parameters: ConnectionParameters) -> Self {
        Self { network, parameters, reached: Mutex::default() }
    }

    /// Nothing panics under this lock.
    fn reached(&self) -> MutexGuard<'_, Option<Reached>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: Network + Send + 'static> Dialer for OverNetwork<N> {
    type Stream = N::Stream;

    async fn dial(&self, again: bool) -> Result<Agreed<N::Stream>, ConnectError> {
        let lost = self.reached().clone();
        let agreed = if again {
            // The supervisor makes the pauses between cycles.
            open_over(&self.network, &self.parameters.clone().connection_attempts(1), lost.as_ref()).await
        } else {
            open_over(&self.network, &self.parameters, None).await
        }?;
        self.reached().clone_from(&agreed.reached);
        Ok(agreed)
    }

    fn parameters(&self) -> &ConnectionParameters {
        &self.parameters
    }
}

/// Performs the start of an attempt: resolves the name of its endpoint, or connects to its address.
async fn start<N: Network>(
    network: &N,
    target: Target,
    endpoint: Option<&Endpoint>,
    parameters: &ConnectionParameters,
) -> Outcome<N::Stream> {
    match (target.address, endpoint) {
        (Some(address), _) => network.connect(address, parameters).await.map(Done::Connected),
        (None, Some(endpoint)) => network.resolve(endpoint, parameters).await.map(Done::Resolved),
        // Not reached: a plan starts only its own endpoints.
        (None, None) => Ok(Done::Resolved(Vec::new())),
    }
}

/// Opens a connection on a stream of the caller's that is made now. Making it may take
/// `connect_timeout`.
pub(super) async fn open_on_made<S: Stream, R: Runtime>(
    runtime: &R,
    making: impl Future<Output = io::Result<S>>,
    parameters: &ConnectionParameters,
) -> Result<Agreed<S>, ConnectError> {
    let (mut making, mut alarm) = (pin!(making), runtime.alarm());
    let now = runtime.clock().now();
    // Without a time that a clock can represent, there is no limit.
    let ends = parameters.connect_timeout.and_then(|limit| Some((now.checked_add(limit)?, limit)));
    if let Some((at, _)) = ends {
        alarm.set(at);
    }
    let made = poll_fn(|context| match (making.as_mut().poll(context), ends) {
        (Poll::Ready(made), _) => Poll::Ready(made.map_err(ConnectCause::Io)),
        (Poll::Pending, Some((_, limit))) => {
            alarm.poll(context).map(|()| Err(ConnectCause::TimedOut { parameter: "connect_timeout", limit }))
        }
        (Poll::Pending, None) => Poll::Pending,
    });
    open_on(runtime, made.await.map_err(ConnectError::no_transport)?, parameters).await
}

/// Opens a connection on a stream, with TLS if the parameters have it.
pub(super) async fn open_on<S: Stream, R: Runtime>(
    runtime: &R,
    stream: S,
    parameters: &ConnectionParameters,
) -> Result<Agreed<S>, ConnectError> {
    let used = Used::default();
    let mut dial = Dial::on_stream(runtime, stream, parameters, &used);
    loop {
        // A plan for a given stream starts no attempts.
        if let Next::End(result) = dial.next().await {
            return result.map(|agreed| *agreed);
        }
    }
}

#[cfg(feature = "tls")]
use tls::secure;

/// Not reached: parameters with TLS are refused before anything is tried.
#[cfg(not(feature = "tls"))]
async fn secure<S, R>(_: R, _: S, _: &crate::config::Tls, _: &str) -> Result<Transport<S>, ConnectCause> {
    std::future::ready(Err(ConnectCause::Tls("leveret was built without TLS".into()))).await
}

/// Asks a provider for credentials. Also returns how they are renewed.
async fn fetch_credentials<R: Runtime>(
    runtime: &R,
    provider: &Arc<dyn CredentialsProvider>,
    parameters: &ConnectionParameters,
) -> Result<(Credentials, Option<Renewal>), ConnectCause> {
    let provided = runtime.provide(Arc::clone(provider)).await.map_err(ConnectCause::Provider)?;
    if provided.credentials.provider().is_some() {
        return Err(ConnectCause::Provider("the provider gave another provider, and no credentials".into()));
    }
    // The credentials in the parameters were checked before anything was tried; these come from the
    // provider.
    provided.credentials.check().map_err(|error| ConnectCause::Provider(error.into()))?;
    let limit = parameters.credentials_timeout;
    let renewal = provided.valid_for.map(|valid_for| Renewal { provider: Arc::clone(provider), valid_for, limit });
    Ok((provided.credentials.or(parameters.credentials.clone()), renewal))
}
