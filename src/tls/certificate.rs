//! Facts about a certificate that rustls does not report: its validity, and what makes it unusable.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use pkcs8::der::Decode;
use pkcs8::der::asn1::{GeneralizedTime, UtcTime};

/// What is read from a certificate (RFC 5280 §4.1), without verification.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The version, counted from 1.
    version: u8,
    /// The beginning and end of the validity, as times since 1970.
    pub(super) validity: (Duration, Duration),
    key: Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// RSA, with the bits of its modulus.
    Rsa(usize),
    P256,
    P384,
    P521,
    OtherCurve,
    Ed25519,
    Other,
}

/// Why TLS cannot use a certificate, whatever signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Unusable {}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const VERSION: u8 = 0xa0;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ELLIPTIC_CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

impl Facts {
    /// The smallest RSA key with which rustls verifies, in bits.
    const RSA_MIN: usize = 2048;

    /// Reads a certificate. Returns `None` if the bytes are not one.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut signed = Elements(Elements(certificate).next_of(SEQUENCE)?);
        let mut fields = Elements(signed.next_of(SEQUENCE)?);
        let version = match fields.optional(VERSION) {
            Some(version) => Elements(version).next_of(INTEGER)?.last()?.saturating_add(1),
            None => 1,
        };
        fields.next_of(INTEGER)?;
        // The algorithm of the signature, and the issuer.
        fields.next_of(SEQUENCE)?;
        fields.next_of(SEQUENCE)?;
        let mut validity = Elements(fields.next_of(SEQUENCE)?);
        let validity = (validity.next_time()?, validity.next_time()?);
        // The subject.
        fields.next_of(SEQUENCE)?;
        let key = Key::of(fields.next_of(SEQUENCE)?)?;
        Some(Self { version, validity, key })
    }

    /// Returns what makes the certificate unusable whatever its signature is.
    pub(super) fn unusable(&self) -> Option<Unusable> {
        let because = |reason: String| Some(Unusable(reason));
        match (self.version, self.key) {
            (version @ ..3, _) => because(format!(
                "it is an X.509 certificate of version {version}, which names no host, and version 3 is needed (`openssl req \
                 -x509 -addext subjectAltName=DNS:HOST` makes one)"
            )),
            (_, Key::Rsa(bits)) if bits < Self::RSA_MIN => {
                because(format!("its RSA key has {bits} bits, and at least {} are needed", Self::RSA_MIN))
            }
            (_, Key::P521) => because("its key is on the curve P-521, and P-256 or P-384 is needed".to_owned()),
            (_, Key::OtherCurve) => {
                because("its key is on a curve that TLS does not use here: P-256 or P-384 is needed".to_owned())
            }
            (_, Key::Other) => because("its key is none of RSA, elliptic curves and Ed25519".to_owned()),
            (_, Key::Rsa(_) | Key::P256 | Key::P384 | Key::Ed25519) => None,
        }
    }
}

impl Key {
    /// Reads the content of a SubjectPublicKeyInfo.
    fn of(info: &[u8]) -> Option<Self> {
        let mut info = Elements(info);
        let mut algorithm = Elements(info.next_of(SEQUENCE)?);
        Some(match algorithm.next_of(OBJECT_IDENTIFIER)? {
            RSA => {
                // The first byte of a bit string is the number of unused bits in its last byte.
                let (_, key) = info.next_of(BIT_STRING)?.split_first()?;
                let modulus = Elements(Elements(key).next_of(SEQUENCE)?).next_of(INTEGER)?;
                let start = modulus.iter().position(|byte| *byte != 0)?;
                let (first, rest) = modulus.get(start..)?.split_first()?;
                Self::Rsa(8 * rest.len() + usize::try_from(u8::BITS - first.leading_zeros()).ok()?)
            }
            ELLIPTIC_CURVE => match algorithm.optional(OBJECT_IDENTIFIER) {
                Some(P256) => Self::P256,
                Some(P384) => Self::P384,
                Some(P521) => Self::P521,
                _ => Self::OtherCurve,
            },
            ED25519 => Self::Ed25519,
            _ => Self::Other,
        })
    }
}

/// The remainder of a sequence of DER elements.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Reads the next element: its tag, its content, and the whole element.
    fn next(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let (length, rest) = match usize::from(*length) {
            short @ ..0x80 => (short, rest),
            long => {
                let (digits, rest) = rest.split_at_checked(long & 0x7f)?;
                let length = digits
                    .iter()
                    .try_fold(0_usize, |length, digit| length.checked_mul(256)?.checked_add(usize::from(*digit)))?;
                (length, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - rest.len())?;
        self.0 = rest;
        Some((*tag, content, whole))
    }

    /// Reads the content of the next element, which must have this tag.
    fn next_of(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, ..)| *tag == wanted).map(|(_, content, _)| content)
    }

    /// Reads the content of the next element, if it has this tag.
    fn optional(&mut self, wanted: u8) -> Option<&'a [u8]> {
        (self.0.first() == Some(&wanted)).then(|| self.next_of(wanted)).flatten()
    }

    /// Reads a point in time, in either of the two ASN.1 types.
    fn next_time(&mut self) -> Option<Duration> {
        let (tag, _, whole) = self.next()?;
        Some(match tag {
            UTC_TIME => UtcTime::from_der(whole).ok()?.to_unix_duration(),
            _ => GeneralizedTime::from_der(whole).ok()?.to_unix_duration(),
        })
    }
}
