//! Serialisation of short and long strings: as text, or as bytes if they are not UTF-8.

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::octets::OctetsVisitor;
use crate::wire::{LongString, ShortString};

impl Serialize for ShortString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text_or_octets(self.as_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for ShortString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let octets: Bytes = deserializer.deserialize_any(OctetsVisitor)?;
        Self::try_new(octets).map_err(Error::custom)
    }
}

impl Serialize for LongString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text_or_octets(self.as_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for LongString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OctetsVisitor).map(Self::from)
    }
}

fn text_or_octets<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(octets) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => serializer.serialize_bytes(octets),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn text_is_text() {
        assert_eq!(serde_json::to_string(&ShortString::from("grün")).unwrap(), r#""grün""#);
        assert_eq!(serde_json::from_str::<ShortString>(r#""gr\u00fcn""#).unwrap(), "grün");
        assert_eq!(serde_json::to_string(&LongString::from("a\"b")).unwrap(), r#""a\"b""#);
        assert_eq!(serde_json::from_str::<LongString>(r#""a\"b""#).unwrap(), "a\"b");
    }

    #[test]
    fn what_is_no_text_is_a_row_of_octets() {
        assert_eq!(serde_json::to_string(&ShortString::from(b"a\xff")).unwrap(), "[97,255]");
        assert_eq!(serde_json::from_str::<ShortString>("[97, 255]").unwrap(), ShortString::from(b"a\xff"));
        assert_eq!(serde_json::from_str::<LongString>("[97, 255]").unwrap(), LongString::from(b"a\xff"));
        assert!(serde_json::from_str::<LongString>("[256]").is_err());
        assert!(serde_json::from_str::<LongString>("7").is_err());
    }

    #[test]
    fn a_short_string_over_255_octets_is_refused() {
        let text = |length| format!("\"{}\"", "x".repeat(length));
        assert_eq!(serde_json::from_str::<ShortString>(&text(255)).unwrap().len(), 255);
        let error = serde_json::from_str::<ShortString>(&text(256)).unwrap_err();
        assert!(error.to_string().starts_with("short string of 256 octets, at most 255"), "{error}");
    }
}
