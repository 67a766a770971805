//! TLS on a stream: what the settings mean to rustls, and what its errors mean to people.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error as RustlsError, RootCertStore,
    SignatureScheme,
};

use super::{ConnectCause, Transport};
use crate::config::{Pem, Secret, SecretOctets, Tls};

/// Agrees with the other side on TLS.
pub(super) async fn secure<T>(stream: T, tls: &Tls, host: &str) -> Result<Transport<T>, ConnectCause>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let name = server_name(tls, host)?;
    let config = match &tls.client_config {
        Some(config) => Arc::clone(config),
        None => configure_elsewhere(tls.clone()).await?,
    };
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| match error.kind() {
        // A broker that is just stopping, or a proxy before one that is: another time it may go well.
        kind @ (io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            let advice = "the other side ended the handshake of TLS without a word: it may not speak TLS";
            ConnectCause::Io(io::Error::new(kind, TlsError::because(advice.into(), error)))
        }
        _ => explained(error),
    })?;
    Ok(Transport::Tls(Box::new(stream)))
}

/// Reading files and the system's certificates takes time that other tasks should not wait for.
async fn configure_elsewhere(tls: Tls) -> Result<Arc<ClientConfig>, ConnectCause> {
    match tokio::task::spawn_blocking(move || configure(&tls)).await {
        Ok(configured) => configured.map(Arc::new).map_err(tls_cause),
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

/// What the settings come to.
fn configure(tls: &Tls) -> Result<ClientConfig, TlsError> {
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let verifier = verifier(tls, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::because("the cryptography that is installed has no version of TLS".into(), error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
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
    Ok(config)
}

fn verifier(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if !tls.verify {
        return Ok(Arc::new(TrustAnybody { provider: Arc::clone(provider) }));
    }
    let Some(ca) = &tls.ca else {
        let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(provider)).map_err(|error| {
            TlsError::because("the system has no authorities to trust: give cacertfile".into(), error)
        })?;
        return Ok(Arc::new(verifier));
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("cacertfile", ca)? {
        roots.add(certificate).map_err(|error| TlsError::because(unusable("cacertfile", ca), error))?;
    }
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    let verifier = built.map_err(|error| TlsError::because(unusable("cacertfile", ca), error))?;
    Ok(verifier)
}

fn unusable(key: &str, pem: &Pem) -> String {
    format!("{key}: {pem:?} holds a certificate that cannot be used")
}

fn read(key: &str, pem: &Pem) -> Result<Arc<SecretOctets>, TlsError> {
    match pem {
        Pem::Memory(text) => Ok(Arc::clone(text)),
        Pem::File(path) => match std::fs::read(path) {
            Ok(octets) => Ok(Arc::new(octets.into())),
            Err(error) => Err(TlsError::because(format!("{key}: {pem:?} cannot be read"), error)),
        },
    }
}

/// All certificates; at least one.
fn certificates(key: &str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(key, pem)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.expose()).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(TlsError::new(format!("{key}: {pem:?} holds no certificate in PEM")))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(TlsError::because(format!("{key}: {pem:?} is not PEM"), error)),
    }
}

/// The private key, which may stand beside the certificate, and may be encrypted.
fn private_key(tls: &Tls, certificate: &Pem) -> Result<PrivateKeyDer<'static>, TlsError> {
    let (key, pem) = tls.key.as_ref().map_or(("certfile", certificate), |pem| ("keyfile", pem));
    let text = read(key, pem)?;
    if let Some(encrypted) = section(text.expose(), "ENCRYPTED PRIVATE KEY") {
        return decrypt(encrypted, tls.key_password.as_ref(), pem);
    }
    if text.expose().windows(LEGACY.len()).any(|window| window == LEGACY) {
        let advice = "is encrypted in OpenSSL's old form, which is not read: convert it with `openssl pkcs8 -topk8`";
        return Err(TlsError::new(format!("{key}: {pem:?} {advice}")));
    }
    PrivateKeyDer::from_pem_slice(text.expose())
        .map_err(|error| TlsError::because(format!("{key}: {pem:?} holds no private key in PEM"), error))
}

/// What a key begins with that is encrypted as RFC 1421 has it.
const LEGACY: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// The text of a section of PEM.
fn section<'a>(text: &'a [u8], label: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(text).ok()?;
    let begin = text.find(&format!("-----BEGIN {label}-----"))?;
    let marker = format!("-----END {label}-----");
    let end = text.get(begin..)?.find(&marker)? + marker.len();
    text.get(begin..begin + end)
}

fn decrypt(encrypted: &str, password: Option<&Secret>, pem: &Pem) -> Result<PrivateKeyDer<'static>, TlsError> {
    let Some(password) = password else {
        return Err(TlsError::new(format!("password: the private key in {pem:?} is encrypted: give its password")));
    };
    let (_, document) = pkcs8::SecretDocument::from_pem(encrypted)
        .map_err(|error| TlsError::because(format!("keyfile: {pem:?} is not PEM"), error))?;
    let info = pkcs8::EncryptedPrivateKeyInfo::try_from(document.as_bytes())
        .map_err(|error| TlsError::because(format!("keyfile: {pem:?} holds no key in the form of PKCS #8"), error))?;
    let key = password
        .expose(|password| info.decrypt(password))
        .map_err(|error| TlsError::because(format!("password: it does not open the private key in {pem:?}"), error))?;
    Ok(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec())))
}

/// What TLS says, be it this side or an alert of the other's.
fn rustls_error(error: &io::Error) -> Option<&RustlsError> {
    error.get_ref()?.downcast_ref()
}

/// The cause that an error of the transport is, with what a person can do about it where it is one of TLS.
pub(super) fn explained(error: io::Error) -> ConnectCause {
    match rustls_error(&error).map(advice) {
        Some(Some(advice)) => tls_cause(TlsError::because(advice.into(), error)),
        Some(None) => tls_cause(error),
        None => ConnectCause::Io(error),
    }
}

fn advice(error: &RustlsError) -> Option<&'static str> {
    Some(match error {
        RustlsError::InvalidCertificate(reason) => certificate_advice(reason),
        RustlsError::InvalidMessage(_) => {
            "the other side does not speak TLS: this may be the broker's plain port (amqp://)"
        }
        RustlsError::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            "the broker refused the handshake: it may want a client certificate (certfile, keyfile)"
        }
        RustlsError::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => "the broker refused the client certificate (certfile)",
        _ => return None,
    })
}

fn certificate_advice(reason: &CertificateError) -> &'static str {
    match reason {
        CertificateError::UnknownIssuer => {
            "the broker's certificate is signed by nobody who is trusted: give its authority (cacertfile)"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the broker's certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the broker's certificate is not valid yet, or this machine's clock is wrong"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the broker's certificate is for another name: connect by that name, or give it (server_name_indication)"
        }
        _ => "the broker's certificate is not valid",
    }
}

/// Why TLS cannot be set up, or was not agreed on.
#[derive(Debug)]
struct TlsError {
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TlsError {
    fn new(what: String) -> Self {
        Self { what, source: None }
    }

    fn because(what: String, source: impl Error + Send + Sync + 'static) -> Self {
        Self { what, source: Some(Box::new(source)) }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, " ({source})"))
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Takes any certificate. Signatures are checked still: the other side has the key of whatever it shows.
#[derive(Debug)]
struct TrustAnybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for TrustAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
