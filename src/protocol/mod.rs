//! The methods, properties and constants of AMQP 0-9-1, generated at build time from the specification in `spec/`.
//!
//! A module per class holds a struct per method (`queue::Declare`, `basic::Deliver`, …). [`Method`] is any of them, and
//! [`Method::decode`] the one way from the ids on the wire to a value. The traits in this module are what the generated
//! types implement; they, and [`ExchangeKind`], are all that is written by hand.

mod exchange_kind;
mod traits;

pub use exchange_kind::ExchangeKind;
pub use traits::{ChannelMethod, ContentProperties, MethodId, ProtocolMethod, Request, SentBy, UnexpectedMethod};

include!(concat!(env!("OUT_DIR"), "/protocol.rs"));
