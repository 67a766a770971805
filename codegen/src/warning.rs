//! What the reader ignored or interpreted, with its position.

use std::fmt;

use crate::problem::{Position, one_line};

/// Something in a specification that is not in the bindings: prose, or an assert that the reader
/// does not know. Or something written differently from the format of 0-9-1 that has only one
/// interpretation.
///
/// What could make the bindings wrong is not a warning but a [`Problem`](crate::Problem).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The position.
    position: Position,
    /// The element, such as `/amqp/class[queue]/method[declare]`.
    path: String,
    /// What was ignored.
    message: String,
}

impl Warning {
    /// Creates a warning about the element at `path`, at a position.
    pub fn new(position: &Position, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { position: position.clone(), path: path.into(), message: one_line(&message.into()) }
    }

    /// The position.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The path of the element, such as `/amqp/class[queue]/method[declare]`; empty outside the
    /// root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what was ignored, without the position.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: warning: ", self.position)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}
