//! Connections that tokio drives: its sockets, timers and tasks, and nothing else.

mod connector;
mod network;
mod on_runtime;
mod thread;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{AbortHandle, coop};
use tokio::time::Sleep;

use super::connect::{self, Agreed, OverNetwork};
use super::handing_over::{open_and_drive, open_and_supervise};
use super::runtime::{Alarm, Runtime};
use super::supervise::Dialer;
use super::task::Driver;
use crate::config::{ConnectionParameters, CredentialsProvider, Provided, ProviderError};
use crate::error::{ConnectError, Result};
use crate::link::{Clock, Shared};
use crate::transport::{OnTokio, Stream};

use self::connector::Connecting;
pub use self::connector::Connector;
use self::network::Tcp;
use self::on_runtime::on_runtime;
use self::thread::on_thread;

/// Opens a connection over the network, and starts its driver: in a task of the present runtime, or
/// on a separate thread.
pub(crate) async fn open(parameters: ConnectionParameters) -> Result<Arc<Shared>> {
    let driver_thread = parameters.driver_thread;
    begin(OverNetwork::new(Tcp, parameters), driver_thread).await
}

/// Opens a connection, and starts what drives it over its transports.
async fn begin<D: Dialer>(dialer: D, driver_thread: bool) -> Result<Arc<Shared>> {
    if driver_thread {
        return Ok(on_thread(|opener| open_and_supervise(OnTokioRuntime, dialer, opener)).await?);
    }
    on_runtime(async {
        let agreed = dialer.dial(false).await?;
        if !dialer.recovery().is_on() {
            return Ok(start(agreed));
        }
        let (shared, supervisor) = super::supervised(agreed, dialer, &OnTokioRuntime);
        tokio::spawn(supervisor);
        Ok(shared)
    })
    .await
}

/// The same on the transports of a connector.
pub(crate) async fn open_with<C: Connector>(connector: C, parameters: ConnectionParameters) -> Result<Arc<Shared>> {
    let driver_thread = parameters.driver_thread;
    begin(Connecting { connector, parameters }, driver_thread).await
}

/// The same on a given stream.
pub(crate) async fn open_on<T>(stream: T, parameters: ConnectionParameters) -> Result<Arc<Shared>>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if parameters.driver_thread {
        let opening = async move { agree(stream, &parameters).await };
        return Ok(on_thread(|opener| open_and_drive(OnTokioRuntime, opening, opener)).await?);
    }
    on_runtime(async { Ok(start(agree(stream, &parameters).await?)) }).await
}

pub(super) async fn agree<T>(stream: T, parameters: &ConnectionParameters) -> Result<Agreed<OnTokio<T>>, ConnectError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    connect::open_on(&OnTokioRuntime, OnTokio(stream), parameters).await
}

/// Spawns the task that drives a connection.
fn start<S: Stream>(agreed: Agreed<S>) -> Arc<Shared> {
    let (shared, driver) = drive(agreed);
    tokio::spawn(driver);
    shared
}

pub(super) fn drive<S: Stream>(agreed: Agreed<S>) -> (Arc<Shared>, Driver<S, OnTokioRuntime>) {
    super::drive(agreed, &OnTokioRuntime)
}

/// The present tokio runtime.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnTokioRuntime;

impl Runtime for OnTokioRuntime {
    type Alarm = TokioAlarm;
    type Apart = Aborting;

    /// The runtime's clock, which tests can pause and advance.
    fn clock(&self) -> Clock {
        Clock::new(|| tokio::time::Instant::now().into_std())
    }

    fn alarm(&self) -> TokioAlarm {
        TokioAlarm(Box::pin(tokio::time::sleep(Duration::ZERO)))
    }

    fn elsewhere<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> impl Future<Output = io::Result<R>> + Send + 'static {
        let work = tokio::task::spawn_blocking(work);
        async move { work.await.map_err(io::Error::other) }
    }

    /// In the task of whoever opens.
    async fn provide(&self, provider: Arc<dyn CredentialsProvider>) -> Result<Provided, ProviderError> {
        provider.provide().await
    }

    fn poll_share(&self, context: &mut Context<'_>) -> Poll<()> {
        pin!(coop::consume_budget()).poll(context)
    }

    fn reads_what_is_there(&self) -> bool {
        coop::has_budget_remaining()
    }

    fn apart(&self, work: impl Future<Output = ()> + Send + 'static) -> Aborting {
        Aborting(tokio::spawn(work).abort_handle())
    }
}

/// A timer of tokio.
pub(super) struct TokioAlarm(Pin<Box<Sleep>>);

impl Alarm for TokioAlarm {
    fn set(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

/// A task that is aborted when this is dropped.
pub(super) struct Aborting(AbortHandle);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}
