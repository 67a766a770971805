//! The engine against a scripted peer: frames in, frames out, and a clock that the test moves by
//! hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

mod mechanisms;
mod observing;
mod session;

mod abandoned;
mod agreeing;
mod backpressure;
mod calls;
mod cancelling;
mod channels;
mod closing;
mod confirms;
mod consumers;
mod content;
mod fates;
mod giving_back;
mod handshake;
mod heartbeats;
mod large_headers;
mod late;
mod memory;
mod minimum;
mod out_of_order;
mod oversize;
mod reading;
mod refused_publishes;
mod renewing;
mod returns;
mod returns_that_changed;
mod settled_already;
mod splits;
mod streams;
mod unkept;
mod violations;
mod walk;
mod write_limit;
