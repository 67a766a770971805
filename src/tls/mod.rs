//! TLS: what the settings mean to rustls, and what its errors mean to people. No I/O but the
//! reading of files.

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

/// The name that the certificate of the other side has to be for.
pub(crate) fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>, TlsError> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    // The zone of an address is this machine's business, and in no certificate.
    let name = name.split_once('%').map_or(name, |(address, _)| address);
    let key = if tls.server_name.is_some() { "server_name_indication" } else { "host" };
    ServerName::try_from(name.to_owned())
        .map_err(|error| TlsError::because(format!("{key}: {name:?} is no name that a certificate can be for"), error))
}

/// What the settings come to, for one connection.
pub(crate) type Configured = (Arc<ClientConfig>, Arc<Verifier>);

/// Reads files and the certificates of the system, which takes time.
pub(crate) fn configure(tls: &Tls) -> Result<Configured, TlsError> {
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

/// What an error of the transport means, with what a person can do about it, where it is one of
/// TLS; else the error itself. `has_certificate`: that of the other side had arrived before.
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

/// Why TLS cannot be set up, or was not agreed on.
#[derive(Debug)]
pub(crate) struct TlsError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// The source's text says more than `what` does.
    shows_source: bool,
}

impl TlsError {
    fn new(what: String) -> Self {
        Self { what, source: None, shows_source: false }
    }

    pub(crate) fn because(what: String, source: impl Error + Send + Sync + 'static) -> Self {
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
pub(crate) fn typed<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    match error.downcast_ref::<TlsError>() {
        Some(TlsError { source: Some(source), .. }) => &**source,
        _ => error,
    }
}
