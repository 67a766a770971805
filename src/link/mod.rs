//! What handles and a driver share, whatever the way in: the engine behind one lock, who waits for
//! it, and the clock.
//!
//! A handle locks, encodes, unlocks, and wakes the driver where it sleeps; a driver locks to hand
//! in what it read and to take what is to be written, and never while it does I/O. Nothing foreign
//! runs under the lock: wakers and bodies leave it first.
//!
//! Everything here resolves to the engine's own results. An adapter is verbs, and a way to wait:
//! each wait is polled with a [`Waker`](std::task::Waker), which may be a task's, a parked
//! thread's, or a continuation's.

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
