//! `cargo fuzz run --features libfuzzer methods`; what it does is `leveret_fuzz::methods`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::methods(data));
