//! Long strings: text or any other bytes, up to 4 GiB.

use std::str::Utf8Error;

use bytes::Bytes;

use super::{ShortString, octet_string::octet_string};

/// A string whose length has 32 bits on the wire (AMQP 0-9-1 §4.2.5.3). It may contain any bytes.
///
/// Its bytes are shared by reference count, so a clone is cheap. [`LongString::from_static`] shares
/// a literal.
///
/// ```
/// use leveret::wire::LongString;
///
/// let text = LongString::from("over the hills");
/// assert_eq!(text.to_str(), Ok("over the hills"));
/// assert_eq!(format!("{:?}", LongString::from(b"\0\xff")), r#"b"\0\xff""#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LongString(Bytes);

octet_string!(LongString);

impl LongString {
    /// Makes an empty string.
    pub const fn new() -> Self {
        Self(Bytes::new())
    }

    /// Makes a string from a literal, without an allocation.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Returns the bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not UTF-8. [`to_string`](ToString::to_string) replaces
    /// what is not.
    pub fn to_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.0)
    }

    /// Returns the length in bytes.
    #[inline]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if the string is empty.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Shares the bytes.
impl From<ShortString> for LongString {
    fn from(string: ShortString) -> Self {
        Self(string.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_other_octets_print_as_literals() {
        assert_eq!(format!("{:?}", LongString::from("a\nb")), r#""a\nb""#);
        assert_eq!(format!("{:?}", LongString::from(b"a\xff")), r#"b"a\xff""#);
        assert_eq!(LongString::from(b"a\xff").to_string(), "a\u{fffd}");
        assert!(LongString::from(b"a\xff").to_str().is_err());
    }

    #[test]
    fn a_short_string_becomes_a_long_one_without_a_copy() {
        let short = ShortString::from(String::from("hare"));
        let long = LongString::from(short.clone());
        assert_eq!(long, "hare");
        assert_eq!(long.as_bytes().as_ptr(), short.as_bytes().as_ptr());
    }

    #[test]
    fn an_empty_string_has_no_octets() {
        assert!(LongString::new().is_empty() && LongString::default().is_empty());
        assert_eq!(LongString::from_static("four").len(), 4);
    }
}
