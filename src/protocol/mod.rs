//! The methods, properties and constants of AMQP 0-9-1, generated at build time from the
//! specification in `spec/`.
//!
//! A module per class holds a struct per method (`queue::Declare`, `basic::Deliver`, …). [`Method`]
//! is any of them, and [`Method::decode`] the one way from the ids on the wire to a value. The
//! traits in this module are what the generated types implement; they, [`ExchangeKind`], the types
//! of some properties and the conveniences of [`Properties`](basic::Properties) are all that is
//! written by hand.

mod delivery_mode;
mod exchange_kind;
mod expiration;
mod properties;
mod traits;

pub use delivery_mode::DeliveryMode;
pub use exchange_kind::ExchangeKind;
pub use expiration::Expiration;
pub use traits::{ChannelMethod, ContentProperties, MethodId, ProtocolMethod, Request, SentBy, UnexpectedMethod};

include!(concat!(env!("OUT_DIR"), "/protocol.rs"));
