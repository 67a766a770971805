//! Values as a URL would have them.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::config::parameters::{Key, NONE};
use crate::config::url::Given;
use crate::config::{ParametersError, ParametersErrorKind};

/// A value: one text, or several for a key that comes several times.
pub(super) struct Texts(Vec<Zeroizing<String>>);

impl Texts {
    fn of(value: &(impl ToString + ?Sized)) -> Self {
        Self(vec![Zeroizing::new(value.to_string())])
    }

    pub(super) fn one(self, name: &str) -> Result<Zeroizing<String>, ParametersError> {
        let mut texts = self.0.into_iter();
        match (texts.next(), texts.next()) {
            (Some(text), None) => Ok(text),
            _ => Err(ParametersError::new(ParametersErrorKind::Malformed, name, "give one value")),
        }
    }

    pub(super) fn joined(self, separator: char) -> String {
        let texts: Vec<&str> = self.0.iter().map(|text| text.as_str()).collect();
        texts.join(&separator.to_string())
    }

    pub(super) fn add_to(self, given: &mut Given, key: &'static Key) -> Result<(), ParametersError> {
        for text in self.0 {
            let text = match text.as_str() {
                // Pika's word for it in this key.
                "true" if key.allowed == "t or f" => Zeroizing::new("t".to_owned()),
                "false" if key.allowed == "t or f" => Zeroizing::new("f".to_owned()),
                _ => text,
            };
            given.add(key, text)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false, null, a list or a map")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Texts, E> {
        Ok(Texts::of(&value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Texts, E> {
        Ok(Texts::of(&value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Texts, E> {
        Ok(Texts::of(&value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Texts, E> {
        Ok(Texts::of(&value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Texts, E> {
        Ok(Texts::of(&value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Texts, E> {
        Ok(Texts(vec![Zeroizing::new(value)]))
    }

    fn visit_unit<E: Error>(self) -> Result<Texts, E> {
        Ok(Texts::of(NONE))
    }

    fn visit_none<E: Error>(self) -> Result<Texts, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Texts, D::Error> {
        Texts::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(Texts(more)) = list.next_element()? {
            texts.extend(more);
        }
        Ok(Texts(texts))
    }

    /// An object, which a URL has as JSON.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Texts, A::Error> {
        serde_json::Value::deserialize(MapAccessDeserializer::new(map)).map(|value| Texts::of(&value))
    }
}
