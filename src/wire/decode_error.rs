//! Errors of decoding.

use std::{error, fmt};

/// Bytes that cannot be decoded as the value that was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    offset: Option<usize>,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end inside a value, or a length reaches beyond their end.
    Truncated,
    /// Bytes follow the last value.
    TrailingOctets,
    /// A field value has a type that does not exist.
    UnknownTypeCode(u8),
    /// Tables and arrays are nested deeper than [`MAX_NESTING`](super::MAX_NESTING).
    NestedTooDeep,
    /// No method has these ids.
    UnknownMethod {
        /// The class id.
        class: u16,
        /// The method id within the class.
        method: u16,
    },
    /// A word of property flags has a flag for which the class has no property.
    UnknownPropertyFlags(u16),
}

impl DecodeError {
    /// Makes an error at `offset` bytes from the start. Marked cold, so that the compiler favours
    /// the path without errors.
    #[cold]
    pub(super) fn at(offset: usize, kind: DecodeErrorKind) -> Self {
        Self { kind, offset: Some(offset) }
    }

    /// Makes the error of an unknown method `method` of class `class`.
    #[cold]
    pub fn unknown_method(class: u16, method: u16) -> Self {
        Self { kind: DecodeErrorKind::UnknownMethod { class, method }, offset: None }
    }

    /// Makes the error of property flags with a flag for which there is no property.
    #[cold]
    pub fn unknown_property_flags(flags: u16) -> Self {
        Self { kind: DecodeErrorKind::UnknownPropertyFlags(flags), offset: None }
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// Returns the position of the error, in bytes from the start of the reader's input, or `None`
    /// for ids and property flags.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match self.offset {
            Some(offset) => write!(f, " (at octet {offset})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the octets end inside a value"),
            Self::TrailingOctets => f.write_str("octets follow the last value"),
            Self::UnknownTypeCode(code) => {
                write!(f, "no field value has the type code {code:#04x} '{}'", code.escape_ascii())
            }
            Self::NestedTooDeep => {
                write!(f, "tables and arrays are nested more than {} deep", super::MAX_NESTING)
            }
            Self::UnknownMethod { class, method } => write!(f, "there is no method {class}.{method}"),
            Self::UnknownPropertyFlags(flags) => write!(f, "property flags {flags:#06x} name no property"),
        }
    }
}

impl error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        let error = |kind| DecodeError::at(7, kind).to_string();
        assert_eq!(error(DecodeErrorKind::Truncated), "the octets end inside a value (at octet 7)");
        assert_eq!(error(DecodeErrorKind::TrailingOctets), "octets follow the last value (at octet 7)");
        let code = |code| error(DecodeErrorKind::UnknownTypeCode(code));
        assert_eq!(code(b'z'), "no field value has the type code 0x7a 'z' (at octet 7)");
        assert_eq!(code(0), r"no field value has the type code 0x00 '\x00' (at octet 7)");
        let nested = error(DecodeErrorKind::NestedTooDeep);
        assert_eq!(nested, "tables and arrays are nested more than 64 deep (at octet 7)");
    }

    #[test]
    fn an_unknown_method_is_named_by_its_ids() {
        let error = DecodeError::unknown_method(60, 9);
        assert_eq!(error.kind(), DecodeErrorKind::UnknownMethod { class: 60, method: 9 });
        assert_eq!(error.offset(), None);
        assert_eq!(error.to_string(), "there is no method 60.9");
    }

    #[test]
    fn unknown_property_flags_are_shown_whole() {
        let error = DecodeError::unknown_property_flags(2);
        assert_eq!(error.kind(), DecodeErrorKind::UnknownPropertyFlags(2));
        assert_eq!(error.to_string(), "property flags 0x0002 name no property");
    }
}
