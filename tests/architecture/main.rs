//! The order of the rooms of `src/`, the pages that describe them, and the form of prose.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod pages;
mod prose;
mod rooms;
