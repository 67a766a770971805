//! What is wrong with a specification: each problem with its place, and all of them together.

use std::fmt;
use std::sync::Arc;

use crate::emit::EmitError;
use crate::warning::Warning;

/// Where something stands in a source.
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

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The source.
    file: Arc<str>,
    /// Line and column; none where the whole file is meant.
    at: Option<(u32, u32)>,
    /// The element, such as `/amqp/class[queue]/method[declare]`; empty where the whole file is
    /// meant.
    path: String,
    /// What is wrong.
    message: String,
}

impl Problem {
    /// A problem with the element at `path`, at a position.
    pub fn new(position: &Position, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: Arc::clone(&position.file),
            at: Some((position.line, position.column)),
            path: path.into(),
            message: one_line(&message.into()),
        }
    }

    /// A problem with a whole file: it cannot be read, say.
    pub fn with_file(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.into(), at: None, path: String::new(), message: message.into() }
    }

    /// The name of the source.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Line and column, from 1, unless the whole file is meant.
    pub fn line_and_column(&self) -> Option<(u32, u32)> {
        self.at
    }

    /// The path of the element, such as `/amqp/class[queue]/method[declare]`; empty where the whole
    /// file is meant.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong, without the place.
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

/// Everything that is wrong, in the order of the sources: never empty. Displayed one problem a
/// line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    /// Sorted by place.
    problems: Vec<Problem>,
}

impl Errors {
    /// The problems, in the order of the sources.
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

/// A message without the line breaks of what it quotes from a file.
pub(crate) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Gathers problems, so that all of them can be reported at once, and warnings.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    /// In the order in which they were found.
    found: Vec<Problem>,
    /// In the order in which they were found.
    warnings: Vec<Warning>,
}

impl Problems {
    /// Notes a problem.
    pub(crate) fn report(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    /// Notes a warning.
    pub(crate) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// Adds what another step found.
    pub(crate) fn extend(&mut self, errors: Errors) {
        self.found.extend(errors.problems);
    }

    /// Ends in the problems, or in the warnings where there are none, in the order of `files`.
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
