//! A connection to a broker.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "tokio")]
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(feature = "tokio")]
use super::Connector;
use super::{Channel, Closed, ConnectionEvents};
#[cfg(feature = "tokio")]
use crate::config::ConnectionParameters;
use crate::config::Secret;
#[cfg(feature = "blocking")]
use crate::driver::mio::Driving;
#[cfg(feature = "tokio")]
use crate::driver::tokio as driver;
use crate::engine::{Completion, ConnectionState, Leftovers, Negotiated};
use crate::error::{Error, Result};
use crate::link::{Shared, Topic, Wait};
use crate::protocol::ReplyCode;
use crate::wire::ShortString;

/// A connection to a broker. One that was opened by [`Connection::open`](Connection#method.open) is
/// driven by a task of the tokio runtime on which it was opened.
///
/// The runtime has to live as long as the connection. When the runtime is dropped, leveret still
/// sends what is queued, and a close after that. A TCP or Unix socket, with TLS or without, is
/// written by blocking calls for at most three seconds (per connection, one after another if a
/// thread drops several). Any other transport is given what it accepts at once. The program does
/// not learn whether the broker reads it: for that, use [`Connection::close`] or confirms.
///
/// Clones are handles of the same connection. Channels, consumers, deliveries and confirms hold a
/// handle too. Dropping the last handle closes the connection in the background, after what was
/// queued is sent; [`Connection::close`] waits for that.
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

/// What all handles of a connection share. Dropping it closes the connection, unless it is a
/// guest's.
pub(super) struct ConnectionHandle {
    pub(super) shared: Arc<Shared>,
    /// The handle of a hook, which is no handle of the program.
    is_guest: bool,
    /// Set for connections of the blocking API.
    #[cfg(feature = "blocking")]
    threads: Option<Threads>,
}

/// How threads drive a connection of the blocking API.
#[cfg(feature = "blocking")]
pub(crate) struct Threads {
    pub(crate) driving: Driving,
    /// Called after dropping the last handle has queued a close. The driver ends with the process,
    /// so the thread that drops the handle waits until the close is done. The flag is whether
    /// anything waited to be written before the close.
    pub(crate) after_close: fn(&Arc<Shared>, &Driving, bool),
}

impl Connection {
    /// Connects to the broker, or to one of the brokers, that a URL or [`ConnectionParameters`]
    /// name, and opens the virtual host.
    ///
    /// The addresses of all endpoints are tried in their order, up to `connection_attempts` times;
    /// each step has a deadline. An address that has not connected after `connection_attempt_delay`
    /// is not given up: the next address is tried at the same time (RFC 8305). After an address
    /// fails, the next one is tried at once.
    ///
    /// The first address that connects continues with TLS and AMQP, and no other address does so at
    /// the same time, so that credentials are fetched and sent for one address at a time. Meanwhile
    /// no new address is tried. If it fails, the others continue. When one address succeeds, the
    /// others are closed; they do not count as failures.
    ///
    /// If the future is dropped before it resolves, its sockets are closed and nothing else
    /// remains.
    ///
    /// # Errors
    ///
    /// Returns an error if the parameters are invalid, or if all attempts failed: the broker cannot
    /// be reached, takes too long, refuses TLS, the credentials or the virtual host, or speaks
    /// another protocol. [`Error::attempts`] lists the attempts. The error has the kind of the
    /// attempt that progressed furthest.
    ///
    /// Outside a tokio runtime, or on one without I/O or timers, the kind is
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage). With `driver_thread`, no runtime is needed.
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

    /// Opens a connection over transports that a [`Connector`] makes: the first now, and others
    /// after each loss, if the connection is recovered. In other respects it is like
    /// [`Connection::open_on`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// # #[cfg(feature = "broker")] {
    /// use leveret::{Connection, ConnectionParameters, Recovery, broker::Broker};
    ///
    /// let broker = Broker::new();
    /// let dial = {
    ///     let broker = broker.clone();
    ///     move || std::future::ready(Ok(broker.connect()))
    /// };
    /// let parameters = ConnectionParameters::default().recovery(Recovery::Topology);
    /// let connection = Connection::open_with(dial, parameters).await?;
    /// connection.close().await?;
    /// # }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Connection::open`], and the error of the connector.
    #[cfg(feature = "tokio")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
    pub async fn open_with<C, P>(connector: C, parameters: P) -> Result<Self>
    where
        C: Connector,
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = parameters.try_into()?;
        parameters.validate()?;
        Ok(Self::of_shared(driver::open_with(connector, parameters).await?))
    }

    /// Opens a connection over a transport that the caller made: a socket with other options, a
    /// tunnel, an in-memory pipe. If the parameters have TLS, leveret speaks TLS on that transport,
    /// and verifies the broker's certificate for the host of the first endpoint. Other parameters
    /// of the network have no effect.
    ///
    /// With `driver_thread`, a transport that belongs to a runtime, such as a socket of tokio,
    /// still depends on that runtime.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Connection::open`], except those of reaching the broker. Returns an
    /// error if the parameters have recovery, because the transport cannot be made again: see
    /// [`Connection::open_with`].
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
        parameters.check_one_transport()?;
        Ok(Self::of_shared(driver::open_on(transport, parameters).await?))
    }

    /// Makes the first handle.
    pub(crate) fn of_shared(shared: Arc<Shared>) -> Self {
        Self { handle: Arc::new(ConnectionHandle::new(shared, false)) }
    }

    /// Makes the first handle of a connection that threads drive.
    #[cfg(feature = "blocking")]
    pub(crate) fn of_threads(shared: Arc<Shared>, threads: Threads) -> Self {
        Self { handle: Arc::new(ConnectionHandle { shared, is_guest: false, threads: Some(threads) }) }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn driving(&self) -> Option<&Driving> {
        self.handle.driving()
    }

    /// Makes another handle.
    pub(super) fn of(handle: Arc<ConnectionHandle>) -> Self {
        Self { handle }
    }

    /// Opens a channel (AMQP 0-9-1 §1.5.2.1). If the future is dropped before it resolves, the
    /// channel is closed again.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is closed, if as many channels are open as were
    /// negotiated (`channel_max`), or if no answer arrives within `call_timeout`.
    #[doc(alias("create_channel", "channel_open", "channel"))]
    pub async fn open_channel(&self) -> Result<Channel> {
        let wait = Wait::begin(&self.handle.shared, |state, id, now| state.engine.open_channel(id, now).map(drop))?;
        match wait.await? {
            Completion::Opened(key) => Ok(Channel::new(Arc::clone(&self.handle), key)),
            _ => Err(Error::internal("channel.open was answered by something else")),
        }
    }

    /// Closes the connection (`connection.close`), after what was queued is sent, and waits until
    /// the broker agrees (`connection.close-ok`).
    ///
    /// `Ok` means that the broker has read everything that was queued before. Requests that it has
    /// not answered by then fail. If the future is dropped before it resolves, the connection
    /// closes all the same.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection was lost, or closed by the broker, before the broker
    /// agreed, or if the broker did not agree within `close_timeout`; what was queued before may
    /// not have arrived. The connection is closed in each of these cases, and closing it again
    /// returns the same error. If a close by the broker crosses this one, the result is `Ok` only
    /// if every channel was closed before.
    pub async fn close(&self) -> Result<()> {
        let wait = Wait::begin(&self.handle.shared, |state, id, now| {
            state.engine.close(ReplyCode::REPLY_SUCCESS, "closed by the application", Some(id), now)
        })?;
        wait.await?;
        Ok(())
    }

    /// Sends the broker a new secret that replaces the one with which the connection was opened
    /// (`connection.update_secret`), such as a new token before the old one expires. With a
    /// [provider of credentials](crate::Credentials::provided_by), this happens automatically.
    ///
    /// If the future is dropped before it resolves, the broker may have accepted the secret.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is closed, if no answer arrives within `call_timeout`, or
    /// if the secret was erased or does not fit into a frame. If RabbitMQ does not accept the
    /// secret, it closes the connection.
    pub async fn update_secret(&self, secret: impl Into<Secret>, reason: &str) -> Result<()> {
        let secret = secret.into();
        let wait = Wait::begin(&self.handle.shared, |state, id, now| {
            state.engine.update_secret(&secret, ShortString::from(reason), id, now)
        })?;
        wait.await?;
        Ok(())
    }

    /// Waits until the connection ends, and returns why. The future holds no handle, so it does not
    /// keep the connection open.
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

    /// Returns a stream of what happens to the connection from now on. The stream holds no handle,
    /// so it does not keep the connection open.
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

    /// Returns the state of the connection.
    pub fn state(&self) -> ConnectionState {
        self.handle.shared.with(|state| state.engine.connection_state())
    }

    /// Sets how many average frames may wait before the backpressure [detector] of Pika 0.x reports
    /// an event; at least 1. It has no effect while the detector is off.
    ///
    /// [detector]: crate::ConnectionParameters#structfield.backpressure_detection
    pub fn set_backpressure_multiplier(&self, multiplier: u32) {
        self.handle.shared.with(|state| state.engine.set_backpressure_multiplier(multiplier));
    }

    /// Returns `true` if the connection accepts requests. While it is recovered, it does not.
    pub fn is_open(&self) -> bool {
        self.handle.shared.with(|state| state.engine.closure().is_none() && state.engine.recovering().is_none())
    }

    /// Returns why the connection is closed or closing, or `None` while it is open. Later calls
    /// report the same cause.
    pub fn closed_by(&self) -> Option<Error> {
        let closure = self.handle.shared.with(|state| state.engine.closure().cloned())?;
        Some(closure.into())
    }

    /// Returns the broker's reason for blocking publishes (`connection.blocked`), or `None` if it
    /// does not block them. Publishes wait until the block ends; everything else continues.
    pub fn blocked(&self) -> Option<String> {
        self.handle.shared.with(|state| state.engine.blocked().map(str::to_owned))
    }

    /// Returns the limits that were negotiated with the broker, and the properties that it reports
    /// of itself.
    #[doc(alias = "server_properties")]
    pub fn negotiated(&self) -> Negotiated {
        self.handle.shared.with(|state| state.engine.negotiated().clone())
    }

    /// Returns the number of bytes that wait for the socket.
    pub fn queued(&self) -> u64 {
        self.handle.shared.with(|state| state.engine.queued())
    }

    /// Returns the number of publishes on channels in confirm mode that the broker has not
    /// confirmed or refused yet.
    pub fn unconfirmed(&self) -> u64 {
        self.handle.shared.with(|state| state.engine.unconfirmed())
    }

    /// Returns a function for tests. After the connection has ended, it reports what is still held
    /// and how many waiters there are; before that, `None`. It holds no handle.
    #[doc(hidden)]
    pub fn leftovers(&self) -> impl Fn() -> Option<(Leftovers, usize)> + use<> {
        let shared = Arc::clone(&self.handle.shared);
        move || shared.leftovers()
    }

    pub(super) fn shared_state(&self) -> &Arc<Shared> {
        &self.handle.shared
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

impl ConnectionHandle {
    #[cfg(feature = "blocking")]
    #[inline]
    pub(super) fn driving(&self) -> Option<&Driving> {
        self.threads.as_ref().map(|threads| &threads.driving)
    }

    pub(super) fn new(shared: Arc<Shared>, is_guest: bool) -> Self {
        Self {
            shared,
            is_guest,
            #[cfg(feature = "blocking")]
            threads: None,
        }
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        if self.is_guest {
            return;
        }
        let now = self.shared.now();
        // The close of a connection that has ended already fails, which is of no interest here.
        let (unwritten, closed) = self.shared.with(|state| {
            let (code, why) = (ReplyCode::REPLY_SUCCESS, "the last handle was dropped");
            (state.engine.is_unwritten(), state.engine.close(code, why, None, now))
        });
        drop(closed);
        #[cfg(feature = "blocking")]
        if let Some(Threads { driving, after_close }) = &self.threads {
            after_close(&self.shared, driving, unwritten);
        }
        #[cfg(not(feature = "blocking"))]
        let _ = unwritten;
    }
}
