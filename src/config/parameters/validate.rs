//! The bounds of every field, which are checked when a connection is opened and after a URL was
//! read.

use std::net::Ipv6Addr;

use crate::config::url::{DISABLE, NO_TLS, keys};
use crate::config::{ConnectionParameters, Credentials, Endpoint, ParametersError, ParametersErrorKind, Pem, Tls};

use ParametersErrorKind::{Conflict, Empty, Malformed, OutOfRange, Unsupported};

pub(in crate::config) const ALLOWED_HOST: &str =
    "allowed is a name, an IPv4 address or an IPv6 address (in a URL in brackets, as in [::1])";
pub(in crate::config) const ALLOWED_PORT: &str = "allowed is a whole number from 1 to 65535";

/// The largest short string in bytes. The virtual host is sent as one.
const SHORT_STRING_MAX: usize = 255;

impl ConnectionParameters {
    /// Checks that every field is within its bounds. Opening a connection calls this first.
    ///
    /// # Errors
    ///
    /// Returns an error for the first field, in the order of the struct, that is invalid.
    pub fn validate(&self) -> Result<(), ParametersError> {
        if self.endpoints.is_empty() {
            return Err(ParametersError::new(Empty, "host", "give at least one endpoint"));
        }
        self.endpoints.iter().try_for_each(check_endpoint)?;
        if self.virtual_host.len() > SHORT_STRING_MAX {
            let advice = format!("allowed is a name of at most 255 bytes, and it has {}", self.virtual_host.len());
            return Err(ParametersError::new(OutOfRange, "virtual_host", advice));
        }
        self.credentials.check()?;
        self.tls.as_ref().map_or(Ok(()), check_tls)?;
        if let Some(key) = keys().find(|key| !(key.access.check)(self)) {
            let error = ParametersError::new(OutOfRange, key.name, format!("allowed is {}", key.allowed));
            return Err(error.given((key.access.print)(self).join(", ")));
        }
        if self.low_water() >= self.write_high_water {
            let advice = "allowed is a whole number of bytes, less than write_high_water";
            let error = ParametersError::new(OutOfRange, "write_low_water", advice);
            return Err(error.given(self.low_water().to_string()));
        }
        self.check_recovery()
    }
}

impl Credentials {
    /// Checks that user and password can be sent, and that the names of the mechanisms are
    /// possible.
    pub(crate) fn check(&self) -> Result<(), ParametersError> {
        let parts =
            [("user", self.user().contains('\0')), ("password", self.password().expose(|it| it.contains('\0')))];
        for (part, has_nul) in parts {
            if has_nul {
                return Err(ParametersError::new(Malformed, part, "a NUL cannot be sent in it"));
            }
        }
        let is_name = |name: &str| (1..=SHORT_STRING_MAX).contains(&name.len()) && !name.contains(' ');
        if let Some(name) = self.mechanism_names().iter().find(|name| !is_name(name)) {
            let advice = "allowed is a name of 1 to 255 bytes and without a space";
            return Err(ParametersError::new(Malformed, "auth_mechanism", advice).given(*name));
        }
        Ok(())
    }
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), ParametersError> {
    if !is_host(&endpoint.host) {
        // The host is not shown: it may be a whole URL, with a password.
        return Err(ParametersError::new(Malformed, "host", ALLOWED_HOST));
    }
    if endpoint.port == Some(0) {
        return Err(ParametersError::new(OutOfRange, "port", ALLOWED_PORT));
    }
    Ok(())
}

fn check_tls(tls: &Tls) -> Result<(), ParametersError> {
    if cfg!(not(feature = "tls")) {
        return Err(ParametersError::new(Unsupported, "tls", NO_TLS));
    }
    for (key, pem) in [("cacertfile", &tls.ca), ("certfile", &tls.certificate), ("keyfile", &tls.key)] {
        if matches!(pem, Some(Pem::File(path)) if path.as_os_str().is_empty()) {
            return Err(ParametersError::new(Empty, key, "give the path of a file"));
        }
        if pem.as_ref().is_some_and(Pem::is_misplaced) {
            let advice = "it is the text of a PEM file, and not its path: Pem::memory takes the text";
            return Err(ParametersError::new(Malformed, key, advice));
        }
    }
    match tls.server_name.as_deref() {
        Some("") => return Err(ParametersError::new(Empty, "server_name_indication", "give a name, or none at all")),
        Some(DISABLE) => {
            let advice = "in a URL this word means that no name is sent: see send_server_name";
            return Err(ParametersError::new(Malformed, "server_name_indication", advice).given(DISABLE));
        }
        _ => {}
    }
    if tls.key.is_some() && tls.certificate.is_none() {
        return Err(ParametersError::new(Conflict, "keyfile", "a key goes with a certificate: give certfile too"));
    }
    if tls.key_password.is_some() && tls.certificate.is_none() {
        let advice = "it is the password of a key, which goes with a certificate: give certfile too";
        return Err(ParametersError::new(Conflict, "password", advice));
    }
    Ok(())
}

/// Whether this can be the name or address of a host. The characters that are forbidden come from
/// several endpoints in one (a comma) or from mistakes in composing a URL.
fn is_host(host: &str) -> bool {
    let forbidden =
        |character: char| character.is_whitespace() || character.is_control() || ",/?#@[]\\%".contains(character);
    if host.contains(':') {
        // The resolver interprets the zone, such as the interface of a link-local address.
        let (address, zone) = host.split_once('%').unwrap_or((host, "none"));
        return address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() && !zone.contains(forbidden);
    }
    !host.is_empty() && !host.contains(forbidden)
}
