//! Problems of a specification, each with its position.

use std::fmt;
use std::sync::Arc;

use crate::emit::EmitError;
use crate::warning::Warning;

/// A position in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The name of the source.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The source.
    file: Arc<str>,
    /// Line and column; `None` if the problem concerns the whole file.
    at: Option<(u32, u32)>,
    /// The element, such as `/amqp/class[queue]/method[declare]`; empty if the problem concerns the
    /// whole file.
    path: String,
    /// What is wrong.
    message: String,
}

impl Problem {
    /// Creates a problem of the element at `path`, at a position.
    pub fn new(position: &Position, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: Arc::clone(&position.file),
            at: Some((position.line, position.column)),
            path: path.into(),
            message: one_line(&message.into()),
        }
    }

    /// Creates a problem of a whole file, for instance that it cannot be read.
    pub fn with_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.into(), at: None, path: String::new(), message: message.into() }
    }

    /// The name of the source.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns line and column, from 1, unless the problem concerns the whole file.
    pub fn line_and_column(&self) -> Option<(u32, u32)> {
        self.at
    }

    /// Returns the path of the element, such as `/amqp/class[queue]/method[declare]`; empty if the
    /// problem concerns the whole file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what is wrong, without the position.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All problems, in the order of the sources; never empty. `Display` writes one problem per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    /// Sorted by position.
    problems: Vec<Problem>,
}

impl Errors {
    /// Returns the problems, in the order of the sources.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for Errors {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl From<EmitError> for Errors {
    fn from(error: EmitError) -> Self {
        Problem::with_file("generated code", error.to_string()).into()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// A message without the line breaks of text that it quotes.
pub(crate) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Collects problems, so that all can be reported at once, and warnings.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    /// In the order in which they were found.
    found: Vec<Problem>,
    /// In the order in which they were found.
    warnings: Vec<Warning>,
}

impl Problems {
    /// Adds a problem.
    pub(crate) fn report(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    /// Adds a warning.
    pub(crate) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// Adds the problems of another step.
    pub(crate) fn extend(&mut self, errors: Errors) {
        self.found.extend(errors.problems);
    }

    /// Returns the problems, or the warnings if there are none, in the order of `files`.
    pub(crate) fn finish(mut self, files: &[&str]) -> Result<Vec<Warning>, Errors> {
        let place = |file: &str| files.iter().position(|candidate| *candidate == file);
        if self.found.is_empty() {
            self.warnings.sort_by_key(|warning| {
                let at = warning.position();
                (place(&at.file), at.line, at.column)
            });
            return Ok(self.warnings);
        }
        self.found.sort_by_key(|problem| (place(problem.file()), problem.at));
        Err(Errors { problems: self.found })
    }
}
