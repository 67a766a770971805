//! A connection to a broker.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use futures_channel::oneshot::{Receiver, Sender, channel};

use super::events::{Listeners, Telling};
use super::{Channel, EventLoop, Handle};
use crate::asynchronous;
use crate::config::{ConnectionParameters, Secret};
use crate::engine::{ConnectionState, Negotiated};
use crate::error::{ConnectionEvent, Error, Result};

/// A connection to a broker, driven by an [`EventLoop`](super::EventLoop): Pika's
/// `SelectConnection`.
///
/// Clones are handles of the same connection. Dropping the last handle closes it in the background,
/// while the loop runs; handlers that wait hold one too, and so do channels and deliveries.
#[doc(alias = "SelectConnection")]
pub struct Connection<S> {
    inner: Rc<Inner<S>>,
}

struct Inner<S> {
    handle: Handle<S>,
    life: RefCell<Life>,
    listeners: RefCell<Weak<Listeners<S, ConnectionEvent>>>,
}

/// Where it is.
enum Life {
    Opening(Opening),
    Open(asynchronous::Connection),
    /// It was never opened, and why.
    Failed(Error),
}

/// It is being opened.
struct Opening {
    /// Dropped, this gives the open up.
    goes_on: Option<Sender<()>>,
    /// What is done as soon as it is open.
    then: Vec<OnOpen>,
}

type OnOpen = Box<dyn FnOnce(&asynchronous::Connection)>;

impl<S: 'static> Connection<S> {
    /// Begins to open a connection to the broker, or to one of the brokers, that a URL or
    /// [`ConnectionParameters`] name. `on_open` is called once: with `Ok` when it is open, else
    /// with why it could not be opened.
    ///
    /// Endpoints, retries and deadlines are those of the async API's
    /// [`open`](asynchronous::Connection#method.open). Names are resolved, files read and providers
    /// of credentials polled on threads of their own, so the loop goes on meanwhile. With
    /// [`driver_thread`](ConnectionParameters#structfield.driver_thread) a thread of its own drives
    /// the connection, and handlers can take as long as they like.
    ///
    /// What this returns can be [closed](Connection::close) before it is open, and be given
    /// handlers of its events and its end. Nothing else works before.
    ///
    /// # Errors
    ///
    /// Wrong parameters, or no thread could be had; `on_open` is not called then.
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

    /// The same from a handler, or in a loop of somebody else's.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`].
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
        if handle.is_over() {
            return Ok(Self::wait_for(handle, std::future::pending(), on_open));
        }
        let opened = if parameters.driver_thread {
            crate::driver::mio::on_thread(|reactor| Ok(reactor.begin_open(parameters)))?.1
        } else {
            handle.reactor().begin_open(parameters)
        };
        Ok(Self::wait_for(handle, async { Ok(asynchronous::Connection::of_shared(opened.await?)) }, on_open))
    }

    /// The same for a connection that is opened in any way, by the async API for instance:
    /// [`Reactor::open_on`](crate::readiness::Reactor::open_on) opens one on a stream of the
    /// caller's.
    pub fn wait_for(
        handle: &Handle<S>,
        opening: impl Future<Output = Result<asynchronous::Connection>> + 'static,
        on_open: impl FnOnce(&mut S, &Self, Result<()>) + 'static,
    ) -> Self {
        let (goes_on, given_up) = channel();
        let life = RefCell::new(Life::Opening(Opening { goes_on: Some(goes_on), then: Vec::new() }));
        let connection = Self { inner: Rc::new(Inner { handle: handle.clone(), life, listeners: RefCell::default() }) };
        let opened = connection.clone();
        handle.once(unless(given_up, opening), move |state, result| {
            let result = opened.inner.settle(result);
            on_open(state, &opened, result);
        });
        connection
    }

    /// The loop that it is on.
    pub fn handle(&self) -> &Handle<S> {
        &self.inner.handle
    }

    /// The connection of the async API, once it is open.
    ///
    /// # Errors
    ///
    /// It is not open yet, or could not be opened.
    pub(super) fn inner(&self) -> Result<asynchronous::Connection> {
        match &*self.inner.life.borrow() {
            Life::Open(connection) => Ok(connection.clone()),
            Life::Failed(error) => Err(error.clone()),
            Life::Opening(_) => Err(Error::not_open()),
        }
    }

    /// Opens a channel; calls `on_open` with it, or with why there is none.
    #[doc(alias("channel", "create_channel", "channel_open"))]
    pub fn open_channel(&self, on_open: impl FnOnce(&mut S, &Self, Result<Channel<S>>) + 'static) {
        let (connection, inner) = (self.clone(), self.inner());
        let opening = async move { inner?.open_channel().await };
        self.inner.handle.once(opening, move |state, channel| {
            let channel = channel.map(|channel| Channel::new(channel, connection.handle().clone()));
            on_open(state, &connection, channel);
        });
    }

    /// Closes the connection: what was queued goes first, then the broker is told. It is over when
    /// [`on_close`](Connection::on_close) says so, which takes a loop that runs. One that is not
    /// open yet is given up.
    pub fn close(&self) {
        self.close_then(|_, _, _| {});
    }

    /// The same; calls `then` when it is over, with `Ok` where the broker has read everything that
    /// was queued before, and agreed: see the async API's
    /// [`close`](asynchronous::Connection::close).
    pub fn close_then(&self, then: impl FnOnce(&mut S, &Self, Result<()>) + 'static) {
        let goes_on = match &mut *self.inner.life.borrow_mut() {
            Life::Opening(opening) => opening.goes_on.take(),
            _ => None,
        };
        drop(goes_on);
        let (connection, inner) = (self.clone(), self.inner());
        let closing = async move {
            match inner {
                Ok(inner) => inner.close().await,
                // It is given up.
                Err(_) => Ok(()),
            }
        };
        self.inner.handle.once(closing, move |state, result| then(state, &connection, result));
    }

    /// Calls `handler` once when the connection has ended, with why. It can be given before the
    /// connection is open; where the open fails, only the handler of the open is called.
    #[doc(alias = "add_on_close_callback")]
    pub fn on_close(&self, handler: impl FnOnce(&mut S, &Handle<S>, Error) + 'static) {
        let handle = self.handle().clone();
        self.when_open(move |connection| {
            let waits_on = handle.clone();
            waits_on.once(connection.closed(), move |state, why| handler(state, &handle, why));
        });
    }

    /// Calls `handler` with each thing that happens to the connection from now on, or from when it
    /// is open; the last is [`ConnectionEvent::Closed`]. It does not keep the connection open.
    ///
    /// All handlers of events, those for one kind included, hear of one event before any hears of
    /// the next, in the order in which they were given.
    pub fn on_event(&self, mut handler: impl FnMut(&mut S, &Handle<S>, ConnectionEvent) + 'static) {
        let handle = self.handle().clone();
        let present = self.inner.listeners.borrow().upgrade();
        let listeners = present.unwrap_or_else(|| self.listen());
        listeners.add(move |state, event| handler(state, &handle, event));
    }

    /// Begins to tell of events, as soon as the connection is open.
    fn listen(&self) -> Rc<Listeners<S, ConnectionEvent>> {
        let listeners = Listeners::new();
        self.inner.listeners.replace(Rc::downgrade(&listeners));
        let (handle, told) = (self.handle().clone(), Rc::clone(&listeners));
        self.when_open(move |connection| {
            let mut events = connection.events();
            let poll = move |context: &mut Context<'_>| events.poll_event(context);
            handle.add(Box::new(Telling::new(poll, told)));
        });
        listeners
    }

    /// Does something now, or as soon as the connection is open; never, where that fails.
    fn when_open(&self, then: impl FnOnce(&asynchronous::Connection) + 'static) {
        if let Ok(connection) = self.inner() {
            return then(&connection);
        }
        if let Life::Opening(opening) = &mut *self.inner.life.borrow_mut() {
            opening.then.push(Box::new(then));
        }
    }

    /// Calls `handler` whenever the broker blocks publishes (`connection.blocked`), with its
    /// reason.
    #[doc(alias = "add_on_connection_blocked_callback")]
    pub fn on_blocked(&self, mut handler: impl FnMut(&mut S, &Handle<S>, &str) + 'static) {
        self.on_event(move |state, handle, event| {
            if let ConnectionEvent::Blocked(reason) = event {
                handler(state, handle, &reason);
            }
        });
    }

    /// Calls `handler` whenever the broker blocks publishes no more.
    #[doc(alias = "add_on_connection_unblocked_callback")]
    pub fn on_unblocked(&self, mut handler: impl FnMut(&mut S, &Handle<S>) + 'static) {
        self.on_event(move |state, handle, event| {
            if matches!(event, ConnectionEvent::Unblocked) {
                handler(state, handle);
            }
        });
    }

    /// Calls `handler` for each frame that is queued while more waits than the multiplier allows,
    /// by the rule of Pika 0.x, with how many octets wait. It is off unless
    /// [`backpressure_detection`](ConnectionParameters#structfield.backpressure_detection) is on.
    #[doc(alias = "add_backpressure_callback")]
    pub fn on_backpressure(&self, mut handler: impl FnMut(&mut S, &Handle<S>, u64) + 'static) {
        self.on_event(move |state, handle, event| {
            if let ConnectionEvent::Backpressure { queued, .. } = event {
                handler(state, handle, queued);
            }
        });
    }

    /// Changes how many average frames may wait before the detector of Pika 0.x speaks: see the
    /// async API's [method](asynchronous::Connection::set_backpressure_multiplier).
    ///
    /// # Errors
    ///
    /// It is not open yet, or could not be opened.
    pub fn set_backpressure_multiplier(&self, multiplier: u32) -> Result<()> {
        self.inner()?.set_backpressure_multiplier(multiplier);
        Ok(())
    }

    /// Calls `handler` whenever nothing waits for the socket any more, after
    /// [`on_backpressure`](Connection::on_backpressure) was called.
    pub fn on_relieved(&self, mut handler: impl FnMut(&mut S, &Handle<S>) + 'static) {
        self.on_event(move |state, handle, event| {
            if matches!(event, ConnectionEvent::Relieved) {
                handler(state, handle);
            }
        });
    }

    /// Tells the broker a new secret in the place of the one that the connection was opened with;
    /// calls `then` when it has taken it.
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

    /// Where the connection is in its life; none while it is being opened, or where it was not.
    pub fn state(&self) -> Option<ConnectionState> {
        Some(self.inner().ok()?.state())
    }

    /// The connection takes requests.
    pub fn is_open(&self) -> bool {
        self.inner().is_ok_and(|connection| connection.is_open())
    }

    /// Why the connection is closed or closing, or could not be opened, once it is so.
    pub fn closed_by(&self) -> Option<Error> {
        match &*self.inner.life.borrow() {
            Life::Open(connection) => connection.closed_by(),
            Life::Failed(error) => Some(error.clone()),
            Life::Opening(_) => None,
        }
    }

    /// The broker's reason for blocking publishes, while it does.
    pub fn blocked(&self) -> Option<String> {
        self.inner().ok()?.blocked()
    }

    /// What was agreed on with the broker, and what it tells of itself.
    ///
    /// # Errors
    ///
    /// It is not open yet, or could not be opened.
    pub fn negotiated(&self) -> Result<Negotiated> {
        Ok(self.inner()?.negotiated())
    }

    /// Octets that wait for the socket.
    pub fn queued(&self) -> u64 {
        self.inner().map_or(0, |connection| connection.queued())
    }
}

impl<S: 'static> Inner<S> {
    /// What the open came to.
    fn settle(&self, opened: Result<asynchronous::Connection>) -> Result<()> {
        let opened = opened.and_then(|connection| {
            // It was given up when it was open, and nobody had heard of that.
            let given_up = matches!(&*self.life.borrow(), Life::Opening(Opening { goes_on: None, .. }));
            if given_up { Err(Error::given_up()) } else { Ok(connection) }
        });
        match opened {
            Ok(connection) => {
                let before = self.life.replace(Life::Open(connection.clone()));
                // As long as it is open something can happen, whoever drives it.
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

/// An open, unless it is given up before.
async fn unless(
    mut given_up: Receiver<()>,
    opening: impl Future<Output = Result<asynchronous::Connection>>,
) -> Result<asynchronous::Connection> {
    let mut opening = pin!(opening);
    poll_fn(|context| {
        if Pin::new(&mut given_up).poll(context).is_ready() {
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
