//! What to do about errors of TLS, as clauses without a full stop.

use rustls::{AlertDescription, CertificateError, Error as RustlsError};

/// Names what rustls offers by default, which excludes what is no longer safe.
const NOTHING_IN_COMMON: &str = "the broker found nothing that both sides can use: leveret offers TLS 1.3, and TLS 1.2 with ECDHE \
     and AES-GCM or ChaCha20 (no CBC suites); it accepts certificates with RSA keys of 2048 bits and more, Ed25519 keys, and keys \
     on the curves P-256 and P-384";

/// Returns what to do about an error of TLS. `has_certificate` says whether the broker's
/// certificate had arrived before the error.
pub(super) fn advice(error: &RustlsError, has_certificate: bool) -> Option<&'static str> {
    Some(match error {
        RustlsError::InvalidCertificate(reason) => certificate_advice(reason),
        RustlsError::InvalidMessage(_) => {
            "the peer does not speak TLS: this may be the broker's port without TLS (amqp://)"
        }
        // A broker that requires a client certificate sends this alert too, but presents its own
        // certificate before.
        RustlsError::AlertReceived(AlertDescription::HandshakeFailure) if !has_certificate => NOTHING_IN_COMMON,
        RustlsError::PeerIncompatible(_) => NOTHING_IN_COMMON,
        RustlsError::AlertReceived(AlertDescription::ProtocolVersion) => {
            "the broker has neither TLS 1.2 nor TLS 1.3, and older versions are not supported"
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
            "the broker's certificate is not signed by a trusted authority: give its authority (cacertfile)"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the broker's certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the broker's certificate is not valid yet, or this machine's clock is wrong"
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "the broker's certificate names no host: only its subjectAltName counts, not its common name (make it with \
             `openssl req -x509 -addext subjectAltName=DNS:HOST`)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the broker's certificate is for another name: connect by that name, or give it (server_name_indication)"
        }
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the broker presents a certificate of an authority (CA:TRUE): it is accepted only if exactly it is in cacertfile"
        }
        _ => "the broker's certificate is not valid",
    }
}
