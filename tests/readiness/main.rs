//! Connections in loops of others: level- and edge-triggered ones, one-shot ones, late and lying
//! ones, over sockets and over a pipe in memory.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod attempts;
mod ending;
mod epoll;
mod failed_writes;
#[path = "../blocking/host.rs"]
#[allow(dead_code, reason = "the blocking tests use the rest")]
mod host;
mod late;
mod memory;
mod random;
mod recovering;
mod session;
mod sessions;
mod spinning;
