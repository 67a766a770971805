//! From parameters to a connection: a race between the addresses of the endpoints, and with the first that connects TLS and the
//! handshake of AMQP, every step with its deadline.

mod attempts;
mod dial;
mod handshake;
mod race;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use self::attempts::{Attempts, Used};
use self::dial::Network;
use crate::config::{ConnectionParameters, Credentials, CredentialsProvider};
use crate::engine::{Negotiated, Settings};
use crate::error::{Attempt, ConnectCause, ConnectError, Phase, Progress};
pub(crate) use transport::Transport;

/// A transport on which both sides have agreed, and on what; and what was read beyond the handshake.
pub(crate) struct Agreed<T> {
    pub(crate) transport: T,
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

/// Reaches a broker over the network and agrees with it.
pub(crate) async fn open(parameters: &ConnectionParameters) -> Result<Agreed<Transport<TcpStream>>, ConnectError> {
    open_over(&tcp::Tcp, parameters).await
}

/// The same over any network.
async fn open_over<N: Network>(
    network: &N,
    parameters: &ConnectionParameters,
) -> Result<Agreed<Transport<N::Stream>>, ConnectError> {
    let mut attempts = Attempts::default();
    // On the heap: what is tried at a time is large, and would be part of every future that opens a connection.
    let trying = Box::pin(dial::try_all(network, parameters, &mut attempts));
    match within("open_timeout", parameters.open_timeout, trying).await {
        Ok(Some(agreed)) => Ok(agreed),
        Ok(None) => Err(attempts.into_error(None)),
        Err(cause) => {
            if let ConnectCause::TimedOut { parameter, limit } = cause {
                attempts.fail_all(|| ConnectCause::TimedOut { parameter, limit });
            }
            Err(attempts.into_error(Some(cause)))
        }
    }
}

/// Agrees with the broker at the other end of a stream, with TLS where the parameters have it.
pub(crate) async fn open_on<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    parameters: &ConnectionParameters,
) -> Result<Agreed<Transport<T>>, ConnectError> {
    let mut used = Used::default();
    let mut progress = Progress { endpoint: None, address: None, phase: Phase::Handshake };
    // What the broker's certificate is for: there is no address that the stream could be checked against.
    let host = parameters.endpoints.first().map_or("", |endpoint| endpoint.host.as_str());
    let opening = async {
        let stack = Box::pin(agree(stream, host, parameters, &mut progress, &mut used));
        within("stack_timeout", parameters.stack_timeout, stack).await.flatten()
    };
    let opened = within("open_timeout", parameters.open_timeout, opening).await.flatten();
    opened.map_err(|cause| ConnectError::new(vec![Attempt::new(progress, cause)], 0, None))
}

/// TLS, where the parameters have it, and the handshake.
async fn agree<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    host: &str,
    parameters: &ConnectionParameters,
    progress: &mut Progress,
    used: &mut Used,
) -> Result<Agreed<Transport<T>>, ConnectCause> {
    let transport = match &parameters.tls {
        None => Transport::Plain(stream),
        Some(tls) => {
            progress.phase = Phase::Tls;
            within("tls_timeout", parameters.tls_timeout, secure(stream, tls, host)).await??
        }
    };
    handshake(transport, parameters, progress, used).await
}

#[cfg(feature = "tls")]
use tls::secure;

/// Parameters that ask for TLS are refused before anything is tried.
#[cfg(not(feature = "tls"))]
async fn secure<T>(_: T, _: &crate::config::Tls, _: &str) -> Result<Transport<T>, ConnectCause> {
    std::future::ready(Err(ConnectCause::Tls("leveret was built without TLS".into()))).await
}

async fn handshake<T: AsyncRead + AsyncWrite + Unpin>(
    mut transport: T,
    parameters: &ConnectionParameters,
    progress: &mut Progress,
    used: &mut Used,
) -> Result<Agreed<T>, ConnectCause> {
    let (credentials, renewal) = fetch_credentials(parameters, progress).await?;
    progress.phase = Phase::Handshake;
    let mut input = BytesMut::new();
    let negotiating = handshake::negotiate(&mut transport, parameters, &credentials, used, &mut input);
    let negotiated = within("handshake_timeout", parameters.handshake_timeout, negotiating).await.flatten();
    if negotiated.as_ref().is_err_and(ConnectCause::is_tls) {
        progress.phase = Phase::Tls;
    }
    Ok(Agreed { transport, negotiated: negotiated?, settings: Settings::from(parameters), input, renewal })
}

/// The credentials of the parameters, or those that their provider has now.
async fn fetch_credentials(
    parameters: &ConnectionParameters,
    progress: &mut Progress,
) -> Result<(Credentials, Option<Renewal>), ConnectCause> {
    let Some(provider) = parameters.credentials.provider() else { return Ok((parameters.credentials.clone(), None)) };
    progress.phase = Phase::Credentials;
    let limit = parameters.credentials_timeout;
    let provided = within("credentials_timeout", limit, provider.provide()).await?.map_err(ConnectCause::Provider)?;
    if provided.credentials.provider().is_some() {
        return Err(ConnectCause::Provider("the provider gave another provider, and no credentials".into()));
    }
    // Those of the parameters were checked before anything was tried; these are the provider's.
    provided.credentials.check().map_err(|error| ConnectCause::Provider(error.into()))?;
    let renewal = provided.valid_for.map(|valid_for| Renewal { provider: Arc::clone(provider), valid_for, limit });
    Ok((provided.credentials.or(parameters.credentials.clone()), renewal))
}

/// Waits no longer than a parameter allows.
async fn within<R>(
    parameter: &'static str,
    limit: Option<Duration>,
    step: impl Future<Output = R>,
) -> Result<R, ConnectCause> {
    within_since(Instant::now(), parameter, limit, step).await
}

/// The same for a wait that began earlier.
async fn within_since<R>(
    since: Instant,
    parameter: &'static str,
    limit: Option<Duration>,
    step: impl Future<Output = R>,
) -> Result<R, ConnectCause> {
    match limit {
        Some(limit) => timeout_at(since + limit, step).await.map_err(|_| ConnectCause::TimedOut { parameter, limit }),
        None => Ok(step.await),
    }
}
