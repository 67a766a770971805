//! Opening connections that a reactor drives.

use std::io::{Read, Write};

use super::core::Core;
use super::network::Tcp;
use super::source::Token;
use super::stream::{Any, Ready, ReadyStream};
use crate::config::ConnectionParameters;
use crate::driver::connect;
use crate::driver::connect::OverNetwork;
use crate::driver::handing_over::{Opened, open_and_drive, open_and_supervise, opening};

impl Core {
    /// Opens a connection over the network, and drives it until it is finished.
    pub(crate) fn begin_open(&self, parameters: ConnectionParameters) -> Opened {
        let (opener, opened) = opening();
        let core = self.clone();
        self.spawn(async move {
            let network = Tcp(core.clone());
            open_and_supervise(core, OverNetwork::new(network, parameters), opener).await;
        });
        opened
    }

    /// Opens a connection on a socket of the caller, which is set to non-blocking mode.
    #[cfg(unix)]
    pub(crate) fn begin_open_on_socket<T>(&self, socket: T, parameters: ConnectionParameters) -> std::io::Result<Opened>
    where
        T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static,
    {
        Ok(self.begin_open_on_ready(ReadyStream::of_given(socket, self)?, parameters))
    }

    /// Opens a connection on any stream of the caller, which reports when it is ready.
    pub(crate) fn begin_open_on<T>(&self, stream: T, parameters: ConnectionParameters) -> (Token, Opened)
    where
        T: Read + Write + Send + Unpin + 'static,
    {
        let stream: ReadyStream<Any<T>> = ReadyStream::of_any(stream, self);
        (stream.token(), self.begin_open_on_ready(stream, parameters))
    }

    fn begin_open_on_ready<T: Ready>(&self, stream: ReadyStream<T>, parameters: ConnectionParameters) -> Opened {
        let (opener, opened) = opening();
        let core = self.clone();
        self.spawn(async move {
            let runtime = core.clone();
            open_and_drive(runtime, connect::open_on(&core, stream, &parameters), opener).await;
        });
        opened
    }
}
