//! From parameters to a connection: performs the dial plan of [`recovery`](crate::recovery) on this
//! machine's network.

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
use crate::config::{ConnectionParameters, Credentials, CredentialsProvider, Endpoint};
use crate::engine::{Negotiated, Settings};
use crate::error::{ConnectCause, ConnectError};
use crate::recovery::Target;
use crate::transport::{Stream, Transport};

pub(super) use options::{prepare, reachable};

/// A transport on which both sides have agreed, and on what; and what was read beyond the
/// handshake.
pub(crate) struct Agreed<S> {
    pub(crate) transport: Transport<S>,
    pub(crate) negotiated: Negotiated,
    pub(crate) settings: Settings,
    pub(crate) input: BytesMut,
    /// Whom to ask for a new secret, and how long the present one is good for.
    pub(crate) renewal: Option<Renewal>,
}

/// Credentials that expire.
pub(crate) struct Renewal {
    pub(crate) provider: Arc<dyn CredentialsProvider>,
    pub(crate) valid_for: Duration,
    /// How long the provider may take.
    pub(crate) limit: Option<Duration>,
}

/// Reaches a broker over a network and agrees with it.
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

/// Begins an attempt: its endpoint's addresses, or a stream to its address.
async fn start<N: Network>(
    network: &N,
    target: Target,
    endpoint: Option<&Endpoint>,
    parameters: &ConnectionParameters,
) -> Outcome<N::Stream> {
    match (target.address, endpoint) {
        (Some(address), _) => network.connect(address, parameters).await.map(Done::Connected),
        (None, Some(endpoint)) => network.resolve(endpoint, parameters).await.map(Done::Resolved),
        // A plan starts nothing but its own endpoints.
        (None, None) => Ok(Done::Resolved(Vec::new())),
    }
}

/// Agrees with the broker at the other end of a stream, with TLS where the parameters have it.
pub(super) async fn open_on<S: Stream, R: Runtime>(
    runtime: &R,
    stream: S,
    parameters: &ConnectionParameters,
) -> Result<Agreed<S>, ConnectError> {
    let used = Used::default();
    let mut dial = Dial::on_stream(runtime, stream, parameters, &used);
    loop {
        // There is nothing to start.
        if let Next::End(result) = dial.next().await {
            return result.map(|agreed| *agreed);
        }
    }
}

#[cfg(feature = "tls")]
use tls::secure;

/// Parameters that ask for TLS are refused before anything is tried.
#[cfg(not(feature = "tls"))]
async fn secure<S, R>(_: R, _: S, _: &crate::config::Tls, _: &str) -> Result<Transport<S>, ConnectCause> {
    std::future::ready(Err(ConnectCause::Tls("leveret was built without TLS".into()))).await
}

/// The credentials that a provider has now, and how they are renewed.
async fn fetch_credentials<R: Runtime>(
    runtime: &R,
    provider: &Arc<dyn CredentialsProvider>,
    parameters: &ConnectionParameters,
) -> Result<(Credentials, Option<Renewal>), ConnectCause> {
    let provided = runtime.provide(Arc::clone(provider)).await.map_err(ConnectCause::Provider)?;
    if provided.credentials.provider().is_some() {
        return Err(ConnectCause::Provider("the provider gave another provider, and no credentials".into()));
    }
    // Those of the parameters were checked before anything was tried; these are the provider's.
    provided.credentials.check().map_err(|error| ConnectCause::Provider(error.into()))?;
    let limit = parameters.credentials_timeout;
    let renewal = provided.valid_for.map(|valid_for| Renewal { provider: Arc::clone(provider), valid_for, limit });
    Ok((provided.credentials.or(parameters.credentials.clone()), renewal))
}
