//! The addresses and sockets of connections, as the parameters specify them.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::config::ConnectionParameters;
use crate::error::ConnectCause;

/// The different addresses of a name that can be reached from the local address, if one is set.
/// Returns an error if there are none.
pub(in crate::driver) fn reachable(
    found: impl Iterator<Item = SocketAddr>,
    parameters: &ConnectionParameters,
) -> Result<Vec<SocketAddr>, ConnectCause> {
    let reachable =
        |address: &SocketAddr| parameters.local_address.is_none_or(|local| local.is_ipv4() == address.is_ipv4());
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.filter(reachable) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let text = "the name has no address, or none of the family of local_address";
        return Err(ConnectCause::Io(io::Error::new(io::ErrorKind::AddrNotAvailable, text)));
    }
    Ok(addresses)
}

/// Creates a non-blocking socket for a connection to an address.
pub(in crate::driver) fn prepare(address: SocketAddr, parameters: &ConnectionParameters) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(octets) = parameters.tcp_send_buffer {
        socket.set_send_buffer_size(octets)?;
    }
    if let Some(octets) = parameters.tcp_receive_buffer {
        socket.set_recv_buffer_size(octets)?;
    }
    if parameters.keeps_alive() {
        socket.set_tcp_keepalive(&keepalive(parameters)?)?;
    }
    set_user_timeout(&SockRef::from(&socket), parameters)?;
    socket.set_tcp_nodelay(parameters.tcp_nodelay)?;
    if let Some(local) = parameters.local_address {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    Ok(socket)
}

fn keepalive(parameters: &ConnectionParameters) -> io::Result<TcpKeepalive> {
    let keepalive = TcpKeepalive::new();
    let keepalive = match parameters.tcp_keepalive_idle {
        Some(idle) => keepalive.with_time(idle),
        None => keepalive,
    };
    set_probes(keepalive, parameters)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_vendor = "apple", windows))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn set_probes(keepalive: TcpKeepalive, parameters: &ConnectionParameters) -> io::Result<TcpKeepalive> {
    let keepalive = match parameters.tcp_keepalive_interval {
        Some(interval) => keepalive.with_interval(interval),
        None => keepalive,
    };
    Ok(match parameters.tcp_keepalive_count {
        Some(count) => keepalive.with_retries(count),
        None => keepalive,
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_vendor = "apple", windows)))]
fn set_probes(keepalive: TcpKeepalive, parameters: &ConnectionParameters) -> io::Result<TcpKeepalive> {
    if parameters.tcp_keepalive_interval.is_some() || parameters.tcp_keepalive_count.is_some() {
        return Err(unsupported("tcp_keepalive_interval and tcp_keepalive_count"));
    }
    Ok(keepalive)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(options: &SockRef<'_>, parameters: &ConnectionParameters) -> io::Result<()> {
    match parameters.tcp_user_timeout {
        Some(timeout) => options.set_tcp_user_timeout(Some(timeout)),
        None => Ok(()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_: &SockRef<'_>, parameters: &ConnectionParameters) -> io::Result<()> {
    if parameters.tcp_user_timeout.is_some() { Err(unsupported("tcp_user_timeout")) } else { Ok(()) }
}

/// The error for an option that this system does not have. It is reported, not ignored.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("this system has no {what}"))
}
