//! The address of a broker, and the order in which several are tried.

use std::fmt;
use std::str::FromStr;

use crate::config::ParametersError;
use crate::config::url::read_endpoint;

/// The host and port of a broker.
///
/// ```
/// use leveret::config::{ConnectionParameters, Endpoint};
///
/// let cluster = ["a.example".parse()?, Endpoint::new("b.example").with_port(5673)];
/// let parameters = ConnectionParameters::default().endpoints(cluster);
/// assert_eq!(parameters.to_string(), "amqp://guest:<redacted>@a.example,b.example:5673/%2F");
/// # Ok::<(), leveret::config::ParametersError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Endpoint {
    /// A name, an IPv4 address, or an IPv6 address without brackets; not empty.
    pub host: String,
    /// The TCP port, 1–65535. `None` means 5672, or 5671 with TLS.
    pub port: Option<u16>,
}

impl Endpoint {
    /// Makes an endpoint with the default port.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), port: None }
    }

    /// Sets the port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }
}

impl Default for Endpoint {
    /// The broker on this machine.
    fn default() -> Self {
        Self::new("localhost")
    }
}

impl FromStr for Endpoint {
    type Err = ParametersError;

    /// Reads `host`, `host:port`, `[::1]` or `[::1]:port`, as in a URL.
    fn from_str(text: &str) -> Result<Self, ParametersError> {
        read_endpoint(text)
    }
}

impl From<(&str, u16)> for Endpoint {
    fn from((host, port): (&str, u16)) -> Self {
        Self::new(host).with_port(port)
    }
}

impl fmt::Display for Endpoint {
    /// Prints `host:port`, in the form that [`FromStr`] reads. An IPv6 address is in brackets, with
    /// `%25` before its zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host.replace('%', "%25"))?;
        } else {
            f.write_str(&self.host)?;
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// The order in which [endpoints](super::ConnectionParameters::endpoints) are tried in each cycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointOrder {
    /// In the order in which they are given: each has a head start of
    /// [`connection_attempt_delay`](super::ConnectionParameters::connection_attempt_delay) over the
    /// next.
    #[default]
    InOrder,
    /// In a random order that is chosen at each open, so that many clients spread over a cluster.
    Shuffled,
}
