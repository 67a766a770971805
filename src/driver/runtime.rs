//! What a driver needs besides a stream: the time, and somewhere else to do what may block.

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
    /// What is done apart: dropped, it is not done any more.
    type Apart: Send + Unpin;

    /// The clock that its timers go by.
    fn clock(&self) -> Clock;

    /// A timer that is not set.
    fn alarm(&self) -> Self::Alarm;

    /// Does elsewhere what may block, and gives what comes of it; an error where it panics.
    fn elsewhere<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> impl Future<Output = io::Result<R>> + Send + 'static;

    /// Asks a provider of credentials, where it holds up nothing but what opens the connection.
    fn provide(
        &self,
        provider: Arc<dyn CredentialsProvider>,
    ) -> impl Future<Output = Result<Provided, ProviderError>> + Send;

    /// Ready where the task may go on, and not when it has had its share and others are to run.
    fn poll_share(&self, context: &mut Context<'_>) -> Poll<()>;

    /// Whether a read that has to wait means that there is nothing to read: not where the task has
    /// had its share.
    fn reads_what_is_there(&self) -> bool;

    /// Runs a future of the application's, which may block or panic, apart from the driver.
    fn apart(&self, work: impl Future<Output = ()> + Send + 'static) -> Self::Apart;
}

/// A timer. When it has fired, what arrived before the time that it was set to is read by whoever
/// reads until there is nothing: whatever reports readiness has looked at the streams at that time
/// or later, or they are tried without a report.
pub(crate) trait Alarm: Send + Unpin + 'static {
    /// Sets it anew.
    fn set(&mut self, at: Instant);

    /// Fires once the time has come.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;
}

/// What names are resolved and addresses connected on.
pub(crate) trait Network: Sync {
    /// Where all of it runs.
    type Runtime: Runtime;
    /// What connects.
    type Stream: Stream;

    fn runtime(&self) -> &Self::Runtime;

    /// All addresses of an endpoint's name; at least one.
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
