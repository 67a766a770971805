//! Tests of [`Writer`]'s own values; those of tables are in `wire/tests.rs`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

#[test]
fn integers_are_written_in_network_byte_order() {
    let mut octets = Vec::new();
    let mut writer = Writer::new(&mut octets);
    writer.octet(1);
    writer.short(0x0203);
    writer.long(0x0405_0607);
    writer.longlong(0x0809_0a0b_0c0d_0e0f);
    writer.timestamp(Timestamp::from_secs(0x1011_1213_1415_1617));
    assert!(octets.into_iter().eq(1..=23));
}

#[test]
fn a_writer_appends_to_what_is_there() {
    let mut octets = b"before".to_vec();
    let mut writer = Writer::new(&mut octets);
    assert_eq!((writer.len(), writer.is_empty()), (6, false));
    writer.octets(b", after");
    assert_eq!(writer.len(), 13);
    assert_eq!(octets, b"before, after");
    assert!(Writer::new(&mut Vec::new()).is_empty());
}

#[test]
fn strings_are_written_behind_their_length() {
    let mut octets = Vec::new();
    let mut writer = Writer::new(&mut octets);
    writer.short_string(&ShortString::from("hello")).unwrap();
    writer.short_string_octets(b"\xff").unwrap();
    writer.long_string(&LongString::from("world")).unwrap();
    assert_eq!(octets, b"\x05hello\x01\xff\0\0\0\x05world");
}

#[test]
fn a_short_string_over_255_octets_is_refused() {
    let mut octets = Vec::new();
    let mut writer = Writer::new(&mut octets);
    assert_eq!(writer.short_string_octets(&[b'x'; 255]), Ok(()));
    let error = writer.short_string(&ShortString::from("x".repeat(300))).unwrap_err();
    assert_eq!(error.kind(), EncodeErrorKind::ShortStringTooLong { length: 300 });
    assert_eq!(error.to_string(), "short string of 300 octets, at most 255");
    assert_eq!(octets.len(), 256);
}

#[test]
fn a_table_is_written_behind_what_is_there() {
    let mut octets = b"before".to_vec();
    Writer::new(&mut octets).table(&FieldTable::from([("k", true)])).unwrap();
    assert_eq!(octets, b"before\0\0\0\x04\x01kt\x01");
}

#[test]
fn a_writer_does_not_print_its_octets() {
    assert_eq!(format!("{:?}", Writer::new(&mut b"secret".to_vec())), "Writer { len: 6, .. }");
}
