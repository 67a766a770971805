//! What to do about an error of TLS, in half a sentence.

use rustls::{AlertDescription, CertificateError, Error as RustlsError};

/// What rustls offers by default. It leaves out what is no longer safe.
const NOTHING_IN_COMMON: &str = "the broker found nothing that both sides can use: leveret offers TLS 1.3, and TLS 1.2 with ECDHE \
     and AES-GCM or ChaCha20 (no CBC suites); it takes certificates with RSA keys of 2048 bits and more, Ed25519 keys, and keys \
     on the curves P-256 and P-384";

/// What a person can do about an error of TLS. `has_certificate` says whether the broker's
/// certificate had arrived before it.
pub(super) fn advice(error: &RustlsError, has_certificate: bool) -> Option<&'static str> {
    Some(match error {
        RustlsError::InvalidCertificate(reason) => certificate_advice(reason),
        RustlsError::InvalidMessage(_) => {
            "the other side does not speak TLS: this may be the broker's plain port (amqp://)"
        }
        // A broker that misses a certificate has shown its own before.
        RustlsError::AlertReceived(AlertDescription::HandshakeFailure) if !has_certificate => NOTHING_IN_COMMON,
        RustlsError::PeerIncompatible(_) => NOTHING_IN_COMMON,
        RustlsError::AlertReceived(AlertDescription::ProtocolVersion) => {
            "the broker has neither TLS 1.2 nor TLS 1.3, and older versions are not spoken"
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
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "the broker's certificate names no host: its subjectAltName is what counts, and not its common name (make it with \
             `openssl req -x509 -addext subjectAltName=DNS:HOST`)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the broker's certificate is for another name: connect by that name, or give it (server_name_indication)"
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the broker shows a certificate of an authority (CA:TRUE): it is taken where exactly it is in cacertfile"
        }
        _ => "the broker's certificate is not valid",
    }
}
