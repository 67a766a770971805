//! Values as RabbitMQ, which is written in Erlang, compares and displays them.

use crate::broker::words::{octets, term};
use crate::wire::{FieldTable, FieldValue};

pub(super) use crate::broker::words::type_name;

/// Whether two values are the same term in Erlang, which does not distinguish types of the same
/// kind.
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

/// A value alone: a string as it is, anything else as a term.
pub(super) fn display(value: &FieldValue) -> String {
    value.as_bytes().map_or_else(|| term(value), |octets| String::from_utf8_lossy(octets).into_owned())
}

/// A string in quotes, or the list of its bytes if it is not printable.
pub(super) fn string(text: &[u8]) -> String {
    let binary = octets(text);
    let content = binary.strip_prefix("<<").and_then(|rest| rest.strip_suffix(">>")).unwrap_or_default();
    if content.starts_with('"') { content.to_owned() } else { format!("[{content}]") }
}

/// The value of an integer or a timestamp, which is an integer in Erlang.
fn number(value: &FieldValue) -> Option<i128> {
    let timestamp = value.as_timestamp().map(|timestamp| i128::from(timestamp.as_secs()));
    value.as_i64().map(i128::from).or(timestamp)
}

const fn is_float(value: &FieldValue) -> bool {
    matches!(value, FieldValue::F32(_) | FieldValue::F64(_))
}

/// Whether a value is an empty array or table, which are the same list in Erlang.
fn is_empty_list(value: &FieldValue) -> bool {
    value.as_array().is_some_and(<[FieldValue]>::is_empty) || value.as_table().is_some_and(FieldTable::is_empty)
}
