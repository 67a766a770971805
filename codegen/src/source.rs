//! The text of a specification, and its name in errors.

use std::path::Path;

use crate::problem::{Errors, Problem};

/// A specification, or an overlay, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in errors: the path of the file.
    pub name: String,
    /// The XML.
    pub text: String,
}

impl Source {
    /// Creates a source from a text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read or is not UTF-8.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Errors> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => Err(Problem::with_file(&name, format!("cannot be read: {error}")).into()),
        }
    }
}
