//! The blocking API against the embedded broker at a TCP port, and against scripted peers.
#![allow(dead_code, reason = "wip")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and a stress test says what it did"
)]

mod basics;
mod calling;
mod client;
mod consuming;
mod dispatching;
mod dropping;
mod ending;
mod examples;
mod gate;
mod host;
mod misbehaving;
mod opening;
mod publishing;
mod recovering;
mod secure;
mod stress;
mod threads;
mod turned;
mod within;
