//! Field values in the notation of Erlang, as RabbitMQ's refusals show them.

use crate::wire::{FieldTable, FieldValue};

/// RabbitMQ's name for the type of a value.
pub(in crate::broker) const fn type_name(value: &FieldValue) -> &'static str {
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

/// Displays a value without its type. Values in arrays and tables are shown with their types.
pub(in crate::broker) fn term(value: &FieldValue) -> String {
    match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::I8(value) => value.to_string(),
        FieldValue::U8(value) => value.to_string(),
        FieldValue::I16(value) => value.to_string(),
        FieldValue::U16(value) => value.to_string(),
        FieldValue::I32(value) => value.to_string(),
        FieldValue::U32(value) => value.to_string(),
        FieldValue::I64(value) => value.to_string(),
        FieldValue::F32(value) => float(f64::from(*value)),
        FieldValue::F64(value) => float(*value),
        FieldValue::Decimal(value) => format!("{{{},{}}}", value.scale, value.value.cast_unsigned()),
        FieldValue::LongString(value) => octets(value.as_bytes()),
        FieldValue::ByteArray(value) => octets(value),
        FieldValue::Array(values) => array(values),
        FieldValue::Timestamp(value) => value.as_secs().to_string(),
        FieldValue::Table(table) => fields(table),
        FieldValue::Void => "undefined".to_owned(),
    }
}

/// Displays bytes as text if all are printable Latin-1, and as numbers otherwise.
pub(in crate::broker) fn octets(octets: &[u8]) -> String {
    if octets.is_empty() {
        return "<<>>".to_owned();
    }
    if octets.iter().all(|octet| is_printable(*octet)) {
        let mut text = Vec::with_capacity(octets.len() + 6);
        text.extend_from_slice(b"<<\"");
        for octet in octets {
            match escape(*octet) {
                Some(letter) => text.extend_from_slice(&[b'\\', letter]),
                None => text.push(*octet),
            }
        }
        text.extend_from_slice(b"\">>");
        return String::from_utf8_lossy(&text).into_owned();
    }
    format!("<<{}>>", octets.iter().map(u8::to_string).collect::<Vec<_>>().join(","))
}

const fn is_printable(octet: u8) -> bool {
    matches!(octet, 8..=13 | 27 | 32..=126 | 160..=255)
}

/// The letter that follows the backslash in the escape of a byte.
const fn escape(octet: u8) -> Option<u8> {
    match octet {
        8 => Some(b'b'),
        b'\t' => Some(b't'),
        b'\n' => Some(b'n'),
        11 => Some(b'v'),
        12 => Some(b'f'),
        b'\r' => Some(b'r'),
        27 => Some(b'e'),
        b'"' => Some(b'"'),
        b'\\' => Some(b'\\'),
        _ => None,
    }
}

/// Displays the shortest digits that parse to the same number. An exponent is used if that is
/// shorter, and for whole numbers so large that a float does not represent all of them.
fn float(value: f64) -> String {
    const FIRST_GAP: f64 = 9_007_199_254_740_992.0;
    let scientific = format!("{value:e}");
    let scientific = match scientific.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => scientific,
    };
    let plain = format!("{value:?}");
    if value.abs() < FIRST_GAP && !plain.contains('e') && plain.len() <= scientific.len() { plain } else { scientific }
}

fn array(values: &[FieldValue]) -> String {
    let values = values.iter().map(|value| format!("{{{},{}}}", type_name(value), term(value)));
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

fn fields(table: &FieldTable) -> String {
    let fields =
        table.iter().map(|(key, value)| format!("{{{},{},{}}}", octets(key.as_bytes()), type_name(value), term(value)));
    format!("[{}]", fields.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decimal, LongString, Timestamp};

    #[test]
    fn floats_print_as_erlang_prints_them() {
        let printed = [1e22, 1e-7, 1e5, 1e3, 100.0, 0.001, 1e-4, 1.23e-4, 1_234_567.0, 0.0, -0.0, 0.1, 1.5e300]
            .map(|value| term(&FieldValue::F64(value)));
        let expected = [
            "1.0e22",
            "1.0e-7",
            "1.0e5",
            "1.0e3",
            "100.0",
            "0.001",
            "0.0001",
            "1.23e-4",
            "1234567.0",
            "0.0",
            "-0.0",
            "0.1",
            "1.5e300",
        ];
        assert_eq!(printed, expected);
        assert_eq!(term(&FieldValue::F64(9_007_199_254_740_992.0)), "9.007199254740992e15");
        assert_eq!(term(&FieldValue::F64(12_345_678_901_234.5)), "12345678901234.5");
        assert_eq!(term(&FieldValue::F32(1.5)), "1.5");
    }

    #[test]
    fn octets_print_as_text_where_all_are_printable() {
        assert_eq!(octets(b""), "<<>>");
        assert_eq!(octets(b"all"), r#"<<"all">>"#);
        assert_eq!(octets(b"a\"b\\c\n\x1b"), r#"<<"a\"b\\c\n\e">>"#);
        assert_eq!(octets(b"\x08\t\x0b\x0c\r"), r#"<<"\b\t\v\f\r">>"#);
        assert_eq!(octets(b"\x07"), "<<7>>");
        assert_eq!(octets("grün".as_bytes()), r#"<<"grün">>"#);
        assert_eq!(octets(b"a\x01"), "<<97,1>>");
        assert_eq!(octets("ā".as_bytes()), "<<196,129>>");
        assert_eq!(octets(b"\x7f"), "<<127>>");
    }

    #[test]
    fn numbers_and_names_print_bare() {
        let values = [
            FieldValue::Bool(true),
            FieldValue::I8(-1),
            FieldValue::Decimal(Decimal::new(2, -1)),
            FieldValue::Timestamp(Timestamp::from_secs(7)),
            FieldValue::Void,
        ];
        assert_eq!(values.map(|value| term(&value)), ["true", "-1", "{2,4294967295}", "7", "undefined"]);
    }

    #[test]
    fn values_in_arrays_and_tables_print_with_their_types() {
        let array = FieldValue::Array(vec![LongString::from("a").into(), 1.into()]);
        assert_eq!(term(&array), r#"[{longstr,<<"a">>},{signedint,1}]"#);
        let table = FieldTable::from([("k", array), ("l", FieldValue::Void)]);
        let expected = r#"[{<<"k">>,array,[{longstr,<<"a">>},{signedint,1}]},{<<"l">>,void,undefined}]"#;
        assert_eq!(term(&FieldValue::Table(table)), expected);
        assert_eq!(term(&FieldValue::Array(Vec::new())), "[]");
    }
}
