//! The body of a message on its way out.

use std::fmt;

use bytes::Bytes;

/// From this many octets on, a shared body is handed to the socket by reference instead of being copied.
pub const BY_REFERENCE: usize = 4096;

/// The body of a message to publish: borrowed from the caller, or shared.
///
/// Small bodies are copied once, straight into the connection's outbound buffer. A [`Bytes`] of 4 KiB or more is never
/// copied: the socket reads it where it is.
///
/// ```
/// use leveret::Body;
///
/// assert_eq!(Body::from("hello").len(), 5);
/// assert_eq!(Body::from(vec![0; 10_000]).len(), 10_000);
/// ```
///
/// `Debug` shows how long it is, and not what is in it: logs are read by people whom a message may not be for.
#[derive(Clone)]
pub enum Body<'a> {
    /// Octets that the caller keeps.
    Borrowed(&'a [u8]),
    /// Octets that the connection may keep for as long as it needs them.
    Shared(Bytes),
}

impl Body<'_> {
    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(octets) => octets,
            Self::Shared(octets) => octets,
        }
    }

    /// How many octets there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// The same octets, shared: a borrowed body is copied.
    pub fn into_shared(self) -> Bytes {
        match self {
            Self::Borrowed(octets) => Bytes::copy_from_slice(octets),
            Self::Shared(octets) => octets,
        }
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = match self {
            Self::Borrowed(_) => "Borrowed",
            Self::Shared(_) => "Shared",
        };
        write!(f, "{variant}({} bytes)", self.len())
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::Borrowed(octets)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Body<'a> {
    fn from(octets: &'a [u8; N]) -> Self {
        Self::Borrowed(octets)
    }
}

impl<'a> From<&'a str> for Body<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Body<'a> {
    fn from(text: &'a String) -> Self {
        Self::Borrowed(text.as_bytes())
    }
}

impl<'a> From<&'a Vec<u8>> for Body<'a> {
    fn from(octets: &'a Vec<u8>) -> Self {
        Self::Borrowed(octets)
    }
}

impl From<String> for Body<'_> {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl From<Vec<u8>> for Body<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Self::Shared(octets.into())
    }
}

impl From<Bytes> for Body<'_> {
    fn from(octets: Bytes) -> Self {
        Self::Shared(octets)
    }
}

impl From<&Bytes> for Body<'_> {
    fn from(octets: &Bytes) -> Self {
        Self::Shared(octets.clone())
    }
}
