//! Tests of which certificates are accepted, and of the errors of those that are not. The files
//! were made by OpenSSL 3.0:
//!
//! ```sh
//! openssl req -x509 -newkey KIND -nodes -days 36500 -subj /CN=broker.test -addext subjectAltName=DNS:broker.test
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error as RustlsError};

use super::advice::advice;
use super::certificate::Facts;
use super::verifier::{Verifier, explained};
use super::{certificates, private_key};
use crate::config::{Pem, Tls};

/// A P-256 key and CA:TRUE, the defaults of the command.
const SELF_SIGNED: &str = include_str!("self_signed.pem");

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// Verifies a broker that presents the certificate `shown`, where `trusted` has the trusted
/// authorities.
fn verify(trusted: &str, shown: &CertificateDer<'_>, name: &str, at: Duration) -> Result<(), RustlsError> {
    let tls = Tls::default().ca(Pem::memory(trusted));
    let verifier = Verifier::new(&tls, &Arc::new(ring::default_provider())).unwrap();
    let name = ServerName::try_from(name).unwrap();
    let verified = verifier.verify_server_cert(shown, &[], &name, &[], UnixTime::since_unix_epoch(at));
    assert!(verifier.has_certificate());
    verified.map(drop)
}

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn a_certificate_that_is_its_own_authority_is_taken_where_it_is_trusted_itself() {
    let shown = der(SELF_SIGNED);
    let (from, to) = Facts::of(&shown).unwrap().validity;
    assert_eq!(verify(SELF_SIGNED, &shown, "broker.test", from + DAY), Ok(()));

    let error = verify(SELF_SIGNED, &shown, "other.test", from + DAY).unwrap_err();
    let RustlsError::InvalidCertificate(CertificateError::NotValidForNameContext { .. }) = error else {
        panic!("{error}")
    };
    let error = verify(SELF_SIGNED, &shown, "broker.test", to + DAY).unwrap_err();
    let RustlsError::InvalidCertificate(CertificateError::ExpiredContext { .. }) = error else { panic!("{error}") };
    let error = verify(SELF_SIGNED, &shown, "broker.test", from - DAY).unwrap_err();
    let RustlsError::InvalidCertificate(CertificateError::NotValidYetContext { .. }) = error else { panic!("{error}") };
}

#[test]
fn a_certificate_of_an_authority_is_not_taken_where_it_is_not_exactly_that() {
    let shown = der(SELF_SIGNED);
    let (from, _) = Facts::of(&shown).unwrap().validity;
    let other = include_str!("p521.pem");
    let error = verify(other, &shown, "broker.test", from + DAY).unwrap_err();
    assert!(advice(&error, true).unwrap().contains("exactly it is in cacertfile"), "{error}");
}

#[test]
fn a_certificate_that_is_trusted_itself_needs_no_authority() {
    let authority = CertifiedIssuer::self_signed(CertificateParams::default(), KeyPair::generate().unwrap()).unwrap();
    let asked = CertificateParams::new(["broker.test".to_owned()]).unwrap();
    let shown = asked.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
    // The default of rcgen, from 1975 on.
    let now = Duration::from_secs(1_800_000_000);
    assert_eq!(verify(&shown.pem(), shown.der(), "broker.test", now), Ok(()));
    let another = asked.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
    assert!(verify(&shown.pem(), another.der(), "broker.test", now).is_err());
}

#[test]
fn a_certificate_that_names_no_host_is_refused_with_how_to_name_one() {
    let shown = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
    let error = verify(&shown.pem(), shown.der(), "broker.test", Duration::from_secs(1_800_000_000)).unwrap_err();
    assert!(advice(&error, true).unwrap().contains("subjectAltName"), "{error}");
}

#[test]
fn what_makes_a_certificate_unusable_is_named() {
    let cases = [
        (include_str!("rsa1024.pem"), "its RSA key has 1024 bits, and at least 2048"),
        (include_str!("p521.pem"), "on the curve P-521"),
        (include_str!("secp256k1.pem"), "on a curve that TLS does not use here"),
        (include_str!("version1.pem"), "an X.509 certificate of version 1"),
    ];
    for (pem, expected) in cases {
        let shown = der(pem);
        let error = explained(CertificateError::BadSignature.into(), &shown);
        assert!(format!("{error:?}").contains(expected), "{error:?}");
        // A specific error is not replaced.
        let error = explained(CertificateError::Revoked.into(), &shown);
        assert_eq!(error, CertificateError::Revoked.into());
    }
    assert_eq!(Facts::of(&der(SELF_SIGNED)).unwrap().unusable(), None);
    let error = explained(CertificateError::BadSignature.into(), &der(SELF_SIGNED));
    assert_eq!(error, CertificateError::BadSignature.into());
}

#[test]
fn a_certificate_of_version_1_says_so_though_it_is_trusted_itself() {
    let pem = include_str!("version1.pem");
    let (from, _) = Facts::of(&der(pem)).unwrap().validity;
    let error = verify(pem, &der(pem), "broker.test", from + DAY).unwrap_err();
    assert!(format!("{error:?}").contains("version 1"), "{error:?}");
}

#[test]
fn no_bytes_are_a_certificate_that_is_cut_off() {
    let whole = der(SELF_SIGNED);
    for end in 0..whole.len() {
        assert_eq!(Facts::of(&whole[..end]), None, "{end}");
    }
}

#[test]
fn files_that_are_not_pem_are_named_with_the_command_that_converts_them() {
    // The beginnings of what `openssl pkcs12 -export`, `keytool`, `openssl x509` and `openssl pkey`
    // write.
    let cases: [(&[u8], &str, &str); 5] = [
        (&[0x30, 0x82, 0x04, 0x2c, 0x02, 0x01, 0x03, 0x30, 0x82], "openssl pkcs12 -in", "openssl pkcs12 -in"),
        (&[0x30, 0x80, 0x02, 0x01, 0x03, 0x30, 0x80], "openssl pkcs12 -in", "openssl pkcs12 -in"),
        (&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], "keytool", "keytool"),
        (&[0x30, 0x82, 0x01, 0x9c, 0x30, 0x82, 0x01, 0x41], "openssl x509 -inform DER", "openssl pkey -inform DER"),
        (&[0x30, 0x77, 0x02, 0x01, 0x01, 0x04], "openssl x509 -inform DER", "openssl pkey -inform DER"),
    ];
    for (bytes, for_certificate, for_key) in cases {
        for key in ["certfile", "cacertfile"] {
            let error = certificates(key, &Pem::memory(bytes)).unwrap_err().to_string();
            assert!(error.starts_with(key) && error.contains(for_certificate), "{error}");
        }
        let tls = Tls::default().key(Pem::memory(bytes));
        let error = private_key(&tls, &Pem::memory(SELF_SIGNED)).unwrap_err().to_string();
        assert!(error.starts_with("keyfile") && error.contains(for_key), "{error}");
    }
}
