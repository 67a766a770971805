//! Reading parameters from a URL.

mod display;
mod given;
mod json;
mod keys;

use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::config::credentials::REDACTED;
use crate::config::error::A_KEY;
use crate::config::parameters::{ALLOWED_HOST, ALLOWED_PORT, Key, Refusal, whole};
use crate::config::{ConnectionParameters, Endpoint, ParametersError, ParametersErrorKind, Secret, Tls};
use keys::nearest;

use ParametersErrorKind::{Conflict, Empty, Malformed, OutOfRange, Scheme, Unsupported};

pub(super) use given::Given;
#[cfg(feature = "serde")]
pub(super) use keys::nearest_of;
pub(super) use keys::{
    AUTH_MECHANISM, CA_FILE, CERTIFICATE_FILE, CLIENT_PROPERTIES, CONNECTION_TIMEOUT, DISABLE, ERASE_ON_CONNECT,
    FAIL_IF_NO_PEER_CERT, KEY_FILE, KEY_PASSWORD, SEND_SERVER_NAME, SERVER_NAME, SOCKET_TIMEOUT, SSL_OPTIONS,
    TCP_OPTIONS, VERIFY, find, keys,
};

impl ConnectionParameters {
    /// Reads a URL in the form that [the module](crate::config#the-url) describes.
    ///
    /// ```
    /// use leveret::config::ConnectionParameters;
    ///
    /// let parameters = ConnectionParameters::from_url("amqp://u:p@rabbit.example/orders?heartbeat=30")?;
    /// assert_eq!(parameters.virtual_host, "orders");
    ///
    /// let error = ConnectionParameters::from_url("amqp://rabbit.example?hartbeat=30").unwrap_err();
    /// assert_eq!(error.nearest(), ["heartbeat"]);
    /// # Ok::<(), leveret::config::ParametersError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the first error in the URL. The error shows no part of the URL that may belong to a
    /// password.
    #[doc(alias = "URLParameters")]
    pub fn from_url(url: &str) -> Result<Self, ParametersError> {
        Self::from_url_with(url, SeparateSecrets::default())
    }

    /// Reads a URL that may have redacted secrets if they are given separately.
    pub(super) fn from_url_with(url: &str, separate: SeparateSecrets) -> Result<Self, ParametersError> {
        Self::read(url, separate).map_err(|error| if may_show_query(url) { error } else { error.redacted() })
    }

    fn read(url: &str, separate: SeparateSecrets) -> Result<Self, ParametersError> {
        let (has_tls, rest) = after_scheme(url)?;
        let (before, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
        let (authority, path) = before.split_at(before.find('/').unwrap_or(before.len()));
        refuse_stray_characters(rest, authority)?;

        let mut parameters = Self { tls: has_tls.then(Tls::default), ..Self::default() };
        parameters.read_authority(authority, separate)?;
        if let Some(virtual_host) = read_path(path)? {
            parameters.virtual_host = virtual_host;
        }
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            parameters.read_query(query, separate)?;
        }
        parameters.validate()?;
        Ok(parameters)
    }

    fn read_authority(&mut self, authority: &str, separate: SeparateSecrets) -> Result<(), ParametersError> {
        let endpoints = match authority.split_once('@') {
            Some((user_info, endpoints)) => {
                let (user, password) = read_user_info(user_info, separate)?;
                self.credentials.set_login(user, password);
                endpoints
            }
            None => authority,
        };
        self.endpoints = read_endpoints(endpoints).map_err(|error| match authority.contains('@') {
            true => error,
            false => error.also("; user and password, where there are any, come before the host, followed by an `@`"),
        })?;
        Ok(())
    }

    fn read_query(&mut self, query: &str, separate: SeparateSecrets) -> Result<(), ParametersError> {
        let mut given = Given::default();
        for (index, pair) in query.split('&').enumerate() {
            let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode_form(key, "url")?;
            if name.is_empty() {
                return Err(ParametersError::new(Empty, A_KEY, "a pair is written key=value"));
            }
            let key = find(&name).ok_or_else(|| ParametersError::unknown(index + 1, &name, nearest(&name)))?;
            let text = Zeroizing::new(decode_form(text, key.name)?);
            if !(separate.key_password && key.name == KEY_PASSWORD_NAME && *text == REDACTED) {
                given.add(key, text)?;
            }
        }
        self.read_given(&given)
    }

    /// Reads the values in the order of the table, so that the result does not depend on their
    /// order in the query.
    pub(super) fn read_given(&mut self, given: &Given) -> Result<(), ParametersError> {
        for key in keys() {
            if let Some(text) = given.get(key) {
                self.read_value(key, text)?;
            }
        }
        Ok(())
    }

    fn read_value(&mut self, key: &Key, text: &str) -> Result<(), ParametersError> {
        let allowed = format!("allowed is {}", key.allowed);
        if text.is_empty() {
            return Err(ParametersError::new(Empty, key.name, allowed));
        }
        let given = |error: ParametersError| if key.access.secret { error } else { error.given(text) };
        (key.access.read)(self, text).map_err(|refusal| match refusal {
            Refusal::Malformed => given(ParametersError::new(Malformed, key.name, allowed)),
            Refusal::OutOfRange => given(ParametersError::new(OutOfRange, key.name, allowed)),
            Refusal::Because(reason) => given(ParametersError::new(Malformed, key.name, reason)),
            Refusal::Needs(advice) => ParametersError::new(Conflict, key.name, advice),
        })
    }
}

/// The secrets that are given separately, so that the URL may have them redacted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SeparateSecrets {
    /// The password of the user.
    pub(super) password: bool,
    /// The password of the private key.
    pub(super) key_password: bool,
}

/// The key of the query for the password of the private key.
pub(super) const KEY_PASSWORD_NAME: &str = "password";

/// Returns whether the URL has TLS, and what follows `amqp://` or `amqps://`.
fn after_scheme(url: &str) -> Result<(bool, &str), ParametersError> {
    const ADVICE: &str = "a URL begins with amqp:// or amqps://";
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(ParametersError::new(Scheme, "scheme", ADVICE));
    };
    if scheme.eq_ignore_ascii_case("amqp") {
        return Ok((false, rest));
    }
    if !scheme.eq_ignore_ascii_case("amqps") {
        return Err(ParametersError::new(Scheme, "scheme", ADVICE));
    }
    if cfg!(feature = "tls") { Ok((true, rest)) } else { Err(ParametersError::new(Unsupported, "scheme", NO_TLS)) }
}

/// Words in the name of a key whose value may be a secret. They count anywhere in a query, because
/// an `&` in a secret that was not escaped splits it into keys and values.
const SECRETS: [&str; 7] = ["pass", "pwd", "secret", "token", "credential", "ssl_options", "client_properties"];

/// Whether the values of the query cannot contain a part of a secret: no key in it names a secret,
/// and the password before the query is complete. In `amqp://user:1?2@3`, which has no host, the
/// end of the password looks like a query.
fn may_show_query(url: &str) -> bool {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let authority = before.split_once("://").map_or(before, |(_, authority)| authority);
    let query = percent_decode_str(query).decode_utf8_lossy().to_ascii_lowercase();
    let query = Zeroizing::new(query);
    (authority.contains('@') || !authority.contains(':')) && !SECRETS.iter().any(|word| query.contains(word))
}

/// The advice for a secret that is only `<redacted>`.
pub(super) const REDACTED_ADVICE: &str = "it was redacted when the URL was printed, put the real one in its place";

/// The advice if the build has no TLS.
pub(super) const NO_TLS: &str = "leveret was built without TLS; enable its feature `tls`";

/// Refuses characters that must be escaped in a URL. They are mostly from a password that was not
/// encoded, so none of the text is shown. Nothing is guessed either: after a wrong guess, the end
/// of a password could be sent to a name server.
fn refuse_stray_characters(rest: &str, authority: &str) -> Result<(), ParametersError> {
    let advice = if rest.contains('#') {
        "write `#` as %23"
    } else if rest.contains(|character: char| character.is_whitespace() || character.is_control()) {
        "it has a space, a line end or another control character; write them percent-encoded"
    } else if rest.matches('@').count() > 1 || rest.contains('@') && !authority.contains('@') {
        "an `@` is allowed once, before the host; write others as %40, and in a user or password `/` as %2F and `?` as %3F"
    } else {
        return Ok(());
    };
    Err(ParametersError::new(Malformed, "url", advice))
}

/// Reads the user, and the password if there is one.
fn read_user_info(user_info: &str, separate: SeparateSecrets) -> Result<(String, Option<Secret>), ParametersError> {
    if user_info.is_empty() {
        return Err(ParametersError::new(Empty, "user", "write user:password before the `@`, or leave the `@` out"));
    }
    match user_info.split_once(':') {
        Some((user, REDACTED)) if separate.password => Ok((decode(user, "user")?, None)),
        Some((_, REDACTED)) => Err(ParametersError::new(Malformed, "password", REDACTED_ADVICE)),
        Some((user, password)) => Ok((decode(user, "user")?, Some(Secret::from(decode(password, "password")?)))),
        None => Ok((decode(user_info, "user")?, None)),
    }
}

/// Reads one endpoint, or a list in which no endpoint is empty.
pub(super) fn read_endpoints(text: &str) -> Result<Vec<Endpoint>, ParametersError> {
    if !text.contains(',') {
        return Ok(vec![read_endpoint(text)?]);
    }
    let one_of_several = |(index, text): (usize, &str)| {
        let endpoint = match text {
            "" => Err(ParametersError::new(Empty, "host", "write host:port between two commas")),
            text => read_endpoint(text),
        };
        endpoint.map_err(|error| error.also(&format!(" (endpoint {})", index + 1)))
    };
    text.split(',').enumerate().map(one_of_several).collect()
}

/// Reads `host:port`. A missing host means this machine.
pub(super) fn read_endpoint(text: &str) -> Result<Endpoint, ParametersError> {
    let (host, port) = split_endpoint(text)?;
    let host = if host.is_empty() { Endpoint::default().host } else { host };
    Ok(Endpoint { host, port: port.map(read_port).transpose()? })
}

/// Splits an endpoint into host (decoded, without brackets) and port. An error shows no part of it:
/// in `user:password` without a host, the password would look like a port.
fn split_endpoint(endpoint: &str) -> Result<(String, Option<&str>), ParametersError> {
    let malformed = || ParametersError::new(Malformed, "host", ALLOWED_HOST);
    if let Some(bracketed) = endpoint.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or_else(malformed)?;
        let host = decode(host, "host")?;
        let address = host.split_once('%').map_or(&*host, |(address, _)| address);
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(malformed());
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(malformed()),
        };
    }
    let (host, port) = endpoint.split_once(':').map_or((endpoint, None), |(host, port)| (host, Some(port)));
    if port.is_some_and(|port| port.contains(':')) || host.contains("%3A") || host.contains("%3a") {
        return Err(malformed());
    }
    Ok((decode(host, "host")?.to_ascii_lowercase(), port))
}

pub(super) fn read_port(text: &str) -> Result<u16, ParametersError> {
    let kind = match whole(text) {
        Ok(port) => return Ok(port),
        Err(_) if text.is_empty() => Empty,
        Err(Refusal::OutOfRange) => OutOfRange,
        Err(_) => Malformed,
    };
    Err(ParametersError::new(kind, "port", ALLOWED_PORT))
}

/// Reads the virtual host, if the path names one.
fn read_path(path: &str) -> Result<Option<String>, ParametersError> {
    match path.strip_prefix('/') {
        None | Some("") => Ok(None),
        Some("/") => Ok(Some(String::new())),
        Some(name) if name.contains('/') => {
            Err(ParametersError::new(Malformed, "virtual_host", "write a `/` in it as %2F, as in /a%2Fb"))
        }
        Some(name) => decode(name, "virtual_host").map(Some),
    }
}

/// Decodes a part of the query, where a `+` is a space.
fn decode_form(text: &str, part: &str) -> Result<String, ParametersError> {
    decode(&Zeroizing::new(text.replace('+', " ")), part)
}

/// Decodes percent-escapes, which all have to be complete, into UTF-8.
fn decode(text: &str, part: &str) -> Result<String, ParametersError> {
    let mut after_percent = text.split('%').skip(1);
    let is_escape = |text: &str| text.len() >= 2 && text.bytes().take(2).all(|octet| octet.is_ascii_hexdigit());
    if !after_percent.all(is_escape) {
        return Err(ParametersError::new(Malformed, part, "two hexadecimal digits follow a `%`; `%` itself is %25"));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| ParametersError::new(Malformed, part, "percent-escapes must be UTF-8"))
}

impl FromStr for ConnectionParameters {
    type Err = ParametersError;

    fn from_str(url: &str) -> Result<Self, ParametersError> {
        Self::from_url(url)
    }
}

impl From<&Self> for ConnectionParameters {
    /// Clones the parameters, so that kept parameters can open several connections.
    fn from(parameters: &Self) -> Self {
        parameters.clone()
    }
}

impl TryFrom<&str> for ConnectionParameters {
    type Error = ParametersError;

    fn try_from(url: &str) -> Result<Self, ParametersError> {
        Self::from_url(url)
    }
}

impl TryFrom<&String> for ConnectionParameters {
    type Error = ParametersError;

    fn try_from(url: &String) -> Result<Self, ParametersError> {
        Self::from_url(url)
    }
}

impl TryFrom<String> for ConnectionParameters {
    type Error = ParametersError;

    /// Reads the URL, and overwrites it in memory: its password is kept as a [`Secret`] only.
    fn try_from(url: String) -> Result<Self, ParametersError> {
        Self::from_url(&Zeroizing::new(url))
    }
}
