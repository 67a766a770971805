//! The embedded broker on tokio: handles, the in-process stream, the TCP port, and a task for each
//! connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::ToSocketAddrs;

use super::{Settings, State};
use crate::transport::OnTokio;
use crate::wire::Timestamp;
use connection::Connection;
use shared::{Left, Shared};
use until::Until;

mod connection;
mod guard;
mod listener;
mod lock;
mod shared;
mod stream;
mod until;

pub use guard::StateGuard;
pub use listener::Listener;
pub use stream::Stream;

/// An embedded broker. It is in memory, cheap to create, and ends when it is dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
/// use leveret::{Connection, broker::Broker};
///
/// let broker = Broker::new();
/// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
/// let channel = connection.open_channel().await?;
/// channel.queue_declare("jobs").await?;
/// channel.publish("", "jobs", "dig").await?;
/// broker.until(|state| state.queue("/", "jobs").is_some_and(|queue| queue.ready == 1)).await;
/// # Ok(()) }
/// ```
///
/// This is a handle: clones belong to the same broker. The first connection needs a tokio runtime.
/// Each connection is a task of the runtime on which it was made, so there may be several. When the
/// last handle is dropped, including [`Listener`]s, the broker ends: its connections lose their
/// transports without a close, and its contents are dropped. A connection alone does not keep it.
///
/// It uses tokio's clock. If a test [pauses the
/// clock](https://docs.rs/tokio/latest/tokio/time/fn.pause.html), expiry, heartbeats and delays
/// happen in virtual time. Runtimes that share a broker have to agree on the time: all of them are
/// paused at once, or none.
#[derive(Clone)]
pub struct Broker {
    handle: Arc<Handle>,
}

/// What all handles share. Dropping it ends the broker.
struct Handle {
    shared: Arc<Shared>,
    /// `user:password@`, as it stands in a URL, or nothing.
    login: String,
    /// The path of a URL for the first virtual host.
    path: String,
}

impl Broker {
    /// Creates a broker with RabbitMQ's defaults: the user `guest` with the password `guest`, and
    /// the virtual host `/`.
    ///
    /// ```
    /// let broker = leveret::broker::Broker::new();
    /// assert!(broker.state().queues("/").is_empty());
    /// ```
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// Creates a broker with other users, virtual hosts or limits.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// use leveret::{Connection, broker::{Broker, Settings}};
    ///
    /// let mut settings = Settings::default();
    /// settings.heartbeat = 5;
    /// let broker = Broker::with(settings);
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// assert_eq!(connection.negotiated().heartbeat, 5);
    /// # Ok(()) }
    /// ```
    pub fn with(mut settings: Settings) -> Self {
        settings.started_at.get_or_insert_with(Timestamp::now);
        let login = login(&settings);
        let path = path(&settings);
        let shared = Arc::new(Shared::new(State::new(settings, now())));
        Self { handle: Arc::new(Handle { shared, login, path }) }
    }

    /// Opens a connection within the process, and returns the client's end of it, for
    /// [`Connection::open_on`](crate::Connection::open_on).
    ///
    /// Of the URL or the parameters that are given there, the address is ignored; the credentials
    /// and the virtual host count.
    ///
    /// # Panics
    ///
    /// Panics if there is no tokio runtime with `enable_time`, or if this thread holds a
    /// [`StateGuard`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # use leveret::{Connection, broker::Broker};
    /// let broker = Broker::new();
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// assert_eq!(broker.state().connections().len(), 1);
    ///
    /// let refused = Connection::open_on(broker.connect(), "amqp://guest:wrong@localhost").await;
    /// assert!(refused.is_err());
    /// # Ok(()) }
    /// ```
    #[must_use = "the connection is lost when this is dropped"]
    pub fn connect(&self) -> Stream {
        let (client, broker) = Stream::pair();
        Connection::start(self.shared(), OnTokio(broker));
        client
    }

    /// Opens a TCP port for any AMQP 0-9-1 client. With port 0, as in `127.0.0.1:0` or `[::1]:0`,
    /// the system chooses the port.
    ///
    /// # Errors
    ///
    /// Returns the error of the system, for instance if the port is in use or the address is not
    /// one of this machine.
    ///
    /// # Panics
    ///
    /// Panics if there is no tokio runtime with `enable_io` and `enable_time`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # use leveret::{Connection, broker::Broker};
    /// let broker = Broker::new();
    /// let listener = broker.listen("127.0.0.1:0").await.expect("this machine has a port left");
    /// let connection = Connection::open(listener.url()).await?;
    /// assert!(broker.listen(listener.address()).await.is_err(), "the port is taken");
    /// # connection.close().await
    /// # }
    /// ```
    pub async fn listen(&self, address: impl ToSocketAddrs) -> io::Result<Listener> {
        Listener::bind(self, address).await
    }

    /// Returns access to the broker's state, to inspect it and to inject faults. Everything for
    /// tests is there.
    ///
    /// The broker makes no progress until the guard is dropped; then the connections that have
    /// something to do are woken. The guard must not be held across an `await`. Several on one
    /// thread may read at once: see [`StateGuard`].
    ///
    /// # Panics
    ///
    /// Panics if this thread already holds a guard and has changed something through it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # use leveret::{Connection, broker::Broker};
    /// let broker = Broker::new();
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// let channel = connection.open_channel().await?;
    /// let publisher = channel.confirm_select().await?;
    /// channel.queue_declare("jobs").await?;
    ///
    /// broker.state().nack_next(1);
    /// assert!(publisher.publish("", "jobs", "refused").confirmed().await.is_err());
    /// publisher.publish("", "jobs", "taken").confirmed().await?;
    /// assert_eq!(broker.state().queue("/", "jobs").map(|queue| queue.ready), Some(1));
    /// # Ok(()) }
    /// ```
    pub fn state(&self) -> StateGuard<'_> {
        StateGuard::new(self.shared())
    }

    /// Restarts the broker: every connection is closed with 320, and what is not durable is lost.
    /// See [`State::restart`], and [`State::crash`] for an end without a close.
    ///
    /// [`Listener`]s stay open. Clients that connect again find the broker as it is after the
    /// restart.
    ///
    /// # Panics
    ///
    /// Panics if this thread holds a [`StateGuard`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # use leveret::{Connection, broker::Broker};
    /// let broker = Broker::new();
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// broker.restart();
    /// connection.closed().await;
    /// Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// # Ok(()) }
    /// ```
    pub fn restart(&self) {
        self.state().restart();
    }

    /// Waits until `predicate` returns `true` for the broker's state. It is called now and after
    /// each change.
    ///
    /// It replaces a sleep in a test that waits until a worker has acknowledged, or a client has
    /// reconnected. The future may be dropped at any time. For a time limit, put it in
    /// [`tokio::time::timeout`].
    ///
    /// # Panics
    ///
    /// Panics if there is no tokio runtime with `enable_time`, if this thread holds a
    /// [`StateGuard`], or if the predicate changes the state by way of the broker's handle.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # use leveret::{Connection, broker::Broker};
    /// let broker = Broker::new();
    /// let worker = async {
    ///     let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    ///     connection.open_channel().await?.queue_declare("jobs").await?;
    ///     connection.close().await
    /// };
    /// let declared = broker.until(|state| state.queue("/", "jobs").is_some());
    /// let (worked, ()) = tokio::join!(worker, declared);
    /// worked
    /// # }
    /// ```
    pub async fn until(&self, predicate: impl FnMut(&State) -> bool + Unpin) {
        Until::new(self.shared(), predicate).await;
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    fn url_at(&self, address: SocketAddr) -> String {
        format!("amqp://{}{address}{}", self.handle.login, self.handle.path)
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.leave(Left::Handle);
    }
}

/// The runtime's clock, which tests can pause and advance.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn login(settings: &Settings) -> String {
    let guest = settings.users.get_key_value("guest");
    let Some((name, user)) = guest.or_else(|| settings.users.first_key_value()) else { return String::new() };
    format!("{}:{}@", escaped(name), escaped(&user.password))
}

fn path(settings: &Settings) -> String {
    let named = |name: &String| if name == "/" { String::new() } else { format!("/{}", escaped(name)) };
    let root = settings.virtual_hosts.iter().find(|name| *name == "/");
    root.or_else(|| settings.virtual_hosts.first()).map(named).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
