//! Tests of [`Reader`]'s own values; those of tables are in `wire/tests.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use super::*;

#[test]
fn integers_are_read_in_network_byte_order() {
    let octets: Vec<u8> = (1..=23).collect();
    let mut reader = Reader::new(&octets);
    assert_eq!(reader.octet(), Ok(1));
    assert_eq!(reader.short(), Ok(0x0203));
    assert_eq!(reader.long(), Ok(0x0405_0607));
    assert_eq!(reader.longlong(), Ok(0x0809_0a0b_0c0d_0e0f));
    assert_eq!(reader.timestamp(), Ok(Timestamp::from_secs(0x1011_1213_1415_1617)));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn positions_count_what_was_read() {
    let mut reader = Reader::new(b"\x02abcd");
    assert_eq!((reader.position(), reader.remaining()), (0, 5));
    assert_eq!(reader.short_string_octets(), Ok(b"ab".as_slice()));
    assert_eq!((reader.position(), reader.remaining()), (3, 2));
    assert_eq!(reader.octets(2), Ok(b"cd".as_slice()));
    assert_eq!((reader.position(), reader.remaining()), (5, 0));
}

#[test]
fn an_integer_cut_short_is_refused() {
    fn refused<'a, T>(octets: &'a [u8], read: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>) -> bool {
        (0..octets.len()).all(|length| {
            let error = read(&mut Reader::new(&octets[..length])).err();
            error == Some(DecodeError::at(0, DecodeErrorKind::Truncated))
        })
    }
    let octets = [0; 8];
    assert!(refused(&octets[..1], Reader::octet));
    assert!(refused(&octets[..2], Reader::short));
    assert!(refused(&octets[..4], Reader::long));
    assert!(refused(&octets[..8], Reader::longlong));
    assert!(refused(&octets[..8], Reader::timestamp));
}

#[test]
fn more_octets_than_there_are_are_refused() {
    let mut reader = Reader::new(b"abc");
    assert_eq!(reader.octets(4).unwrap_err().kind(), DecodeErrorKind::Truncated);
    assert!(reader.octets(usize::MAX).is_err());
    assert_eq!(reader.octets(3), Ok(b"abc".as_slice()));
    assert_eq!(reader.octets(0), Ok(b"".as_slice()));
}

#[test]
fn octets_behind_the_last_value_are_refused() {
    let mut reader = Reader::new(b"ab");
    assert_eq!(reader.octet(), Ok(b'a'));
    let error = reader.finish().unwrap_err();
    assert_eq!((error.kind(), error.offset()), (DecodeErrorKind::TrailingOctets, Some(1)));
}

#[test]
fn strings_are_read_behind_their_length() {
    let octets = b"\x05hello\0\0\0\x02\xff\0";
    let mut reader = Reader::new(octets);
    assert_eq!(reader.short_string().unwrap(), "hello");
    assert_eq!(reader.long_string().unwrap(), LongString::from(b"\xff\0"));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn a_string_that_reaches_beyond_the_end_is_refused() {
    let truncated = |at| Some(DecodeError::at(at, DecodeErrorKind::Truncated));
    assert_eq!(Reader::new(b"\x05hell").short_string().err(), truncated(1));
    assert_eq!(Reader::new(b"\xff").short_string().err(), truncated(1));
    assert_eq!(Reader::new(b"\0\0\0\x03ab").long_string().err(), truncated(4));
    assert_eq!(Reader::new(b"\xff\xff\xff\xffab").long_string().err(), truncated(4));
    assert_eq!(Reader::new(b"\0\0\0").long_string().err(), truncated(0));
}

#[test]
fn strings_of_shared_octets_are_parts_of_them() {
    let octets = Bytes::from(b"\x05hello\0\0\0\x05world".to_vec());
    let mut reader = Reader::shared(&octets);
    let (short, long) = (reader.short_string().unwrap(), reader.long_string().unwrap());
    assert_eq!((short.to_str(), long.to_str()), (Ok("hello"), Ok("world")));
    assert_eq!(short.as_bytes().as_ptr(), octets[1..].as_ptr());
    assert_eq!(long.as_bytes().as_ptr(), octets[10..].as_ptr());
}

#[test]
fn strings_of_borrowed_octets_are_copies() {
    let octets = b"\x05hello";
    let string = Reader::new(octets).short_string().unwrap();
    assert_eq!(string, "hello");
    assert_ne!(string.as_bytes().as_ptr(), octets[1..].as_ptr());
}

#[test]
fn an_empty_string_of_shared_octets_keeps_nothing_alive() {
    let octets = Bytes::from(vec![0; 2]);
    let string = Reader::shared(&octets).short_string().unwrap();
    assert!(string.is_empty());
    assert!(octets.is_unique());
}

#[test]
fn a_reader_does_not_print_its_octets() {
    let mut reader = Reader::new(b"\x06secret!");
    reader.octet().unwrap();
    assert_eq!(format!("{reader:?}"), "Reader { position: 1, remaining: 7, .. }");
}
