//! Parameters in configuration files: read from a URL or from a map, written as a URL without
//! secrets.

mod value;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::credentials::REDACTED;
use super::parameters::{Key, ROWS};
use super::url::{
    Given, KEY_PASSWORD_NAME, NO_TLS, REDACTED_ADVICE, SeparateSecrets, find, keys, nearest_of, read_endpoint,
    read_endpoints, read_port,
};
use super::{ConnectionParameters, Endpoint, ParametersError, ParametersErrorKind, Secret};

use value::{Text, Value, entries};

use ParametersErrorKind::{Conflict, Malformed};

impl Serialize for ConnectionParameters {
    /// Writes the URL that `Display` prints, which shows no secret. It reads back if the password
    /// replaces `<redacted>`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConnectionParameters {
    /// Reads a URL or a map. A format that is not human-readable has the URL.
    ///
    /// A map has the keys of a URL's query, each at most once, with typed values:
    ///
    /// * A number is a number, not a text.
    /// * A flag is `true` or `false`, also where a URL has `t` or `f`.
    /// * A JSON object is a map.
    /// * A key that a URL may repeat has a text or a list with at least one element.
    /// * Null means `none` where a URL allows `none` (the text `none` is allowed too). For other
    ///   keys, null means that the key is not given.
    ///
    /// A map may also have `url`, and the parts of a URL without escapes: the texts `host`, `user`,
    /// `password` and `virtual_host`, the number `port`, and, in place of host and port, a list of
    /// `endpoints` in the form of a URL. `tls` is `true`, `false` or a map of the keys that are
    /// about TLS. Entries of the map replace what its `url` has. A URL that was printed with
    /// `<redacted>` for a password can therefore be used if the map has the password.
    ///
    /// ```
    /// # #[cfg(feature = "tls")] {
    /// use leveret::ConnectionParameters;
    ///
    /// let settings = r#"{
    ///     "host": "rabbit.example", "user": "shop", "password": "p@ss/word",
    ///     "heartbeat": 30, "tls": { "cacertfile": "ca.pem" }
    /// }"#;
    /// let parameters: ConnectionParameters = serde_json::from_str(settings).unwrap();
    /// let url = "amqps://shop:<redacted>@rabbit.example/%2F?cacertfile=ca.pem&heartbeat=30";
    /// assert_eq!(parameters.to_string(), url);
    /// assert_eq!(serde_json::to_value(&parameters).unwrap(), url);
    /// # }
    /// ```
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(ParametersVisitor)
        } else {
            // Most binary formats do not describe their types, so that the type to read must be
            // given.
            deserializer.deserialize_string(ParametersVisitor)
        }
    }
}

struct ParametersVisitor;

impl<'de> Visitor<'de> for ParametersVisitor {
    type Value = ConnectionParameters;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL or a map of connection parameters")
    }

    fn visit_str<E: Error>(self, url: &str) -> Result<Self::Value, E> {
        ConnectionParameters::from_url(url).map_err(E::custom)
    }

    fn visit_string<E: Error>(self, url: String) -> Result<Self::Value, E> {
        // By value: this conversion overwrites the text afterwards.
        ConnectionParameters::try_from(url).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut written = Written::default();
        for (name, value) in entries(map)? {
            written.add(&name, value).map_err(A::Error::custom)?;
        }
        written.into_parameters().map_err(A::Error::custom)
    }
}

/// The contents of a map.
#[derive(Default)]
struct Written {
    url: Option<Text>,
    host: Option<Text>,
    port: Option<u16>,
    endpoints: Option<Vec<Endpoint>>,
    user: Option<Text>,
    password: Option<Secret>,
    virtual_host: Option<Text>,
    tls: Option<bool>,
    given: Given,
}

/// The names of a map that are not keys of a URL's query.
const PARTS: [&str; 8] = ["url", "host", "port", "endpoints", "user", "password", "virtual_host", "tls"];

const TLS_ADVICE: &str = "give true, false or a map of the keys that are about TLS";

impl Written {
    fn add(&mut self, name: &str, value: Value) -> Result<(), ParametersError> {
        match name {
            "url" => self.url = value.text(name)?,
            "host" => self.host = value.text(name)?,
            "port" => self.port = value.number(name)?.map(|digits| read_port(&digits)).transpose()?,
            "endpoints" => self.endpoints = read_list(value)?,
            "user" => self.user = value.text(name)?,
            "password" => self.password = value.text(name)?.map(|text| read_password(&text)).transpose()?,
            "virtual_host" => self.virtual_host = value.text(name)?,
            "tls" => self.add_tls(value)?,
            _ => match find(name) {
                Some(key) if !is_about_tls(key) => self.add_key(key, value)?,
                Some(key) => {
                    let advice = "it is about TLS: put it into the map `tls`";
                    return Err(ParametersError::new(Conflict, key.name, advice));
                }
                None => {
                    let others = keys().filter(|key| !is_about_tls(key)).map(|key| key.name);
                    return Err(unknown(name, PARTS.into_iter().chain(others)));
                }
            },
        }
        Ok(())
    }

    fn add_key(&mut self, key: &'static Key, value: Value) -> Result<(), ParametersError> {
        value.for_key(key)?.into_iter().try_for_each(|text| self.given.add(key, text))
    }

    fn add_tls(&mut self, value: Value) -> Result<(), ParametersError> {
        match value {
            Value::Null => return Ok(()),
            Value::Flag(wanted) => self.tls = Some(wanted),
            Value::Map(entries) => {
                self.tls = Some(true);
                for (name, value) in entries {
                    match find(&name).filter(|key| is_about_tls(key)) {
                        Some(key) => self.add_key(key, value)?,
                        None => return Err(unknown(&name, keys_of_tls().map(|key| key.name))),
                    }
                }
            }
            // The value is not shown: it may be a secret in the wrong place.
            _ => return Err(ParametersError::new(Malformed, "tls", TLS_ADVICE)),
        }
        Ok(())
    }

    fn separate_secrets(&self) -> SeparateSecrets {
        let key_password = find(KEY_PASSWORD_NAME).is_some_and(|key| self.given.get(key).is_some());
        SeparateSecrets { password: self.password.is_some(), key_password }
    }

    fn into_parameters(self) -> Result<ConnectionParameters, ParametersError> {
        let mut parameters = match &self.url {
            Some(url) => ConnectionParameters::from_url_with(url, self.separate_secrets())?,
            None => ConnectionParameters::default(),
        };
        if let Some(wanted) = self.tls {
            set_tls(&mut parameters, wanted)?;
        }
        parameters = match (self.endpoints, self.host, self.port) {
            (Some(endpoints), None, None) => parameters.endpoints(endpoints),
            (Some(_), ..) => {
                let advice = "it has hosts and ports itself: leave host and port out";
                return Err(ParametersError::new(Conflict, "endpoints", advice));
            }
            (None, host, port) => {
                let parameters = host.into_iter().fold(parameters, |it, host| it.host(host.as_str()));
                port.into_iter().fold(parameters, ConnectionParameters::port)
            }
        };
        if self.user.is_some() || self.password.is_some() {
            let user = self.user.as_deref().map_or(parameters.credentials.user(), String::as_str).to_owned();
            parameters.credentials.set_login(user, self.password);
        }
        if let Some(virtual_host) = self.virtual_host {
            parameters.virtual_host = virtual_host.to_string();
        }
        // The value is not shown: an application may put anything into the properties.
        let hidden = |error: ParametersError| if error.key() == "client_properties" { error.redacted() } else { error };
        parameters.read_given(&self.given).map_err(hidden)?;
        parameters.validate()?;
        Ok(parameters)
    }
}

/// Reads endpoints in the form of a URL, from a list of texts or from one text.
fn read_list(value: Value) -> Result<Option<Vec<Endpoint>>, ParametersError> {
    let is_list = matches!(value, Value::List(_));
    let Some(texts) = value.texts("endpoints")? else { return Ok(None) };
    let one = |(index, text): (usize, &Text)| {
        read_endpoint(text).map_err(|error| error.also(&format!(" (endpoint {})", index + 1)))
    };
    match &texts[..] {
        [text] if !is_list => read_endpoints(text),
        texts => texts.iter().enumerate().map(one).collect(),
    }
    .map(Some)
}

fn read_password(text: &str) -> Result<Secret, ParametersError> {
    if text == REDACTED {
        return Err(ParametersError::new(Malformed, "password", REDACTED_ADVICE));
    }
    Ok(Secret::from(text))
}

fn set_tls(parameters: &mut ConnectionParameters, wanted: bool) -> Result<(), ParametersError> {
    if wanted && !cfg!(feature = "tls") {
        return Err(ParametersError::new(ParametersErrorKind::Unsupported, "tls", NO_TLS));
    }
    parameters.tls = if wanted { Some(parameters.tls.take().unwrap_or_default()) } else { None };
    Ok(())
}

fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> ParametersError {
    ParametersError::unknown_name(name, nearest_of(name, known))
}

fn keys_of_tls() -> impl Iterator<Item = &'static Key> {
    ROWS.iter().filter(|row| row.field == "tls").flat_map(|row| row.keys)
}

fn is_about_tls(key: &Key) -> bool {
    keys_of_tls().any(|other| other.name == key.name)
}
