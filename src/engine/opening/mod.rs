//! Opening a connection: the handshake, and why it failed.

mod error;
mod handshake;
mod minimum;

pub use error::{ForeignError, HandshakeEnd, HandshakeError, HandshakeStep};
pub use handshake::{Handshake, HandshakeParameters, Negotiated};

pub(crate) use error::TLS_ALERT;
