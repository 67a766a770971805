//! Values as RabbitMQ, which is written in Erlang, compares them and puts them into its texts.

use crate::broker::words::{octets, term};
use crate::wire::{FieldTable, FieldValue};

pub(super) use crate::broker::words::type_name;

/// Two values are one term in Erlang, where types of the same kind are no longer told apart.
pub(super) fn is_same(a: &FieldValue, b: &FieldValue) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => return a == b,
        (None, None) => {}
        _ => return false,
    }
    match (a.as_bytes(), b.as_bytes()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b || (is_float(a) && a.as_f64() == b.as_f64()) || (is_empty_list(a) && is_empty_list(b)),
    }
}

/// A value by itself: text as it is, anything else as a term.
pub(super) fn display(value: &FieldValue) -> String {
    value.as_bytes().map_or_else(|| term(value), |octets| String::from_utf8_lossy(octets).into_owned())
}

/// A string in quotes, or the list of its octets where it is not printable.
pub(super) fn string(text: &[u8]) -> String {
    let binary = octets(text);
    let content = binary.strip_prefix("<<").and_then(|rest| rest.strip_suffix(">>")).unwrap_or_default();
    if content.starts_with('"') { content.to_owned() } else { format!("[{content}]") }
}

/// Integers, and timestamps, which are integers to Erlang.
fn number(value: &FieldValue) -> Option<i128> {
    let timestamp = value.as_timestamp().map(|timestamp| i128::from(timestamp.as_secs()));
    value.as_i64().map(i128::from).or(timestamp)
}

const fn is_float(value: &FieldValue) -> bool {
    matches!(value, FieldValue::F32(_) | FieldValue::F64(_))
}

/// No values: an array and a table are the same list.
fn is_empty_list(value: &FieldValue) -> bool {
    value.as_array().is_some_and(<[FieldValue]>::is_empty) || value.as_table().is_some_and(FieldTable::is_empty)
}
