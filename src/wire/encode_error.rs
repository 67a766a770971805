//! Errors of encoding.

use std::{error, fmt};

use super::{Escaped, ShortString};

/// A value of the caller that the wire cannot express.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError {
    kind: EncodeErrorKind,
    /// The path to the value through tables and arrays; empty if it is in none.
    path: Box<str>,
}

/// What is wrong with the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// A short string has more than 255 bytes.
    ShortStringTooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A long string or byte array has more than `u32::MAX` bytes.
    LongStringTooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A table or array takes more than `u32::MAX` bytes.
    TableTooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A floating-point number is not finite, which brokers do not understand.
    NotFinite,
    /// Tables and arrays are nested deeper than [`MAX_NESTING`](super::MAX_NESTING).
    NestedTooDeep,
}

impl EncodeError {
    #[cold]
    pub(super) fn new(kind: EncodeErrorKind) -> Self {
        Self { kind, path: Box::default() }
    }

    /// Adds to the path that the value is in the field `key` of a table.
    #[cold]
    pub(super) fn in_field(self, key: &ShortString) -> Self {
        self.under(&key.to_string())
    }

    /// Adds to the path that the value is in an item of an array.
    #[cold]
    pub(super) fn in_item(self, index: usize) -> Self {
        self.under(&format!("[{index}]"))
    }

    fn under(self, step: &str) -> Self {
        // The path to a value that is nested too deep would be long, and would add nothing to the
        // error.
        if self.kind == EncodeErrorKind::NestedTooDeep {
            return self;
        }
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{step}{dot}{}", self.path).into(), ..self }
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> EncodeErrorKind {
        self.kind
    }

    /// Returns the path through tables and arrays to the value, such as `x-death[0].count`, or
    /// `None` if it is in no table or array.
    pub fn path(&self) -> Option<&str> {
        (!self.path.is_empty()).then_some(&*self.path)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match self.path() {
            Some(path) => write!(f, " (at {})", Escaped(path)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for EncodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortStringTooLong { length } => write!(f, "short string of {length} octets, at most 255"),
            Self::LongStringTooLong { length } => write!(f, "long string of {length} octets, at most {}", u32::MAX),
            Self::TableTooLong { length } => write!(f, "table or array of {length} octets, at most {}", u32::MAX),
            Self::NotFinite => f.write_str("floating-point number that is not finite"),
            Self::NestedTooDeep => {
                write!(f, "tables and arrays nested more than {} deep", super::MAX_NESTING)
            }
        }
    }
}

impl error::Error for EncodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_is_wrong() {
        let error = |kind| EncodeError::new(kind).to_string();
        let short = error(EncodeErrorKind::ShortStringTooLong { length: 300 });
        assert_eq!(short, "short string of 300 octets, at most 255");
        let long = error(EncodeErrorKind::LongStringTooLong { length: 5_000_000_000 });
        assert_eq!(long, "long string of 5000000000 octets, at most 4294967295");
        let table = error(EncodeErrorKind::TableTooLong { length: 5_000_000_000 });
        assert_eq!(table, "table or array of 5000000000 octets, at most 4294967295");
        assert_eq!(error(EncodeErrorKind::NotFinite), "floating-point number that is not finite");
        assert_eq!(error(EncodeErrorKind::NestedTooDeep), "tables and arrays nested more than 64 deep");
    }

    #[test]
    fn an_error_shows_the_way_to_the_value() {
        let error = EncodeError::new(EncodeErrorKind::NotFinite);
        assert_eq!(error.path(), None);
        let error = error.in_field(&ShortString::from("weight")).in_item(2).in_field(&ShortString::from("x-list"));
        assert_eq!(error.path(), Some("x-list[2].weight"));
        assert_eq!(error.to_string(), "floating-point number that is not finite (at x-list[2].weight)");
    }
}
