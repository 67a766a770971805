//! What handles and a driver share, for every API: the engine and its waiters, protected by one
//! lock, and the clock.
//!
//! A handle locks, encodes, unlocks, and wakes the driver if it sleeps. A driver locks to hand in
//! what it read and to take what is to be written, and never holds the lock during I/O. No code
//! outside this crate runs under the lock: wakers and bodies are moved out of it first.
//!
//! Everything here completes with the engine's own results. An API on top of it adds its methods
//! and a way to wait: each wait is polled with a [`Waker`](std::task::Waker), which may belong to a
//! task, a parked thread or a continuation.

mod clock;
mod deliveries;
mod publishing;
mod shared;
mod standing;
mod wait;
mod waiters;

pub(crate) use clock::Clock;
pub(crate) use deliveries::{Deliveries, Next};
pub(crate) use publishing::Passed;
pub(crate) use shared::{Shared, Sleep, State};
pub(crate) use standing::{Standing, Topic};
pub(crate) use wait::Wait;
pub(crate) use waiters::{Polled, Waiters};
