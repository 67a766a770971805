//! This machine's network, by tokio.

use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream, lookup_host};

use super::OnTokioRuntime;
use crate::config::{ConnectionParameters, Endpoint};
use crate::driver::connect::{prepare, reachable};
use crate::driver::runtime::Network;
use crate::error::ConnectCause;
use crate::transport::OnTokio;

/// This machine's network.
pub(super) struct Tcp;

impl Network for Tcp {
    type Runtime = OnTokioRuntime;
    type Stream = OnTokio<TcpStream>;

    fn runtime(&self) -> &OnTokioRuntime {
        &OnTokioRuntime
    }

    async fn resolve(
        &self,
        endpoint: &Endpoint,
        parameters: &ConnectionParameters,
    ) -> Result<Vec<SocketAddr>, ConnectCause> {
        let lookup = lookup_host((endpoint.host.as_str(), parameters.port_of(endpoint)));
        reachable(lookup.await.map_err(ConnectCause::Io)?, parameters)
    }

    async fn connect(
        &self,
        address: SocketAddr,
        parameters: &ConnectionParameters,
    ) -> Result<OnTokio<TcpStream>, ConnectCause> {
        let socket = prepare(address, parameters).map_err(ConnectCause::Io)?;
        let stream = TcpSocket::from_std_stream(socket.into()).connect(address).await;
        stream.map(OnTokio).map_err(ConnectCause::Io)
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use socket2::SockRef;

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
        let stream = Tcp.connect(listener.local_addr().unwrap(), &parameters).await.unwrap().0;
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
        let stream = Tcp.connect(listener.local_addr().unwrap(), &ConnectionParameters::default()).await.unwrap().0;
        let options = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap() && !options.keepalive().unwrap());
        assert_eq!(options.tcp_user_timeout().unwrap(), None);
    }

    #[tokio::test]
    async fn addresses_of_another_family_than_the_local_one_are_passed_over() {
        let parameters = ConnectionParameters::default().local_address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let error = Tcp.resolve(&Endpoint::new("::1"), &parameters).await.unwrap_err();
        assert!(error.to_string().contains("local_address"), "{error}");
        let found = Tcp.resolve(&Endpoint::new("127.0.0.1").with_port(9), &parameters).await.unwrap();
        assert_eq!(found, ["127.0.0.1:9".parse().unwrap()]);
    }
}
