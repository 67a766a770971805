//! What the reader passed over or read otherwise than it is written, with its place.

use std::fmt;

use crate::problem::{Position, one_line};

/// One thing that a specification says and the bindings do not, prose or an assert that the reader
/// does not know; or one that it says otherwise than the format of 0-9-1, and that can be read in
/// one way only.
///
/// What could make the bindings wrong is no warning, but a [`Problem`](crate::Problem).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    position: Position,
    /// The element, such as `/amqp/class[queue]/method[declare]`.
    path: String,
    /// What was passed over.
    message: String,
}

impl Warning {
    /// A warning about the element at `path`, at a position.
    pub fn new(position: &Position, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { position: position.clone(), path: path.into(), message: one_line(&message.into()) }
    }

    /// Where it stands.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The path of the element, such as `/amqp/class[queue]/method[declare]`; empty outside the
    /// root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was passed over, without the place.
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
