//! The property `expiration`.

use std::fmt;
use std::time::Duration;

use crate::wire::ShortString;

/// How long a message may wait in a queue before it expires (the property `expiration`), a number
/// of milliseconds as text.
///
/// A [`Duration`] converts, and so does any text, because the wire allows any. RabbitMQ refuses
/// text that is not a number of milliseconds up to ten years. An expired message is dead-lettered
/// or lost. With 0, a message expires unless it can be delivered at once.
///
/// ```
/// use std::time::Duration;
/// use leveret::Properties;
///
/// let properties = Properties::default().expiration(Duration::from_secs(60));
/// assert_eq!(properties, Properties::default().expiration("60000"));
/// assert_eq!(properties.expiration.and_then(|expiration| expiration.to_duration()), Some(Duration::from_secs(60)));
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Expiration(ShortString);

impl Expiration {
    /// Returns the time, or `None` if the text is not a number of milliseconds.
    pub fn to_duration(&self) -> Option<Duration> {
        self.0.to_str().ok()?.parse().ok().map(Duration::from_millis)
    }

    /// Returns the bytes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Rounds up to whole milliseconds.
impl From<Duration> for Expiration {
    fn from(duration: Duration) -> Self {
        const NANOSECONDS: u128 = 1_000_000;
        Self(duration.as_nanos().div_ceil(NANOSECONDS).to_string().into())
    }
}

impl From<ShortString> for Expiration {
    fn from(text: ShortString) -> Self {
        Self(text)
    }
}

impl From<&str> for Expiration {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Expiration {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Expiration> for ShortString {
    fn from(expiration: Expiration) -> Self {
        expiration.0
    }
}

impl AsRef<ShortString> for Expiration {
    #[inline]
    fn as_ref(&self) -> &ShortString {
        &self.0
    }
}

impl PartialEq<str> for Expiration {
    fn eq(&self, other: &str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<&str> for Expiration {
    fn eq(&self, other: &&str) -> bool {
        self.0 == **other
    }
}

impl fmt::Display for Expiration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Expiration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_milliseconds_rounded_up() {
        let text = |duration: Duration| Expiration::from(duration).to_string();
        assert_eq!(text(Duration::ZERO), "0");
        assert_eq!(text(Duration::from_nanos(1)), "1");
        assert_eq!(text(Duration::from_millis(1500)), "1500");
        assert_eq!(text(Duration::MAX).len(), 23);
    }

    #[test]
    fn text_that_is_no_number_of_milliseconds_stays_and_is_no_duration() {
        let soon = Expiration::from("soon");
        assert_eq!((soon.to_string().as_str(), soon.to_duration()), ("soon", None));
        assert_eq!(Expiration::from(String::from("250")).to_duration(), Some(Duration::from_millis(250)));
    }
}
