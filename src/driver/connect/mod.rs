//! Opening a connection from its parameters: performs the dial plan of
//! [`recovery`](crate::recovery) on a network.

mod dial;
mod handshake;
mod options;
#[cfg(feature = "tls")]
mod tls;
mod used;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use self::dial::{Dial, Done, Next, Outcome};
use self::used::Used;
use super::runtime::{Network, Runtime};
use super::supervise::Dialer;
use crate::config::{ConnectionParameters, Credentials, CredentialsProvider, Endpoint};
use crate::engine::{Negotiated, Settings};
use crate::error::{ConnectCause, ConnectError};
use crate::recovery::Target;
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
) -> Result<Agreed<N::Stream>, ConnectError> {
    let used = Used::default();
    let mut dial = Dial::new(network.runtime(), parameters, &used);
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
    pub(super) network: N,
    pub(super) parameters: ConnectionParameters,
}

impl<N: Network + Send + 'static> Dialer for OverNetwork<N> {
    type Stream = N::Stream;

    async fn dial(&self, again: bool) -> Result<Agreed<N::Stream>, ConnectError> {
        if !again {
            return open_over(&self.network, &self.parameters).await;
        }
        // The supervisor makes the pauses between cycles.
        open_over(&self.network, &self.parameters.clone().connection_attempts(1)).await
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
