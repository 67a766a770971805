//! Errors of connection parameters.

use std::convert::Infallible;
use std::fmt;

/// An error in a URL, in a map of settings (feature `serde`) or in a field of
/// [`ConnectionParameters`](super::ConnectionParameters).
///
/// Its text names the part or key, what is allowed and, for an unknown key, the nearest known ones.
/// The text shows what was given only if that cannot be part of a secret. Of a URL, it shows
/// nothing from before the query, no key of the query unless a known key is near, and no value of
/// the query if the query has anything that may hold a secret, such as `password`. Of a map, it
/// shows every name, but values only of keys that are neither secrets nor maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersError {
    kind: ParametersErrorKind,
    key: String,
    /// What was given, if it can be shown.
    given: Option<String>,
    /// What is allowed, or what to do.
    advice: String,
    nearest: Vec<&'static str>,
}

/// The kinds of [`ParametersError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParametersErrorKind {
    /// The URL has no scheme, or one other than `amqp` and `amqps`.
    Scheme,
    /// The URL or map needs something that this build does not have.
    Unsupported,
    /// The text of a part or value cannot be parsed, or a value of a map has the wrong type.
    Malformed,
    /// A part, value or list is empty.
    Empty,
    /// A value is out of its bounds.
    OutOfRange,
    /// No parameter has this name.
    UnknownKey,
    /// A key, or a name in a map, is given twice.
    RepeatedKey,
    /// Two keys contradict each other.
    Conflict,
}

/// What replaces the name of a key that has none, or whose name must not be shown.
pub(super) const A_KEY: &str = "a key of the query";

impl ParametersError {
    pub(super) fn new(kind: ParametersErrorKind, key: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind, key: key.into(), given: None, advice: advice.into(), nearest: Vec::new() }
    }

    /// Adds what was given, to be shown.
    pub(super) fn given(self, given: impl Into<String>) -> Self {
        Self { given: Some(given.into()), ..self }
    }

    /// Makes the error of an unknown key at this place of the query. Its name is shown only if it
    /// is near a known one; otherwise it may be part of a password.
    pub(super) fn unknown(place: usize, name: &str, nearest: Vec<&'static str>) -> Self {
        let key = if nearest.is_empty() { A_KEY } else { name };
        let advice = format!("number {place} in the query; the documentation of ConnectionParameters lists all keys");
        Self { nearest, ..Self::new(ParametersErrorKind::UnknownKey, key, advice) }
    }

    /// Makes the error of an unknown name in a map.
    #[cfg(feature = "serde")]
    pub(super) fn unknown_name(name: &str, nearest: Vec<&'static str>) -> Self {
        let advice = "the documentation of ConnectionParameters lists all keys";
        Self { nearest, ..Self::new(ParametersErrorKind::UnknownKey, name, advice) }
    }

    /// Adds to the advice.
    pub(super) fn also(mut self, advice: &str) -> Self {
        self.advice.push_str(advice);
        self
    }

    /// Removes what was given.
    pub(super) fn redacted(self) -> Self {
        Self { given: None, ..self }
    }

    /// Returns what kind of error it is.
    pub fn kind(&self) -> ParametersErrorKind {
        self.kind
    }

    /// Returns where the error is: a key of the query, or `url`, `scheme`, `user`, `password`,
    /// `host`, `port` or `virtual_host`; for a map also `endpoints`, `tls` or an unknown name. It
    /// is `a key of the query` if the key has no name, or if it is unknown and no known one is
    /// near, because it may then be part of a password.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the known keys that are nearest to an unknown one: several if they are equally near,
    /// none if no key is near.
    pub fn nearest(&self) -> &[&'static str] {
        &self.nearest
    }
}

impl fmt::Display for ParametersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, key, given, advice, nearest } = self;
        match kind {
            ParametersErrorKind::UnknownKey if key == A_KEY => write!(f, "{key} is unknown")?,
            ParametersErrorKind::UnknownKey => write!(f, "unknown key {}", Shortened(key))?,
            ParametersErrorKind::RepeatedKey => write!(f, "the key {} is given twice", key.escape_debug())?,
            ParametersErrorKind::Empty => write!(f, "{key} is empty")?,
            _ => match given {
                Some(given) => write!(f, "{key} cannot be {}", Shortened(given))?,
                None => write!(f, "{key} is not valid")?,
            },
        }
        match &nearest[..] {
            [] => write!(f, ": {advice}"),
            [nearest] => write!(f, ", the nearest known one is {nearest}: {advice}"),
            nearest => write!(f, ", the nearest known ones are {}: {advice}", nearest.join(" and ")),
        }
    }
}

impl std::error::Error for ParametersError {}

impl From<Infallible> for ParametersError {
    /// Allows a function to accept anything that converts into parameters, including the parameters
    /// themselves.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Quotes at most the beginning of a text.
struct Shortened<'a>(&'a str);

/// The number of characters of a given value that an error shows.
const SHOWN: usize = 60;

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN).and_then(|(end, _)| self.0.get(..end)) {
            Some(beginning) => write!(f, "{beginning:?}…"),
            None => write!(f, "{:?}", self.0),
        }
    }
}
