//! What a connection is opened with: endpoint, credentials, limits, deadlines; field by field, or
//! from a URL.
//!
//! Both ways meet in [`ConnectionParameters`], with one set of defaults:
//!
//! ```
//! use std::time::Duration;
//!
//! use leveret::config::{ConnectionParameters, Credentials};
//!
//! let by_field = ConnectionParameters::default()
//!     .host("rabbit.example")
//!     .virtual_host("orders")
//!     .credentials(Credentials::plain("shop", "s3cret"))
//!     .call_timeout(Duration::from_secs(20));
//! let by_url = ConnectionParameters::from_url("amqp://shop:s3cret@rabbit.example/orders?call_timeout=20")?;
//!
//! assert_eq!(by_field.to_string(), by_url.to_string());
//! assert_eq!(by_url.to_string(), "amqp://shop:<redacted>@rabbit.example/orders?call_timeout=20");
//! # Ok::<(), leveret::config::ParametersError>(())
//! ```
//!
//! With the feature `serde`, they are read from files of settings too, as such a URL or as a map.
//!
//! # The URL
//!
//! `amqp://user:password@host:port,host:port/virtual_host?key=value&…`, or `amqps://` for TLS.
//! Every part may be missing: `amqp://` alone is the broker of this machine. Scheme and hosts are
//! case-insensitive. User, password, host and virtual host are percent-decoded, and a `+` in them
//! is a plus; keys and values of the query are decoded as a form's, where a `+` is a space. The
//! keys stand with the fields of [`ConnectionParameters`]; those of Pika and of RabbitMQ's URIs are
//! among them.
//!
//! No virtual host, `/` and `/%2F` all mean the virtual host `/`, as in Pika; `//` is the one whose
//! name is empty. A user without a password gets the default one.
//!
//! Anything unknown, repeated, empty, malformed or out of range is an error that says so: a typing
//! mistake never turns into a default.

mod credentials;
mod error;
mod parameters;
#[cfg(feature = "serde")]
mod serialized;
mod setting;
#[cfg(test)]
mod tests;
mod tls;
mod url;

pub(crate) use credentials::Offer;
pub use credentials::{
    Credentials, CredentialsProvider, Exchange, Mechanism, MechanismError, Provided, ProvidedFuture, ProviderError,
    Secret, SecretOctets,
};
pub use error::{ParametersError, ParametersErrorKind};
pub use parameters::{ConnectionParameters, Endpoint, EndpointOrder, Heartbeat};
pub use setting::Setting;
pub use tls::{Pem, Tls};
