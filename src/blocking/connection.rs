//! A connection to a broker.

use std::fmt;
use std::future::Future;
#[cfg(unix)]
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::wait::{wait, wait_until};
use super::{Channel, ConnectionEvents};
use crate::asynchronous::{self, Closed, Threads};
use crate::config::{ConnectionParameters, Secret};
use crate::driver::Opened;
use crate::driver::mio::{Driving, on_thread};
use crate::engine::{ConnectionState, Negotiated};
use crate::error::{Error, Result};
use crate::link::{Shared, Topic};

/// A connection to a broker, driven by a separate thread.
///
/// Clones are handles of the same connection. Channels, consumers, deliveries and confirms hold a
/// handle too. Dropping the last handle closes the connection, after what was queued is sent. Since
/// the thread of the connection ends with the process, the drop waits until the broker has agreed:
/// for at most 3 s, or 250 ms if nothing but the close is to be sent. [`Connection::close`] waits
/// longer, and returns the result.
///
/// ```no_run
/// use leveret::blocking::Connection;
///
/// # fn main() -> leveret::Result<()> {
/// let connection = Connection::open("amqp://localhost")?;
/// let channel = connection.open_channel()?;
/// channel.publish("", "hello", "Hello, world!").send()?;
/// connection.close()
/// # }
/// ```
#[doc(alias = "BlockingConnection")]
#[derive(Clone)]
pub struct Connection {
    pub(super) inner: asynchronous::Connection,
}

impl Connection {
    /// Connects to the broker, or to one of the brokers, that a URL or [`ConnectionParameters`]
    /// name, and opens the virtual host, as the async API's
    /// [`open`](asynchronous::Connection#method.open) does.
    ///
    /// All parameters have an effect here. Separate threads resolve names and ask providers of
    /// credentials.
    ///
    /// # Errors
    ///
    /// Returns an error if the parameters are invalid, if no thread can be started, or if all
    /// attempts failed: [`Error::attempts`] lists them. The error has the kind of the attempt that
    /// progressed furthest.
    #[doc(alias = "connect")]
    pub fn open<P>(parameters: P) -> Result<Self>
    where
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = parameters.try_into()?;
        parameters.validate()?;
        Self::of(on_thread(|reactor| Ok(reactor.begin_open(parameters)))?)
    }

    /// Opens a connection over a socket that the caller made: a Unix socket, or one with other
    /// options. The socket is set to non-blocking mode, for all its handles. If the parameters have
    /// TLS, leveret speaks TLS on that socket, and verifies the broker's certificate for the host
    /// of the first endpoint. Other parameters of the network have no effect.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Connection::open`], except those of reaching the broker. Returns an
    /// error if the parameters have recovery, because the transport cannot be made again: see
    /// [`Connection::open_with`].
    #[cfg(unix)]
    pub fn open_on<T, P>(socket: T, parameters: P) -> Result<Self>
    where
        T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static,
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = parameters.try_into()?;
        parameters.validate()?;
        parameters.check_one_transport()?;
        Self::of(on_thread(|reactor| reactor.begin_open_on_socket(socket, parameters))?)
    }

    /// Opens a connection over sockets that a function makes: the first now, and others after each
    /// loss, if the connection is recovered. Each call has a separate thread, so it may block. It
    /// may take `connect_timeout`. In other respects this is like [`Connection::open_on`].
    ///
    /// ```no_run
    /// # fn main() -> leveret::Result<()> {
    /// use std::os::unix::net::UnixStream;
    /// use leveret::blocking::Connection;
    ///
    /// let parameters = "amqp://localhost?recovery=topology";
    /// let connection = Connection::open_with(|| UnixStream::connect("/run/tunnel"), parameters)?;
    /// # connection.close()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Connection::open`], and the error of the function.
    #[cfg(unix)]
    pub fn open_with<F, T, P>(connect: F, parameters: P) -> Result<Self>
    where
        F: Fn() -> std::io::Result<T> + Send + Sync + 'static,
        T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static,
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = parameters.try_into()?;
        parameters.validate()?;
        Self::of(on_thread(|reactor| Ok(reactor.begin_open_with(connect, parameters)))?)
    }

    fn of((driving, opened): (Driving, Opened)) -> Result<Self> {
        let shared = wait(None, async { Ok(opened.await?) })?;
        let threads = Threads { driving, after_close: wait_for_end };
        Ok(asynchronous::Connection::of_threads(shared, threads).into())
    }

    pub(super) fn driving(&self) -> Option<&Driving> {
        self.inner.driving()
    }

    /// Opens a channel (AMQP 0-9-1 §1.5.2.1).
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is closed, if as many channels are open as were
    /// negotiated (`channel_max`), or if no answer arrives within `call_timeout`.
    #[doc(alias("create_channel", "channel_open", "channel"))]
    pub fn open_channel(&self) -> Result<Channel> {
        Ok(wait(self.inner.driving(), self.inner.open_channel())?.into())
    }

    /// Closes the connection (`connection.close`), after what was queued is sent, and waits until
    /// the broker agrees (`connection.close-ok`).
    ///
    /// `Ok` means that the broker has read everything that was queued before. Requests that it has
    /// not answered by then fail.
    ///
    /// # Errors
    ///
    /// Returns the errors of the async API's [`close`](asynchronous::Connection::close).
    pub fn close(&self) -> Result<()> {
        wait(self.inner.driving(), self.inner.close())
    }

    /// Sends the broker a new secret that replaces the one with which the connection was opened
    /// (`connection.update_secret`). With a [provider of
    /// credentials](crate::Credentials::provided_by), this happens automatically.
    ///
    /// # Errors
    ///
    /// Returns the errors of the async API's
    /// [`update_secret`](asynchronous::Connection::update_secret).
    pub fn update_secret(&self, secret: impl Into<Secret>, reason: &str) -> Result<()> {
        wait(self.inner.driving(), self.inner.update_secret(secret, reason))
    }

    /// Waits until the connection ends, and returns why. A handle keeps the connection open; to
    /// wait without a handle, use its [`events`](Self::events).
    pub fn wait_closed(&self) -> Error {
        let mut closed = self.inner.closed();
        let closed = wait_until(self.inner.driving(), None, |context| Pin::new(&mut closed).poll(context));
        closed.ok().flatten().unwrap_or_else(Error::waits_on_driver)
    }

    /// Returns an iterator of what happens to the connection from now on. The iterator holds no
    /// handle, so it does not keep the connection open.
    #[doc(alias(
        "add_on_connection_blocked_callback",
        "add_on_connection_unblocked_callback",
        "add_backpressure_callback"
    ))]
    pub fn events(&self) -> ConnectionEvents {
        self.inner.events().into()
    }

    /// Returns the state of the connection.
    pub fn state(&self) -> ConnectionState {
        self.inner.state()
    }

    /// Sets how many average frames may wait before the backpressure detector of Pika 0.x reports
    /// an event: see the async API's
    /// [method](asynchronous::Connection::set_backpressure_multiplier).
    pub fn set_backpressure_multiplier(&self, multiplier: u32) {
        self.inner.set_backpressure_multiplier(multiplier);
    }

    /// Returns `true` if the connection accepts requests.
    pub fn is_open(&self) -> bool {
        self.inner.is_open()
    }

    /// Returns why the connection is closed or closing, or `None` while it is open. Later calls
    /// report the same cause.
    pub fn closed_by(&self) -> Option<Error> {
        self.inner.closed_by()
    }

    /// Returns the broker's reason for blocking publishes (`connection.blocked`), or `None` if it
    /// does not block them.
    pub fn blocked(&self) -> Option<String> {
        self.inner.blocked()
    }

    /// Returns the limits that were negotiated with the broker, and the properties that it reports
    /// of itself.
    pub fn negotiated(&self) -> Negotiated {
        self.inner.negotiated()
    }

    /// Returns the number of bytes that wait for the socket.
    pub fn queued(&self) -> u64 {
        self.inner.queued()
    }

    /// Returns the number of publishes on channels in confirm mode that the broker has not
    /// confirmed or refused yet.
    pub fn unconfirmed(&self) -> u64 {
        self.inner.unconfirmed()
    }

    /// Converts into a handle of the async API for the same connection.
    pub fn into_async(self) -> asynchronous::Connection {
        self.inner
    }
}

/// How long a process waits for what its last handles have queued.
const LIMIT: Duration = Duration::from_secs(3);

/// The same where nothing waits but the close.
const SHORT_LIMIT: Duration = Duration::from_millis(250);

/// Waits until a connection that closes is over, unless the driver itself does so: it goes on.
fn wait_for_end(shared: &Arc<Shared>, driving: &Driving, unwritten: bool) {
    let limit = if unwritten { LIMIT } else { SHORT_LIMIT };
    let mut closed = Closed::new(shared, Topic::Connection);
    let until = Instant::now().checked_add(limit);
    let ended = wait_until(Some(driving), until, |context| Pin::new(&mut closed).poll(context));
    drop(ended);
}

impl From<asynchronous::Connection> for Connection {
    fn from(inner: asynchronous::Connection) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
