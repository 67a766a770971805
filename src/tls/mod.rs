//! TLS: the settings as a configuration of rustls, and explanations of its errors. The only I/O is
//! the reading of files.

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

use crate::config::Tls;
use advice::advice;
use certificate::Unusable;
use pem::{certificates, private_key};
use verifier::Verifier;

/// Returns the name for which the certificate of the peer has to be valid.
pub(crate) fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>, TlsError> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    // The zone of an address has a meaning on this machine only, and is in no certificate.
    let name = name.split_once('%').map_or(name, |(address, _)| address);
    let key = if tls.server_name.is_some() { "server_name_indication" } else { "host" };
    ServerName::try_from(name.to_owned()).map_err(|error| {
        TlsError::because(format!("{key}: {name:?} is not a name for which a certificate can be valid"), error)
    })
}

/// The configuration for one connection.
pub(crate) type Configured = (Arc<ClientConfig>, Arc<Verifier>);

/// Makes the configuration. It reads files and the certificates of the system, which blocks.
pub(crate) fn configure(tls: &Tls) -> Result<Configured, TlsError> {
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let verifier = Arc::new(Verifier::new(tls, &provider)?);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            TlsError::because("the installed cryptography provider supports no version of TLS".into(), error)
        })?
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

/// The error of rustls in an error of the transport: one of this side, or an alert of the peer.
fn rustls_error(error: &io::Error) -> Option<&RustlsError> {
    error.get_ref()?.downcast_ref()
}

/// Explains an error of TLS, with what to do about it. An error of the transport that is not one of
/// TLS is returned as `Err`. `has_certificate` says whether the certificate of the peer had arrived
/// before the error.
pub(crate) fn explain(error: io::Error, has_certificate: bool) -> Result<Box<dyn Error + Send + Sync>, io::Error> {
    let Some(said) = rustls_error(&error) else { return Err(error) };
    if let RustlsError::InvalidCertificate(CertificateError::Other(OtherError(reason))) = said
        && let Some(unusable) = reason.downcast_ref::<Unusable>()
    {
        let what = format!("the broker's certificate cannot be used: {unusable}");
        return Ok(Box::new(TlsError::instead(what, error)));
    }
    Ok(match advice(said, has_certificate) {
        Some(advice) => Box::new(TlsError::because(advice.into(), error)),
        None => Box::new(error),
    })
}

/// The error of TLS that cannot be set up, or whose handshake failed.
#[derive(Debug)]
pub(crate) struct TlsError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// Whether to print the text of the source, which says more than `what`.
    shows_source: bool,
}

impl TlsError {
    fn new(what: String) -> Self {
        Self { what, source: None, shows_source: false }
    }

    pub(crate) fn because(what: String, source: impl Error + Send + Sync + 'static) -> Self {
        Self { what, source: Some(Box::new(source)), shows_source: true }
    }

    /// Makes an error whose `what` says everything that the source says.
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

/// Returns the source of an explanation, or the error itself if it is not an explanation.
pub(crate) fn typed<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    match error.downcast_ref::<TlsError>() {
        Some(TlsError { source: Some(source), .. }) => &**source,
        _ => error,
    }
}
