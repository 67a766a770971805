//! Names of exchanges and queues, and routing keys, borrowed or shared.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::Utf8Error;

use bytes::Bytes;

use super::ShortString;
use super::octet_string::{debug_octets, fmt_display};

/// The name of an exchange or queue, or a routing key, as a publish accepts it and a delivery
/// returns it.
///
/// Any kind of string converts into a name, by value or by reference: text, bytes, a
/// [`ShortString`] that a declare returned, another name. Borrowing needs no allocation. A name
/// converts into a `ShortString`, so that declare, bind and consume accept the same types. Names
/// are nearly always UTF-8. Others are kept unchanged, so that a message can be published again
/// with exactly the names with which it arrived:
///
/// ```no_run
/// # async fn example(channel: leveret::Channel, delivery: leveret::Delivery) -> leveret::Result<()> {
/// channel.publish("retries", delivery.routing_key(), delivery.body()).await?;
/// # Ok(())
/// # }
/// ```
///
/// A name over 255 bytes is refused when it is encoded.
///
/// ```
/// use leveret::wire::{Name, ShortString};
///
/// let name = Name::from("kern.info");
/// assert_eq!(name, "kern.info");
/// assert_eq!(name.to_str(), Ok("kern.info"));
/// assert_eq!(ShortString::from(name), "kern.info");
/// ```
#[derive(Clone)]
pub struct Name<'a>(Repr<'a>);

#[derive(Clone)]
enum Repr<'a> {
    Borrowed(&'a [u8]),
    Shared(ShortString),
}

impl Name<'_> {
    /// Returns the bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Borrowed(bytes) => bytes,
            Repr::Shared(string) => string.as_bytes(),
        }
    }

    /// Returns the text.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not UTF-8. `Display` and
    /// [`to_string_lossy`](Self::to_string_lossy) replace what is not.
    pub fn to_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self.as_bytes())
    }

    /// Returns the text, with `U+FFFD` in place of what is not UTF-8.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// Returns `true` if the name is empty, as the name of the default exchange is.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Returns the same name as an owned one: borrowed bytes are copied.
    pub fn into_owned(self) -> Name<'static> {
        Name(Repr::Shared(self.into()))
    }
}

impl<'a> From<&'a [u8]> for Name<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Name<'a> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Name<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<'a> From<&'a Bytes> for Name<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self(Repr::Borrowed(bytes))
    }
}

impl<'a> From<&'a str> for Name<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a &str> for Name<'a> {
    fn from(text: &'a &str) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a String> for Name<'a> {
    #[inline]
    fn from(text: &'a String) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<&'a Cow<'_, str>> for Name<'a> {
    fn from(text: &'a Cow<'_, str>) -> Self {
        Self(Repr::Borrowed(text.as_bytes()))
    }
}

impl<'a> From<Cow<'a, str>> for Name<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl<'a> From<&'a ShortString> for Name<'a> {
    #[inline]
    fn from(string: &'a ShortString) -> Self {
        Self(Repr::Borrowed(string.as_bytes()))
    }
}

impl<'a> From<&'a Name<'_>> for Name<'a> {
    fn from(name: &'a Name<'_>) -> Self {
        Self(Repr::Borrowed(name.as_bytes()))
    }
}

impl From<ShortString> for Name<'_> {
    fn from(string: ShortString) -> Self {
        Self(Repr::Shared(string))
    }
}

impl From<String> for Name<'_> {
    fn from(text: String) -> Self {
        Self(Repr::Shared(text.into()))
    }
}

impl From<Vec<u8>> for Name<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Repr::Shared(bytes.into()))
    }
}

impl From<Bytes> for Name<'_> {
    fn from(bytes: Bytes) -> Self {
        Self(Repr::Shared(bytes.into()))
    }
}

impl From<Name<'_>> for ShortString {
    fn from(name: Name<'_>) -> Self {
        match name.0 {
            Repr::Borrowed(bytes) => bytes.into(),
            Repr::Shared(string) => string,
        }
    }
}

impl From<&Name<'_>> for ShortString {
    fn from(name: &Name<'_>) -> Self {
        name.clone().into()
    }
}

impl AsRef<[u8]> for Name<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_display(self.as_bytes(), f)
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_octets(self.as_bytes(), f)
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name<'_> {}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialEq<str> for Name<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Name<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq<String> for Name<'_> {
    fn eq(&self, other: &String) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<ShortString> for Name<'_> {
    fn eq(&self, other: &ShortString) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a publish and a declare take.
    fn both<'a>(given: impl Into<Name<'a>> + Into<ShortString> + Clone) -> bool {
        let (name, string): (Name<'a>, ShortString) = (given.clone().into(), given.into());
        name == string && name == "hare"
    }

    #[test]
    fn a_name_and_a_short_string_are_made_of_the_same_things() {
        let (owned, string) = (String::from("hare"), ShortString::from("hare"));
        let (octets, shared) = (b"hare".to_vec(), Bytes::from_static(b"hare"));
        let (borrowed, copied) = (Cow::Borrowed("hare"), Cow::<str>::Owned(owned.clone()));
        let name = Name::from("hare");
        assert!(both("hare") && both(&"hare") && both(&owned) && both(owned));
        assert!(both(&string) && both(string) && both(&name) && both(name));
        assert!(both(b"hare") && both(&b"hare"[..]) && both(&octets) && both(octets));
        assert!(both(&shared) && both(shared) && both(&borrowed) && both(borrowed.clone()) && both(copied));
    }

    #[test]
    fn what_is_borrowed_is_not_copied_and_what_is_shared_stays_shared() {
        let text = String::from("hare");
        assert_eq!(Name::from(&text).as_bytes().as_ptr(), text.as_ptr());
        let string = ShortString::from(text);
        let owned = Name::from(string.clone()).into_owned();
        assert_eq!(owned.as_bytes().as_ptr(), string.as_bytes().as_ptr());
    }

    #[test]
    fn bytes_that_are_no_text_survive() {
        let name = Name::from(&[0xFF, b'a']);
        assert!(name.to_str().is_err() && !name.is_empty());
        assert_eq!((name.to_string().as_str(), &*name.to_string_lossy()), ("\u{fffd}a", "\u{fffd}a"));
        assert_eq!(ShortString::from(&name).as_bytes(), [0xFF, b'a']);
        assert_eq!(format!("{name:?}"), r#"b"\xffa""#);
    }
}
