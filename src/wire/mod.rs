//! Octets to primitive values and back: integers, strings, field tables, timestamps (AMQP 0-9-1
//! §4.2.5).
//!
//! [`Reader`] takes values off the front of octets, [`Writer`] appends them to a buffer. Neither
//! ever panics over what it is given: what the wire cannot mean is a [`DecodeError`], what it
//! cannot carry an [`EncodeError`].
//!
//! Strings share their octets by reference count and have no lifetime. Requests outlive the frame
//! of whoever makes them (they are queued, and recorded so that they can be repeated after a
//! reconnect), replies cross tasks: a lifetime would end in a copy at each of those borders. A
//! literal costs nothing either way: see [`ShortString::from_static`].
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
//! With the feature `serde`, values can be kept in, and taken from, any format that describes
//! itself: JSON, YAML, TOML, CBOR, MessagePack. What such a format has a notation for stands as it
//! is; the rest names its type, so that every value comes back as what it was:
//!
//! | value | notation, here in JSON |
//! |---|---|
//! | `Bool`, `I64`, `F64`, `Void` | `true`, `5`, `0.5`, `null` |
//! | `LongString` | `"text"`; `{"LongString": [255, 0]}` where it is not UTF-8 |
//! | `Array` | `[1, "x"]` |
//! | `Table` | `{"Table": {"key": true}}`, as a map alone would look like a named type |
//! | every other one | `{"I32": 5}`, `{"ByteArray": [97, 98]}`, `{"Decimal": {"scale": 2, "value": 314}}`, … |
//!
//! A [`FieldTable`] by itself is a map in the order of its fields, a name that comes twice
//! included. A string is text, or octets where it is not UTF-8; formats whose names have to be text
//! refuse such a name. Numbers that are not finite are refused, as they are on the wire, and so are
//! short strings over 255 octets when they are read. How exactly a floating-point number comes back
//! is up to the format.

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

/// How many tables and arrays may lie in each other, the outermost included, in either direction.
///
/// Brokers nest two or three deep (`x-death`); the limit bounds the stack that a hostile peer can
/// make a reader use.
pub const MAX_NESTING: usize = 64;
