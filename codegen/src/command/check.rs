//! `check`: counts what is in a specification with which nothing is wrong.

use std::io::Write;
use std::path::PathBuf;

use leveret_codegen::spec::Kind;
use leveret_codegen::{load_with_spec, read};

use super::{FINE, Failure};

/// Prints one line, or fails with everything that is wrong.
pub(super) fn run(specs: &[PathBuf], out: &mut impl Write) -> Result<u8, Failure> {
    let (spec, protocol) = load_with_spec(&read(specs)?)?;
    let names: Vec<String> = specs.iter().map(|spec| spec.display().to_string()).collect();
    let methods: usize = protocol.classes.iter().map(|class| class.methods.len()).sum();
    let properties: usize = protocol.classes.iter().map(|class| class.properties.len()).sum();
    writeln!(
        out,
        "{}: {} constants, {} domains, {} classes, {methods} methods, {properties} properties; nothing is wrong",
        names.join(" + "),
        protocol.constants.len(),
        spec.children_of(Kind::Domain).count(),
        protocol.classes.len(),
    )?;
    Ok(FINE)
}
