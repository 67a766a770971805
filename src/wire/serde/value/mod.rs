//! Serialisation of field values: in the notation of the format if there is one, otherwise with the
//! name of their type.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, Serializer};

use super::octets::Octets;
use crate::wire::{Decimal, FieldTable, FieldValue, Timestamp};

/// A value with the name of its type. Every variant of [`FieldValue`] can be read in this form.
#[derive(::serde::Deserialize)]
enum Named {
    Bool(bool),
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    F32(f32),
    F64(f64),
    Decimal(Decimal),
    LongString(Octets),
    ByteArray(Octets),
    Array(Vec<FieldValue>),
    Timestamp(Timestamp),
    Table(FieldTable),
    Void,
}

impl From<Named> for FieldValue {
    fn from(named: Named) -> Self {
        match named {
            Named::Bool(value) => Self::Bool(value),
            Named::I8(value) => Self::I8(value),
            Named::U8(value) => Self::U8(value),
            Named::I16(value) => Self::I16(value),
            Named::U16(value) => Self::U16(value),
            Named::I32(value) => Self::I32(value),
            Named::U32(value) => Self::U32(value),
            Named::I64(value) => Self::I64(value),
            Named::F32(value) => Self::F32(value),
            Named::F64(value) => Self::F64(value),
            Named::Decimal(value) => Self::Decimal(value),
            Named::LongString(Octets(octets)) => Self::LongString(octets.into()),
            Named::ByteArray(Octets(octets)) => Self::ByteArray(octets),
            Named::Array(values) => Self::Array(values),
            Named::Timestamp(value) => Self::Timestamp(value),
            Named::Table(value) => Self::Table(value),
            Named::Void => Self::Void,
        }
    }
}

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::I64(value) => serializer.serialize_i64(*value),
            Self::F64(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::F32(value) if value.is_finite() => named(serializer, 8, "F32", value),
            Self::F32(_) | Self::F64(_) => Err(S::Error::custom("floating-point number that is not finite")),
            Self::Void => serializer.serialize_unit(),
            Self::Array(values) => serializer.collect_seq(values),
            Self::LongString(value) => match value.to_str() {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => named(serializer, 11, "LongString", &Octets(value.clone().into())),
            },
            Self::I8(value) => named(serializer, 1, "I8", value),
            Self::U8(value) => named(serializer, 2, "U8", value),
            Self::I16(value) => named(serializer, 3, "I16", value),
            Self::U16(value) => named(serializer, 4, "U16", value),
            Self::I32(value) => named(serializer, 5, "I32", value),
            Self::U32(value) => named(serializer, 6, "U32", value),
            Self::Decimal(value) => named(serializer, 10, "Decimal", value),
            Self::ByteArray(value) => named(serializer, 12, "ByteArray", &Octets(value.clone())),
            Self::Timestamp(value) => named(serializer, 14, "Timestamp", value),
            Self::Table(value) => named(serializer, 15, "Table", value),
        }
    }
}

/// Serialises a variant of [`Named`], by its index and its name.
fn named<S: Serializer>(
    serializer: S,
    index: u32,
    name: &'static str,
    value: &(impl Serialize + ?Sized),
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_variant("FieldValue", index, name, value)
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = FieldValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field value, as it is or with the name of its type")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<FieldValue, E> {
        Ok(FieldValue::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<FieldValue, E> {
        Ok(FieldValue::I64(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<FieldValue, E> {
        FieldValue::try_from(value).map_err(|_| E::custom(format_args!("{value} does not fit 64 bits with a sign")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<FieldValue, E> {
        Ok(FieldValue::F64(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<FieldValue, E> {
        Ok(FieldValue::from(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<FieldValue, E> {
        Ok(FieldValue::from(text))
    }

    fn visit_unit<E: Error>(self) -> Result<FieldValue, E> {
        Ok(FieldValue::Void)
    }

    fn visit_none<E: Error>(self) -> Result<FieldValue, E> {
        Ok(FieldValue::Void)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<FieldValue, D::Error> {
        FieldValue::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<FieldValue, A::Error> {
        let mut array = Vec::new();
        while let Some(value) = items.next_element()? {
            array.push(value);
        }
        Ok(FieldValue::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldValue, A::Error> {
        let named = Named::deserialize(MapAccessDeserializer::new(&mut map))?;
        match map.next_key::<IgnoredAny>()? {
            None => Ok(named.into()),
            Some(_) => Err(A::Error::custom("one type alone can be named; a table is {\"Table\": {…}}")),
        }
    }
}

#[cfg(test)]
mod tests;
