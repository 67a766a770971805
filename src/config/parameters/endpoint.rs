//! Where a broker is, and in which order several are tried.

use std::fmt;
use std::str::FromStr;

use crate::config::ParametersError;
use crate::config::url::read_endpoint;

/// A broker's name or address, and its port.
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
    /// A name, an IPv4 address, or an IPv6 address without brackets. Not empty.
    pub host: String,
    /// The TCP port, 1–65535; none is 5672, and 5671 with TLS.
    pub port: Option<u16>,
}

impl Endpoint {
    /// A host, at the port that is usual.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), port: None }
    }

    /// The same host at this port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }
}

impl Default for Endpoint {
    /// The broker of this machine.
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
    /// As people write it, and as it is read: `host:port`, with an IPv6 address in brackets and its
    /// zone behind `%25`.
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
    /// As they are given: the first is the favourite, with a head start of
    /// [`connection_attempt_delay`](super::ConnectionParameters::connection_attempt_delay).
    #[default]
    InOrder,
    /// Shuffled anew for every open, so that many clients spread over a cluster.
    Shuffled,
}
