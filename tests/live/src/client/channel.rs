//! A channel of a connection.

use leveret::protocol::{ChannelMethod, Method, Request};
use leveret::{Body, asynchronous, blocking, callback};
use leveret::{Error, Name, Result, ShortString};

use super::event_loop::{Hall, Proxy};
use super::threads::on_thread;
use super::{
    Answer, Call, ChannelEvents, Closed, Connection, Consume, Consumer, Get, Publish, Publisher, Returns, SendMethod,
};

/// A channel of a connection that an adapter drives.
#[derive(Debug, Clone)]
pub struct Channel(pub(super) Way);

#[derive(Debug, Clone)]
pub(super) enum Way {
    Async(asynchronous::Channel),
    Blocking(blocking::Channel),
    /// With the connection, which the channels of callbacks do not give.
    Callback(Proxy<callback::Channel<Hall>>, Connection),
}

impl Channel {
    /// Calls any method of the protocol that is answered.
    pub fn call<R>(&self, request: R) -> Call<'_, R>
    where
        R: Request + ChannelMethod + Into<Method>,
    {
        Call::new(self, request)
    }

    /// Sends any method that nothing answers.
    pub fn send<M>(&self, method: M) -> SendMethod<'_, M>
    where
        M: ChannelMethod + Into<Method>,
    {
        SendMethod::new(self, method)
    }

    /// Publishes a message to an exchange.
    pub fn publish<'a>(
        &'a self,
        exchange: impl Into<Name<'a>>,
        routing_key: impl Into<Name<'a>>,
        body: impl Into<Body<'a>>,
    ) -> Publish<'a> {
        Publish::new(self, exchange.into(), routing_key.into(), body.into())
    }

    /// Has the broker confirm what is published from now on.
    pub fn confirm_select(&self) -> Answer<'_, Result<Publisher>> {
        match &self.0 {
            Way::Async(channel) => Box::pin(async move { Ok(channel.confirm_select().await?.into()) }),
            Way::Blocking(channel) => {
                let channel = channel.clone();
                Box::pin(async move { Ok(on_thread(move || channel.confirm_select()).await?.into()) })
            }
            Way::Callback(channel, _) => channel.ask(move |channel, reply| {
                channel.confirm_select(move |hall, _, publisher| {
                    reply.send(publisher.map(|publisher| hall.put(publisher).into()));
                });
            }),
        }
    }

    /// Starts a consumer on a queue.
    pub fn consume(&self, queue: impl Into<ShortString>) -> Consume<'_> {
        Consume::new(self, queue.into())
    }

    /// The consumer that was started by a plain call.
    pub fn consumer(&self, tag: impl Into<ShortString>) -> Option<Consumer> {
        match &self.0 {
            Way::Async(channel) => channel.consumer(tag).map(Consumer::from),
            Way::Blocking(channel) => channel.consumer(tag).map(Consumer::from),
            Way::Callback(..) => panic!("callbacks have no consumers but those with handlers"),
        }
    }

    /// Takes one message from a queue.
    pub fn get(&self, queue: impl Into<ShortString>) -> Get<'_> {
        Get::new(self, queue.into())
    }

    /// The messages that come back from now on.
    pub fn returns(&self) -> Returns {
        match &self.0 {
            Way::Async(channel) => channel.returns().into(),
            Way::Blocking(channel) => channel.returns().into(),
            Way::Callback(channel, _) => Returns::handed_out(|hand_out| {
                channel.begin(move |channel| channel.on_return(move |_, _, returned| hand_out(returned)));
            }),
        }
    }

    /// Closes the channel, after what was queued.
    pub fn close(&self) -> Answer<'_, Result<()>> {
        match &self.0 {
            Way::Async(channel) => Box::pin(channel.close()),
            Way::Blocking(channel) => {
                let channel = channel.clone();
                Box::pin(async move { on_thread(move || channel.close()).await })
            }
            Way::Callback(channel, _) => {
                channel.ask(move |channel, reply| channel.close_then(move |_, _, closed| reply.send(closed)))
            }
        }
    }

    /// Why it ended, once it has.
    pub fn closed(&self) -> Closed {
        match &self.0 {
            Way::Async(channel) => Box::pin(channel.closed()),
            Way::Blocking(channel) => {
                let channel = channel.clone();
                Box::pin(on_thread(move || channel.wait_closed()))
            }
            Way::Callback(channel, _) => super::streams::closed(|reply| {
                channel.begin(move |channel| channel.on_close(move |_, _, why| reply(why)));
            }),
        }
    }

    /// What happens to it from now on.
    pub fn events(&self) -> ChannelEvents {
        match &self.0 {
            Way::Async(channel) => channel.events().into(),
            Way::Blocking(channel) => channel.events().into(),
            Way::Callback(channel, _) => ChannelEvents::handed_out(|hand_out| {
                channel.begin(move |channel| channel.on_event(move |_, _, event| hand_out(event)));
            }),
        }
    }

    /// It takes requests.
    pub fn is_open(&self) -> bool {
        match &self.0 {
            Way::Async(channel) => channel.is_open(),
            Way::Blocking(channel) => channel.is_open(),
            Way::Callback(channel, _) => channel.look(|channel| channel.is_open()),
        }
    }

    /// Why it is closed, once it is.
    pub fn closed_by(&self) -> Option<Error> {
        match &self.0 {
            Way::Async(channel) => channel.closed_by(),
            Way::Blocking(channel) => channel.closed_by(),
            Way::Callback(channel, _) => channel.look(|channel| channel.closed_by()),
        }
    }

    /// The connection that it is a channel of.
    pub fn connection(&self) -> Connection {
        match &self.0 {
            Way::Async(channel) => channel.connection().into(),
            Way::Blocking(channel) => channel.connection().into(),
            Way::Callback(_, connection) => connection.clone(),
        }
    }

    /// Its number on its connection.
    pub fn number(&self) -> u16 {
        match &self.0 {
            Way::Async(channel) => channel.number(),
            Way::Blocking(channel) => channel.number(),
            Way::Callback(channel, _) => channel.look(|channel| channel.number()),
        }
    }
}

impl From<asynchronous::Channel> for Channel {
    fn from(channel: asynchronous::Channel) -> Self {
        Self(Way::Async(channel))
    }
}

impl From<blocking::Channel> for Channel {
    fn from(channel: blocking::Channel) -> Self {
        Self(Way::Blocking(channel))
    }
}
