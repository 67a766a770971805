//! Tests of tables on the wire: vectors, limits, and properties of any table.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::approx_constant,
    reason = "a test may panic, and 3.14 is what the vector holds"
)]

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::{Floats, any_key, any_table};
use super::*;

fn encode(table: &FieldTable) -> Result<Vec<u8>, EncodeError> {
    let mut octets = Vec::new();
    Writer::new(&mut octets).table(table).map(|()| octets)
}

/// Reads a table and nothing else, by copy and from shared bytes.
fn decode(octets: &[u8]) -> Result<FieldTable, DecodeError> {
    let read = |mut reader: Reader<'_>| {
        let table = reader.table()?;
        reader.finish().map(|()| table)
    };
    let copied = read(Reader::new(octets));
    let shared = read(Reader::shared(&Bytes::copy_from_slice(octets)));
    assert_eq!(format!("{copied:?}"), format!("{shared:?}"), "copied and shared octets read differently");
    copied
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A table whose one field `k` has this value.
fn of(value: impl Into<FieldValue>) -> FieldTable {
    FieldTable::from([("k", value.into())])
}

/// The octets of a table whose one field `k` has this type code and these octets.
fn field(code: u8, octets: &[u8]) -> Vec<u8> {
    let length = octets.len() as u32 + 3;
    [&length.to_be_bytes(), b"\x01k".as_slice(), &[code], octets].concat()
}

#[test]
fn tables_lie_on_the_wire_as_the_broker_writes_them() {
    let array = vec![1.into(), "x".into(), true.into(), FieldValue::Void];
    let vectors = [
        (FieldTable::new(), "00000000"),
        (of(true), "00000004016b7401"),
        (of(1), "00000007016b4900000001"),
        (of(2_i64.pow(31)), "0000000b016b6c0000000080000000"),
        (of(""), "00000007016b5300000000"),
        (of(b"ab"), "00000009016b78000000026162"),
        (of(Decimal::new(2, 314)), "00000008016b44020000013a"),
        (of(FieldValue::Void), "00000003016b56"),
        (of(FieldTable::from([("a", "b")])), "0000000f016b46000000080161530000000162"),
        (of(array), "00000015016b410000000e4900000001530000000178740156"),
        (of(-1_i8), "00000004016b62ff"),
        (of(255_u8), "00000004016b42ff"),
        (of(1.5_f32), "00000007016b663fc00000"),
        (of(3.14_f64), "0000000b016b6440091eb851eb851f"),
        (of(-2_i16), "00000005016b73fffe"),
        (of(65_534_u16), "00000005016b75fffe"),
        (of(4_294_967_294_u32), "00000007016b69fffffffe"),
        (of(Timestamp::from_secs(1_700_000_000)), "0000000b016b54000000006553f100"),
    ];
    for (table, hex) in vectors {
        assert_eq!(encode(&table), Ok(from_hex(hex)), "{table:?}");
        assert_eq!(decode(&from_hex(hex)), Ok(table));
    }
}

#[test]
fn a_name_that_comes_twice_keeps_its_place() {
    let octets = b"\0\0\0\x0c\x01ku\0\x01\x01jV\x01kt\x01";
    let table = FieldTable::from([("k", 1_u16.into()), ("j", FieldValue::Void), ("k", true.into())]);
    assert_eq!(decode(octets), Ok(table.clone()));
    assert_eq!(encode(&table), Ok(octets.to_vec()));
}

#[test]
fn what_other_clients_write_otherwise_is_read() {
    assert_eq!(decode(&field(b'L', &[0xff; 8])), Ok(of(-1_i64)));
    assert_eq!(decode(&field(b't', &[2])), Ok(of(true)));
    assert_eq!(decode(&field(b't', &[0])), Ok(of(false)));
}

#[test]
fn numbers_that_are_not_finite_are_read_and_not_written() {
    let infinity = decode(&field(b'd', &f64::NEG_INFINITY.to_be_bytes())).unwrap();
    assert_eq!(infinity, of(f64::NEG_INFINITY));
    let nan = decode(&field(b'f', &f32::NAN.to_be_bytes())).unwrap();
    assert!(nan.get("k").and_then(FieldValue::as_f64).is_some_and(f64::is_nan));
    for table in [infinity, nan, of(f64::NAN), of(f64::INFINITY), of(f32::INFINITY)] {
        let error = encode(&table).unwrap_err();
        assert_eq!((error.kind(), error.path()), (EncodeErrorKind::NotFinite, Some("k")), "{table:?}");
    }
}

#[test]
fn the_error_of_a_value_deep_inside_names_the_way_to_it() {
    let inner = FieldTable::from([("fine", FieldValue::Void), ("count", f64::NAN.into())]);
    let table = FieldTable::from([("x-death", FieldValue::Array(vec![1.into(), inner.into()]))]);
    assert_eq!(encode(&table).unwrap_err().path(), Some("x-death[1].count"));
    let too_long = FieldTable::from([("a", FieldTable::from([("x".repeat(256), 1)]))]);
    let error = encode(&too_long).unwrap_err();
    assert_eq!(error.to_string(), "short string of 256 octets, at most 255 (at a)");
}

#[test]
fn a_type_code_that_does_not_exist_is_named() {
    for code in (0..=u8::MAX).filter(|code| !b"tbBsuIilLfdDSxATFV".contains(code)) {
        let error = decode(&field(code, &[0; 16])).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::UnknownTypeCode(code), Some(6)));
    }
}

#[test]
fn a_length_that_reaches_beyond_the_end_is_refused() {
    assert_eq!(decode(&[0xff; 4]).unwrap_err(), DecodeError::at(4, DecodeErrorKind::Truncated));
    for code in *b"SxAF" {
        for length in [1, 0x7fff_ffff, u32::MAX] {
            let error = decode(&field(code, &length.to_be_bytes())).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::Truncated, Some(11)), "{code} {length}");
        }
    }
}

#[test]
fn a_value_may_not_reach_beyond_its_own_table() {
    let inner = b"\0\0\0\x05\x01aI\0\0";
    let octets = [b"\0\0\0\x10\x01kF".as_slice(), inner, b"\x01bV\0"].concat();
    let error = decode(&octets).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::Truncated, Some(14)));
}

/// A table inside alternating tables and arrays, at the depth `depth`.
fn nested(depth: usize) -> FieldTable {
    let mut value = FieldValue::from(7);
    for level in 1..depth {
        value = if level % 2 == 0 { FieldValue::Array(vec![value]) } else { of(value).into() };
    }
    of(value)
}

/// The bytes of `depth` nested tables, or of a table with `depth - 1` nested arrays.
fn nested_octets(depth: usize, code: u8) -> Vec<u8> {
    let step = if code == b'F' { 7 } else { 5 };
    let mut left = step * (depth - 2) + 7;
    let mut octets = (left as u32).to_be_bytes().to_vec();
    for level in 1..depth {
        if code == b'F' || level == 1 {
            octets.extend(b"\x01k");
            left -= 2;
        }
        left -= 5;
        octets.push(code);
        octets.extend((left as u32).to_be_bytes());
    }
    octets
}

#[test]
fn nesting_is_limited_when_reading() {
    for code in *b"FA" {
        let deepest = nested_octets(MAX_NESTING, code);
        assert_eq!(encode(&decode(&deepest).unwrap()), Ok(deepest));
        for depth in [MAX_NESTING + 1, 100_000] {
            let error = decode(&nested_octets(depth, code)).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::NestedTooDeep);
        }
    }
}

#[test]
fn nesting_is_limited_when_writing() {
    let deepest = nested(MAX_NESTING);
    assert_eq!(decode(&encode(&deepest).unwrap()), Ok(deepest));
    let error = encode(&nested(MAX_NESTING + 1)).unwrap_err();
    assert_eq!((error.kind(), error.path()), (EncodeErrorKind::NestedTooDeep, None));
}

#[test]
fn strings_in_a_table_of_shared_octets_are_parts_of_them() {
    let octets = Bytes::from(encode(&of(FieldTable::from([("a", "text")]))).unwrap());
    let table = Reader::shared(&octets).table().unwrap();
    let inner = table.get("k").and_then(FieldValue::as_table).unwrap();
    let text = inner.get("a").and_then(FieldValue::as_bytes).unwrap();
    assert!(octets.as_ptr_range().contains(&text.as_ptr()));
}

/// A seed that fails is printed. It belongs in a test of its own, not in a file next to this one.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_table_is_read_as_it_was_written(table in any_table(Floats::Finite, any_key())) {
        prop_assert_eq!(decode(&encode(&table).unwrap()), Ok(table));
    }

    #[test]
    fn a_table_with_less_than_its_fields_is_refused_or_ends_between_two(
        table in any_table(Floats::Finite, any_key()),
        cut in any::<prop::sample::Index>(),
    ) {
        // The length is corrected, so that the cut is inside a field or between two.
        let fields = &encode(&table).unwrap()[4..];
        let fields = &fields[..cut.index(fields.len() + 1)];
        let octets = [&(fields.len() as u32).to_be_bytes(), fields].concat();
        match decode(&octets) {
            Ok(read) => prop_assert!(read.iter().eq(table.iter().take(read.len()))),
            Err(error) => prop_assert_eq!(error.kind(), DecodeErrorKind::Truncated),
        }
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in vec(any::<u8>(), 0..200)) {
        let fields = [&(octets.len() as u32).to_be_bytes(), octets.as_slice()].concat();
        for octets in [octets, fields] {
            let mut reader = Reader::new(&octets);
            if let Ok(table) = reader.table() && let Ok(written) = encode(&table) {
                prop_assert_eq!(written.len(), reader.position());
                prop_assert_eq!(decode(&written), Ok(table));
            }
        }
    }

    #[test]
    fn an_octet_changed_anywhere_is_read_or_refused(
        table in any_table(Floats::Finite, any_key()),
        at in any::<prop::sample::Index>(),
        octet: u8,
    ) {
        let mut octets = encode(&table).unwrap();
        let at = at.index(octets.len());
        octets[at] = octet;
        let mut reader = Reader::new(&octets);
        match reader.table() {
            Ok(_) => prop_assert!(reader.position() <= octets.len()),
            Err(error) => prop_assert!(error.offset().is_some_and(|offset| offset <= octets.len())),
        }
    }
}

proptest! {
    // Every prefix of every table is read, so that few tables suffice.
    #![proptest_config(ProptestConfig { cases: 64, ..config() })]

    #[test]
    fn a_table_cut_short_anywhere_is_refused(table in any_table(Floats::Finite, any_key())) {
        let octets = encode(&table).unwrap();
        for length in 0..octets.len() {
            let error = Reader::new(&octets[..length]).table().unwrap_err();
            prop_assert_eq!(error.kind(), DecodeErrorKind::Truncated);
        }
    }
}
