//! Verification of the broker's certificate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error as RustlsError, OtherError, RootCertStore, SignatureScheme,
};

use super::certificate::{Facts, Unusable};
use super::{TlsError, pem};
use crate::config::{Pem, Tls};

/// Verifies the broker's certificate according to the settings. It also accepts a certificate that
/// is itself in `cacertfile`, and explains why a certificate cannot be used.
#[derive(Debug)]
pub(crate) struct Verifier {
    by_chain: Arc<dyn ServerCertVerifier>,
    /// Certificates that are trusted themselves, whatever signed them.
    pinned: Vec<CertificateDer<'static>>,
    /// Whether the broker's certificate has arrived. A later alert of the broker is then about
    /// something else than a lack of common ciphers.
    has_certificate: AtomicBool,
}

impl Verifier {
    pub(super) fn new(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let mut pinned = Vec::new();
        let by_chain: Arc<dyn ServerCertVerifier> = match &tls.ca {
            _ if !tls.verify => Arc::new(AcceptAnyCertificate { provider: Arc::clone(provider) }),
            Some(ca) => {
                pinned = pem::certificates("cacertfile", ca)?;
                by_authorities(ca, &pinned, provider)?
            }
            None => Arc::new(rustls_platform_verifier::Verifier::new(Arc::clone(provider)).map_err(|error| {
                TlsError::because("the system has no authorities to trust: give cacertfile".into(), error)
            })?),
        };
        Ok(Self { by_chain, pinned, has_certificate: AtomicBool::new(false) })
    }

    pub(crate) fn has_certificate(&self) -> bool {
        self.has_certificate.load(Ordering::Relaxed)
    }
}

fn by_authorities(
    ca: &Pem,
    certificates: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let unusable = || format!("cacertfile: {ca:?} holds a certificate that cannot be used");
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|error| TlsError::because(unusable(), error))?;
    }
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    built.map_err(|error| TlsError::because(unusable(), error))
}

/// Checks the name and the time of a certificate that is trusted byte for byte. Its signature, and
/// whether it may sign others, do not matter. The handshake proves that the peer has its key.
fn check_pinned(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, RustlsError> {
    let facts = Facts::of(certificate).ok_or(CertificateError::BadEncoding)?;
    let time = Duration::from_secs(now.as_secs());
    let (not_before, not_after) = facts.validity;
    let at = UnixTime::since_unix_epoch;
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before: at(not_before) }.into());
    }
    if time > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after: at(not_after) }.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    Ok(ServerCertVerified::assertion())
}

/// Replaces a vague error by the cause, if the certificate shows it.
pub(super) fn explained(error: RustlsError, certificate: &CertificateDer<'_>) -> RustlsError {
    let RustlsError::InvalidCertificate(reason) = &error else { return error };
    let is_vague = matches!(
        reason,
        CertificateError::BadEncoding
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
            | CertificateError::Other(_)
    );
    match Facts::of(certificate).filter(|_| is_vague).and_then(|facts| facts.unusable()) {
        Some(unusable) => unusable.into(),
        None => error,
    }
}

impl From<Unusable> for RustlsError {
    fn from(unusable: Unusable) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(unusable))))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        self.has_certificate.store(true, Ordering::Relaxed);
        let verified = match self.by_chain.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(_) if self.pinned.contains(end_entity) => check_pinned(end_entity, name, now),
            verified => verified,
        };
        verified.map_err(|error| explained(error, end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let verified = self.by_chain.verify_tls12_signature(message, certificate, signed);
        verified.map_err(|error| explained(error, certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let verified = self.by_chain.verify_tls13_signature(message, certificate, signed);
        verified.map_err(|error| explained(error, certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}

/// Accepts any certificate. Signatures are still verified, so that the peer has the key of the
/// certificate that it presents.
#[derive(Debug)]
struct AcceptAnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAnyCertificate {
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
