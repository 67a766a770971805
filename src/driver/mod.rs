//! Moves octets and time between an engine and a transport.
//!
//! Handles and driver share the engine behind one lock ([`Shared`]). A handle locks, encodes, unlocks, and wakes the
//! driver where it sleeps; the driver ([`Driver`]) locks to hand in what it read and to take what is to be written, and
//! never while it does I/O. Nothing foreign runs under the lock: wakers and bodies leave it first.

mod connect;
mod shared;
mod task;
#[cfg(test)]
mod tests;
mod waiters;

pub(crate) use connect::{Agreed, ConnectError, open, open_on};
pub(crate) use shared::{Shared, State};
pub(crate) use task::Driver;
pub(crate) use waiters::{Polled, Waiters};
