//! `cargo fuzz run frames`; what it does is `leveret_fuzz::frames`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::frames(data));

/// Only `cargo fuzz` builds the target.
#[cfg(not(fuzzing))]
fn main() {}
