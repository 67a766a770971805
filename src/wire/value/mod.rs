//! Field values: what stands in a field table, each with its type.

mod conversions;
mod decode;
mod encode;

use std::fmt;

use bytes::Bytes;

use super::{Decimal, FieldTable, LongString, Timestamp};

/// A value and its type, as RabbitMQ understands them.
///
/// Rust values convert into the variant of their own type: `5` is an [`I32`](FieldValue::I32), text
/// a [`LongString`](FieldValue::LongString), octets are a [`ByteArray`](FieldValue::ByteArray), a
/// [`Duration`](std::time::Duration) is its number of milliseconds, which is what the broker's
/// arguments count in. The `as_*` methods read a value whatever the width that the peer chose for
/// it.
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
    /// `t`, a truth value. Any octet but 0 is read as true.
    Bool(bool),
    /// `b`, 8 bits with a sign.
    I8(i8),
    /// `B`, 8 bits without a sign.
    U8(u8),
    /// `s`, 16 bits with a sign.
    I16(i16),
    /// `u`, 16 bits without a sign.
    U16(u16),
    /// `I`, 32 bits with a sign.
    I32(i32),
    /// `i`, 32 bits without a sign.
    U32(u32),
    /// `l`, 64 bits with a sign; `L` is read as the same. There are no 64 bits without a sign.
    I64(i64),
    /// `f`, a floating-point number of 32 bits. Only a finite one can be encoded.
    F32(f32),
    /// `d`, a floating-point number of 64 bits. Only a finite one can be encoded.
    F64(f64),
    /// `D`, a decimal number.
    Decimal(Decimal),
    /// `S`, text, though it may hold any octets.
    LongString(LongString),
    /// `x`, octets.
    ByteArray(Bytes),
    /// `A`, values in a row.
    Array(Vec<FieldValue>),
    /// `T`, seconds since 1970.
    Timestamp(Timestamp),
    /// `F`, a table in the table.
    Table(FieldTable),
    /// `V`, no value.
    Void,
}

impl FieldValue {
    /// The octet that names the type on the wire.
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

    /// The truth value.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer, of whatever width.
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

    /// The integer, of whatever width, unless it is negative.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i64().and_then(|value| u64::try_from(value).ok())
    }

    /// The floating-point number, of either width.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F32(value) => Some(f64::from(*value)),
            Self::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// The decimal number.
    pub const fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Decimal(value) => Some(*value),
            _ => None,
        }
    }

    /// The text of a long string, where it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::LongString(value) => value.to_str().ok(),
            _ => None,
        }
    }

    /// The octets of a long string or byte array.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::LongString(value) => Some(value.as_bytes()),
            Self::ByteArray(value) => Some(value),
            _ => None,
        }
    }

    /// The items of an array.
    pub fn as_array(&self) -> Option<&[FieldValue]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The timestamp.
    pub const fn as_timestamp(&self) -> Option<Timestamp> {
        match self {
            Self::Timestamp(value) => Some(*value),
            _ => None,
        }
    }

    /// The table.
    pub const fn as_table(&self) -> Option<&FieldTable> {
        match self {
            Self::Table(value) => Some(value),
            _ => None,
        }
    }

    /// There is no value.
    pub const fn is_void(&self) -> bool {
        matches!(self, Self::Void)
    }
}

/// The variant around its value; decimals and timestamps name themselves already.
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
