//! `facts`: prints what a specification says, prose aside.

use std::io::Write;
use std::path::PathBuf;

use leveret_codegen::facts::facts;
use leveret_codegen::{load_with_spec, read};

use super::{FINE, Failure};

/// Prints the facts, one a line.
pub(super) fn run(specs: &[PathBuf], out: &mut impl Write) -> Result<u8, Failure> {
    let (spec, _) = load_with_spec(&read(specs)?)?;
    for fact in facts(&spec) {
        writeln!(out, "{fact}")?;
    }
    Ok(FINE)
}
