//! What a driver needs besides a stream: the time, and a place for work that may block.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::config::{ConnectionParameters, CredentialsProvider, Endpoint, Provided, ProviderError};
use crate::error::ConnectCause;
use crate::link::Clock;
use crate::transport::Stream;

/// Where a driver runs: tokio, or a loop that waits for readiness.
pub(crate) trait Runtime: Clone + Send + Sync + Unpin + 'static {
    /// A timer of this runtime.
    type Alarm: Alarm;
    /// Separate work. Dropping it stops the work.
    type Apart: Send + Unpin;

    /// The clock that its timers use.
    fn clock(&self) -> Clock;

    /// Creates a timer that is not set.
    fn alarm(&self) -> Self::Alarm;

    /// Runs work that may block where that is allowed. The future returns its result, or an error
    /// if it panics.
    fn elsewhere<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> impl Future<Output = io::Result<R>> + Send + 'static;

    /// Asks a provider of credentials in a place where a provider that blocks delays nothing but
    /// the open that needs it.
    fn provide(
        &self,
        provider: Arc<dyn CredentialsProvider>,
    ) -> impl Future<Output = Result<Provided, ProviderError>> + Send;

    /// Returns `Ready` if the task may continue. Returns `Pending`, and wakes the task later, if it
    /// has used its share of time and others are to run.
    fn poll_share(&self, context: &mut Context<'_>) -> Poll<()>;

    /// Whether a read that returns `Pending` proves that there is nothing to read. It does not if
    /// the task has used its share of time, because the runtime then lets every read wait.
    fn reads_what_is_there(&self) -> bool;

    /// Runs a future of the application, which may block or panic, separately from the driver.
    fn apart(&self, work: impl Future<Output = ()> + Send + 'static) -> Self::Apart;
}

/// A timer. When it fires, everything that arrived before the time to which it is set is read by a
/// task that reads until nothing is left: either the reactor has checked the streams for readiness
/// at that time or later, or the streams are tried without a report.
pub(crate) trait Alarm: Send + Unpin + 'static {
    /// Sets it, replacing a previous time.
    fn set(&mut self, at: Instant);

    /// Returns `Ready` once the time has come.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

/// A network, on which names are resolved and addresses are connected.
pub(crate) trait Network: Sync {
    /// The runtime on which it runs.
    type Runtime: Runtime;
    /// The type of its streams.
    type Stream: Stream;

    fn runtime(&self) -> &Self::Runtime;

    /// Resolves the name of an endpoint to all of its addresses; at least one.
    fn resolve(
        &self,
        endpoint: &Endpoint,
        parameters: &ConnectionParameters,
    ) -> impl Future<Output = Result<Vec<SocketAddr>, ConnectCause>> + Send;

    /// Connects to one address.
    fn connect(
        &self,
        address: SocketAddr,
        parameters: &ConnectionParameters,
    ) -> impl Future<Output = Result<Self::Stream, ConnectCause>> + Send;
}
