//! The network of this machine, without a runtime: names are resolved on threads of their own, and
//! sockets are connected without blocking.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use super::core::Core;
use super::stream::{ReadyStream, Socket};
use crate::config::{ConnectionParameters, Endpoint};
use crate::driver::connect::{prepare, reachable};
use crate::driver::runtime::{Network, Runtime};
use crate::error::ConnectCause;

/// The network of this machine.
pub(crate) struct Tcp(pub(super) Core);

impl Network for Tcp {
    type Runtime = Core;
    type Stream = ReadyStream<Socket>;

    fn runtime(&self) -> &Core {
        &self.0
    }

    async fn resolve(
        &self,
        endpoint: &Endpoint,
        parameters: &ConnectionParameters,
    ) -> Result<Vec<SocketAddr>, ConnectCause> {
        let (host, port) = (endpoint.host.clone(), parameters.port_of(endpoint));
        let found = self.0.elsewhere(move || (host.as_str(), port).to_socket_addrs());
        reachable(found.await.flatten().map_err(ConnectCause::Io)?, parameters)
    }

    async fn connect(
        &self,
        address: SocketAddr,
        parameters: &ConnectionParameters,
    ) -> Result<ReadyStream<Socket>, ConnectCause> {
        let connecting = || {
            let socket = prepare(address, parameters)?;
            match socket.connect(&address.into()) {
                Err(error) if !is_under_way(&error) => Err(error),
                _ => Ok(ReadyStream::of_socket(socket.into(), &self.0)),
            }
        };
        let mut stream = connecting().map_err(ConnectCause::Io)?;
        poll_fn(|context| stream.poll_connected(context)).await.map_err(ConnectCause::Io)?;
        Ok(stream)
    }
}

/// Whether the error means that the socket is being connected.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}
