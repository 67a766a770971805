//! What a program does with a broker, on a real one. `tests/run` runs these; they fail where they are run without it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod basic;
mod confirms;
mod connection;
mod consumers;
mod content;
mod exchanges;
mod first_message;
mod interop;
mod operator;
mod queues;
mod transactions;
