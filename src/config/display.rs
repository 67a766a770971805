//! Parameters as a URL, with secrets redacted.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::ConnectionParameters;
use super::keys::KEYS;

/// Everything but what a URL leaves as it is anywhere.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl fmt::Display for ConnectionParameters {
    /// A URL that gives the same parameters once the password is put in the place of `<redacted>`. What is at its
    /// default is left out of the query, as are client properties, which a URL does not carry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "amqp://{}:{}@", escaped(self.credentials.user()), self.credentials.password())?;
        if self.host.contains(':') {
            write!(f, "[{}]:{}/", self.host.replace('%', "%25"), self.port)?;
        } else {
            write!(f, "{}:{}/", escaped(&self.host), self.port)?;
        }
        match &*self.virtual_host {
            "" => f.write_str("/")?,
            name => write!(f, "{}", escaped(name))?,
        }
        let defaults = Self::default();
        let mut separator = '?';
        for key in KEYS {
            let text = (key.print)(self);
            if let Some(text) = text.filter(|text| Some(text) != (key.print)(&defaults).as_ref()) {
                write!(f, "{separator}{}={}", key.name, escaped(&text))?;
                separator = '&';
            }
        }
        Ok(())
    }
}

fn escaped(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}
