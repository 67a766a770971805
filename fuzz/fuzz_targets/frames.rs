//! `cargo fuzz run --features libfuzzer frames`; what it does is `leveret_fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::frames(data));
