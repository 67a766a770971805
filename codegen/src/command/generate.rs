//! `generate`: prints the Rust code for a specification.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use leveret_codegen::{Errors, Problem, emit};

use super::{FINE, Failure, specification};

/// The APIs that have generated methods.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Adapter {
    /// The async API, and the blocking one.
    Asynchronous,
    /// The API of callbacks.
    Callback,
}

/// Generates into `file`, or else to `out`.
pub(super) fn run(
    specs: &[PathBuf],
    file: Option<&Path>,
    adapter: Option<Adapter>,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, Failure> {
    let protocol = specification(specs, err)?.protocol;
    let text = match adapter {
        None => emit::protocol(&protocol),
        Some(Adapter::Asynchronous) => emit::asynchronous(&protocol),
        Some(Adapter::Callback) => emit::callback(&protocol),
    }
    .map_err(Errors::from)?;
    match file {
        Some(file) => fs::write(file, text).map_err(|error| {
            let name = file.display().to_string();
            Errors::from(Problem::with_file(&name, format!("cannot be written: {error}")))
        })?,
        None => out.write_all(text.as_bytes())?,
    }
    Ok(FINE)
}
