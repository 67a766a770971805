//! Connection parameters: endpoints, credentials, limits and deadlines, set field by field or read
//! from a URL.
//!
//! Both ways make the same [`ConnectionParameters`], with the same defaults:
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
//! With the feature `serde`, parameters can also be read from configuration files, as such a URL or
//! as a map.
//!
//! # The URL
//!
//! `amqp://user:password@host:port,host:port/virtual_host?key=value&…`, or `amqps://` for TLS.
//! Every part after the scheme is optional: `amqp://` alone is the broker on this machine. Scheme
//! and hosts are case-insensitive. User, password, host and virtual host are percent-decoded, and a
//! `+` in them is a plus sign. Keys and values of the query are decoded as in an HTML form, where a
//! `+` is a space. The documentation of each field of [`ConnectionParameters`] lists its keys,
//! among which are those of Pika and of RabbitMQ's URIs.
//!
//! If the virtual host is missing, it is `/`, and so it is for the paths `/` and `/%2F`, as in
//! Pika. The path `//` is the virtual host whose name is empty. A user without a password gets the
//! default password.
//!
//! Anything unknown, repeated, empty, malformed or out of range is an error that says so. A typing
//! mistake never results in a default.

mod credentials;
mod error;
mod parameters;
mod recovery;
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
pub(crate) use recovery::RecoverySettings;
pub use recovery::{ChannelRecovery, OnRecovered, RecoverWhen, Recovery, RecoveryFilter, Resend, WhileDown};
pub use setting::Setting;
pub use tls::{Pem, Tls};
