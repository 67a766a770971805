//! Moves octets and time between an engine and a transport.
//!
//! Handles and driver share the engine behind one lock ([`Shared`]). A handle locks, encodes, unlocks, and wakes the
//! driver where it sleeps; the driver ([`Driver`]) locks to hand in what it read and to take what is to be written, and
//! never while it does I/O. Nothing foreign runs under the lock: wakers and bodies leave it first.

mod connect;
mod leaving;
mod observation;
mod on_runtime;
mod renewal;
mod shared;
mod task;
#[cfg(test)]
mod tests;
mod thread;
mod timer;
mod wait;
mod waiters;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use connect::{Agreed, ConnectError, open, open_on};
pub use connect::{Attempt, Phase};
pub(crate) use observation::Observation;
pub(crate) use on_runtime::on_runtime;
pub(crate) use shared::{Shared, State};
pub(crate) use task::Driver;
pub(crate) use thread::open_on_thread;
pub(crate) use wait::{Room, Wait, now};
pub(crate) use waiters::{Polled, Waiters};

/// What handles share, and what drives it: a future, to be run on the runtime that this is called on.
pub(crate) fn drive<T>(agreed: Agreed<T>) -> (Arc<Shared>, Driver<T>)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Agreed { transport, shared, input, renewal } = agreed;
    if let Some(renewal) = renewal {
        tokio::spawn(renewal::renew(Arc::clone(&shared), renewal));
    }
    (Arc::clone(&shared), Driver::new(transport, shared, input))
}
