//! Moves octets and time between an engine and a transport.
//!
//! Handles and driver share the engine behind one lock: see [`link`](crate::link). The driver
//! ([`Driver`]) locks to hand in what it read and to take what is to be written, and never while it
//! does I/O.

mod connect;
mod leaving;
mod on_runtime;
mod pump;
mod renewal;
mod task;
#[cfg(test)]
mod tests;
mod thread;
mod timer;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use self::renewal::Asking;
use crate::engine::Engine;
use crate::link::{Clock, Shared};

pub(crate) use connect::{Agreed, open, open_on};
pub(crate) use on_runtime::on_runtime;
pub(crate) use task::Driver;
pub(crate) use thread::open_on_thread;

/// The runtime's clock, so that tests can turn it.
pub(crate) const CLOCK: Clock = Clock::new(|| tokio::time::Instant::now().into_std());

/// What handles share, and what drives it: a future, to be run on the runtime that this is called
/// on.
pub(crate) fn drive<T>(agreed: Agreed<T>) -> (Arc<Shared>, Driver<T>)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Agreed { transport, negotiated, settings, input, renewal } = agreed;
    let mut engine = Engine::new(negotiated, settings, CLOCK.now());
    let provider = renewal.map(|renewal| {
        engine.renew_secret(renewal.valid_for, renewal.limit, CLOCK.now());
        Asking::new(renewal.provider)
    });
    let shared = Arc::new(Shared::new(engine, CLOCK));
    (Arc::clone(&shared), Driver::new(transport, shared, input, provider))
}
