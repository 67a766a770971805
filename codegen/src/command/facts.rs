//! `facts`: prints the facts of a specification, without prose.

use std::io::Write;
use std::path::PathBuf;

use leveret_codegen::facts::facts;

use super::{FINE, Failure, specification};

/// Prints the facts, one per line.
pub(super) fn run(specs: &[PathBuf], out: &mut impl Write, err: &mut impl Write) -> Result<u8, Failure> {
    for fact in facts(&specification(specs, err)?.tree) {
        writeln!(out, "{fact}")?;
    }
    Ok(FINE)
}
