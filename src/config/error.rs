//! What is wrong with connection parameters.

use std::convert::Infallible;
use std::fmt;

/// What is wrong with a URL, with a map of settings (feature `serde`) or with a field of
/// [`ConnectionParameters`](super::ConnectionParameters).
///
/// Its text names the part or key, what is allowed and, for an unknown key, the known ones that are
/// near. It shows what was given only where that cannot be part of a secret: never a part of a URL
/// before its query, no key of a query that is near no known one, and no value of a query beside
/// something that may hold a secret, such as `password`. Of a map it shows every name, and the
/// values of keys alone that are no secret and no map themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersError {
    kind: ParametersErrorKind,
    key: String,
    /// What was given, where it can be shown.
    given: Option<String>,
    /// What is allowed, or what to do.
    advice: String,
    nearest: Vec<&'static str>,
}

/// The kinds of [`ParametersError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParametersErrorKind {
    /// The URL has no scheme, or one that is not AMQP's.
    Scheme,
    /// The URL or map asks for something that this version does not have.
    Unsupported,
    /// The text of a part or value cannot be read, or a value of a map has another type.
    Malformed,
    /// A part or value is missing its text, or a list its elements.
    Empty,
    /// A value is beyond its bounds.
    OutOfRange,
    /// No parameter has that name.
    UnknownKey,
    /// A key comes twice, or a name in a map.
    RepeatedKey,
    /// Two keys contradict each other.
    Conflict,
}

/// What stands for a key that has no name, or whose name is not shown.
pub(super) const A_KEY: &str = "a key of the query";

impl ParametersError {
    pub(super) fn new(kind: ParametersErrorKind, key: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind, key: key.into(), given: None, advice: advice.into(), nearest: Vec::new() }
    }

    /// Adds what was given, which is shown.
    pub(super) fn given(self, given: impl Into<String>) -> Self {
        Self { given: Some(given.into()), ..self }
    }

    /// The key at this place of the query is unknown. Its name is shown where it is near a known
    /// one: it may be part of a password otherwise.
    pub(super) fn unknown(place: usize, name: &str, nearest: Vec<&'static str>) -> Self {
        let key = if nearest.is_empty() { A_KEY } else { name };
        let advice = format!("number {place} in the query; the documentation of ConnectionParameters lists all keys");
        Self { nearest, ..Self::new(ParametersErrorKind::UnknownKey, key, advice) }
    }

    /// The key of this name in a map is unknown.
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

    /// Without what was given.
    pub(super) fn redacted(self) -> Self {
        Self { given: None, ..self }
    }

    /// What is wrong.
    pub fn kind(&self) -> ParametersErrorKind {
        self.kind
    }

    /// Where it is wrong: a key of the query, or `url`, `scheme`, `user`, `password`, `host`,
    /// `port` or `virtual_host`; of a map also `endpoints`, `tls` or an unknown name. It is
    /// `a key of the query` for a key that is missing there, and for one that is near no known one:
    /// it may be part of a password.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The known keys that are nearest to an unknown one, several where they are equally near; none
    /// where none is near.
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
            ParametersErrorKind::RepeatedKey => write!(f, "the key {} comes twice", key.escape_debug())?,
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
    /// Lets a function take anything that converts to parameters, the parameters themselves
    /// included.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Quotes a text, of which the beginning suffices.
struct Shortened<'a>(&'a str);

/// Characters of a given value that an error shows.
const SHOWN: usize = 60;

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN).and_then(|(end, _)| self.0.get(..end)) {
            Some(beginning) => write!(f, "{beginning:?}…"),
            None => write!(f, "{:?}", self.0),
        }
    }
}
