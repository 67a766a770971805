//! Parameters as a URL, with secrets redacted.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::keys::keys;
use crate::config::{ConnectionParameters, Endpoint};

/// All characters that are escaped: all but those that no part of a URL has to escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl fmt::Display for ConnectionParameters {
    /// Prints a URL that reads back as the same parameters if the secrets replace `<redacted>`.
    /// Parameters with their default are left out, and so is what a URL cannot express: functions,
    /// custom mechanisms, providers, and PEM in memory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls.is_some() { "amqps://" } else { "amqp://" })?;
        if self.credentials.uses_password() {
            write!(f, "{}:{}@", escaped(self.credentials.user()), self.credentials.password())?;
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            write_endpoint(f, endpoint)?;
        }
        match &*self.virtual_host {
            "" => f.write_str("//")?,
            name => write!(f, "/{}", escaped(name))?,
        }
        self.write_query(f)
    }
}

impl ConnectionParameters {
    fn write_query(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let defaults = Self::default();
        let mut separator = '?';
        for key in keys() {
            let texts = (key.access.print)(self);
            if texts == (key.access.print)(&defaults) {
                continue;
            }
            for text in texts {
                write!(f, "{separator}{}=", key.name)?;
                // A secret is printed as `<redacted>`, which is not escaped so that it is readable.
                match key.access.secret {
                    true => f.write_str(&text)?,
                    false => write!(f, "{}", escaped(&text))?,
                }
                separator = '&';
            }
        }
        Ok(())
    }
}

fn write_endpoint(f: &mut fmt::Formatter<'_>, endpoint: &Endpoint) -> fmt::Result {
    if endpoint.host.contains(':') {
        write!(f, "[{}]", endpoint.host.replace('%', "%25"))?;
    } else {
        write!(f, "{}", escaped(&endpoint.host))?;
    }
    match endpoint.port {
        Some(port) => write!(f, ":{port}"),
        None => Ok(()),
    }
}

fn escaped(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}
