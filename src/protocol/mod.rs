//! The methods, properties and constants of AMQP 0-9-1, generated at build time from the
//! specification in `spec/`.
//!
//! There is a module for each class, with a struct for each method (`queue::Declare`,
//! `basic::Deliver`, …). [`Method`] is an enum of all methods, and [`Method::decode`] makes one
//! from the ids and arguments on the wire. The traits in this module are implemented by the
//! generated types. Written by hand are only these traits, [`ExchangeKind`], the types of some
//! properties and the convenience methods of [`Properties`](basic::Properties).

mod delivery_mode;
mod exchange_kind;
mod expiration;
mod properties;
mod recordable;
mod traits;

pub use delivery_mode::DeliveryMode;
pub use exchange_kind::ExchangeKind;
pub use expiration::Expiration;
pub use recordable::Recordable;
pub use traits::{ChannelMethod, ContentProperties, MethodId, ProtocolMethod, Request, SentBy, UnexpectedMethod};

include!(concat!(env!("OUT_DIR"), "/protocol.rs"));
