//! Values of a map in the types of the format, and their conversion into the texts of a URL.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::Number;
use zeroize::Zeroizing;

use crate::config::parameters::{Form, Key, NONE};
use crate::config::{ParametersError, ParametersErrorKind};

use ParametersErrorKind::{Empty, Malformed, RepeatedKey};

/// A text, which is overwritten in memory when it is dropped, because it may be a password.
pub(super) type Text = Zeroizing<String>;

/// Names and their values, without repeated names.
pub(super) type Entries = Vec<(String, Value)>;

/// A value of a map.
pub(super) enum Value {
    Null,
    Flag(bool),
    Number(Number),
    Text(Text),
    List(Vec<Value>),
    Map(Entries),
}

impl Value {
    /// The text of a part of a URL, or `None` if it is not given.
    pub(super) fn text(self, name: &str) -> Result<Option<Text>, ParametersError> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            _ => Err(ParametersError::new(Malformed, name, "give a text")),
        }
    }

    /// The digits of a part of a URL, or `None` if it is not given.
    pub(super) fn number(self, name: &str) -> Result<Option<String>, ParametersError> {
        match self {
            Self::Null => Ok(None),
            Self::Number(number) => Ok(Some(print_number(&number))),
            _ => Err(ParametersError::new(Malformed, name, "give a number")),
        }
    }

    /// The texts of a list, or a single text; `None` if it is not given. Neither the list nor a
    /// text may be empty.
    pub(super) fn texts(self, name: &str) -> Result<Option<Vec<Text>>, ParametersError> {
        let list = match self {
            Self::Null => return Ok(None),
            Self::List(list) => list,
            one => vec![one],
        };
        let text = |value| match value {
            Self::Text(text) if text.is_empty() => {
                Err(ParametersError::new(Empty, name, "a text of it has to be given"))
            }
            Self::Text(text) => Ok(text),
            _ => Err(ParametersError::new(Malformed, name, "give a text, or a list of texts")),
        };
        match list.into_iter().map(text).collect::<Result<Vec<_>, _>>()? {
            none if none.is_empty() => Err(ParametersError::new(Empty, name, "give one at least, or leave it out")),
            texts => Ok(Some(texts)),
        }
    }

    /// The texts that a URL would have for the key, one for each repetition; none if it is not
    /// given.
    pub(super) fn for_key(self, key: &Key) -> Result<Vec<Text>, ParametersError> {
        let text = match (key.access.form, self) {
            (Form::NumberOrNone, Self::Null) => NONE.to_owned().into(),
            (_, Self::Null) => return Ok(Vec::new()),
            // For formats that have no null.
            (Form::NumberOrNone, Self::Text(text)) if *text == NONE => text,
            (Form::Number | Form::NumberOrNone, Self::Number(number)) => print_number(&number).into(),
            (Form::Flag { no, yes }, Self::Flag(flag)) => if flag { yes } else { no }.to_owned().into(),
            (Form::Text, list @ Self::List(_)) if key.access.repeats => {
                return list.texts(key.name).map(Option::unwrap_or_default);
            }
            (Form::Text, Self::Text(text)) => text,
            (Form::Object, object @ Self::Map(_)) => object.into_json().to_string().into(),
            (_, other) => return Err(other.refused_for(key)),
        };
        Ok(vec![text])
    }

    /// Makes the error of a value whose type is not that of the key. The value is shown if it
    /// cannot be a secret.
    fn refused_for(self, key: &Key) -> ParametersError {
        let advice = match key.access.form {
            Form::Text if key.access.repeats => "give a text, or a list of texts".to_owned(),
            Form::Text => "give a text".to_owned(),
            Form::Number | Form::NumberOrNone => format!("give a number, allowed is {}", key.allowed),
            Form::Flag { .. } => "give true or false".to_owned(),
            Form::Object => "give a map".to_owned(),
        };
        let error = ParametersError::new(Malformed, key.name, advice);
        match self {
            _ if key.access.secret || key.access.form == Form::Object => error,
            Self::Flag(flag) => error.given(flag.to_string()),
            Self::Number(number) => error.given(number.to_string()),
            Self::Text(text) => error.given(text.as_str()),
            Self::Null | Self::List(_) | Self::Map(_) => error,
        }
    }

    fn into_json(self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Flag(flag) => flag.into(),
            Self::Number(number) => number.into(),
            Self::Text(mut text) => std::mem::take(&mut *text).into(),
            Self::List(list) => list.into_iter().map(Self::into_json).collect(),
            Self::Map(entries) => entries.into_iter().map(|(name, value)| (name, value.into_json())).collect(),
        }
    }
}

/// Prints a number as a URL has it: a whole number without a point, even if the format has it as a
/// float, and no number with an exponent.
fn print_number(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(fraction) => fraction.to_string(),
        None => number.to_string(),
    }
}

/// Reads all of a map, and refuses repeated names.
pub(super) fn entries<'de, A: MapAccess<'de>>(mut map: A) -> Result<Entries, A::Error> {
    let (mut entries, mut names) = (Entries::new(), BTreeSet::new());
    while let Some(name) = map.next_key::<String>()? {
        if !names.insert(name.clone()) {
            return Err(A::Error::custom(ParametersError::new(RepeatedKey, name, "give it once")));
        }
        entries.push((name, map.next_value()?));
    }
    Ok(entries)
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

/// The name of the one entry of a map that represents a number if serde_json has its feature
/// `arbitrary_precision`.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a finite number, true, false, null, a list or a map")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Flag(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).map(Value::Number);
        number.ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let entries = entries(map)?;
        match &entries[..] {
            [(name, Value::Text(digits))] if name == NUMBER => {
                digits.parse().map(Value::Number).map_err(A::Error::custom)
            }
            _ => Ok(Value::Map(entries)),
        }
    }
}
