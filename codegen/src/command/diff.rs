//! `diff`: lists what changed between two specifications.

use std::io::{self, Write};
use std::path::Path;

use leveret_codegen::diff::{Change, diff};
use leveret_codegen::model::Protocol;
use serde_json::{Map, Value};

use super::{BREAKING, COMPATIBLE, FINE, Failure, specification};

/// Prints the changes. The exit code shows whether there are any, and whether one is breaking.
pub(super) fn run(old: &str, new: &str, json: bool, out: &mut impl Write, err: &mut impl Write) -> Result<u8, Failure> {
    let changes = diff(&protocol(old, err)?, &protocol(new, err)?);
    if json {
        print_json(&changes, out)?;
    } else {
        print_lines(&changes, out)?;
    }
    Ok(match &changes {
        changes if changes.is_empty() => FINE,
        changes if changes.iter().any(|change| change.breaking) => BREAKING,
        _ => COMPATIBLE,
    })
}

/// The protocol of `base.xml+overlay.xml`. An existing file whose name has a plus sign is one file.
fn protocol(specs: &str, err: &mut impl Write) -> Result<Protocol, Failure> {
    let files: Vec<&str> = if Path::new(specs).exists() { vec![specs] } else { specs.split('+').collect() };
    Ok(specification(&files, err)?.protocol)
}

/// A line for each change.
fn print_lines(changes: &[Change], out: &mut impl Write) -> io::Result<()> {
    for change in changes {
        writeln!(out, "{change}")?;
    }
    if changes.is_empty() { writeln!(out, "no difference") } else { Ok(()) }
}

/// An array of objects.
fn print_json(changes: &[Change], out: &mut impl Write) -> io::Result<()> {
    let changes: Value = changes.iter().map(object).collect();
    writeln!(out, "{changes:#}")
}

/// A change as JSON.
fn object(change: &Change) -> Value {
    let mut object = Map::new();
    object.insert("breaking".to_owned(), change.breaking.into());
    object.insert("action".to_owned(), change.action.as_str().into());
    object.insert("kind".to_owned(), change.kind.into());
    object.insert("name".to_owned(), change.name.as_str().into());
    if let Some(detail) = &change.detail {
        object.insert("aspect".to_owned(), detail.aspect.into());
        object.insert("old".to_owned(), detail.old.as_str().into());
        object.insert("new".to_owned(), detail.new.as_str().into());
    }
    object.into()
}
