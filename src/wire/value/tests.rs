//! Tests of conversions, accessors and notation; those of the wire are in `wire/tests.rs`.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::*;
use crate::wire::ShortString;

#[test]
fn a_number_keeps_its_type() {
    assert_eq!(FieldValue::from(-1_i8), FieldValue::I8(-1));
    assert_eq!(FieldValue::from(1_u8), FieldValue::U8(1));
    assert_eq!(FieldValue::from(-1_i16), FieldValue::I16(-1));
    assert_eq!(FieldValue::from(1_u16), FieldValue::U16(1));
    assert_eq!(FieldValue::from(-1), FieldValue::I32(-1));
    assert_eq!(FieldValue::from(1_u32), FieldValue::U32(1));
    assert_eq!(FieldValue::from(-1_i64), FieldValue::I64(-1));
    assert_eq!(FieldValue::from(0.5_f32), FieldValue::F32(0.5));
    assert_eq!(FieldValue::from(0.5), FieldValue::F64(0.5));
    assert_eq!(FieldValue::from(true), FieldValue::Bool(true));
    assert_eq!(FieldValue::from(Decimal::new(2, 314)), FieldValue::Decimal(Decimal::new(2, 314)));
}

#[test]
fn an_integer_over_64_bits_with_a_sign_is_refused() {
    let largest = i64::MAX.unsigned_abs();
    assert_eq!(FieldValue::try_from(largest), Ok(FieldValue::I64(i64::MAX)));
    assert!(FieldValue::try_from(largest + 1).is_err());
    assert_eq!(FieldValue::try_from(7_usize), Ok(FieldValue::I64(7)));
}

#[test]
fn whatever_is_text_is_a_long_string() {
    let text = FieldValue::LongString("hare".into());
    assert_eq!(FieldValue::from("hare"), text);
    assert_eq!(FieldValue::from(String::from("hare")), text);
    assert_eq!(FieldValue::from(&String::from("hare")), text);
    assert_eq!(FieldValue::from(Cow::Borrowed("hare")), text);
    assert_eq!(FieldValue::from(ShortString::from("hare")), text);
    assert_eq!(FieldValue::from(LongString::from("hare")), text);
}

#[test]
fn whatever_is_octets_is_a_byte_array() {
    let octets = FieldValue::ByteArray(Bytes::from_static(b"hare"));
    assert_eq!(FieldValue::from(Bytes::from_static(b"hare")), octets);
    assert_eq!(FieldValue::from(b"hare"), octets);
    assert_eq!(FieldValue::from(b"hare".as_slice()), octets);
    assert_eq!(FieldValue::from(b"hare".to_vec()), octets);
}

#[test]
fn a_duration_is_its_milliseconds() {
    assert_eq!(FieldValue::from(Duration::from_micros(1_500_999)), FieldValue::I64(1500));
    assert_eq!(FieldValue::from(Duration::MAX), FieldValue::I64(i64::MAX));
}

#[test]
fn a_time_is_a_timestamp() {
    let seven = FieldValue::Timestamp(Timestamp::from_secs(7));
    assert_eq!(FieldValue::from(SystemTime::UNIX_EPOCH + Duration::from_secs(7)), seven);
    assert_eq!(FieldValue::from(Timestamp::from_secs(7)), seven);
}

#[test]
fn none_is_void_and_some_is_its_value() {
    assert_eq!(FieldValue::from(None::<&str>), FieldValue::Void);
    assert_eq!(FieldValue::from(Some("x")), FieldValue::from("x"));
}

#[test]
fn items_make_an_array_and_fields_a_table() {
    let array = FieldValue::Array(vec![FieldValue::I32(1), FieldValue::I32(2)]);
    assert_eq!([1, 2].into_iter().collect::<FieldValue>(), array);
    assert_eq!(FieldValue::from(vec![FieldValue::I32(1), FieldValue::I32(2)]), array);
    let table = FieldTable::from([("k", 1)]);
    assert_eq!(FieldValue::from(table.clone()), FieldValue::Table(table));
}

#[test]
fn an_integer_is_read_whatever_its_width() {
    let negative = [FieldValue::I8(-1), FieldValue::I16(-1), FieldValue::I32(-1), FieldValue::I64(-1)];
    assert!(negative.iter().all(|value| value.as_i64() == Some(-1) && value.as_u64().is_none()));
    let positive = [FieldValue::U8(7), FieldValue::U16(7), FieldValue::U32(7), FieldValue::I64(7)];
    assert!(positive.iter().all(|value| value.as_i64() == Some(7) && value.as_u64() == Some(7)));
    assert_eq!(FieldValue::from("7").as_i64(), None);
    assert_eq!(FieldValue::Bool(true).as_i64(), None);
}

#[test]
fn a_value_is_read_as_its_own_type_alone() {
    let values = [
        FieldValue::Bool(true),
        FieldValue::I32(1),
        FieldValue::F32(0.5),
        FieldValue::Decimal(Decimal::new(0, 1)),
        FieldValue::from("x"),
        FieldValue::Array(Vec::new()),
        FieldValue::Timestamp(Timestamp::default()),
        FieldValue::Table(FieldTable::new()),
        FieldValue::Void,
    ];
    let readings: [fn(&FieldValue) -> bool; 9] = [
        |value| value.as_bool() == Some(true),
        |value| value.as_i64() == Some(1),
        |value| value.as_f64() == Some(0.5),
        |value| value.as_decimal() == Some(Decimal::new(0, 1)),
        |value| value.as_str() == Some("x") && value.as_bytes() == Some(b"x"),
        |value| value.as_array().is_some_and(<[_]>::is_empty),
        |value| value.as_timestamp() == Some(Timestamp::default()),
        |value| value.as_table().is_some_and(FieldTable::is_empty),
        FieldValue::is_void,
    ];
    for (at, value) in values.iter().enumerate() {
        let read: Vec<usize> = (0..).zip(readings).filter(|(_, reads)| reads(value)).map(|(index, _)| index).collect();
        assert_eq!(read, [at], "{value:?}");
    }
}

#[test]
fn octets_of_a_string_are_read_even_where_they_are_no_text() {
    let value = FieldValue::LongString(LongString::from(b"\xff"));
    assert_eq!((value.as_str(), value.as_bytes()), (None, Some(b"\xff".as_slice())));
    let value = FieldValue::from(b"text");
    assert_eq!((value.as_str(), value.as_bytes()), (None, Some(b"text".as_slice())));
}

#[test]
fn the_notation_names_each_type_once() {
    let table = FieldTable::from([
        ("k", FieldValue::I32(1)),
        ("s", FieldValue::from("x")),
        ("t", FieldTable::from([("a", true)]).into()),
        ("v", FieldValue::Void),
        ("b", FieldValue::from(b"ab")),
        ("d", FieldValue::Decimal(Decimal::new(2, 314))),
        ("ts", FieldValue::Timestamp(Timestamp::from_secs(1_700_000_000))),
        ("a", FieldValue::Array(vec![FieldValue::I32(1)])),
    ]);
    assert_eq!(
        format!("{table:?}"),
        r#"{"k": I32(1), "s": LongString("x"), "t": Table({"a": Bool(true)}), "v": Void, "b": ByteArray(b"ab"), "d": Decimal(3.14), "ts": Timestamp(1700000000), "a": Array([I32(1)])}"#
    );
}
