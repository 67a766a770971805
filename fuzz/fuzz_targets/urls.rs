//! `cargo fuzz run urls`; what it does is `leveret_fuzz::urls`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::urls(data));

/// Only `cargo fuzz` builds the target.
#[cfg(not(fuzzing))]
fn main() {}
