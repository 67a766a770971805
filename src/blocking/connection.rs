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

/// A connection to a broker, driven by a thread of its own.
///
/// Clones are handles of the same connection. Dropping the last handle (channels, consumers,
/// deliveries and confirms hold one too) closes it, after what was queued. It waits until the
/// broker has agreed, since a thread does not outlive its process: for at most 3 s, or 250 ms where
/// nothing but the close has to go out. [`Connection::close`] waits longer, and tells what became
/// of it.
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
    inner: asynchronous::Connection,
}

impl Connection {
    /// Connects to the broker, or to one of the brokers, that a URL or [`ConnectionParameters`]
    /// name, and opens the virtual host; as the async API's
    /// [`open`](asynchronous::Connection#method.open) does.
    ///
    /// Every parameter has its meaning here. Names are resolved, and providers of credentials
    /// polled, on threads that are there for it.
    ///
    /// # Errors
    ///
    /// Wrong parameters; no thread could be had; otherwise all attempts failed, and
    /// [`Error::attempts`] lists them. The error's kind is that of the attempt that came furthest.
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

    /// The same over a socket of the caller's: a Unix socket, or one with options of its own. It is
    /// set not to block, for all its handles. Where the parameters have TLS, it is spoken on that
    /// socket, with the first endpoint's host as the name that the broker's certificate is for; of
    /// the other parameters, those that are about the network have no effect.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`], but for reaching the broker.
    #[cfg(unix)]
    pub fn open_on<T, P>(socket: T, parameters: P) -> Result<Self>
    where
        T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static,
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = parameters.try_into()?;
        parameters.validate()?;
        Self::of(on_thread(|reactor| reactor.begin_open_on_socket(socket, parameters))?)
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
    /// The connection is closed, all negotiated channels are open, or no answer came in time.
    #[doc(alias("create_channel", "channel_open", "channel"))]
    pub fn open_channel(&self) -> Result<Channel> {
        Ok(wait(self.inner.driving(), self.inner.open_channel())?.into())
    }

    /// Closes the connection: what was queued goes first, then the broker is told, and agrees.
    ///
    /// `Ok` means that the broker has read everything that was queued before, and agreed
    /// (`close-ok`). Everything in flight that it has not answered by then fails.
    ///
    /// # Errors
    ///
    /// As the async API's [`close`](asynchronous::Connection::close).
    pub fn close(&self) -> Result<()> {
        wait(self.inner.driving(), self.inner.close())
    }

    /// Tells the broker a new secret in the place of the one that the connection was opened with
    /// (`connection.update_secret`). A [provider](crate::Credentials::provided_by) does so by
    /// itself.
    ///
    /// # Errors
    ///
    /// As the async API's [`update_secret`](asynchronous::Connection::update_secret).
    pub fn update_secret(&self, secret: impl Into<Secret>, reason: &str) -> Result<()> {
        wait(self.inner.driving(), self.inner.update_secret(secret, reason))
    }

    /// Waits until the connection is over; gives why. To wait without a handle, which
    /// keeps the connection open, take its [`events`](Self::events).
    pub fn wait_closed(&self) -> Error {
        let mut closed = self.inner.closed();
        let closed = wait_until(self.inner.driving(), None, |context| Pin::new(&mut closed).poll(context));
        closed.ok().flatten().unwrap_or_else(Error::waits_on_driver)
    }

    /// What happens to the connection from now on. It holds no handle: it does not keep the
    /// connection open.
    #[doc(alias(
        "add_on_connection_blocked_callback",
        "add_on_connection_unblocked_callback",
        "add_backpressure_callback"
    ))]
    pub fn events(&self) -> ConnectionEvents {
        self.inner.events().into()
    }

    /// Where the connection is in its life.
    pub fn state(&self) -> ConnectionState {
        self.inner.state()
    }

    /// Changes how many average frames may wait before the detector of Pika 0.x speaks: see the
    /// async API's [method](asynchronous::Connection::set_backpressure_multiplier).
    pub fn set_backpressure_multiplier(&self, multiplier: u32) {
        self.inner.set_backpressure_multiplier(multiplier);
    }

    /// The connection takes requests.
    pub fn is_open(&self) -> bool {
        self.inner.is_open()
    }

    /// Why the connection is closed or closing, once it is: the cause that any later call reports.
    pub fn closed_by(&self) -> Option<Error> {
        self.inner.closed_by()
    }

    /// The broker's reason for blocking publishes (`connection.blocked`), while it does.
    pub fn blocked(&self) -> Option<String> {
        self.inner.blocked()
    }

    /// What was agreed on with the broker, and what it tells of itself.
    pub fn negotiated(&self) -> Negotiated {
        self.inner.negotiated()
    }

    /// Octets that wait for the socket.
    pub fn queued(&self) -> u64 {
        self.inner.queued()
    }

    /// Publishes on confirming channels that the broker has not decided about.
    pub fn unconfirmed(&self) -> u64 {
        self.inner.unconfirmed()
    }

    /// The same connection, for tasks.
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
