//! Field values: the typed values of a field table.

mod conversions;
mod decode;
mod encode;

use std::fmt;

use bytes::Bytes;

use super::{Decimal, FieldTable, LongString, Timestamp};

/// A value with its type, as RabbitMQ interprets the types.
///
/// Rust values convert into the variant of their own type: `5` becomes an [`I32`](FieldValue::I32),
/// text a [`LongString`](FieldValue::LongString), bytes a [`ByteArray`](FieldValue::ByteArray). A
/// [`Duration`](std::time::Duration) becomes its number of milliseconds, the unit of the broker's
/// arguments. The `as_*` methods return a value whatever width the peer chose for it.
///
/// ```
/// use leveret::wire::FieldValue;
///
/// assert_eq!(FieldValue::from(5_u16), FieldValue::U16(5));
/// assert_eq!(FieldValue::from(5_u16).as_i64(), Some(5));
/// assert_eq!(FieldValue::from("text").as_str(), Some("text"));
/// assert_eq!(FieldValue::from(None::<bool>), FieldValue::Void);
/// assert!(FieldValue::try_from(u64::MAX).is_err());
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum FieldValue {
    /// `t`, a Boolean. Any octet other than 0 is decoded as `true`.
    Bool(bool),
    /// `b`, a signed integer of 8 bits.
    I8(i8),
    /// `B`, an unsigned integer of 8 bits.
    U8(u8),
    /// `s`, a signed integer of 16 bits.
    I16(i16),
    /// `u`, an unsigned integer of 16 bits.
    U16(u16),
    /// `I`, a signed integer of 32 bits.
    I32(i32),
    /// `i`, an unsigned integer of 32 bits.
    U32(u32),
    /// `l`, a signed integer of 64 bits; `L` is decoded as the same. There is no unsigned integer
    /// of 64 bits.
    I64(i64),
    /// `f`, a floating-point number of 32 bits. Only finite numbers can be encoded.
    F32(f32),
    /// `d`, a floating-point number of 64 bits. Only finite numbers can be encoded.
    F64(f64),
    /// `D`, a decimal number.
    Decimal(Decimal),
    /// `S`, a string: usually text, but any bytes are allowed.
    LongString(LongString),
    /// `x`, bytes.
    ByteArray(Bytes),
    /// `A`, an array of values.
    Array(Vec<FieldValue>),
    /// `T`, seconds since 1970.
    Timestamp(Timestamp),
    /// `F`, a nested table.
    Table(FieldTable),
    /// `V`, no value.
    Void,
}

impl FieldValue {
    /// Returns the octet that identifies the type on the wire.
    pub const fn type_code(&self) -> u8 {
        match self {
            Self::Bool(_) => b't',
            Self::I8(_) => b'b',
            Self::U8(_) => b'B',
            Self::I16(_) => b's',
            Self::U16(_) => b'u',
            Self::I32(_) => b'I',
            Self::U32(_) => b'i',
            Self::I64(_) => b'l',
            Self::F32(_) => b'f',
            Self::F64(_) => b'd',
            Self::Decimal(_) => b'D',
            Self::LongString(_) => b'S',
            Self::ByteArray(_) => b'x',
            Self::Array(_) => b'A',
            Self::Timestamp(_) => b'T',
            Self::Table(_) => b'F',
            Self::Void => b'V',
        }
    }

    /// Returns the Boolean, or `None` for another type.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the integer, whatever its width.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I8(value) => Some(i64::from(*value)),
            Self::U8(value) => Some(i64::from(*value)),
            Self::I16(value) => Some(i64::from(*value)),
            Self::U16(value) => Some(i64::from(*value)),
            Self::I32(value) => Some(i64::from(*value)),
            Self::U32(value) => Some(i64::from(*value)),
            Self::I64(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the integer, whatever its width, unless it is negative.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i64().and_then(|value| u64::try_from(value).ok())
    }

    /// Returns the floating-point number, whatever its width.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F32(value) => Some(f64::from(*value)),
            Self::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the decimal number.
    pub const fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Decimal(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the text of a long string, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::LongString(value) => value.to_str().ok(),
            _ => None,
        }
    }

    /// Returns the bytes of a long string or byte array.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::LongString(value) => Some(value.as_bytes()),
            Self::ByteArray(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the items of an array.
    pub fn as_array(&self) -> Option<&[FieldValue]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// Returns the timestamp.
    pub const fn as_timestamp(&self) -> Option<Timestamp> {
        match self {
            Self::Timestamp(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the table.
    pub const fn as_table(&self) -> Option<&FieldTable> {
        match self {
            Self::Table(value) => Some(value),
            _ => None,
        }
    }

    /// Returns `true` if there is no value.
    pub const fn is_void(&self) -> bool {
        matches!(self, Self::Void)
    }
}

/// Prints the variant around its value. Decimals and timestamps print their own name.
impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (variant, value): (&str, &dyn fmt::Debug) = match self {
            Self::Bool(value) => ("Bool", value),
            Self::I8(value) => ("I8", value),
            Self::U8(value) => ("U8", value),
            Self::I16(value) => ("I16", value),
            Self::U16(value) => ("U16", value),
            Self::I32(value) => ("I32", value),
            Self::U32(value) => ("U32", value),
            Self::I64(value) => ("I64", value),
            Self::F32(value) => ("F32", value),
            Self::F64(value) => ("F64", value),
            Self::LongString(value) => ("LongString", value),
            Self::ByteArray(value) => ("ByteArray", value),
            Self::Array(values) => ("Array", values),
            Self::Table(value) => ("Table", value),
            Self::Decimal(value) => return fmt::Debug::fmt(value, f),
            Self::Timestamp(value) => return fmt::Debug::fmt(value, f),
            Self::Void => return f.write_str("Void"),
        };
        f.debug_tuple(variant).field(value).finish()
    }
}

#[cfg(test)]
mod tests;
