//! From a name to a socket: addresses, options, the connection.

use std::io;
use std::net::SocketAddr;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream, lookup_host};

use super::Network;
use crate::config::{ConnectionParameters, Endpoint};
use crate::error::ConnectCause;

/// This machine's network.
pub(super) struct Tcp;

impl Network for Tcp {
    type Stream = TcpStream;

    async fn resolve(
        &self,
        endpoint: &Endpoint,
        parameters: &ConnectionParameters,
    ) -> Result<Vec<SocketAddr>, ConnectCause> {
        resolve(endpoint, parameters).await
    }

    async fn connect(&self, address: SocketAddr, parameters: &ConnectionParameters) -> Result<TcpStream, ConnectCause> {
        connect(address, parameters).await
    }
}

/// Every address of an endpoint's name that can be reached from the local address, if one is given;
/// at least one.
async fn resolve(endpoint: &Endpoint, parameters: &ConnectionParameters) -> Result<Vec<SocketAddr>, ConnectCause> {
    let lookup = lookup_host((endpoint.host.as_str(), parameters.port_of(endpoint)));
    let found = lookup.await.map_err(ConnectCause::Io)?;
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

/// Connects to one address.
async fn connect(address: SocketAddr, parameters: &ConnectionParameters) -> Result<TcpStream, ConnectCause> {
    let socket = prepare(address, parameters).map_err(ConnectCause::Io)?;
    let stream = socket.connect(address).await.map_err(ConnectCause::Io)?;
    stream.set_nodelay(parameters.tcp_nodelay).map_err(ConnectCause::Io)?;
    Ok(stream)
}

fn prepare(address: SocketAddr, parameters: &ConnectionParameters) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    let options = SockRef::from(&socket);
    if let Some(octets) = parameters.tcp_send_buffer {
        options.set_send_buffer_size(octets)?;
    }
    if let Some(octets) = parameters.tcp_receive_buffer {
        options.set_recv_buffer_size(octets)?;
    }
    if parameters.keeps_alive() {
        options.set_tcp_keepalive(&keepalive(parameters)?)?;
    }
    set_user_timeout(&options, parameters)?;
    if let Some(local) = parameters.local_address {
        socket.bind(SocketAddr::new(local, 0))?;
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

/// An option that this system does not have is not passed over in silence.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("this system has no {what}"))
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn every_option_that_is_given_reaches_the_socket() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let parameters = ConnectionParameters::default()
            .tcp_nodelay(false)
            .tcp_keepalive_idle(Duration::from_secs(11))
            .tcp_keepalive_interval(Duration::from_secs(12))
            .tcp_keepalive_count(13)
            .tcp_user_timeout(Duration::from_millis(14_015))
            .tcp_send_buffer(100_000)
            .tcp_receive_buffer(200_000)
            .local_address(local);
        let stream = connect(listener.local_addr().unwrap(), &parameters).await.unwrap();
        let options = SockRef::from(&stream);
        assert!(!stream.nodelay().unwrap() && options.keepalive().unwrap());
        assert_eq!(options.tcp_keepalive_time().unwrap(), Duration::from_secs(11));
        assert_eq!(options.tcp_keepalive_interval().unwrap(), Duration::from_secs(12));
        assert_eq!(options.tcp_keepalive_retries().unwrap(), 13);
        assert_eq!(options.tcp_user_timeout().unwrap(), Some(Duration::from_millis(14_015)));
        // Linux doubles what it is asked for.
        assert_eq!(options.send_buffer_size().unwrap(), 200_000);
        assert_eq!(options.recv_buffer_size().unwrap(), 400_000);
        assert_eq!(stream.local_addr().unwrap().ip(), local);
    }

    #[tokio::test]
    async fn sockets_are_as_the_system_makes_them_but_for_nodelay() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = connect(listener.local_addr().unwrap(), &ConnectionParameters::default()).await.unwrap();
        let options = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap() && !options.keepalive().unwrap());
        assert_eq!(options.tcp_user_timeout().unwrap(), None);
    }

    #[tokio::test]
    async fn addresses_of_another_family_than_the_local_one_are_passed_over() {
        let parameters = ConnectionParameters::default().local_address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let error = resolve(&Endpoint::new("::1"), &parameters).await.unwrap_err();
        assert!(error.to_string().contains("local_address"), "{error}");
        let found = resolve(&Endpoint::new("127.0.0.1").with_port(9), &parameters).await.unwrap();
        assert_eq!(found, ["127.0.0.1:9".parse().unwrap()]);
    }
}
