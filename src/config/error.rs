//! What is wrong with connection parameters.

use std::convert::Infallible;
use std::fmt;

/// What is wrong with a URL or with a field of [`ConnectionParameters`](super::ConnectionParameters).
///
/// Its text names the part or key, what was given, what is allowed and, for an unknown key, the nearest known one. It
/// never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersError {
    kind: ParametersErrorKind,
    key: String,
    /// What was given, where it can be shown.
    given: Option<String>,
    /// What is allowed, or what to do.
    advice: String,
    nearest: Option<&'static str>,
}

/// The kinds of [`ParametersError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParametersErrorKind {
    /// The URL has no scheme, or one that is not AMQP's.
    Scheme,
    /// The URL asks for something that this version does not have.
    Unsupported,
    /// The text of a part or value cannot be read.
    Malformed,
    /// A part or value is missing its text.
    Empty,
    /// A value is beyond its bounds.
    OutOfRange,
    /// No parameter is called so.
    UnknownKey,
    /// A key comes twice.
    RepeatedKey,
    /// Two keys contradict each other.
    Conflict,
}

impl ParametersError {
    pub(super) fn new(kind: ParametersErrorKind, key: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind, key: key.into(), given: None, advice: advice.into(), nearest: None }
    }

    /// Adds what was given.
    pub(super) fn given(self, given: impl Into<String>) -> Self {
        Self { given: Some(given.into()), ..self }
    }

    pub(super) fn unknown(key: impl Into<String>, nearest: Option<&'static str>, known: &str) -> Self {
        let error = Self::new(ParametersErrorKind::UnknownKey, key, format!("known keys are {known}"));
        Self { nearest, ..error }
    }

    /// What is wrong.
    pub fn kind(&self) -> ParametersErrorKind {
        self.kind
    }

    /// Where it is wrong: a key of the query as it was given, or `url`, `scheme`, `user`, `password`, `host`, `port` or
    /// `virtual_host`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The known key that is nearest to an unknown one.
    pub fn nearest(&self) -> Option<&'static str> {
        self.nearest
    }
}

impl fmt::Display for ParametersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, key, given, advice, nearest } = self;
        match kind {
            ParametersErrorKind::UnknownKey => write!(f, "unknown key {key:?}")?,
            ParametersErrorKind::RepeatedKey => write!(f, "the key {key} comes twice")?,
            ParametersErrorKind::Empty => write!(f, "{key} is empty")?,
            _ => match given {
                Some(given) => write!(f, "{key} cannot be {}", Shortened(given))?,
                None => write!(f, "{key} is not valid")?,
            },
        }
        if let Some(nearest) = nearest {
            write!(f, ", the nearest known one is {nearest}")?;
        }
        write!(f, ": {advice}")
    }
}

impl std::error::Error for ParametersError {}

impl From<Infallible> for ParametersError {
    /// Lets a function take anything that converts to parameters, the parameters themselves included.
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
