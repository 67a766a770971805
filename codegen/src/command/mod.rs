//! The arguments of the command, and its exit codes.

mod check;
mod diff;
mod facts;
mod generate;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use leveret_codegen::{Errors, Specification, read};

/// Success; nothing is wrong; there is no difference.
const FINE: u8 = 0;
/// The specification is wrong, or a file cannot be read or written.
const WRONG: u8 = 1;
/// `diff`: there are differences, and none is breaking. clap uses 2 for wrong usage.
const COMPATIBLE: u8 = 3;
/// `diff`: a difference is breaking.
const BREAKING: u8 = 4;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for check, nothing is wrong; for diff, there is no difference
  1  the specification is wrong or a file cannot be read or written; stderr says what, a problem a line
  2  wrong usage
  3  diff: there are differences, and none breaks anything
  4  diff: there are differences, and some break something

Warnings on stderr, a line each, say what was passed over: prose and asserts that are not known. They change no exit code.";

/// Generates Rust from specifications in the format of amqp0-9-1.xml, checks and compares them.
///
/// It takes the published files of 0-8, 0-9 and 0-9-1, with and without prose, and Qpid's of 0-9-1.
#[derive(Debug, Parser)]
#[command(name = "leveret-codegen", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Action {
    /// Prints the formatted Rust code for a specification.
    #[command(after_help = EXIT_CODES)]
    Generate {
        /// The specification, then its overlays in order.
        #[arg(required = true)]
        specs: Vec<PathBuf>,
        /// Writes to a file instead.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Prints the methods of the channel of an API instead of the protocol's types.
        #[arg(long)]
        adapter: Option<generate::Adapter>,
    },
    /// Lists what changed between two specifications, and whether it breaks a peer or program made
    /// for the old one.
    ///
    /// The two may be of different versions of the protocol: names with spaces equal those with
    /// hyphens.
    ///
    /// A specification with overlays is written with plus signs: base.xml+overlay.xml.
    #[command(after_help = EXIT_CODES)]
    Diff {
        /// The old specification.
        old: String,
        /// The new specification.
        new: String,
        /// Prints an array of objects with breaking, action, kind and name, and with aspect, old
        /// and new where something was changed.
        #[arg(long)]
        json: bool,
    },
    /// Reports all problems of a specification, or counts its items.
    #[command(after_help = EXIT_CODES)]
    Check {
        /// The specification, then its overlays in order.
        #[arg(required = true)]
        specs: Vec<PathBuf>,
    },
    /// Prints the facts of a specification, one per line: everything except prose.
    #[command(after_help = EXIT_CODES)]
    Facts {
        /// The specification, then its overlays in order.
        #[arg(required = true)]
        specs: Vec<PathBuf>,
    },
}

/// Runs the command. The result is written to `out`, problems to `err`.
pub(crate) fn run(arguments: &Arguments, out: &mut impl Write, err: &mut impl Write) -> ExitCode {
    let done = match &arguments.action {
        Action::Generate { specs, out: file, adapter } => generate::run(specs, file.as_deref(), *adapter, out, err),
        Action::Diff { old, new, json } => diff::run(old, new, *json, out, err),
        Action::Check { specs } => check::run(specs, out, err),
        Action::Facts { specs } => facts::run(specs, out, err),
    };
    let done = done.and_then(|code| out.flush().map(|()| code).map_err(Failure::Output));
    ExitCode::from(done.unwrap_or_else(|failure| failure.report(err)))
}

/// Reads the files of a base and its overlays. Warnings are written to `err`.
fn specification(specs: &[impl AsRef<Path>], err: &mut impl Write) -> Result<Specification, Failure> {
    let specification = Specification::load(&read(specs)?)?;
    for warning in &specification.warnings {
        // If stderr is closed, the warning is dropped.
        let _ = writeln!(err, "{warning}");
    }
    Ok(specification)
}

/// Why there is no result.
#[derive(Debug)]
enum Failure {
    /// The specification is wrong, or a file cannot be read or written.
    Specification(Errors),
    /// Standard output is closed.
    Output(io::Error),
}

impl Failure {
    /// Writes what is wrong to `err`.
    fn report(&self, err: &mut impl Write) -> u8 {
        // If stderr is closed too, only the exit code reports the failure.
        let _ = match self {
            Self::Specification(errors) => writeln!(err, "{errors}"),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Self::Output(error) => writeln!(err, "standard output: cannot be written: {error}"),
        };
        WRONG
    }
}

impl From<Errors> for Failure {
    fn from(errors: Errors) -> Self {
        Self::Specification(errors)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
