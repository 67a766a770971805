//! The command `leveret-codegen`: generate, check and compare specifications by hand.

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    command::run(&command::Arguments::parse(), &mut std::io::stdout().lock(), &mut std::io::stderr().lock())
}
