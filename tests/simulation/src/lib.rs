//! Deterministic simulation: clients of the public async API, the embedded broker, and the network
//! between them, in one thread and in virtual time. All choices are made from a seed.
//!
//! | module | what it does |
//! |---|---|
//! | [`script`] | the settings and steps of a run, as text, and the script of a seed |
//! | [`run`] | performs a script, and reports what it has shown |
//! | [`network`] | the broker, and bytes on their way, with faults |
//! | [`application`] | the clients, which perform steps |
//! | [`ledger`] | what the applications did and what they were told |
//! | [`tap`] | what the broker read and sent |
//! | [`topology`] | what a broker has, and has to have after a loss |
//! | [`invariants`] | what holds in every run |
//! | [`shrink`] | makes a failing script shorter |
//! | [`coverage`] | how often everything was exercised |
//!
//! # Determinism
//!
//! A run has a runtime of one thread with a clock that advances when nothing else can happen. The
//! clock of leveret is that of the runtime, its random numbers are seeded, and it draws nothing
//! else. So two runs of a script are equal byte for byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "what a run does not expect has to fail it"
)]

pub mod application;
pub mod coverage;
pub mod history;
pub mod invariants;
pub mod ledger;
pub mod network;
mod random;
pub mod run;
pub mod script;
pub mod shrink;
pub mod tap;
pub mod topology;
