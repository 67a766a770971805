//! The API of callbacks against the embedded broker at a TCP port.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod basics;
mod closing;
mod dropping;
mod events;
mod examples;
#[path = "../blocking/gate.rs"]
#[allow(dead_code, reason = "the blocking tests use the rest")]
mod gate;
mod guard;
#[path = "../blocking/host.rs"]
#[allow(dead_code, reason = "the blocking tests use the rest")]
mod host;
mod hours;
mod loops;
mod many;
#[path = "../asynchronous/misbehaving/mod.rs"]
mod misbehaving;
mod once;
mod opening;
mod panics;
mod recovering;
mod rig;
mod staged;
mod stress;
mod verbs;
mod world;
