//! What short and long strings have in common: conversions, comparisons and printing.

use std::fmt;

use bytes::Bytes;

/// Prints text as a string literal, other bytes as a byte string literal.
pub(super) fn fmt_debug(octets: &Bytes, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match std::str::from_utf8(octets) {
        Ok(text) => fmt::Debug::fmt(text, f),
        Err(_) => fmt::Debug::fmt(octets, f),
    }
}

/// Prints borrowed bytes as [`fmt_debug`] does.
pub(super) fn debug_octets(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match std::str::from_utf8(octets) {
        Ok(text) => fmt::Debug::fmt(text, f),
        Err(_) => fmt::Debug::fmt(&Bytes::copy_from_slice(octets), f),
    }
}

/// Prints text, with U+FFFD in place of what is not UTF-8.
pub(super) fn fmt_display(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.pad(&String::from_utf8_lossy(octets))
}

/// Implements the traits of a string type that is a newtype around [`Bytes`]. There are two types
/// because the wire has two.
macro_rules! octet_string {
    ($string:ident) => {
        impl std::fmt::Debug for $string {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::wire::octet_string::fmt_debug(&self.0, f)
            }
        }

        impl std::fmt::Display for $string {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::wire::octet_string::fmt_display(&self.0, f)
            }
        }

        impl From<bytes::Bytes> for $string {
            fn from(octets: bytes::Bytes) -> Self {
                Self(octets)
            }
        }

        impl From<$string> for bytes::Bytes {
            fn from(string: $string) -> Self {
                string.0
            }
        }

        impl From<&$string> for $string {
            fn from(string: &Self) -> Self {
                string.clone()
            }
        }

        impl From<&[u8]> for $string {
            fn from(octets: &[u8]) -> Self {
                Self(bytes::Bytes::copy_from_slice(octets))
            }
        }

        impl<const N: usize> From<&[u8; N]> for $string {
            fn from(octets: &[u8; N]) -> Self {
                Self::from(octets.as_slice())
            }
        }

        impl From<&Vec<u8>> for $string {
            fn from(octets: &Vec<u8>) -> Self {
                Self::from(octets.as_slice())
            }
        }

        impl From<&bytes::Bytes> for $string {
            fn from(octets: &bytes::Bytes) -> Self {
                Self(octets.clone())
            }
        }

        impl From<Vec<u8>> for $string {
            fn from(octets: Vec<u8>) -> Self {
                Self(octets.into())
            }
        }

        impl From<&str> for $string {
            fn from(text: &str) -> Self {
                Self::from(text.as_bytes())
            }
        }

        impl From<&&str> for $string {
            fn from(text: &&str) -> Self {
                Self::from(text.as_bytes())
            }
        }

        impl From<&std::borrow::Cow<'_, str>> for $string {
            fn from(text: &std::borrow::Cow<'_, str>) -> Self {
                Self::from(text.as_bytes())
            }
        }

        impl From<String> for $string {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&String> for $string {
            fn from(text: &String) -> Self {
                Self::from(text.as_bytes())
            }
        }

        impl From<std::borrow::Cow<'_, str>> for $string {
            fn from(text: std::borrow::Cow<'_, str>) -> Self {
                Self::from(text.into_owned())
            }
        }

        impl AsRef<[u8]> for $string {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        /// Equality, order and hash are those of the bytes, so that a map can be searched by bytes.
        impl std::borrow::Borrow<[u8]> for $string {
            fn borrow(&self) -> &[u8] {
                &self.0
            }
        }

        impl PartialEq<str> for $string {
            fn eq(&self, other: &str) -> bool {
                self.0 == other.as_bytes()
            }
        }

        impl PartialEq<&str> for $string {
            fn eq(&self, other: &&str) -> bool {
                self == *other
            }
        }

        impl PartialEq<String> for $string {
            fn eq(&self, other: &String) -> bool {
                self == other.as_str()
            }
        }

        impl PartialEq<$string> for str {
            fn eq(&self, other: &$string) -> bool {
                other == self
            }
        }

        impl PartialEq<$string> for &str {
            fn eq(&self, other: &$string) -> bool {
                other == *self
            }
        }

        impl PartialEq<$string> for String {
            fn eq(&self, other: &$string) -> bool {
                other == self.as_str()
            }
        }
    };
}

pub(super) use octet_string;
