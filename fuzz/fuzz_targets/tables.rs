//! `cargo fuzz run --features libfuzzer tables`; what it does is `leveret_fuzz::tables`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::tables(data));
