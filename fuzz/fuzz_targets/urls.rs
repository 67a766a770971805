//! `cargo fuzz run --features libfuzzer urls`; what it does is `leveret_fuzz::urls`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::urls(data));
