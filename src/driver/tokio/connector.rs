//! Transports of the caller that can be made again after they were lost.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::OnTokioRuntime;
use crate::config::ConnectionParameters;
use crate::driver::connect::{self, Agreed};
use crate::driver::supervise::Dialer;
use crate::error::ConnectError;
use crate::transport::OnTokio;

/// Makes the transports of a connection: see
/// [`Connection::open_with`](crate::Connection::open_with).
///
/// It is implemented for functions without arguments that return such a future.
pub trait Connector: Send + Sync + 'static {
    /// The type of the transports.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Makes a transport. The future is dropped after `connect_timeout`, or when the connection is
    /// closed.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no transport now.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl<F, R, S> Connector for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = io::Result<S>> + Send,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Stream = S;

    fn connect(&self) -> impl Future<Output = io::Result<S>> + Send {
        self()
    }
}

/// A connector of the caller, with what is agreed on its transports.
pub(super) struct Connecting<C> {
    pub(super) connector: C,
    pub(super) parameters: ConnectionParameters,
}

impl<C: Connector> Dialer for Connecting<C> {
    type Stream = OnTokio<C::Stream>;

    async fn dial(&self, _again: bool) -> Result<Agreed<Self::Stream>, ConnectError> {
        let making = async { self.connector.connect().await.map(OnTokio) };
        connect::open_on_made(&OnTokioRuntime, making, &self.parameters).await
    }

    fn parameters(&self) -> &ConnectionParameters {
        &self.parameters
    }
}
