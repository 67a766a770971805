//! Reading certificates and keys in PEM. The errors for other formats say how to convert them.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::TlsError;
use crate::config::{Pem, Secret, SecretOctets, Tls};

fn read(key: &str, pem: &Pem) -> Result<Arc<SecretOctets>, TlsError> {
    match pem {
        Pem::Memory(text) => Ok(Arc::clone(text)),
        Pem::File(path) => match std::fs::read(path) {
            Ok(octets) => Ok(Arc::new(octets.into())),
            Err(error) => Err(TlsError::because(format!("{key}: {pem:?} cannot be read"), error)),
        },
    }
}

/// Reads all certificates, at least one.
pub(super) fn certificates(key: &str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(key, pem)?;
    refuse_other_forms(key, pem, text.expose())?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.expose()).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(TlsError::new(format!("{key}: {pem:?} holds no certificate in PEM")))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(TlsError::because(format!("{key}: {pem:?} is not PEM"), error)),
    }
}

/// Reads the private key, which may be in the file of the certificate, and may be encrypted.
pub(super) fn private_key(tls: &Tls, certificate: &Pem) -> Result<PrivateKeyDer<'static>, TlsError> {
    let (key, pem) = tls.key.as_ref().map_or(("certfile", certificate), |pem| ("keyfile", pem));
    let text = read(key, pem)?;
    refuse_other_forms(key, pem, text.expose())?;
    if let Some(encrypted) = section(text.expose(), "ENCRYPTED PRIVATE KEY") {
        return decrypt(encrypted, tls.key_password.as_ref(), pem);
    }
    if text.expose().windows(LEGACY.len()).any(|window| window == LEGACY) {
        let advice =
            "is encrypted in OpenSSL's old form, which is not supported: convert it with `openssl pkcs8 -topk8`";
        return Err(TlsError::new(format!("{key}: {pem:?} {advice}")));
    }
    PrivateKeyDer::from_pem_slice(text.expose())
        .map_err(|error| TlsError::because(format!("{key}: {pem:?} holds no private key in PEM"), error))
}

/// The beginning of a key that is encrypted in the format of RFC 1421.
const LEGACY: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// Returns the text of a section of PEM.
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
        .map_err(|error| TlsError::because(format!("keyfile: {pem:?} holds no key in PKCS #8"), error))?;
    let key = password.expose(|password| info.decrypt(password)).map_err(|error| {
        TlsError::because(format!("password: it does not decrypt the private key in {pem:?}"), error)
    })?;
    Ok(PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec())))
}

/// The beginning of every section of PEM.
const BEGIN: &[u8] = b"-----BEGIN ";

/// A format of certificates and keys other than PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OtherForm {
    /// PKCS #12: a certificate with its key and its chain in one file (RFC 7292).
    Pkcs12,
    /// A keystore of Java.
    JavaKeystore,
    /// DER, whose bytes PEM encodes as text.
    Der,
}

impl OtherForm {
    fn of(bytes: &[u8]) -> Option<Self> {
        // Any text may come before a section of PEM.
        if bytes.windows(BEGIN.len()).any(|window| window == BEGIN) {
            return None;
        }
        if bytes.starts_with(&[0xfe, 0xed, 0xfe, 0xed]) {
            return Some(Self::JavaKeystore);
        }
        // An ASN.1 sequence. The byte after the tag is its length, or says how many bytes of length
        // follow.
        let [0x30, length, rest @ ..] = bytes else { return None };
        let more = if *length < 0x80 { 0 } else { usize::from(length & 0x7f) };
        match rest.get(more..)? {
            // The structure of PKCS #12 begins with its version, which is 3.
            [2, 1, 3, ..] => Some(Self::Pkcs12),
            [2 | 0x30, ..] => Some(Self::Der),
            _ => None,
        }
    }

    /// Returns what the format is, and the command that converts it into PEM.
    fn advice(self, key: &str) -> &'static str {
        match (self, key) {
            (Self::Pkcs12, "cacertfile") => {
                "is a PKCS #12 file, which is not supported: convert it with `openssl pkcs12 -in FILE -nokeys -out ca.pem`"
            }
            (Self::Pkcs12, _) => {
                "is a PKCS #12 file, which is not supported: convert it with `openssl pkcs12 -in FILE -nodes -out client.pem`, and \
                 give that file as certfile; the key is in it too"
            }
            (Self::JavaKeystore, _) => {
                "is a Java keystore, which is not supported: convert it with `keytool -importkeystore -srckeystore FILE \
                 -destkeystore client.p12 -deststoretype pkcs12`, and that with `openssl pkcs12 -in client.p12 -nodes -out \
                 client.pem`"
            }
            (Self::Der, "keyfile") => {
                "is in DER, and only PEM is supported: convert it with `openssl pkey -inform DER -in FILE -out client.key`"
            }
            (Self::Der, _) => {
                "is in DER, and only PEM is supported: convert it with `openssl x509 -inform DER -in FILE -out FILE.pem`"
            }
        }
    }
}

fn refuse_other_forms(key: &str, pem: &Pem, bytes: &[u8]) -> Result<(), TlsError> {
    match OtherForm::of(bytes) {
        Some(form) => Err(TlsError::new(format!("{key}: {pem:?} {}", form.advice(key)))),
        None => Ok(()),
    }
}
