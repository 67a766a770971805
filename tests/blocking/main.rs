//! The blocking API against the embedded broker at a TCP port.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod basics;
mod host;
