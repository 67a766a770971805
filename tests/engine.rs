//! The engine against a scripted peer: frames in, frames out, and a clock that the test moves by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

#[path = "engine/mechanisms.rs"]
mod mechanisms;
#[path = "engine/observing.rs"]
mod observing;
#[path = "engine/peer.rs"]
mod peer;
#[path = "engine/session.rs"]
mod session;

#[path = "engine/abandoned.rs"]
mod abandoned;
#[path = "engine/agreeing.rs"]
mod agreeing;
#[path = "engine/backpressure.rs"]
mod backpressure;
#[path = "engine/calls.rs"]
mod calls;
#[path = "engine/cancelling.rs"]
mod cancelling;
#[path = "engine/channels.rs"]
mod channels;
#[path = "engine/closing.rs"]
mod closing;
#[path = "engine/confirms.rs"]
mod confirms;
#[path = "engine/consumers.rs"]
mod consumers;
#[path = "engine/content.rs"]
mod content;
#[path = "engine/fates.rs"]
mod fates;
#[path = "engine/handshake.rs"]
mod handshake;
#[path = "engine/heartbeats.rs"]
mod heartbeats;
#[path = "engine/large_headers.rs"]
mod large_headers;
#[path = "engine/late.rs"]
mod late;
#[path = "engine/memory.rs"]
mod memory;
#[path = "engine/minimum.rs"]
mod minimum;
#[path = "engine/reading.rs"]
mod reading;
#[path = "engine/refused_publishes.rs"]
mod refused_publishes;
#[path = "engine/returns.rs"]
mod returns;
#[path = "engine/returns_that_changed.rs"]
mod returns_that_changed;
#[path = "engine/splits.rs"]
mod splits;
#[path = "engine/unkept.rs"]
mod unkept;
#[path = "engine/violations.rs"]
mod violations;
#[path = "engine/walk.rs"]
mod walk;
#[path = "engine/write_limit.rs"]
mod write_limit;
