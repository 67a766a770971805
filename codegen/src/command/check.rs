//! `check`: counts the items of a correct specification.

use std::io::Write;
use std::path::PathBuf;

use leveret_codegen::Warning;
use leveret_codegen::spec::Kind;

use super::{FINE, Failure, specification};

/// Prints one line, or fails with all problems.
pub(super) fn run(specs: &[PathBuf], out: &mut impl Write, err: &mut impl Write) -> Result<u8, Failure> {
    let specification = specification(specs, err)?;
    let protocol = &specification.protocol;
    let names: Vec<String> = specs.iter().map(|spec| spec.display().to_string()).collect();
    let methods: usize = protocol.classes.iter().map(|class| class.methods.len()).sum();
    let properties: usize = protocol.classes.iter().map(|class| class.properties.len()).sum();
    writeln!(
        out,
        "{}: {} constants, {} domains, {} classes, {methods} methods, {properties} properties; nothing is wrong{}",
        names.join(" + "),
        protocol.constants.len(),
        specification.tree.children_of(Kind::Domain).count(),
        protocol.classes.len(),
        count(&specification.warnings),
    )?;
    Ok(FINE)
}

/// The number of warnings, if there are any.
fn count(warnings: &[Warning]) -> String {
    match warnings.len() {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        several => format!(", {several} warnings"),
    }
}
