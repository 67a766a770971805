//! The TCP port of a broker.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::task::JoinHandle;

use super::Broker;
use super::connection::Connection;
use super::shared::Shared;
use crate::transport::OnTokio;

/// A TCP port on which a [`Broker`] accepts connections of any AMQP 0-9-1 client, from
/// [`Broker::listen`].
///
/// It is also a handle of the broker. When it is dropped, the port accepts no more connections, and
/// is free after the runtime has run. Connections that it accepted before stay, as long as there is
/// a handle of the broker.
#[derive(Debug)]
pub struct Listener {
    broker: Broker,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// How long accepting pauses after an error, for instance when the process has no free file
/// descriptors.
const PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    pub(super) async fn bind(broker: &Broker, address: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(broker.shared())));
        Ok(Self { broker: broker.clone(), address, accepting })
    }

    /// Returns the address on which it listens, with the port that the system chose if port 0 was
    /// requested.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let listener = leveret::broker::Broker::new().listen("127.0.0.1:0").await?;
    /// assert!(listener.address().ip().is_loopback());
    /// assert_ne!(listener.address().port(), 0);
    /// # Ok(()) }
    /// ```
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL for clients. It has the user `guest` if the broker was created with that
    /// user, and otherwise the first of its users; in the same way it has the virtual host `/` or
    /// the first one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// use leveret::{Connection, broker::Broker};
    ///
    /// let listener = Broker::new().listen("127.0.0.1:0").await.expect("this machine has a port left");
    /// assert_eq!(listener.url(), format!("amqp://guest:guest@127.0.0.1:{}", listener.address().port()));
    /// Connection::open(listener.url()).await?.close().await?;
    /// # Ok(()) }
    /// ```
    pub fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            });
        }
        self.broker.url_at(address)
    }

    /// Stops accepting connections. The port is free when the future completes. If the future is
    /// dropped before, the port is free soon after.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let broker = leveret::broker::Broker::new();
    /// let listener = broker.listen("127.0.0.1:0").await?;
    /// let address = listener.address();
    /// listener.stop().await;
    /// assert!(tokio::net::TcpStream::connect(address).await.is_err());
    ///
    /// // The broker is reachable again, at the same address, with everything that it had.
    /// let listener = broker.listen(address).await?;
    /// assert_eq!(listener.address(), address);
    /// # Ok(()) }
    /// ```
    pub async fn stop(mut self) {
        self.accepting.abort();
        // The result is the cancellation that was requested.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // A single frame is sent at once. If the system does not support this, it is sent
                // later.
                let _ = stream.set_nodelay(true);
                Connection::start(&shared, OnTokio(stream));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
