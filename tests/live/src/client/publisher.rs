//! Publishing with confirms.

use std::future::IntoFuture;

use leveret::{Body, Name, Result, Settled};
use leveret::{asynchronous, blocking, callback};
use tokio::sync::oneshot;

use super::event_loop::{Hall, Proxy};
use super::threads::on_thread;
use super::{Answer, Publish};

/// A channel whose publishes are confirmed.
#[derive(Debug, Clone)]
pub struct Publisher(pub(super) Way);

#[derive(Debug, Clone)]
pub(super) enum Way {
    Async(asynchronous::Publisher),
    Blocking(blocking::Publisher),
    Callback(Proxy<callback::Publisher<Hall>>),
}

impl Publisher {
    /// Publishes a message to an exchange. Awaiting it gives the [`Confirm`] of the broker's
    /// decision.
    pub fn publish<'a>(
        &'a self,
        exchange: impl Into<Name<'a>>,
        routing_key: impl Into<Name<'a>>,
        body: impl Into<Body<'a>>,
    ) -> Publish<'a, Self> {
        Publish::new(self, exchange.into(), routing_key.into(), body.into())
    }

    /// Waits until the broker has decided about everything published so far.
    pub fn wait_for_confirms(&self) -> Answer<'_, Result<()>> {
        match &self.0 {
            Way::Async(publisher) => Box::pin(publisher.wait_for_confirms()),
            Way::Blocking(publisher) => {
                let publisher = publisher.clone();
                Box::pin(async move { on_thread(move || publisher.wait_for_confirms()).await })
            }
            Way::Callback(publisher) => publisher
                .ask(move |publisher, reply| publisher.wait_for_confirms(move |_, _, decided| reply.send(decided))),
        }
    }

    /// The same, and gives how many it refused or returned.
    pub fn settled(&self) -> Answer<'_, Result<Settled>> {
        match &self.0 {
            Way::Async(publisher) => Box::pin(publisher.settled()),
            Way::Blocking(publisher) => {
                let publisher = publisher.clone();
                Box::pin(async move { on_thread(move || publisher.settled()).await })
            }
            Way::Callback(publisher) => {
                publisher.ask(move |publisher, reply| publisher.settled(move |_, _, settled| reply.send(settled)))
            }
        }
    }
}

impl From<asynchronous::Publisher> for Publisher {
    fn from(publisher: asynchronous::Publisher) -> Self {
        Self(Way::Async(publisher))
    }
}

impl From<blocking::Publisher> for Publisher {
    fn from(publisher: blocking::Publisher) -> Self {
        Self(Way::Blocking(publisher))
    }
}

impl From<Proxy<callback::Publisher<Hall>>> for Publisher {
    fn from(publisher: Proxy<callback::Publisher<Hall>>) -> Self {
        Self(Way::Callback(publisher))
    }
}

/// The broker's decision about one publish, to come.
#[derive(Debug)]
#[must_use = "only awaiting a confirm tells whether the broker has the message"]
pub enum Confirm {
    /// Awaited.
    Async(asynchronous::Confirm),
    /// Waited for by a thread.
    Blocking(blocking::Confirm),
    /// Sent by a handler.
    Handler(oneshot::Receiver<Result<()>>),
}

impl IntoFuture for Confirm {
    type Output = Result<()>;
    type IntoFuture = Answer<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        match self {
            Self::Async(confirm) => Box::pin(confirm),
            Self::Blocking(confirm) => Box::pin(async move { on_thread(move || confirm.wait()).await }),
            Self::Handler(outcome) => Box::pin(async move { outcome.await.expect("every handler is called") }),
        }
    }
}
