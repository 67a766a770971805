//! Values as RabbitMQ, which is written in Erlang, prints and compares them.

use crate::wire::{FieldTable, FieldValue};

/// The name of a value's type in RabbitMQ's texts.
pub(super) const fn type_name(value: &FieldValue) -> &'static str {
    match value {
        FieldValue::Bool(_) => "bool",
        FieldValue::I8(_) => "byte",
        FieldValue::U8(_) => "unsignedbyte",
        FieldValue::I16(_) => "short",
        FieldValue::U16(_) => "unsignedshort",
        FieldValue::I32(_) => "signedint",
        FieldValue::U32(_) => "unsignedint",
        FieldValue::I64(_) => "long",
        FieldValue::F32(_) => "float",
        FieldValue::F64(_) => "double",
        FieldValue::Decimal(_) => "decimal",
        FieldValue::LongString(_) => "longstr",
        FieldValue::ByteArray(_) => "binary",
        FieldValue::Array(_) => "array",
        FieldValue::Timestamp(_) => "timestamp",
        FieldValue::Table(_) => "table",
        FieldValue::Void => "void",
    }
}

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
pub(super) fn string(octets: &[u8]) -> String {
    if octets.iter().all(|&octet| is_printable(octet)) {
        return format!("\"{}\"", escaped(octets));
    }
    list(octets.iter().map(u8::to_string))
}

fn term(value: &FieldValue) -> String {
    if let Some(number) = number(value) {
        return number.to_string();
    }
    if let Some(octets) = value.as_bytes() {
        return binary(octets);
    }
    match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::Decimal(decimal) => format!("{{{},{}}}", decimal.scale, decimal.value),
        FieldValue::Array(values) => {
            list(values.iter().map(|value| format!("{{{},{}}}", type_name(value), term(value))))
        }
        FieldValue::Table(table) => list(
            table
                .iter()
                .map(|(key, value)| format!("{{{},{},{}}}", binary(key.as_bytes()), type_name(value), term(value))),
        ),
        FieldValue::F32(_) | FieldValue::F64(_) => value.as_f64().map_or_else(String::new, float),
        _ => String::from("undefined"),
    }
}

/// The notation of a float that is shorter: with an exponent or without.
fn float(value: f64) -> String {
    let plain = format!("{value:?}");
    let plain = if plain.contains('e') { format!("{value:.1}") } else { plain };
    let scientific = format!("{value:e}");
    let scientific = match scientific.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => scientific,
    };
    if scientific.len() < plain.len() { scientific } else { plain }
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

fn binary(octets: &[u8]) -> String {
    if octets.is_empty() {
        return String::from("<<>>");
    }
    if octets.iter().all(|&octet| is_printable(octet)) {
        return format!("<<\"{}\">>", escaped(octets));
    }
    let octets: Vec<_> = octets.iter().map(u8::to_string).collect();
    format!("<<{}>>", octets.join(","))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Printable in Latin-1, or with an escape of its own.
const fn is_printable(octet: u8) -> bool {
    matches!(octet, 0x20..=0x7e | 0xa0..=0xff) || escape(octet).is_some()
}

const fn escape(octet: u8) -> Option<&'static [u8]> {
    match octet {
        b'"' => Some(b"\\\""),
        b'\\' => Some(b"\\\\"),
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        b'\t' => Some(b"\\t"),
        0x08 => Some(b"\\b"),
        0x0b => Some(b"\\v"),
        0x0c => Some(b"\\f"),
        0x1b => Some(b"\\e"),
        _ => None,
    }
}

fn escaped(octets: &[u8]) -> String {
    let mut text = Vec::with_capacity(octets.len());
    for octet in octets {
        text.extend_from_slice(escape(*octet).unwrap_or(&[*octet]));
    }
    String::from_utf8_lossy(&text).into_owned()
}
