//! Serialises values, behind the feature `serde`; the documentation of the room says in which
//! notation.

mod octets;
mod strings;
mod table;
mod value;
