//! How a connection is reached: what is tried, in which order and for how long.
//!
//! Without I/O, without a clock and without randomness of its own: times and a seed are arguments,
//! so that every driver performs the same plan, and a test can run it step by step.

mod plan;
mod race;
mod record;

pub(crate) use plan::{DialPlan, Step};
pub(crate) use race::Target;
