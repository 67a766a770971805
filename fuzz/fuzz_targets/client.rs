//! `cargo fuzz run client`; what it does is `leveret_fuzz::client`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::client(data));

/// Only `cargo fuzz` builds the target.
#[cfg(not(fuzzing))]
fn main() {}
