//! How a connection is established, what is tried, in which order and for how long; and what is
//! declared again after it was lost.
//!
//! This module has no I/O, no clock and no random numbers: times and a seed are arguments, so that
//! every driver performs the same plan, and a test can run it step by step.

mod attempts;
mod backoff;
mod filter;
mod plan;
mod race;
mod record;
mod replay;

pub(crate) use backoff::{Backoff, Breaker, Failure as CycleFailure, Killer, Loss, Next};
pub(crate) use plan::{DialPlan, Reached, Step};
pub(crate) use race::Target;
pub(crate) use record::{Outcome, Topology};
pub use record::{Recorded, RecordedTopology};
pub(crate) use replay::{Pace, Phase, Replay, Request as ReplayRequest, Step as ReplayStep, StepId, Suspects};
