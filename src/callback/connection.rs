//! A connection to a broker.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use futures_channel::oneshot::{Receiver, Sender, channel};

use super::events::{Listeners, Notifying};
use super::{Channel, EventLoop, Handle};
use crate::asynchronous;
use crate::config::{ConnectionParameters, Secret};
use crate::engine::{ConnectionState, Negotiated};
use crate::error::{ConnectionEvent, Error, Result};

/// A connection to a broker, driven by an [`EventLoop`](super::EventLoop), as Pika's
/// `SelectConnection` is.
///
/// Clones are handles of the same connection. Channels, deliveries and waiting handlers hold a
/// handle too. Dropping the last handle closes the connection in the background, while the loop
/// runs.
#[doc(alias = "SelectConnection")]
pub struct Connection<S> {
    inner: Rc<Inner<S>>,
}

struct Inner<S> {
    handle: Handle<S>,
    life: RefCell<Life>,
    listeners: RefCell<Weak<Listeners<S, ConnectionEvent>>>,
}

/// The state of the open, and the connection after it.
enum Life {
    Opening(Opening),
    Open(asynchronous::Connection),
    /// It could not be opened, for this reason.
    Failed(Error),
}

/// An open in progress.
struct Opening {
    /// Dropping it abandons the open. `None` if that has happened.
    guard: Option<Sender<()>>,
    /// Called as soon as the connection is open.
    then: Vec<OnOpen>,
}

type OnOpen = Box<dyn FnOnce(&asynchronous::Connection)>;

impl<S: 'static> Connection<S> {
    /// Begins to connect to the broker, or to one of the brokers, that a URL or
    /// [`ConnectionParameters`] name. Calls `on_open` once: with `Ok` when the connection is open,
    /// or with an error if it could not be opened.
    ///
    /// Endpoints, retries and deadlines are as in the async API's
    /// [`open`](asynchronous::Connection#method.open). Separate threads resolve names, read files
    /// and ask providers of credentials, so that the loop continues meanwhile. With
    /// [`driver_thread`](ConnectionParameters#structfield.driver_thread) a separate thread drives
    /// the connection, and handlers may take as long as they need.
    ///
    /// Before the connection is open, only [`close`](Connection::close) and the methods that set
    /// the handlers of its events and its end have an effect. Requests fail.
    ///
    /// # Errors
    ///
    /// Returns an error if the parameters are invalid, or if no thread can be started for
    /// `driver_thread`. Then `on_open` is not called.
    #[doc(alias("SelectConnection", "add_on_open_callback", "add_on_open_error_callback"))]
    pub fn open<P>(
        event_loop: &mut EventLoop<S>,
        parameters: P,
        on_open: impl FnOnce(&mut S, &Self, Result<()>) + 'static,
    ) -> Result<Self>
    where
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        Self::open_in(event_loop.handle(), parameters, on_open)
    }

    /// Opens a connection as [`Connection::open`] does, on the loop of a handle: from a handler, or
    /// in an event loop of the program.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Connection::open`].
    pub fn open_in<P>(
        handle: &Handle<S>,
        parameters: P,
        on_open: impl FnOnce(&mut S, &Self, Result<()>) + 'static,
    ) -> Result<Self>
    where
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        let parameters = parameters.try_into()?;
        parameters.validate()?;
        if handle.is_closed() {
            return Ok(Self::wait_for(handle, std::future::pending(), on_open));
        }
        let opened = if parameters.driver_thread {
            crate::driver::mio::on_thread(|reactor| Ok(reactor.begin_open(parameters)))?.1
        } else {
            handle.reactor().begin_open(parameters)
        };
        Ok(Self::wait_for(handle, async { Ok(asynchronous::Connection::of_shared(opened.await?)) }, on_open))
    }

    /// Uses a connection that is being opened in another way, such as by
    /// [`Reactor::open_on`](crate::readiness::Reactor::open_on) over a stream that the caller made,
    /// or by `Reactor::open_with` over sockets that the caller makes again after a loss. Calls
    /// `on_open` once, as [`Connection::open`] does.
    pub fn wait_for(
        handle: &Handle<S>,
        opening: impl Future<Output = Result<asynchronous::Connection>> + 'static,
        on_open: impl FnOnce(&mut S, &Self, Result<()>) + 'static,
    ) -> Self {
        let (guard, abandoned) = channel();
        let life = RefCell::new(Life::Opening(Opening { guard: Some(guard), then: Vec::new() }));
        let connection = Self { inner: Rc::new(Inner { handle: handle.clone(), life, listeners: RefCell::default() }) };
        let opened = connection.clone();
        handle.once(unless(abandoned, opening), move |state, result| {
            let result = opened.inner.finish_open(result);
            on_open(state, &opened, result);
        });
        connection
    }

    /// Returns the handle of the loop that calls the handlers of the connection.
    pub fn handle(&self) -> &Handle<S> {
        &self.inner.handle
    }

    /// Returns the connection of the async API.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is not open yet, or could not be opened.
    pub(super) fn inner(&self) -> Result<asynchronous::Connection> {
        match &*self.inner.life.borrow() {
            Life::Open(connection) => Ok(connection.clone()),
            Life::Failed(error) => Err(error.clone()),
            Life::Opening(_) => Err(Error::not_open()),
        }
    }

    /// Opens a channel (AMQP 0-9-1 §1.5.2.1). Calls `on_open` with it, or with an error if the
    /// connection is not open, if as many channels are open as were negotiated (`channel_max`), or
    /// if no answer arrives within `call_timeout`.
    #[doc(alias("channel", "create_channel", "channel_open"))]
    pub fn open_channel(&self, on_open: impl FnOnce(&mut S, &Self, Result<Channel<S>>) + 'static) {
        let (connection, inner) = (self.clone(), self.inner());
        let opening = async move { inner?.open_channel().await };
        self.inner.handle.once(opening, move |state, channel| {
            let channel = channel.map(|channel| Channel::new(channel, connection.handle().clone()));
            on_open(state, &connection, channel);
        });
    }

    /// Closes the connection (`connection.close`), after what was queued is sent. The close makes
    /// progress while the loop runs; [`on_close`](Connection::on_close) reports its end. If the
    /// connection is not open yet, the open is abandoned.
    pub fn close(&self) {
        self.close_then(|_, _, _| {});
    }

    /// Closes the connection as [`close`](Self::close) does, and calls `then` when it has ended.
    /// `Ok` means that the broker has read everything that was queued before, or that the
    /// connection was not open: see the async API's [`close`](asynchronous::Connection::close).
    pub fn close_then(&self, then: impl FnOnce(&mut S, &Self, Result<()>) + 'static) {
        let guard = match &mut *self.inner.life.borrow_mut() {
            Life::Opening(opening) => opening.guard.take(),
            _ => None,
        };
        drop(guard);
        let (connection, inner) = (self.clone(), self.inner());
        let closing = async move {
            match inner {
                Ok(inner) => inner.close().await,
                // It was not open, so there is nothing to wait for.
                Err(_) => Ok(()),
            }
        };
        self.inner.handle.once(closing, move |state, result| then(state, &connection, result));
    }

    /// Calls `handler` once when the connection has ended, with the reason. It can be set before
    /// the connection is open. If the open fails, only the handler of the open is called.
    #[doc(alias = "add_on_close_callback")]
    pub fn on_close(&self, handler: impl FnOnce(&mut S, &Handle<S>, Error) + 'static) {
        let handle = self.handle().clone();
        self.when_open(move |connection| {
            let waiting = handle.clone();
            waiting.once(connection.closed(), move |state, why| handler(state, &handle, why));
        });
    }

    /// Calls `handler` with each event of the connection from now on, or from when it is open; the
    /// last is [`ConnectionEvent::Closed`]. The handler does not keep the connection open.
    ///
    /// All handlers of events, including those for one kind of event, are called with one event
    /// before any is called with the next, in the order in which they were set.
    pub fn on_event(&self, mut handler: impl FnMut(&mut S, &Handle<S>, ConnectionEvent) + 'static) {
        let handle = self.handle().clone();
        let present = self.inner.listeners.borrow().upgrade();
        let listeners = present.unwrap_or_else(|| self.listen());
        listeners.add(move |state, event| handler(state, &handle, event));
    }

    /// Starts to report events as soon as the connection is open.
    fn listen(&self) -> Rc<Listeners<S, ConnectionEvent>> {
        let listeners = Listeners::new();
        self.inner.listeners.replace(Rc::downgrade(&listeners));
        let (handle, notified) = (self.handle().clone(), Rc::clone(&listeners));
        self.when_open(move |connection| {
            let mut events = connection.events();
            let poll = move |context: &mut Context<'_>| events.poll_event(context);
            handle.add(Box::new(Notifying::new(poll, notified)));
        });
        listeners
    }

    /// Calls `then` now, or as soon as the connection is open; never, if the open fails.
    fn when_open(&self, then: impl FnOnce(&asynchronous::Connection) + 'static) {
        if let Ok(connection) = self.inner() {
            return then(&connection);
        }
        if let Life::Opening(opening) = &mut *self.inner.life.borrow_mut() {
            opening.then.push(Box::new(then));
        }
    }

    /// Calls `handler` with the broker's reason whenever the broker blocks publishes
    /// (`connection.blocked`).
    #[doc(alias = "add_on_connection_blocked_callback")]
    pub fn on_blocked(&self, mut handler: impl FnMut(&mut S, &Handle<S>, &str) + 'static) {
        self.on_event(move |state, handle, event| {
            if let ConnectionEvent::Blocked(reason) = event {
                handler(state, handle, &reason);
            }
        });
    }

    /// Calls `handler` whenever the broker no longer blocks publishes (`connection.unblocked`).
    #[doc(alias = "add_on_connection_unblocked_callback")]
    pub fn on_unblocked(&self, mut handler: impl FnMut(&mut S, &Handle<S>) + 'static) {
        self.on_event(move |state, handle, event| {
            if matches!(event, ConnectionEvent::Unblocked) {
                handler(state, handle);
            }
        });
    }

    /// Calls `handler` for each frame that is queued while more average frames wait than the
    /// multiplier allows (the rule of Pika 0.x), with the number of bytes that wait for the socket.
    /// Nothing is reported unless
    /// [`backpressure_detection`](ConnectionParameters#structfield.backpressure_detection) is on.
    #[doc(alias = "add_backpressure_callback")]
    pub fn on_backpressure(&self, mut handler: impl FnMut(&mut S, &Handle<S>, u64) + 'static) {
        self.on_event(move |state, handle, event| {
            if let ConnectionEvent::Backpressure { queued, .. } = event {
                handler(state, handle, queued);
            }
        });
    }

    /// Sets how many average frames may wait before the backpressure detector of Pika 0.x reports
    /// an event: see the async API's
    /// [method](asynchronous::Connection::set_backpressure_multiplier).
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is not open yet, or could not be opened.
    pub fn set_backpressure_multiplier(&self, multiplier: u32) -> Result<()> {
        self.inner()?.set_backpressure_multiplier(multiplier);
        Ok(())
    }

    /// Calls `handler` whenever nothing waits for the socket any more, after
    /// [`on_backpressure`](Connection::on_backpressure) reported backpressure.
    pub fn on_relieved(&self, mut handler: impl FnMut(&mut S, &Handle<S>) + 'static) {
        self.on_event(move |state, handle, event| {
            if matches!(event, ConnectionEvent::Relieved) {
                handler(state, handle);
            }
        });
    }

    /// Sends the broker a new secret that replaces the one with which the connection was opened
    /// (`connection.update_secret`). Calls `then` when the broker has accepted it, or with an
    /// error: see the async API's [`update_secret`](asynchronous::Connection::update_secret).
    pub fn update_secret(
        &self,
        secret: impl Into<Secret>,
        reason: &str,
        then: impl FnOnce(&mut S, &Self, Result<()>) + 'static,
    ) {
        let (connection, inner) = (self.clone(), self.inner());
        let (secret, reason) = (secret.into(), reason.to_owned());
        let updating = async move { inner?.update_secret(secret, &reason).await };
        self.inner.handle.once(updating, move |state, result| then(state, &connection, result));
    }

    /// Returns the state of the connection, or `None` if it is not open yet or could not be opened.
    pub fn state(&self) -> Option<ConnectionState> {
        Some(self.inner().ok()?.state())
    }

    /// Returns `true` if the connection accepts requests.
    pub fn is_open(&self) -> bool {
        self.inner().is_ok_and(|connection| connection.is_open())
    }

    /// Returns why the connection is closed or closing, or could not be opened. Returns `None`
    /// while it is being opened or is open.
    pub fn closed_by(&self) -> Option<Error> {
        match &*self.inner.life.borrow() {
            Life::Open(connection) => connection.closed_by(),
            Life::Failed(error) => Some(error.clone()),
            Life::Opening(_) => None,
        }
    }

    /// Returns the broker's reason for blocking publishes (`connection.blocked`), or `None` if it
    /// does not block them.
    pub fn blocked(&self) -> Option<String> {
        self.inner().ok()?.blocked()
    }

    /// Returns the limits that were negotiated with the broker, and the properties that it reports
    /// of itself.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is not open yet, or could not be opened.
    pub fn negotiated(&self) -> Result<Negotiated> {
        Ok(self.inner()?.negotiated())
    }

    /// Returns the number of publishes on channels in confirm mode that the broker has not decided
    /// about.
    pub fn unconfirmed(&self) -> u64 {
        self.inner().map_or(0, |connection| connection.unconfirmed())
    }

    /// Returns the number of bytes that wait for the socket.
    pub fn queued(&self) -> u64 {
        self.inner().map_or(0, |connection| connection.queued())
    }
}

impl<S: 'static> Inner<S> {
    /// Handles the result of the open.
    fn finish_open(&self, opened: Result<asynchronous::Connection>) -> Result<()> {
        let opened = opened.and_then(|connection| {
            // The close abandoned the open after it had succeeded, but before its handler was
            // called.
            let is_abandoned = matches!(&*self.life.borrow(), Life::Opening(Opening { guard: None, .. }));
            if is_abandoned { Err(Error::given_up()) } else { Ok(connection) }
        });
        match opened {
            Ok(connection) => {
                let before = self.life.replace(Life::Open(connection.clone()));
                // An open connection can still cause calls of handlers, also when another thread
                // drives it. This wait keeps the loop from being idle until the connection has
                // ended.
                self.handle.once(connection.closed(), |_, _| {});
                if let Life::Opening(opening) = before {
                    opening.then.into_iter().for_each(|then| then(&connection));
                }
                Ok(())
            }
            Err(error) => {
                self.life.replace(Life::Failed(error.clone()));
                Err(error)
            }
        }
    }
}

/// Waits for an open, or fails when it is abandoned.
async fn unless(
    mut abandoned: Receiver<()>,
    opening: impl Future<Output = Result<asynchronous::Connection>>,
) -> Result<asynchronous::Connection> {
    let mut opening = pin!(opening);
    poll_fn(|context| {
        if Pin::new(&mut abandoned).poll(context).is_ready() {
            return Poll::Ready(Err(Error::given_up()));
        }
        opening.as_mut().poll(context)
    })
    .await
}

impl<S> Clone for Connection<S> {
    fn clone(&self) -> Self {
        Self { inner: Rc::clone(&self.inner) }
    }
}

impl<S: 'static> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("open", &self.is_open()).finish_non_exhaustive()
    }
}
