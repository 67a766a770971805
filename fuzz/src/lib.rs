//! What the fuzz targets do: plain functions over octets, which panic where leveret breaks a
//! promise.
//!
//! The targets in `fuzz_targets/` call them with what libFuzzer finds, the test `corpus` with what
//! is committed under `corpus/<target>/`. `seed.py` makes the seeds there from the golden vectors,
//! from the URLs of the tests, and from a hash where any octets will do. A target is a function
//! here, a line in [`TARGETS`], a file in `fuzz_targets/` with its `[[bin]]`, and a folder of
//! seeds.
//!
//! The stable toolchain builds the targets, with the coverage that guides libFuzzer:
//!
//! ```sh
//! export RUSTFLAGS="--cfg=fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
//!     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
//! cargo build -p leveret-fuzz --target x86_64-unknown-linux-gnu --target-dir target/fuzz
//! mkdir -p target/fuzz/found
//! target/fuzz/x86_64-unknown-linux-gnu/debug/frames -max_total_time=60 target/fuzz/found fuzz/corpus/frames
//! ```
//!
//! What libFuzzer keeps goes into the first folder, so that `corpus/` holds what somebody chose to
//! commit.
#![forbid(unsafe_code)]

mod client;
mod frames;
mod methods;
mod session;
mod tables;
mod urls;

pub use client::client;
pub use frames::frames;
pub use methods::methods;
pub use session::session;
pub use tables::tables;
pub use urls::urls;

/// A fuzz target: its name, which is also the folder of its corpus, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("client", client),
    ("frames", frames),
    ("methods", methods),
    ("session", session),
    ("tables", tables),
    ("urls", urls),
];
