//! Tests of values and whole tables in JSON.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::wire::LongString;
use crate::wire::arbitrary::{Floats, any_table, text_key};

#[track_caller]
fn stands_as(value: &FieldValue, json: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(serde_json::from_str::<FieldValue>(json).unwrap(), *value);
}

#[test]
fn what_json_has_a_notation_for_stands_as_it_is() {
    stands_as(&FieldValue::Bool(true), "true");
    stands_as(&FieldValue::I64(-5), "-5");
    stands_as(&FieldValue::I64(i64::MAX), "9223372036854775807");
    stands_as(&FieldValue::F64(0.5), "0.5");
    stands_as(&FieldValue::F64(2.0), "2.0");
    stands_as(&FieldValue::from("grün"), "\"grün\"");
    stands_as(&FieldValue::Void, "null");
    stands_as(&FieldValue::Array(vec![1_i64.into(), "x".into(), FieldValue::Array(Vec::new())]), r#"[1,"x",[]]"#);
}

#[test]
fn the_rest_names_its_type() {
    stands_as(&FieldValue::I8(-1), r#"{"I8":-1}"#);
    stands_as(&FieldValue::U8(1), r#"{"U8":1}"#);
    stands_as(&FieldValue::I16(-1), r#"{"I16":-1}"#);
    stands_as(&FieldValue::U16(1), r#"{"U16":1}"#);
    stands_as(&FieldValue::I32(-1), r#"{"I32":-1}"#);
    stands_as(&FieldValue::U32(1), r#"{"U32":1}"#);
    stands_as(&FieldValue::F32(1.5), r#"{"F32":1.5}"#);
    stands_as(&FieldValue::Decimal(Decimal::new(2, 314)), r#"{"Decimal":{"scale":2,"value":314}}"#);
    stands_as(&FieldValue::LongString(LongString::from(b"\xff\0")), r#"{"LongString":[255,0]}"#);
    stands_as(&FieldValue::from(b"ab"), r#"{"ByteArray":[97,98]}"#);
    stands_as(&FieldValue::Timestamp(Timestamp::from_secs(7)), r#"{"Timestamp":7}"#);
    stands_as(&FieldTable::from([("I32", true)]).into(), r#"{"Table":{"I32":true}}"#);
}

#[test]
fn every_type_may_be_named() {
    let named = r#"[{"Bool":true},{"I64":5},{"F64":2},{"LongString":"x"},{"Array":[1]},{"Void":null}]"#;
    let read: FieldValue = serde_json::from_str(named).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), r#"[true,5,2.0,"x",[1],null]"#);
}

#[track_caller]
fn refused(json: &str, because: &str) {
    let error = serde_json::from_str::<FieldValue>(json).unwrap_err().to_string();
    assert!(error.contains(because), "{error}");
}

#[test]
fn what_is_no_field_value_is_refused() {
    refused("9223372036854775808", "9223372036854775808 does not fit 64 bits with a sign");
    refused(r#"{"k": 1}"#, "unknown variant `k`");
    refused(r#"{"I32": 1, "I64": 2}"#, "one type alone can be named");
    refused(r#"{"I8": 128}"#, "invalid value");
    refused("{}", "expected");
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for value in [FieldValue::F64(f64::NAN), FieldValue::F32(f32::INFINITY)] {
        let error = serde_json::to_string(&value).unwrap_err();
        assert_eq!(error.to_string(), "floating-point number that is not finite");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_comes_back_from_json_as_it_was(table in any_table(Floats::Short, text_key())) {
        let json = serde_json::to_string(&table).unwrap();
        prop_assert_eq!(serde_json::from_str::<FieldTable>(&json).unwrap(), table);
    }
}
