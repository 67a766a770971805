//! The async client against a scripted broker, frame by frame and in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod client;
mod closing;
mod confirming;
mod consuming;
mod debugging;
mod dropping;
mod dropping_publishes;
mod errors;
mod failed_writes;
mod fates;
mod flow;
mod host;
mod hostile;
mod late;
mod leaving;
mod loss;
mod misbehaving;
mod observing;
mod opening;
mod out_of_order;
mod overflowing;
mod prefetch;
mod program;
mod promises;
mod racing;
mod renewing;
mod returns_that_changed;
mod runtimes;
#[cfg(feature = "tls")]
mod secure;
mod shaking_hands;
mod sockets;
mod staged;
mod steps;
mod tags;
#[cfg(feature = "tls")]
mod trusting;
mod unread;
