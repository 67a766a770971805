//! Older specifications: dialects of the format, what is passed over in them, and what changed
//! between them.
//!
//! The published files are not here. What they say is in `facts/`, and the tests of them run on
//! files that are rebuilt from those lists. Where `LEVERET_SPECS` names the published files,
//! separated by `:`, they are tested as well.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod dialects;
mod history;
mod published;
mod rebuilt;
mod warnings;

use std::path::PathBuf;

use leveret_codegen::{Source, Specification};

/// A path in `tests`.
fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).join(name)
}

/// The text of a file in `tests`.
fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// A specification with which nothing is wrong.
#[track_caller]
fn loaded(source: Source) -> Specification {
    Specification::load(&[source]).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The warnings as lines.
fn warnings(specification: &Specification) -> Vec<String> {
    specification.warnings.iter().map(ToString::to_string).collect()
}
