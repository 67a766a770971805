//! `cargo fuzz run tables`; what it does is `leveret_fuzz::tables`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::tables(data));

/// Only `cargo fuzz` builds the target.
#[cfg(not(fuzzing))]
fn main() {}
