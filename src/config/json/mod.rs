//! Field tables as JSON objects, for the keys of a URL whose values have structure.
//!
//! Null is void, whole numbers are 64-bit integers, other numbers are doubles, strings are long strings; arrays and
//! objects are arrays and tables. Other types of a field table have no JSON.

mod print;
mod read;

pub(super) use print::print;
pub(super) use read::{JsonError, read};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::wire::{Decimal, FieldTable, FieldValue, Timestamp};

    #[test]
    fn every_type_of_json_has_a_field_value() {
        let text =
            r#" { "a" : null, "b":[true,false,[ ]],"c":-7, "d":1.5e1,"e":{"f":{}},"g":"\u00fc\ud83d\udc07\"\\\/\n" } "#;
        let expected = FieldTable::from([
            ("a", FieldValue::Void),
            ("b", FieldValue::Array(vec![true.into(), false.into(), FieldValue::Array(Vec::new())])),
            ("c", FieldValue::I64(-7)),
            ("d", FieldValue::F64(15.0)),
            ("e", FieldValue::Table(FieldTable::from([("f", FieldTable::new())]))),
            ("g", FieldValue::from("ü🐇\"\\/\n")),
        ]);
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read(&print(&expected).unwrap()).unwrap(), expected);
    }

    #[test]
    fn what_is_not_one_json_object_is_refused_with_its_place() {
        let cases = [
            ("", "an object is expected at octet 0"),
            ("[1]", "an object is expected at octet 0"),
            ("{} x", "something follows the object at octet 3"),
            ("{'a': 1}", "a name in quotes is expected at octet 1"),
            ("{\"a\" 1}", "`:` is expected at octet 5"),
            ("{\"a\":1,}", "a name in quotes is expected at octet 7"),
            ("{\"a\":True}", "a value is expected at octet 5"),
            ("{\"a\":[1 2]}", "`,` or `]` is expected at octet 8"),
            ("{\"a\":1", "`,` or `}` is expected at octet 6"),
            ("{\"a\":1,\"a\":2}", "a name comes a second time at octet 7"),
            ("{\"a\":01}", "this is not how a number is written at octet 5"),
            ("{\"a\":1.}", "this is not how a number is written at octet 5"),
            ("{\"a\":-}", "this is not how a number is written at octet 5"),
            ("{\"a\":1e999}", "this number is too large at octet 5"),
            ("{\"a\":9223372036854775808}", "this number is too large at octet 5"),
            ("{\"a\":\"\t\"}", "a closing quote, or an escape for a control character, is expected at octet 6"),
            ("{\"a\":\"x", "a closing quote, or an escape for a control character, is expected at octet 7"),
            ("{\"a\":\"\\x\"}", "this escape is not JSON's at octet 7"),
            ("{\"a\":\"\\", "this escape is not JSON's at octet 7"),
            ("{\"a\":\"\\ud800\"}", "this escape is not a character at octet 7"),
            ("{\"a\":\"\\ud800\\u0041\"}", "this escape is not a character at octet 7"),
            ("{\"a\":\"\\u00g0\"}", "four hexadecimal digits are expected at octet 8"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_both_ways() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(read(&nested(64)).is_ok());
        assert_eq!(read(&nested(65)).unwrap_err().to_string(), "too many levels at octet 69");
        assert!(read(&nested(100_000)).is_err());

        let mut table = FieldTable::new();
        for _ in 0..64 {
            table = FieldTable::from([("a", table)]);
        }
        assert_eq!(print(&table), None);
    }

    #[test]
    fn what_json_does_not_have_is_not_printed() {
        let values = [
            FieldValue::Decimal(Decimal { scale: 2, value: 314 }),
            FieldValue::Timestamp(Timestamp::from_secs(7)),
            FieldValue::from(&b"octets"[..]),
            FieldValue::F64(f64::NAN),
        ];
        for value in values {
            assert_eq!(print(&FieldTable::from([("a", value)])), None);
        }
        let mut twice = FieldTable::from([("a", 1)]);
        twice.push("a", 2);
        assert_eq!(print(&twice), None);
    }
}
