//! Serialisation of values with the feature `serde`; the documentation of `wire` describes the
//! notation.

mod octets;
mod strings;
mod table;
mod value;
