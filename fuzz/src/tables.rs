//! Field tables: lengths, nesting, type codes.

use bytes::Bytes;
use leveret::wire::{Reader, Writer};

/// A field table: what can be read can be written back, octet for octet where it is written as we
/// write, and means the same.
pub fn tables(data: &[u8]) {
    let mut reader = Reader::new(data);
    let read = reader.table();
    let owner = Bytes::copy_from_slice(data);
    let shared = Reader::shared(&owner).table();
    let Ok(table) = read else {
        assert_eq!(read.err(), shared.err(), "copied and shared octets read differently");
        return;
    };
    let mut written = Vec::new();
    if Writer::new(&mut written).table(&table).is_err() {
        return;
    }
    assert_eq!(shared.as_ref(), Ok(&table), "copied and shared octets read differently");
    // Two spellings have the same length as ours: L for l, and any octet but zero for true.
    assert_eq!(written.len(), reader.position(), "a table changes its length on the way");
    assert_eq!(Reader::new(&written).table(), Ok(table), "a table changes on the way");
}
