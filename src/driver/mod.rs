//! Moves octets and time between an engine and a transport.
//!
//! The dial plan is performed, TLS and handshake are gone through, and the connection is driven in
//! one way, on whatever [`Runtime`] there is: a runtime is timers, a network, and somewhere else to
//! do what may block.
//!
//! Handles and driver share the engine behind one lock: see [`link`](crate::link). The driver
//! ([`Driver`]) locks to hand in what it read and to take what is to be written, and never while it
//! does I/O.

mod connect;
mod handing_over;
mod leaving;
#[cfg(any(feature = "blocking", feature = "callback"))]
pub(crate) mod mio;
mod pump;
#[cfg(feature = "readiness")]
pub mod readiness;
mod renewal;
mod runtime;
mod task;
#[cfg(all(test, feature = "tokio"))]
mod tests;
mod timer;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;

use std::sync::Arc;

#[cfg(feature = "readiness")]
pub(crate) use self::handing_over::Opened;

use self::connect::Agreed;
use self::renewal::Asking;
use self::runtime::Runtime;
use self::task::Driver;
use crate::engine::Engine;
use crate::link::Shared;
use crate::transport::Stream;

/// What handles share, and what drives it: a future, to be run on the runtime.
fn drive<S: Stream, R: Runtime>(agreed: Agreed<S>, runtime: &R) -> (Arc<Shared>, Driver<S, R>) {
    let Agreed { transport, negotiated, settings, input, renewal } = agreed;
    let clock = runtime.clock();
    let mut engine = Engine::new(negotiated, settings, clock.now());
    let provider = renewal.map(|renewal| {
        engine.renew_secret(renewal.valid_for, renewal.limit, clock.now());
        Asking::new(renewal.provider, runtime.clone())
    });
    let shared = Arc::new(Shared::new(engine, clock));
    (Arc::clone(&shared), Driver::new(transport, shared, input, provider, runtime.clone()))
}
