//! The async client against a scripted broker, frame by frame and in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "asynchronous/attention.rs"]
mod attention;
#[path = "asynchronous/broker.rs"]
mod broker;
#[path = "asynchronous/closing.rs"]
mod closing;
#[path = "asynchronous/confirming.rs"]
mod confirming;
#[path = "asynchronous/consuming.rs"]
mod consuming;
#[path = "asynchronous/debugging.rs"]
mod debugging;
#[path = "asynchronous/dropping.rs"]
mod dropping;
#[path = "asynchronous/dropping_publishes.rs"]
mod dropping_publishes;
#[path = "asynchronous/errors.rs"]
mod errors;
#[path = "asynchronous/fates.rs"]
mod fates;
#[path = "asynchronous/flow.rs"]
mod flow;
#[path = "asynchronous/hostile.rs"]
mod hostile;
#[path = "asynchronous/late.rs"]
mod late;
#[path = "asynchronous/leaving.rs"]
mod leaving;
#[path = "asynchronous/loss.rs"]
mod loss;
#[path = "asynchronous/misbehaving/mod.rs"]
mod misbehaving;
#[path = "asynchronous/observing.rs"]
mod observing;
#[path = "asynchronous/opening.rs"]
mod opening;
#[path = "asynchronous/overflowing.rs"]
mod overflowing;
#[path = "asynchronous/peer.rs"]
mod peer;
#[path = "asynchronous/program.rs"]
mod program;
#[path = "asynchronous/promises.rs"]
mod promises;
#[path = "asynchronous/racing.rs"]
mod racing;
#[path = "asynchronous/renewing.rs"]
mod renewing;
#[path = "asynchronous/runtimes.rs"]
mod runtimes;
#[cfg(feature = "tls")]
#[path = "asynchronous/secure.rs"]
mod secure;
#[path = "asynchronous/shaking_hands.rs"]
mod shaking_hands;
#[cfg(feature = "tls")]
#[path = "asynchronous/trusting.rs"]
mod trusting;
#[path = "asynchronous/unread.rs"]
mod unread;
