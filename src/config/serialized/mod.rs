//! Parameters in files of settings: read from a URL or from a map, written as a URL without
//! secrets.

mod texts;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::credentials::REDACTED;
use super::parameters::{ALLOWED_PORT, Key, ROWS};
use super::url::{Given, NO_TLS, REDACTED_ADVICE, find, keys, nearest_of, read_endpoints};
use super::{ConnectionParameters, ParametersError, ParametersErrorKind, Secret};

use texts::Texts;

use ParametersErrorKind::{Conflict, Malformed};

impl Serialize for ConnectionParameters {
    /// The URL that `Display` gives, which shows no secret: it reads back once the password is put
    /// in.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConnectionParameters {
    /// Reads a URL, or a map.
    ///
    /// A map has the keys of a URL's query, with values as the format has them: `true`, `0.25`, a
    /// list where a key may come several times, null for none. Beside them it has `url`, or the
    /// parts of one without escapes: `host` and `port`, or a list of `endpoints` in the form of a
    /// URL's; `user`, `password` and `virtual_host`. `tls` is `true` or `false`, or a map of the
    /// keys that are about TLS. What the map has itself goes before what its `url` has.
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
        deserializer.deserialize_any(ParametersVisitor)
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
        // Overwritten afterwards.
        ConnectionParameters::try_from(url).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut written = Written::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "tls" {
                written.set_tls(map.next_value()?).map_err(A::Error::custom)?;
            } else {
                written.add(&name, map.next_value()?).map_err(A::Error::custom)?;
            }
        }
        written.into_parameters().map_err(A::Error::custom)
    }
}

/// What a map has.
#[derive(Default)]
struct Written {
    url: Option<Zeroizing<String>>,
    host: Option<String>,
    port: Option<String>,
    endpoints: Option<String>,
    user: Option<String>,
    password: Option<Secret>,
    virtual_host: Option<String>,
    tls: Option<bool>,
    given: Given,
}

/// The names that are parts of a URL, and no keys of its query.
const PARTS: [&str; 8] = ["url", "host", "port", "endpoints", "user", "password", "virtual_host", "tls"];

impl Written {
    fn add(&mut self, name: &str, value: Texts) -> Result<(), ParametersError> {
        match name {
            "url" => set(&mut self.url, name, value.one(name)?),
            "host" => set(&mut self.host, name, value.one(name)?.to_string()),
            "port" => set(&mut self.port, name, value.one(name)?.to_string()),
            "endpoints" => set(&mut self.endpoints, name, value.joined(',')),
            "user" => set(&mut self.user, name, value.one(name)?.to_string()),
            "password" => match value.one(name)? {
                text if text.as_str() == REDACTED => Err(ParametersError::new(Malformed, name, REDACTED_ADVICE)),
                text => set(&mut self.password, name, Secret::from(text.as_str())),
            },
            "virtual_host" => set(&mut self.virtual_host, name, value.one(name)?.to_string()),
            _ => match find(name) {
                Some(key) if !is_about_tls(key) => value.add_to(&mut self.given, key),
                Some(key) => {
                    Err(ParametersError::new(Conflict, key.name, "it is about TLS: put it into the map `tls`"))
                }
                None => Err(unknown(
                    name,
                    PARTS.into_iter().chain(keys().filter(|key| !is_about_tls(key)).map(|key| key.name)),
                )),
            },
        }
    }

    fn set_tls(&mut self, tls: TlsWritten) -> Result<(), ParametersError> {
        let TlsWritten { wanted, keys } = tls;
        set(&mut self.tls, "tls", wanted)?;
        for (name, value) in keys {
            match find(&name) {
                Some(key) if is_about_tls(key) => value.add_to(&mut self.given, key)?,
                _ => return Err(unknown(&name, keys_of_tls().map(|key| key.name))),
            }
        }
        Ok(())
    }

    fn into_parameters(self) -> Result<ConnectionParameters, ParametersError> {
        let mut parameters = match &self.url {
            Some(url) => ConnectionParameters::from_url(url)?,
            None => ConnectionParameters::default(),
        };
        if let Some(wanted) = self.tls {
            set_tls(&mut parameters, wanted)?;
        }
        if self.endpoints.is_some() && (self.host.is_some() || self.port.is_some()) {
            return Err(ParametersError::new(
                Conflict,
                "endpoints",
                "it has hosts and ports itself: leave host and port out",
            ));
        }
        if let Some(endpoints) = self.endpoints {
            parameters.endpoints = read_endpoints(&endpoints)?;
        }
        if let Some(host) = self.host {
            parameters = parameters.host(host);
        }
        if let Some(port) = self.port {
            let port = port.parse().map_err(|_| ParametersError::new(Malformed, "port", ALLOWED_PORT))?;
            parameters = parameters.port(port);
        }
        if self.user.is_some() || self.password.is_some() {
            let user = self.user.unwrap_or_else(|| parameters.credentials.user().to_owned());
            parameters.credentials.set_login(user, self.password);
        }
        if let Some(virtual_host) = self.virtual_host {
            parameters.virtual_host = virtual_host;
        }
        // Whatever an application tells of itself may be among the properties.
        let hidden = |error: ParametersError| if error.key() == "client_properties" { error.redacted() } else { error };
        parameters.read_given(&self.given).map_err(hidden)?;
        parameters.validate()?;
        Ok(parameters)
    }
}

/// Sets a part that may come once.
fn set<T>(part: &mut Option<T>, name: &str, value: T) -> Result<(), ParametersError> {
    match part.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParametersError::new(ParametersErrorKind::RepeatedKey, name, "give it once")),
    }
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

/// `tls`: whether it is wanted, or its keys.
struct TlsWritten {
    wanted: bool,
    keys: Vec<(String, Texts)>,
}

impl<'de> Deserialize<'de> for TlsWritten {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TlsVisitor)
    }
}

struct TlsVisitor;

impl<'de> Visitor<'de> for TlsVisitor {
    type Value = TlsWritten;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or a map of the keys that are about TLS")
    }

    fn visit_bool<E: Error>(self, wanted: bool) -> Result<TlsWritten, E> {
        Ok(TlsWritten { wanted, keys: Vec::new() })
    }

    /// What is shown of it otherwise may be a secret in the wrong place.
    fn visit_str<E: Error>(self, _: &str) -> Result<TlsWritten, E> {
        Err(E::custom("tls is not valid: give true, false or a map of the keys that are about TLS"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TlsWritten, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = map.next_entry()? {
            keys.push(entry);
        }
        Ok(TlsWritten { wanted: true, keys })
    }
}
