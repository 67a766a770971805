//! Serialises values, for applications that keep tables and properties or take them from configuration.
//!
//! The format has to describe itself, as JSON, YAML, TOML, CBOR and MessagePack do. What it has a notation for stands as
//! it is; the rest names its type, so that every value comes back as what it was:
//!
//! | value | notation (here JSON) |
//! |---|---|
//! | `Bool`, `I64`, `F64`, `Void` | `true`, `5`, `0.5`, `null` |
//! | `LongString` | `"text"`; `{"LongString": [255, 0]}` where it is not UTF-8 |
//! | `Array` | `[1, "x"]` |
//! | `Table` | `{"Table": {"key": true}}`, as a map alone would look like a named type |
//! | every other one | `{"I32": 5}`, `{"ByteArray": [97, 98]}`, `{"Decimal": {"scale": 2, "value": 314}}` … |
//!
//! A [`FieldTable`](super::FieldTable) itself is a map in the order of its fields, a name that comes twice included.
//! Strings are text, or octets where they are not UTF-8; formats whose names have to be text refuse such a name. Numbers
//! that are not finite are refused, as they are on the wire, and so are short strings over 255 octets when they are read.

mod octets;
mod strings;
mod table;
mod value;
