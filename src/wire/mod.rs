//! Decoding and encoding of primitive values: integers, strings, field tables, timestamps (AMQP
//! 0-9-1 §4.2.5).
//!
//! A [`Reader`] reads values from bytes, and a [`Writer`] appends them to a buffer. Neither panics
//! on any input: bytes that are not a valid value are a [`DecodeError`], and values that the wire
//! cannot express are an [`EncodeError`].
//!
//! Strings share their bytes by reference count and have no lifetime. Requests outlive the function
//! that makes them (they are queued, and recorded so that they can be repeated after a reconnect),
//! and replies move between tasks. With a lifetime, strings would have to be copied at each of
//! these places. A literal needs no allocation: see [`ShortString::from_static`].
//!
//! ```
//! use leveret::wire::{FieldTable, FieldValue, Reader, Writer};
//!
//! let mut arguments = FieldTable::new();
//! arguments.insert("x-queue-type", "quorum");
//! arguments.insert("x-delivery-limit", 5);
//!
//! let mut octets = Vec::new();
//! Writer::new(&mut octets).table(&arguments)?;
//!
//! let read = Reader::new(&octets).table()?;
//! assert_eq!(read, arguments);
//! assert_eq!(read.get("x-delivery-limit"), Some(&FieldValue::I32(5)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Serialisation
//!
//! With the feature `serde`, values can be written to and read from any self-describing format:
//! JSON, YAML, TOML, CBOR, MessagePack. A value for which such a format has a notation uses that
//! notation. Other values name their type, so that every value reads back as the same type:
//!
//! | value | notation, here in JSON |
//! |---|---|
//! | `Bool`, `I64`, `F64`, `Void` | `true`, `5`, `0.5`, `null` |
//! | `LongString` | `"text"`; `{"LongString": [255, 0]}` if it is not UTF-8 |
//! | `Array` | `[1, "x"]` |
//! | `Table` | `{"Table": {"key": true}}`, because a map alone would look like a named type |
//! | every other one | `{"I32": 5}`, `{"ByteArray": [97, 98]}`, `{"Decimal": {"scale": 2, "value": 314}}`, … |
//!
//! A [`FieldTable`] by itself is a map in the order of its fields, including repeated names. A
//! string is text, or bytes if it is not UTF-8; formats whose names have to be text refuse such a
//! name. Numbers that are not finite are refused, as they are on the wire, and short strings over
//! 255 bytes are refused when they are read. The format determines the precision with which a
//! floating-point number reads back.

mod decimal;
mod decode_error;
mod encode_error;
mod escaped;
mod long_string;
mod name;
mod octet_string;
mod reader;
#[cfg(feature = "serde")]
mod serde;
mod short_string;
mod table;
mod timestamp;
mod value;
mod writer;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

pub use decimal::Decimal;
pub use decode_error::{DecodeError, DecodeErrorKind};
pub use encode_error::{EncodeError, EncodeErrorKind};
pub use escaped::Escaped;
pub use long_string::LongString;
pub use name::Name;
pub use reader::Reader;
pub use short_string::ShortString;
pub use table::{FieldTable, Fields};
pub use timestamp::{Timestamp, TimestampOutOfRange};
pub use value::FieldValue;
pub use writer::Writer;

/// The largest depth of nested tables and arrays, including the outermost, for decoding and
/// encoding.
///
/// Brokers nest two or three deep (`x-death`). The limit bounds how much stack a hostile peer can
/// make a reader use.
pub const MAX_NESTING: usize = 64;
