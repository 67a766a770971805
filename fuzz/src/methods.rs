//! The methods: ids, then arguments.

use bytes::Bytes;
use leveret::frame::split_method;
use leveret::protocol::Method;
use leveret::wire::{Reader, Writer};

/// The payload of a method frame: what can be read can be written back, and means the same.
pub fn methods(data: &[u8]) {
    method(data);
}

/// The same for the payload of a frame among others.
pub(crate) fn method(payload: &[u8]) {
    let Ok((id, arguments)) = split_method(payload) else { return };
    let read = Method::decode(id, &mut Reader::new(arguments));
    let owner = Bytes::copy_from_slice(arguments);
    let shared = Method::decode(id, &mut Reader::shared(&owner));
    let Ok(method) = read else {
        assert_eq!(read.err(), shared.err(), "copied and shared octets read differently");
        return;
    };
    assert_eq!(method.id(), id);
    let mut written = Vec::new();
    // NaN and infinities are read, and refused when they are to be written.
    if method.encode(&mut Writer::new(&mut written)).is_err() {
        return;
    }
    assert_eq!(shared.as_ref(), Ok(&method), "copied and shared octets read differently");
    assert_eq!(Method::decode(id, &mut Reader::new(&written)), Ok(method), "a method changes on the way");
}
