//! Connections that somebody's loop drives.

use std::io::{Read, Write};

use super::Connection;
use crate::config::ConnectionParameters;
use crate::driver::Opened;
use crate::driver::readiness::{Reactor, Token};
use crate::error::{Error, Result};

impl Reactor {
    /// Opens a connection that this drives; otherwise as the async API's
    /// [`open`](Connection#method.open). It goes on as turns are taken, whether or not the future
    /// is polled; dropped, the future gives up the open.
    ///
    /// # Errors
    ///
    /// Wrong parameters; otherwise all attempts failed, and [`Error::attempts`] lists them.
    pub fn open<P>(&self, parameters: P) -> impl Future<Output = Result<Connection>> + Send + use<P>
    where
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let opened = valid(parameters).map(|parameters| self.begin_open(parameters));
        async move { finish(opened?).await }
    }

    /// The same over a socket of the caller's, which is set not to block: see
    /// [`Connection::open_on`](Connection#method.open_on).
    ///
    /// # Errors
    ///
    /// As [`Reactor::open`], but for reaching the broker; or the socket's.
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
            let opened = self.begin_open_on_socket(socket, parameters);
            opened.map_err(|error| crate::error::ConnectError::no_thread(&error).into())
        });
        async move { finish(opened?).await }
    }

    /// The same over any stream that reads and writes at once or says
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock). No [`Change`](crate::readiness::Change)
    /// tells of it: whoever has it calls [`handle_ready`](Reactor::handle_ready) with the token,
    /// whenever it may have become ready.
    ///
    /// # Errors
    ///
    /// Wrong parameters, at once. The future's are those of [`Reactor::open`], but for reaching the
    /// broker.
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
        let (token, opened) = self.begin_open_on(stream, valid(parameters)?);
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
