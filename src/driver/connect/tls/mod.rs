//! TLS on a stream: what the settings mean to rustls, and what its errors mean to people.

mod advice;
mod certificate;
mod pem;
#[cfg(test)]
mod tests;
mod verifier;

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error as RustlsError, OtherError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::{ConnectCause, Transport};
use crate::config::Tls;
use advice::advice;
use certificate::Unusable;
use pem::{certificates, private_key};
use verifier::Verifier;

/// Agrees with the other side on TLS.
pub(super) async fn secure<T>(stream: T, tls: &Tls, host: &str) -> Result<Transport<T>, ConnectCause>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let name = server_name(tls, host)?;
    let (config, verifier) = match &tls.client_config {
        Some(config) => (Arc::clone(config), None),
        None => configure_elsewhere(tls.clone()).await.map(|(config, verifier)| (config, Some(verifier)))?,
    };
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| match error.kind() {
        // A broker that is just stopping, or a proxy before one that is: another time it may go well.
        kind @ (io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            let advice = "the other side ended the handshake of TLS without a word: it may not speak TLS";
            ConnectCause::Io(io::Error::new(kind, TlsError::because(advice.into(), error)))
        }
        _ => explained_after(error, verifier.is_none_or(|verifier| verifier.has_certificate())),
    })?;
    Ok(Transport::Tls(Box::new(stream)))
}

/// Reading files and the system's certificates takes time that other tasks should not wait for.
async fn configure_elsewhere(tls: Tls) -> Result<Configured, ConnectCause> {
    match tokio::task::spawn_blocking(move || configure(&tls)).await {
        Ok(configured) => configured.map_err(tls_cause),
        Err(error) => Err(tls_cause(error)),
    }
}

fn tls_cause(error: impl Error + Send + Sync + 'static) -> ConnectCause {
    ConnectCause::Tls(Box::new(error))
}

fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>, ConnectCause> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    // The zone of an address is this machine's business, and in no certificate.
    let name = name.split_once('%').map_or(name, |(address, _)| address);
    let key = if tls.server_name.is_some() { "server_name_indication" } else { "host" };
    ServerName::try_from(name.to_owned()).map_err(|error| {
        tls_cause(TlsError::because(format!("{key}: {name:?} is no name that a certificate can be for"), error))
    })
}

/// What the settings come to, for one connection.
type Configured = (Arc<ClientConfig>, Arc<Verifier>);

fn configure(tls: &Tls) -> Result<Configured, TlsError> {
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let verifier = Arc::new(Verifier::new(tls, &provider)?);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::because("the cryptography that is installed has no version of TLS".into(), error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone());
    let mut config = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let chain = certificates("certfile", certificate)?;
            let key = private_key(tls, certificate)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                let pems = match &tls.key {
                    Some(key) => format!("certfile: {certificate:?} and keyfile: {key:?} do not belong together, or"),
                    None => format!("certfile: {certificate:?}: certificate and key do not belong together, or"),
                };
                TlsError::because(format!("{pems} cannot be used"), error)
            })?
        }
    };
    config.enable_sni = tls.send_server_name;
    Ok((Arc::new(config), verifier))
}

/// What TLS says, be it this side or an alert of the other's.
fn rustls_error(error: &io::Error) -> Option<&RustlsError> {
    error.get_ref()?.downcast_ref()
}

/// The cause that an error of the transport is, with what a person can do about it where it is one of TLS.
pub(super) fn explained(error: io::Error) -> ConnectCause {
    explained_after(error, true)
}

/// The same, `has_certificate` saying whether the broker's certificate had arrived before.
fn explained_after(error: io::Error, has_certificate: bool) -> ConnectCause {
    let Some(said) = rustls_error(&error) else { return ConnectCause::Io(error) };
    if let RustlsError::InvalidCertificate(CertificateError::Other(OtherError(reason))) = said
        && let Some(unusable) = reason.downcast_ref::<Unusable>()
    {
        let what = format!("the broker's certificate cannot be used: {unusable}");
        return tls_cause(TlsError::instead(what, error));
    }
    match advice(said, has_certificate) {
        Some(advice) => tls_cause(TlsError::because(advice.into(), error)),
        None => tls_cause(error),
    }
}

/// Why TLS cannot be set up, or was not agreed on.
#[derive(Debug)]
struct TlsError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// The source's text says more than `what` does.
    shows_source: bool,
}

impl TlsError {
    fn new(what: String) -> Self {
        Self { what, source: None, shows_source: false }
    }

    fn because(what: String, source: impl Error + Send + Sync + 'static) -> Self {
        Self { what, source: Some(Box::new(source)), shows_source: true }
    }

    /// `what` says all that the source does.
    fn instead(what: String, source: impl Error + Send + Sync + 'static) -> Self {
        Self { shows_source: false, ..Self::because(what, source) }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.source.as_ref().filter(|_| self.shows_source).map_or(Ok(()), |source| write!(f, " ({source})"))
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().and_then(Error::source)
    }
}

/// The error behind an explanation, or the error itself where there is none.
pub(super) fn typed<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    match error.downcast_ref::<TlsError>() {
        Some(TlsError { source: Some(source), .. }) => &**source,
        _ => error,
    }
}
