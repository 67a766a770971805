//! TLS on a stream.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use super::Transport;
use crate::config::Tls;
use crate::driver::runtime::Runtime;
use crate::error::ConnectCause;
use crate::tls::{Configured, TlsError, configure, explain, server_name};
use crate::transport::{Stream, TlsStream};

/// Performs the TLS handshake.
pub(super) async fn secure<S: Stream, R: Runtime>(
    runtime: R,
    stream: S,
    tls: &Tls,
    host: &str,
) -> Result<Transport<S>, ConnectCause> {
    let name = server_name(tls, host).map_err(cause)?;
    let (config, verifier) = match &tls.client_config {
        Some(config) => (Arc::clone(config), None),
        None => configure_elsewhere(&runtime, tls.clone()).await.map(|(config, verifier)| (config, Some(verifier)))?,
    };
    let mut stream = TlsStream::new(config, name, stream).map_err(cause)?;
    let agreed = poll_fn(|context| stream.poll_handshake(context)).await;
    agreed.map_err(|error| match error.kind() {
        // The broker may be stopping, or a proxy may be in front of one that is. Another attempt
        // may succeed, so this is an I/O error, which is retryable.
        kind @ (io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            let advice = "the other side ended the TLS handshake without an alert: it may not speak TLS";
            ConnectCause::Io(io::Error::new(kind, TlsError::because(advice.into(), error)))
        }
        _ => {
            let has_certificate = verifier.is_none_or(|verifier| verifier.has_certificate());
            explain(error, has_certificate).map_or_else(ConnectCause::Io, ConnectCause::Tls)
        }
    })?;
    Ok(Transport::Tls(Box::new(stream)))
}

/// Builds the configuration where blocking is allowed: reading files and the certificates of the
/// system takes time that other tasks should not wait for.
async fn configure_elsewhere<R: Runtime>(runtime: &R, tls: Tls) -> Result<Configured, ConnectCause> {
    match runtime.elsewhere(move || configure(&tls)).await {
        Ok(configured) => configured.map_err(cause),
        Err(error) => Err(cause(error)),
    }
}

fn cause(error: impl std::error::Error + Send + Sync + 'static) -> ConnectCause {
    ConnectCause::Tls(Box::new(error))
}
