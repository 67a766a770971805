//! Opening connections that an event loop of the program drives.

use std::io::{Read, Write};

use super::Connection;
use crate::config::ConnectionParameters;
use crate::driver::Opened;
use crate::driver::readiness::{Reactor, Token};
use crate::error::{Error, Result};

impl Reactor {
    /// Opens a connection that this reactor drives, as [`open`](Connection#method.open) of the
    /// async API does otherwise. The open makes progress as the reactor takes turns, whether or not
    /// the future is polled. Dropping the future abandons the open.
    ///
    /// # Errors
    ///
    /// Returns an error if the parameters are invalid, or if all attempts failed:
    /// [`Error::attempts`] lists them.
    pub fn open<P>(&self, parameters: P) -> impl Future<Output = Result<Connection>> + Send + use<P>
    where
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let opened = valid(parameters).map(|parameters| self.core().begin_open(parameters));
        async move { finish(opened?).await }
    }

    /// Opens a connection over a socket that the caller made. The socket is set to non-blocking
    /// mode. See [`Connection::open_on`](Connection#method.open_on).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Reactor::open`], except those of reaching the broker, and those of
    /// the socket. Returns an error if the parameters have recovery: see [`Reactor::open_with`].
    #[cfg(unix)]
    pub fn open_on_socket<T, P>(
        &self,
        socket: T,
        parameters: P,
    ) -> impl Future<Output = Result<Connection>> + Send + use<T, P>
    where
        T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static,
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let opened = valid(parameters).and_then(|parameters| {
            parameters.check_one_transport()?;
            let opened = self.core().begin_open_on_socket(socket, parameters);
            opened.map_err(|error| crate::error::ConnectError::no_thread(&error).into())
        });
        async move { finish(opened?).await }
    }

    /// Opens a connection over sockets that a function makes: the first now, and others after each
    /// loss, if the connection is recovered. Each call has a separate thread, so it may block. It
    /// may take `connect_timeout`. In other respects this is like [`Reactor::open_on_socket`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Reactor::open`], and the error of the function.
    #[cfg(unix)]
    pub fn open_with<F, T, P>(
        &self,
        connect: F,
        parameters: P,
    ) -> impl Future<Output = Result<Connection>> + Send + use<F, T, P>
    where
        F: Fn() -> std::io::Result<T> + Send + Sync + 'static,
        T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static,
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let opened = valid(parameters).map(|parameters| self.core().begin_open_with(connect, parameters));
        async move { finish(opened?).await }
    }

    /// Opens a connection over any stream whose reads and writes return at once, with
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) if they cannot proceed. No
    /// [`Change`](crate::readiness::Change) reports this stream: the caller calls
    /// [`handle_ready`](Reactor::handle_ready) with the token whenever the stream may have become
    /// ready.
    ///
    /// # Errors
    ///
    /// Returns an error if the parameters are invalid or have recovery. The future returns the
    /// errors of [`Reactor::open`], except those of reaching the broker.
    pub fn open_on<T, P>(
        &self,
        stream: T,
        parameters: P,
    ) -> Result<(Token, impl Future<Output = Result<Connection>> + Send + use<T, P>)>
    where
        T: Read + Write + Send + Unpin + 'static,
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = valid(parameters)?;
        parameters.check_one_transport()?;
        let (token, opened) = self.core().begin_open_on(stream, parameters);
        Ok((token, finish(opened)))
    }
}

fn valid<P>(parameters: P) -> Result<ConnectionParameters>
where
    P: TryInto<ConnectionParameters>,
    Error: From<P::Error>,
{
    let parameters = parameters.try_into()?;
    parameters.validate()?;
    Ok(parameters)
}

async fn finish(opened: Opened) -> Result<Connection> {
    Ok(Connection::of_shared(opened.await?))
}
