//! Moves bytes and time between an engine and a transport.
//!
//! The dial plan, TLS, the handshake and the connection are driven in the same way on every
//! [`Runtime`], which provides timers, a network, and a place for work that may block.
//!
//! Handles and driver share the engine under one lock: see [`link`](crate::link). The driver
//! ([`Driver`]) locks to hand in what it read and to take what is to be written, and never holds
//! the lock during I/O.

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
mod supervise;
mod task;
#[cfg(all(test, feature = "tokio"))]
mod tests;
mod timer;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;

use std::future::Future;
use std::sync::Arc;

#[cfg(feature = "readiness")]
pub(crate) use self::handing_over::Opened;

pub(crate) use self::supervise::Hosting;

use self::connect::Agreed;
use self::renewal::Asking;
use self::runtime::Runtime;
use self::supervise::{Dialer, supervise};
use self::task::Driver;
use crate::engine::Engine;
use crate::link::Shared;
use crate::recovery::Topology;
use crate::transport::Stream;

/// Creates what handles share, and the future that drives the connection over its transports.
fn supervised<D: Dialer, R: Runtime>(
    agreed: Agreed<D::Stream>,
    dial: D,
    runtime: &R,
) -> (Arc<Shared>, impl Future<Output = ()> + Send + use<D, R>) {
    let terms = dial.recovery();
    let (shared, driver) = drive(agreed, runtime);
    if terms.topology() {
        shared.with(|state| state.topology = Some(Topology::new(terms.record_limit)));
    }
    let supervisor = supervise(dial, runtime.clone(), Arc::clone(&shared), driver);
    (shared, supervisor)
}

/// Creates what handles share, and the driver, a future that is to be run on the runtime.
fn drive<S: Stream, R: Runtime>(agreed: Agreed<S>, runtime: &R) -> (Arc<Shared>, Driver<S, R>) {
    let Agreed { transport, negotiated, settings, input, renewal, .. } = agreed;
    let clock = runtime.clock();
    let mut engine = Engine::new(negotiated, settings, clock.now());
    let provider = renewal.map(|renewal| {
        engine.renew_secret(renewal.valid_for, renewal.limit, clock.now());
        Asking::new(renewal.provider, runtime.clone())
    });
    let shared = Arc::new(Shared::new(engine, clock));
    (Arc::clone(&shared), Driver::new(transport, shared, input, provider, runtime.clone()))
}
