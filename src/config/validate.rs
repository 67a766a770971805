//! The bounds of every field: checked for what was set by field, and at the end of reading a URL.

use std::net::Ipv6Addr;

use super::keys::KEYS;
use super::{ConnectionParameters, ParametersError, ParametersErrorKind};

pub(super) const ALLOWED_HOST: &str =
    "allowed is one name, IPv4 address or IPv6 address (in a URL in brackets, as in [::1])";
pub(super) const ALLOWED_PORT: &str = "allowed is a whole number from 1 to 65535";

/// Octets of a short string, in which the virtual host travels.
const SHORT_STRING_MAX: usize = 255;

impl ConnectionParameters {
    /// Checks every field against its bounds. Opening a connection does so first.
    ///
    /// # Errors
    ///
    /// The first field, in the order of the struct, that cannot be meant.
    pub fn validate(&self) -> Result<(), ParametersError> {
        use ParametersErrorKind::{Malformed, OutOfRange};

        if !is_host(&self.host) {
            return Err(ParametersError::new(Malformed, "host", ALLOWED_HOST).given(&self.host));
        }
        if self.port == 0 {
            return Err(ParametersError::new(OutOfRange, "port", ALLOWED_PORT).given("0"));
        }
        if self.virtual_host.len() > SHORT_STRING_MAX {
            let error = ParametersError::new(OutOfRange, "virtual_host", "allowed is a name of at most 255 octets");
            return Err(error.given(&self.virtual_host));
        }
        for (part, text) in [("user", self.credentials.user()), ("password", self.credentials.password().expose())] {
            if text.contains('\0') {
                return Err(ParametersError::new(Malformed, part, "a NUL cannot be sent in it"));
            }
        }
        let Some(key) = KEYS.iter().find(|key| !(key.check)(self)) else {
            return Ok(());
        };
        let error = ParametersError::new(OutOfRange, key.name, format!("allowed is {}", key.allowed));
        Err(error.given((key.print)(self).unwrap_or_default()))
    }
}

/// Whether this may be resolved. A comma would be several endpoints; the rest are mistakes in composing a URL.
fn is_host(host: &str) -> bool {
    if host.contains(':') {
        // A zone, such as the interface of a link-local address, is the resolver's business.
        let address = host.split_once('%').map_or(host, |(address, _)| address);
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let forbidden =
        |character: char| character.is_whitespace() || character.is_control() || ",/?#@[]\\%".contains(character);
    !host.is_empty() && !host.contains(forbidden)
}
