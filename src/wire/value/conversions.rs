//! Conversions from Rust's values into field values.

use std::borrow::Cow;
use std::num::TryFromIntError;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::FieldValue;
use crate::wire::{Decimal, FieldTable, LongString, ShortString, Timestamp};

/// Implements `From` for types whose values are those of a variant.
macro_rules! variant {
    ($($rust:ty => $variant:ident),+ $(,)?) => {
        $(impl From<$rust> for FieldValue {
            fn from(value: $rust) -> Self {
                Self::$variant(value)
            }
        })+
    };
}

variant! {
    bool => Bool,
    i8 => I8,
    u8 => U8,
    i16 => I16,
    u16 => U16,
    i32 => I32,
    u32 => U32,
    i64 => I64,
    f32 => F32,
    f64 => F64,
    Decimal => Decimal,
    LongString => LongString,
    Bytes => ByteArray,
    Vec<FieldValue> => Array,
    Timestamp => Timestamp,
    FieldTable => Table,
}

/// Returns an error above `i64::MAX`, because the wire has no unsigned type of 64 bits.
impl TryFrom<u64> for FieldValue {
    type Error = TryFromIntError;

    fn try_from(value: u64) -> Result<Self, TryFromIntError> {
        i64::try_from(value).map(Self::I64)
    }
}

/// Returns an error above `i64::MAX`, because the wire has no unsigned type of 64 bits.
impl TryFrom<usize> for FieldValue {
    type Error = TryFromIntError;

    fn try_from(value: usize) -> Result<Self, TryFromIntError> {
        i64::try_from(value).map(Self::I64)
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::LongString(text.into())
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::LongString(text.into())
    }
}

impl From<&String> for FieldValue {
    fn from(text: &String) -> Self {
        Self::LongString(text.into())
    }
}

impl From<Cow<'_, str>> for FieldValue {
    fn from(text: Cow<'_, str>) -> Self {
        Self::LongString(text.into())
    }
}

/// Becomes a long string, because no field value is a short string.
impl From<ShortString> for FieldValue {
    fn from(text: ShortString) -> Self {
        Self::LongString(text.into())
    }
}

impl From<&[u8]> for FieldValue {
    fn from(octets: &[u8]) -> Self {
        Self::ByteArray(Bytes::copy_from_slice(octets))
    }
}

impl<const N: usize> From<&[u8; N]> for FieldValue {
    fn from(octets: &[u8; N]) -> Self {
        Self::from(octets.as_slice())
    }
}

impl From<Vec<u8>> for FieldValue {
    fn from(octets: Vec<u8>) -> Self {
        Self::ByteArray(octets.into())
    }
}

/// Times before 1970, which the wire cannot express, become 1970.
impl From<SystemTime> for FieldValue {
    fn from(time: SystemTime) -> Self {
        Self::Timestamp(time.into())
    }
}

/// Becomes its number of milliseconds, the unit of the broker's arguments; at most `i64::MAX`.
impl From<Duration> for FieldValue {
    fn from(duration: Duration) -> Self {
        Self::I64(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }
}

/// `None` becomes [`FieldValue::Void`].
impl<T: Into<Self>> From<Option<T>> for FieldValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Void, T::into)
    }
}

/// Collects the items into an array.
impl<T: Into<Self>> FromIterator<T> for FieldValue {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Array(values.into_iter().map(T::into).collect())
    }
}
