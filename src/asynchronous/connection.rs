//! A connection to a broker.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "tokio")]
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Channel, Closed, ConnectionEvents};
#[cfg(feature = "tokio")]
use crate::config::ConnectionParameters;
use crate::config::Secret;
#[cfg(feature = "tokio")]
use crate::driver::tokio as driver;
use crate::engine::{Completion, ConnectionState, Leftovers, Negotiated};
use crate::error::{Error, Result};
use crate::link::{Shared, Topic, Wait};
use crate::protocol::ReplyCode;
use crate::wire::ShortString;

/// A connection to a broker, driven by a task of the tokio runtime that it was opened on.
///
/// The runtime has to live as long as the connection. When it is dropped, what is queued still goes
/// out, followed by a close: a TCP or Unix socket, with TLS or without, is written to by blocking
/// calls for at most three seconds (of each connection, one after another where a thread drops
/// several), any other transport gets what it takes at once. What the broker makes of it nobody
/// hears: [`Connection::close`] and confirms are what tells.
///
/// Clones are handles of the same connection. Dropping the last handle (channels, consumers,
/// deliveries and confirms hold one too) closes it in the background, after what was queued;
/// [`Connection::close`] waits for that.
///
/// ```no_run
/// # async fn example() -> leveret::Result<()> {
/// use leveret::Connection;
///
/// let connection = Connection::open("amqp://localhost").await?;
/// let channel = connection.open_channel().await?;
/// channel.publish("", "hello", "Hello, world!").await?;
/// connection.close().await
/// # }
/// ```
#[doc(alias("AsyncioConnection", "TornadoConnection", "TwistedProtocolConnection"))]
#[derive(Clone)]
pub struct Connection {
    handle: Arc<ConnectionHandle>,
}

/// What all handles of a connection hold. Its drop closes the connection.
pub(super) struct ConnectionHandle {
    pub(super) shared: Arc<Shared>,
    /// What is done last, behind the close: where the end of the process would end the driver,
    /// whoever drops the connection waits for that.
    after_close: Option<AfterClose>,
}

/// What is done behind the close that dropping the last handle is, and whether anything was to be
/// written before that.
pub(crate) type AfterClose = fn(&Arc<Shared>, bool);

impl Connection {
    /// Connects to the broker, or to one of the brokers, that a URL or [`ConnectionParameters`]
    /// name, and opens the virtual host.
    ///
    /// The addresses of the endpoints are tried in their order, `connection_attempts` times, each
    /// step with its deadline: the next one beside those that have not connected after
    /// `connection_attempt_delay` (RFC 8305), and at once after one that fails. The first that
    /// connects goes on to TLS and AMQP, and no other does so meanwhile: credentials are fetched
    /// and sent once at a time. While it does, nothing is started, and where it fails the others go
    /// on. Those that lose against it are closed, and are not among the failures.
    ///
    /// Dropped before it is done, it leaves nothing behind but closed sockets.
    ///
    /// # Errors
    ///
    /// Wrong parameters; otherwise all attempts failed, and [`Error::attempts`] lists them: a
    /// broker that cannot be reached, takes too long, refuses TLS, the credentials or the virtual
    /// host, or speaks another protocol. The error's kind is that of the attempt that came
    /// furthest. Outside a tokio runtime, or on one without I/O or timers, the kind is
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage); with `driver_thread`, no runtime is needed.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    #[doc(alias = "connect")]
    pub async fn open<P>(parameters: P) -> Result<Self>
    where
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = parameters.try_into()?;
        parameters.validate()?;
        Ok(Self::of_shared(driver::open(parameters).await?))
    }

    /// The same over a transport of the caller's: a socket with options of its own, a tunnel, an
    /// in-memory pipe. Where the parameters have TLS, it is spoken on that transport, with the
    /// first endpoint's host as the name that the broker's certificate is for; of the other
    /// parameters, those that are about the network have no effect.
    ///
    /// With `driver_thread`, a transport that belongs to a runtime, such as tokio's sockets, still
    /// depends on that runtime.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`], but for reaching the broker.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub async fn open_on<T, P>(transport: T, parameters: P) -> Result<Self>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = parameters.try_into()?;
        parameters.validate()?;
        Ok(Self::of_shared(driver::open_on(transport, parameters).await?))
    }

    /// The first handle.
    pub(crate) fn of_shared(shared: Arc<Shared>) -> Self {
        Self { handle: Arc::new(ConnectionHandle { shared, after_close: None }) }
    }

    /// The first handle of a connection that is closed in this way when the last one is dropped.
    #[cfg(feature = "blocking")]
    pub(crate) fn of_shared_with(shared: Arc<Shared>, after_close: AfterClose) -> Self {
        Self { handle: Arc::new(ConnectionHandle { shared, after_close: Some(after_close) }) }
    }

    /// Another handle.
    pub(super) fn of(handle: Arc<ConnectionHandle>) -> Self {
        Self { handle }
    }

    /// Opens a channel (AMQP 0-9-1 §1.5.2.1). Dropped before it is done, the channel is closed
    /// again.
    ///
    /// # Errors
    ///
    /// The connection is closed, all negotiated channels are open, or no answer came in time.
    #[doc(alias("create_channel", "channel_open", "channel"))]
    pub async fn open_channel(&self) -> Result<Channel> {
        let wait = Wait::begin(&self.handle.shared, |state, id, now| state.engine.open_channel(id, now).map(drop))?;
        match wait.await? {
            Completion::Opened(key) => Ok(Channel::new(Arc::clone(&self.handle), key)),
            _ => Err(Error::internal("channel.open was answered by something else")),
        }
    }

    /// Closes the connection: what was queued goes first, then the broker is told, and agrees.
    ///
    /// `Ok` means that the broker has read everything that was queued before, and agreed
    /// (`close-ok`). Everything in flight that it has not answered by then fails. Dropped before it
    /// is done, the connection closes all the same.
    ///
    /// # Errors
    ///
    /// The connection was lost or closed by the broker, before or instead of its answer, or the
    /// broker did not answer within `close_timeout`; what was queued before may not have arrived.
    /// Either way the connection is closed, and closing it again gives the same error. A close of
    /// the broker's that crosses this one is `Ok` only where every channel was closed before.
    pub async fn close(&self) -> Result<()> {
        let wait = Wait::begin(&self.handle.shared, |state, id, now| {
            state.engine.close(ReplyCode::REPLY_SUCCESS, "closed by the application", Some(id), now)
        })?;
        wait.await?;
        Ok(())
    }

    /// Tells the broker a new secret in the place of the one that the connection was opened with
    /// (`connection.update_secret`), such as a token that replaces one which expires. A
    /// [provider](crate::Credentials::provided_by) does so by itself.
    ///
    /// Dropped before it is done, the broker may have taken it.
    ///
    /// # Errors
    ///
    /// The connection is closed, no answer came in time, or the secret was erased or does not fit a
    /// frame. RabbitMQ closes the connection where it does not accept the secret.
    pub async fn update_secret(&self, secret: impl Into<Secret>, reason: &str) -> Result<()> {
        let secret = secret.into();
        let wait = Wait::begin(&self.handle.shared, |state, id, now| {
            state.engine.update_secret(&secret, ShortString::from(reason), id, now)
        })?;
        wait.await?;
        Ok(())
    }

    /// Waits until the connection is over; gives why. It holds no handle: it does not keep the
    /// connection open.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # #[cfg(feature = "broker")] {
    /// # use leveret::{Connection, Initiator, broker::Broker};
    /// let broker = Broker::new();
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// let closed = connection.closed();
    /// drop(broker);
    /// assert_eq!(closed.await.initiator(), Some(Initiator::Transport));
    /// # }
    /// # Ok(()) }
    /// ```
    #[doc(alias = "add_on_close_callback")]
    pub fn closed(&self) -> Closed {
        Closed::new(&self.handle.shared, Topic::Connection)
    }

    /// What happens to the connection from now on. It holds no handle: it does not keep the
    /// connection open.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # #[cfg(feature = "broker")] {
    /// # use leveret::{Connection, ConnectionEvent, broker::Broker};
    /// # let broker = Broker::new();
    /// let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// let mut events = connection.events();
    /// connection.close().await?;
    /// assert!(matches!(events.next().await, Some(ConnectionEvent::Closed(_))));
    /// assert!(events.next().await.is_none());
    /// # }
    /// # Ok(()) }
    /// ```
    #[doc(alias(
        "add_on_connection_blocked_callback",
        "add_on_connection_unblocked_callback",
        "add_backpressure_callback"
    ))]
    pub fn events(&self) -> ConnectionEvents {
        ConnectionEvents::new(&self.handle.shared)
    }

    /// Where the connection is in its life.
    pub fn state(&self) -> ConnectionState {
        self.handle.shared.with(|state| state.engine.connection_state())
    }

    /// Changes how many average frames may wait before the [detector] of Pika 0.x speaks, one at
    /// least. It changes nothing while that is off.
    ///
    /// [detector]: crate::ConnectionParameters#structfield.backpressure_detection
    pub fn set_backpressure_multiplier(&self, multiplier: u32) {
        self.handle.shared.with(|state| state.engine.set_backpressure_multiplier(multiplier));
    }

    /// The connection takes requests.
    pub fn is_open(&self) -> bool {
        self.closed_by().is_none()
    }

    /// Why the connection is closed or closing, once it is: the cause that any later call reports.
    pub fn closed_by(&self) -> Option<Error> {
        let closure = self.handle.shared.with(|state| state.engine.closure().cloned())?;
        Some(closure.into())
    }

    /// The broker's reason for blocking publishes (`connection.blocked`), while it does. Publishes
    /// wait until it is over; everything else goes on.
    pub fn blocked(&self) -> Option<String> {
        self.handle.shared.with(|state| state.engine.blocked().map(str::to_owned))
    }

    /// What was agreed on with the broker, and what it tells of itself.
    #[doc(alias = "server_properties")]
    pub fn negotiated(&self) -> Negotiated {
        self.handle.shared.with(|state| state.engine.negotiated().clone())
    }

    /// Octets that wait for the socket.
    pub fn queued(&self) -> u64 {
        self.handle.shared.with(|state| state.engine.queued())
    }

    /// Publishes on confirming channels that the broker has not decided about.
    pub fn unconfirmed(&self) -> u64 {
        self.handle.shared.with(|state| state.engine.unconfirmed())
    }

    /// Looks, for tests, at what is held once the connection is over, and at how many wait; none
    /// before. It holds no handle.
    #[doc(hidden)]
    pub fn leftovers(&self) -> impl Fn() -> Option<(Leftovers, usize)> + use<> {
        let shared = Arc::clone(&self.handle.shared);
        move || shared.leftovers()
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        let now = self.shared.now();
        // A connection that is closed already has nothing to say to that.
        let (unwritten, closed) = self.shared.with(|state| {
            let (code, why) = (ReplyCode::REPLY_SUCCESS, "the last handle was dropped");
            (state.engine.is_unwritten(), state.engine.close(code, why, None, now))
        });
        drop(closed);
        if let Some(after_close) = self.after_close {
            after_close(&self.shared, unwritten);
        }
    }
}
