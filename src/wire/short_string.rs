//! Short strings: names, routing keys, tags and other strings of at most 255 bytes.

use std::str::Utf8Error;

use bytes::Bytes;

use super::{EncodeError, EncodeErrorKind, octet_string::octet_string};

/// A string whose length is one octet on the wire (AMQP 0-9-1 §4.2.5.3).
///
/// Its bytes are shared by reference count, so a clone is cheap. [`ShortString::from_static`]
/// shares a literal. The bytes are nearly always UTF-8. Brokers also pass on routing keys that are
/// not, and these are kept unchanged.
///
/// A string that is too long for the wire converts too, so that setters accept any string and
/// return no `Result`. It is refused when it is encoded. [`ShortString::try_new`] checks the length
/// at once.
///
/// ```
/// use leveret::wire::ShortString;
///
/// let queue = ShortString::from("tasks");
/// assert_eq!(queue, "tasks");
/// assert_eq!(queue.to_str(), Ok("tasks"));
/// assert!(ShortString::try_new("x".repeat(256)).is_err());
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortString(Bytes);

octet_string!(ShortString);

impl ShortString {
    /// The largest length on the wire, in bytes.
    pub const MAX_LEN: usize = 255;

    /// Makes an empty string.
    pub const fn new() -> Self {
        Self(Bytes::new())
    }

    /// Makes a string from a literal, without an allocation.
    ///
    /// ```
    /// use leveret::wire::ShortString;
    ///
    /// const QUEUE: ShortString = ShortString::from_static("tasks");
    /// assert_eq!(QUEUE.len(), 5);
    /// ```
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Makes a string, and checks that it is not too long for the wire.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`EncodeErrorKind::ShortStringTooLong`] over 255 bytes.
    pub fn try_new(string: impl Into<Self>) -> Result<Self, EncodeError> {
        let string = string.into();
        if string.is_too_long() {
            return Err(EncodeError::new(EncodeErrorKind::ShortStringTooLong { length: string.len() }));
        }
        Ok(string)
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

    /// Returns `true` if the string is too long for the wire, so that encoding refuses it.
    pub const fn is_too_long(&self) -> bool {
        self.len() > Self::MAX_LEN
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::borrow::Cow;
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    #[test]
    fn whatever_is_a_string_converts() {
        let strings = [
            ShortString::from("hare"),
            ShortString::from(String::from("hare")),
            ShortString::from(&String::from("hare")),
            ShortString::from(Cow::Borrowed("hare")),
            ShortString::from(Cow::<str>::Owned("hare".to_owned())),
            ShortString::from(Bytes::from_static(b"hare")),
            ShortString::from(b"hare"),
            ShortString::from(b"hare".as_slice()),
            ShortString::from(b"hare".to_vec()),
            ShortString::from(&ShortString::from("hare")),
            ShortString::from_static("hare"),
        ];
        assert!(strings.iter().all(|string| *string == "hare"));
        assert_eq!(Bytes::from(ShortString::from("hare")), "hare");
    }

    #[test]
    fn a_string_equals_text_from_either_side() {
        let (string, owned) = (ShortString::from("hare"), String::from("hare"));
        assert!([string == *"hare", string == "hare", string == owned].iter().all(|equal| *equal));
        assert!([*"hare" == string, "hare" == string, owned == string].iter().all(|equal| *equal));
        assert_ne!(string, "leveret");
        assert_ne!("leveret", string);
    }

    #[test]
    fn order_is_that_of_the_octets() {
        let mut strings = ["b", "ü", "", "a", "B"].map(ShortString::from);
        strings.sort();
        assert_eq!(strings, ["", "B", "a", "b", "ü"]);
    }

    #[test]
    fn a_map_is_searched_by_octets() {
        let octets = b"k".as_slice();
        assert_eq!(HashMap::from([(ShortString::from("k"), 1)]).get(octets), Some(&1));
        assert_eq!(BTreeMap::from([(ShortString::from("k"), 1)]).get(octets), Some(&1));
    }

    #[test]
    fn a_literal_and_a_clone_share_octets() {
        const TEXT: &str = "hare";
        let string = ShortString::from_static(TEXT);
        assert_eq!(string.as_bytes().as_ptr(), TEXT.as_ptr());
        let owned = ShortString::from(String::from("hare"));
        assert_eq!(owned.clone().as_bytes().as_ptr(), owned.as_bytes().as_ptr());
    }

    #[test]
    fn a_string_of_255_octets_is_the_longest() {
        let longest = ShortString::try_new("x".repeat(255)).unwrap();
        assert!(!longest.is_too_long());
        let too_long = ShortString::from("x".repeat(256));
        assert!(too_long.is_too_long());
        let error = ShortString::try_new(too_long).unwrap_err();
        assert_eq!(error.kind(), EncodeErrorKind::ShortStringTooLong { length: 256 });
    }

    #[test]
    fn octets_that_are_no_text_survive() {
        let string = ShortString::from(b"\xfftail\"");
        assert_eq!(string.as_bytes(), b"\xfftail\"");
        assert!(string.to_str().is_err());
        assert_eq!(string.to_string(), "\u{fffd}tail\"");
        assert_eq!(format!("{string:?}"), r#"b"\xfftail\"""#);
    }

    #[test]
    fn text_prints_like_text() {
        let string = ShortString::from("grün \"x\"");
        assert_eq!(string.to_str(), Ok("grün \"x\""));
        assert_eq!(format!("{string:?}"), r#""grün \"x\"""#);
        assert_eq!(format!("{string}"), "grün \"x\"");
        assert_eq!(format!("{:>6}|", ShortString::from("abc")), "   abc|");
    }

    #[test]
    fn an_empty_string_has_no_octets() {
        assert!(ShortString::new().is_empty() && ShortString::default().is_empty());
        assert_eq!(ShortString::new().len(), 0);
        assert_eq!(format!("{:?}", ShortString::new()), r#""""#);
    }
}
