//! A field table into a JSON object.

use std::fmt::Write as _;

use crate::wire::{FieldTable, FieldValue, MAX_NESTING};

/// Prints a table, if JSON has all that is in it.
pub(in crate::config) fn print(table: &FieldTable) -> Option<String> {
    let mut out = String::new();
    print_table(&mut out, table, MAX_NESTING)?;
    Some(out)
}

/// `depth` is how many levels may still be opened, this one included.
fn print_table(out: &mut String, table: &FieldTable, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    out.push('{');
    for (index, (name, value)) in table.iter().enumerate() {
        let name = name.to_str().ok()?;
        // The second of two equal names would be an error to read.
        if !table.get(name).is_some_and(|first| std::ptr::eq(first, value)) {
            return None;
        }
        if index > 0 {
            out.push(',');
        }
        print_string(out, name)?;
        out.push(':');
        print_value(out, value, depth)?;
    }
    out.push('}');
    Some(())
}

fn print_value(out: &mut String, value: &FieldValue, depth: usize) -> Option<()> {
    match value {
        FieldValue::Void => out.push_str("null"),
        FieldValue::Bool(value) => write!(out, "{value}").ok()?,
        FieldValue::LongString(_) => print_string(out, value.as_str()?)?,
        FieldValue::Table(table) => print_table(out, table, depth)?,
        FieldValue::Array(values) => print_array(out, values, depth)?,
        FieldValue::F32(value) if value.is_finite() => write!(out, "{value:?}").ok()?,
        FieldValue::F64(value) if value.is_finite() => write!(out, "{value:?}").ok()?,
        FieldValue::Decimal(_) | FieldValue::Timestamp(_) => return None,
        value => write!(out, "{}", value.as_i64()?).ok()?,
    }
    Some(())
}

fn print_array(out: &mut String, values: &[FieldValue], depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    out.push('[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        print_value(out, value, depth)?;
    }
    out.push(']');
    Some(())
}

fn print_string(out: &mut String, string: &str) -> Option<()> {
    out.push('"');
    for character in string.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control)).ok()?,
            character => out.push(character),
        }
    }
    out.push('"');
    Some(())
}
