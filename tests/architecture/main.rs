//! The order of the rooms of `src/`, and the pages that describe them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod pages;
mod rooms;
