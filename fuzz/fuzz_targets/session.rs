//! `cargo fuzz run --features libfuzzer session`; what it does is `leveret_fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::session(data));
