//! The order of the rooms of `src/`, the pages that describe them, and the form of comments.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod comments;
mod pages;
mod rooms;
