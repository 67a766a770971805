//! A connection to a broker.

use leveret::config::Secret;
use leveret::{ConnectionParameters, ConnectionState, Error, Negotiated, Result};
use leveret::{asynchronous, blocking, callback};

use super::event_loop::{Hall, Proxy, ask};
use super::foreign_loop::reactor;
use super::threads::on_thread;
use super::{Adapter, Answer, Channel, Closed, ConnectionEvents, channel};

/// A connection that an adapter drives.
#[derive(Debug, Clone)]
pub struct Connection(Way);

#[derive(Debug, Clone)]
enum Way {
    Async(asynchronous::Connection),
    Blocking(blocking::Connection),
    Callback(Proxy<callback::Connection<Hall>>),
}

impl Connection {
    /// Connects to the broker that a URL or parameters name.
    pub fn open<P>(parameters: P) -> Answer<'static, Result<Self>>
    where
        P: TryInto<ConnectionParameters>,
        Error: From<P::Error>,
    {
        crate::adapters::note_client();
        match parameters.try_into() {
            Ok(parameters) => Self::open_by(Adapter::chosen(), parameters),
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }

    fn open_by(adapter: Adapter, parameters: ConnectionParameters) -> Answer<'static, Result<Self>> {
        match adapter {
            Adapter::Task => Box::pin(async move { Ok(asynchronous::Connection::open(parameters).await?.into()) }),
            Adapter::Thread => Self::open_by(Adapter::Task, parameters.driver_thread(true)),
            Adapter::Readiness => Box::pin(async move { Ok(reactor().open(parameters).await?.into()) }),
            Adapter::Blocking => {
                Box::pin(async move { Ok(on_thread(move || blocking::Connection::open(parameters)).await?.into()) })
            }
            Adapter::Callback => open_with_callbacks(parameters),
            Adapter::CallbackThread => open_with_callbacks(parameters.driver_thread(true)),
        }
    }

    /// Opens a channel.
    pub fn open_channel(&self) -> Answer<'_, Result<Channel>> {
        match &self.0 {
            Way::Async(connection) => Box::pin(async move { Ok(connection.open_channel().await?.into()) }),
            Way::Blocking(connection) => {
                let connection = connection.clone();
                Box::pin(async move { Ok(on_thread(move || connection.open_channel()).await?.into()) })
            }
            Way::Callback(connection) => {
                let of = self.clone();
                connection.ask(move |connection, reply| {
                    connection.open_channel(move |hall: &mut Hall, _, channel| {
                        reply.send(channel.map(|channel| Channel(channel::Way::Callback(hall.put(channel), of))));
                    });
                })
            }
        }
    }

    /// Closes the connection, after what was queued.
    pub fn close(&self) -> Answer<'_, Result<()>> {
        match &self.0 {
            Way::Async(connection) => Box::pin(connection.close()),
            Way::Blocking(connection) => {
                let connection = connection.clone();
                Box::pin(async move { on_thread(move || connection.close()).await })
            }
            Way::Callback(connection) => {
                connection.ask(move |connection, reply| connection.close_then(move |_, _, closed| reply.send(closed)))
            }
        }
    }

    /// Tells the broker a new secret.
    pub fn update_secret<'a>(&'a self, secret: &'a str, reason: &'a str) -> Answer<'a, Result<()>> {
        match &self.0 {
            Way::Async(connection) => Box::pin(connection.update_secret(secret, reason)),
            Way::Blocking(connection) => {
                let (connection, secret, reason) = (connection.clone(), Secret::from(secret), reason.to_owned());
                Box::pin(async move { on_thread(move || connection.update_secret(secret, &reason)).await })
            }
            Way::Callback(connection) => {
                let (secret, reason) = (Secret::from(secret), reason.to_owned());
                connection.ask(move |connection, reply| {
                    connection.update_secret(secret, &reason, move |_, _, updated| reply.send(updated));
                })
            }
        }
    }

    /// Why it ended, once it has.
    pub fn closed(&self) -> Closed {
        match &self.0 {
            Way::Async(connection) => Box::pin(connection.closed()),
            Way::Blocking(connection) => {
                let connection = connection.clone();
                Box::pin(on_thread(move || connection.wait_closed()))
            }
            Way::Callback(connection) => super::streams::closed(|reply| {
                connection.begin(move |connection| connection.on_close(move |_, _, why| reply(why)));
            }),
        }
    }

    /// What happens to it from now on.
    pub fn events(&self) -> ConnectionEvents {
        match &self.0 {
            Way::Async(connection) => connection.events().into(),
            Way::Blocking(connection) => connection.events().into(),
            Way::Callback(connection) => ConnectionEvents::handed_out(|hand_out| {
                connection.begin(move |connection| connection.on_event(move |_, _, event| hand_out(event)));
            }),
        }
    }

    /// Where it is in its life.
    pub fn state(&self) -> ConnectionState {
        match &self.0 {
            Way::Async(connection) => connection.state(),
            Way::Blocking(connection) => connection.state(),
            Way::Callback(connection) => connection.look(|connection| connection.state()).expect("it was open"),
        }
    }

    /// It takes requests.
    pub fn is_open(&self) -> bool {
        match &self.0 {
            Way::Async(connection) => connection.is_open(),
            Way::Blocking(connection) => connection.is_open(),
            Way::Callback(connection) => connection.look(|connection| connection.is_open()),
        }
    }

    /// Why it is closed, once it is.
    pub fn closed_by(&self) -> Option<Error> {
        match &self.0 {
            Way::Async(connection) => connection.closed_by(),
            Way::Blocking(connection) => connection.closed_by(),
            Way::Callback(connection) => connection.look(|connection| connection.closed_by()),
        }
    }

    /// What the broker is short of, while it takes no publishes.
    pub fn blocked(&self) -> Option<String> {
        match &self.0 {
            Way::Async(connection) => connection.blocked(),
            Way::Blocking(connection) => connection.blocked(),
            Way::Callback(connection) => connection.look(|connection| connection.blocked()),
        }
    }

    /// What both sides agreed upon.
    pub fn negotiated(&self) -> Negotiated {
        match &self.0 {
            Way::Async(connection) => connection.negotiated(),
            Way::Blocking(connection) => connection.negotiated(),
            Way::Callback(connection) => connection.look(|connection| connection.negotiated()).expect("it was open"),
        }
    }

    /// How many publishes the broker has not decided about.
    pub fn unconfirmed(&self) -> u64 {
        match &self.0 {
            Way::Async(connection) => connection.unconfirmed(),
            Way::Blocking(connection) => connection.unconfirmed(),
            Way::Callback(connection) => connection.look(|connection| connection.unconfirmed()),
        }
    }
}

fn open_with_callbacks(parameters: ConnectionParameters) -> Answer<'static, Result<Connection>> {
    ask(move |_, handle, reply| {
        let refused = reply.clone();
        let on_open = move |hall: &mut Hall, connection: &callback::Connection<Hall>, opened: Result<()>| {
            reply.send(opened.map(|()| Connection(Way::Callback(hall.put(connection.clone())))));
        };
        if let Err(error) = callback::Connection::open_in(handle, parameters, on_open) {
            refused.send(Err(error));
        }
    })
}

impl From<asynchronous::Connection> for Connection {
    fn from(connection: asynchronous::Connection) -> Self {
        Self(Way::Async(connection))
    }
}

impl From<blocking::Connection> for Connection {
    fn from(connection: blocking::Connection) -> Self {
        Self(Way::Blocking(connection))
    }
}
