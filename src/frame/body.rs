//! The body of an outbound message.

use std::borrow::Cow;
use std::fmt;

use bytes::{Bytes, BytesMut};

/// The size in bytes from which a shared body is passed to the socket by reference instead of being
/// copied.
pub const BY_REFERENCE: usize = 4096;

/// The body of a message to publish, borrowed from the caller or shared.
///
/// Small bodies are copied once, into the connection's outbound buffer. A [`Bytes`] of 4 KiB or
/// more is never copied: the socket reads it in place.
///
/// ```
/// use leveret::Body;
///
/// assert_eq!(Body::from("hello").len(), 5);
/// assert_eq!(Body::from(vec![0; 10_000]).len(), 10_000);
/// ```
///
/// `Debug` shows the length and not the contents, because a message may be confidential and `Debug`
/// often ends in a log.
#[derive(Clone)]
pub struct Body<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    /// Bytes that the caller owns.
    Borrowed(&'a [u8]),
    /// Bytes that the connection can keep as long as it needs them.
    Shared(Bytes),
}

impl Body<'_> {
    /// Returns the bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(octets) => octets,
            Repr::Shared(octets) => octets,
        }
    }

    /// Returns the number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Returns `true` if there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Returns the bytes as shared ones. A borrowed body is copied.
    pub fn into_shared(self) -> Bytes {
        match self.0 {
            Repr::Borrowed(octets) => Bytes::copy_from_slice(octets),
            Repr::Shared(octets) => octets,
        }
    }

    /// Returns the same body as an owned one. A borrowed body is copied.
    pub fn into_owned(self) -> Body<'static> {
        Body(Repr::Shared(self.into_shared()))
    }

    /// The bytes to pass by reference, if the connection can keep them and a copy would cost more.
    #[inline]
    pub(super) fn by_reference(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Shared(octets) if octets.len() >= BY_REFERENCE => Some(octets),
            _ => None,
        }
    }

    /// Copies a borrowed body that is large enough to be passed by reference.
    #[inline]
    pub(crate) fn share_large(&mut self) {
        if let Repr::Borrowed(octets) = self.0
            && octets.len() >= BY_REFERENCE
        {
            self.0 = Repr::Shared(Bytes::copy_from_slice(octets));
        }
    }
}

impl Default for Body<'_> {
    /// An empty body.
    fn default() -> Self {
        Self(Repr::Borrowed(&[]))
    }
}

impl AsRef<[u8]> for Body<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = match &self.0 {
            Repr::Borrowed(_) => "Borrowed",
            Repr::Shared(_) => "Shared",
        };
        write!(f, "{variant}({} bytes)", self.len())
    }
}

impl<'a> From<&'a [u8]> for Body<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self(Repr::Borrowed(octets))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Body<'a> {
    fn from(octets: &'a [u8; N]) -> Self {
        Self(Repr::Borrowed(octets))
    }
}

impl<'a> From<&'a str> for Body<'a> {
    fn from(text: &'a str) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a String> for Body<'a> {
    fn from(text: &'a String) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a Vec<u8>> for Body<'a> {
    fn from(octets: &'a Vec<u8>) -> Self {
        Self(Repr::Borrowed(octets))
    }
}

impl From<String> for Body<'_> {
    fn from(text: String) -> Self {
        Self(Repr::Shared(text.into()))
    }
}

impl From<Vec<u8>> for Body<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Self(Repr::Shared(octets.into()))
    }
}

impl From<Bytes> for Body<'_> {
    fn from(octets: Bytes) -> Self {
        Self(Repr::Shared(octets))
    }
}

impl From<&Bytes> for Body<'_> {
    fn from(octets: &Bytes) -> Self {
        Self(Repr::Shared(octets.clone()))
    }
}

impl<'a> From<&'a &str> for Body<'a> {
    fn from(text: &'a &str) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<Cow<'a, str>> for Body<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl<'a> From<Cow<'a, [u8]>> for Body<'a> {
    fn from(octets: Cow<'a, [u8]>) -> Self {
        match octets {
            Cow::Borrowed(octets) => octets.into(),
            Cow::Owned(octets) => octets.into(),
        }
    }
}

impl From<Box<[u8]>> for Body<'_> {
    fn from(octets: Box<[u8]>) -> Self {
        Self(Repr::Shared(octets.into()))
    }
}

impl<const N: usize> From<[u8; N]> for Body<'_> {
    fn from(octets: [u8; N]) -> Self {
        Self(Repr::Shared(octets.to_vec().into()))
    }
}

impl From<BytesMut> for Body<'_> {
    fn from(octets: BytesMut) -> Self {
        Self(Repr::Shared(octets.freeze()))
    }
}

impl<'a> From<&'a Body<'_>> for Body<'a> {
    fn from(body: &'a Body<'_>) -> Self {
        match &body.0 {
            Repr::Borrowed(octets) => Self(Repr::Borrowed(octets)),
            Repr::Shared(octets) => Self(Repr::Shared(octets.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_bytes_is_a_body() {
        let (text, octets) = (String::from("hare"), b"hare".to_vec());
        let shared = Bytes::from_static(b"hare");
        let bodies = [
            Body::from("hare"),
            Body::from(&"hare"),
            Body::from(&text),
            Body::from(text.clone()),
            Body::from(Cow::Borrowed("hare")),
            Body::from(Cow::<str>::Owned(text.clone())),
            Body::from(b"hare"),
            Body::from(*b"hare"),
            Body::from(&octets),
            Body::from(octets.clone()),
            Body::from(Cow::Borrowed(octets.as_slice())),
            Body::from(octets.clone().into_boxed_slice()),
            Body::from(&shared),
            Body::from(shared.clone()),
            Body::from(BytesMut::from(&shared[..])),
        ];
        for body in &bodies {
            assert_eq!((body.as_slice(), Body::from(body).into_owned().into_shared()), (&b"hare"[..], shared.clone()));
        }
        assert!(Body::default().is_empty());
    }

    #[test]
    fn a_large_body_is_handed_out_by_reference_once_it_is_shared() {
        let octets = vec![7; BY_REFERENCE];
        let mut body = Body::from(&octets);
        assert!(body.by_reference().is_none(), "it is the caller's");
        body.share_large();
        assert_eq!(body.by_reference().map(|shared| shared.len()), Some(BY_REFERENCE));
        let octets = vec![7; BY_REFERENCE - 1];
        let mut small = Body::from(&octets);
        small.share_large();
        assert!(small.by_reference().is_none() && Body::from(octets.clone()).by_reference().is_none());
    }
}
