//! The broker's TCP port.

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

/// A TCP port at which a [`Broker`] takes connections, from [`Broker::listen`]; any AMQP 0-9-1
/// client may use it.
///
/// It is a handle to the broker too. When it is dropped, the port takes no more connections, and is
/// free once the runtime has run; those that it took before stay, as long as there is a handle to
/// the broker.
#[derive(Debug)]
pub struct Listener {
    broker: Broker,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// How long accepting pauses when the process is out of descriptors, say.
const PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    pub(super) async fn bind(broker: &Broker, address: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(broker.shared())));
        Ok(Self { broker: broker.clone(), address, accepting })
    }

    /// The address that it listens on, with the port that the system chose where it was asked for
    /// port 0.
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

    /// The URL at which clients reach it: with the user `guest` where the broker started with that
    /// one, otherwise with the first of its users, and in the same way for the virtual host `/`.
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

    /// Takes no more connections; when this resolves, the port is free. Dropped before, it is free
    /// soon.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// # let broker = leveret::broker::Broker::new();
    /// let listener = broker.listen("127.0.0.1:0").await?;
    /// let address = listener.address();
    /// listener.stop().await;
    /// assert!(tokio::net::TcpStream::connect(address).await.is_err());
    ///
    /// // The broker is back, at the same address, with all that it had.
    /// let listener = broker.listen(address).await?;
    /// assert_eq!(listener.address(), address);
    /// # Ok(()) }
    /// ```
    pub async fn stop(mut self) {
        self.accepting.abort();
        // Cancelled, as it was told to be.
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
                // A lone frame goes out at once; where the system does not know how, it goes later.
                let _ = stream.set_nodelay(true);
                Connection::start(&shared, OnTokio(stream));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
