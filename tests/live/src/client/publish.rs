//! A message on its way to the broker.

use std::future::IntoFuture;

use leveret::asynchronous::MessageProperties;
use leveret::{Body, Name, Result};
use tokio::sync::oneshot;

use super::channel::Way as OfChannel;
use super::publisher::{Confirm, Way as OfPublisher};
use super::threads::on_thread;
use super::{Answer, Channel, Publisher};

/// A message that is published on a channel, or confirmed to a publisher, when it is awaited.
#[must_use = "a message is published when this is awaited"]
pub struct Publish<'a, H = Channel> {
    on: &'a H,
    draft: Draft<'a>,
}

/// All that is published.
struct Draft<'a> {
    exchange: Name<'a>,
    routing_key: Name<'a>,
    body: Body<'a>,
    properties: MessageProperties<'a>,
    mandatory: bool,
}

/// The publish of an adapter, from its channel or publisher.
macro_rules! published {
    ($draft:ident on $handle:ident) => {
        $handle
            .publish($draft.exchange, $draft.routing_key, $draft.body)
            .properties($draft.properties)
            .mandatory($draft.mandatory)
    };
}

impl<'a, H> Publish<'a, H> {
    pub(super) fn new(on: &'a H, exchange: Name<'a>, routing_key: Name<'a>, body: Body<'a>) -> Self {
        let properties = MessageProperties::default();
        Self { on, draft: Draft { exchange, routing_key, body, properties, mandatory: false } }
    }

    /// The message comes back where no queue takes it.
    pub fn mandatory(mut self, mandatory: bool) -> Self {
        self.draft.mandatory = mandatory;
        self
    }

    /// The properties of the message.
    pub fn properties(mut self, properties: impl Into<MessageProperties<'a>>) -> Self {
        self.draft.properties = properties.into();
        self
    }
}

impl Draft<'_> {
    fn into_owned(self) -> Draft<'static> {
        Draft {
            exchange: self.exchange.into_owned(),
            routing_key: self.routing_key.into_owned(),
            body: self.body.into_owned(),
            properties: self.properties.get().cloned().map(MessageProperties::from).unwrap_or_default(),
            mandatory: self.mandatory,
        }
    }
}

impl Publish<'_, Channel> {
    /// Publishes now, or not at all.
    ///
    /// # Errors
    ///
    /// Those of the adapter.
    pub fn try_publish(self) -> Result<()> {
        let draft = self.draft;
        match &self.on.0 {
            OfChannel::Async(channel) => published!(draft on channel).try_publish(),
            OfChannel::Blocking(channel) => published!(draft on channel).try_send(),
            OfChannel::Callback(channel, _) => {
                let draft = draft.into_owned();
                channel.look(move |channel| published!(draft on channel).try_send())
            }
        }
    }
}

impl<'a> IntoFuture for Publish<'a, Channel> {
    type Output = Result<()>;
    type IntoFuture = Answer<'a, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let draft = self.draft;
        match &self.on.0 {
            OfChannel::Async(channel) => Box::pin(published!(draft on channel).into_future()),
            OfChannel::Blocking(channel) => {
                let (channel, draft) = (channel.clone(), draft.into_owned());
                Box::pin(async move { on_thread(move || published!(draft on channel).send()).await })
            }
            OfChannel::Callback(channel, _) => {
                let draft = draft.into_owned();
                channel.ask(move |channel, reply| {
                    published!(draft on channel).then(move |_, _, queued| reply.send(queued));
                })
            }
        }
    }
}

impl<'a> Publish<'a, Publisher> {
    /// Publishes now, or not at all.
    ///
    /// # Errors
    ///
    /// Those of the adapter.
    pub fn try_publish(self) -> Result<Confirm> {
        let draft = self.draft;
        match &self.on.0 {
            OfPublisher::Async(publisher) => published!(draft on publisher).try_publish().map(Confirm::Async),
            OfPublisher::Blocking(publisher) => published!(draft on publisher).try_send().map(Confirm::Blocking),
            OfPublisher::Callback(_) => panic!("callbacks have no confirmed publish that is now or never"),
        }
    }

    /// Waits for the broker's decision too.
    pub fn confirmed(self) -> Answer<'a, Result<()>> {
        let draft = self.draft;
        match &self.on.0 {
            OfPublisher::Async(publisher) => Box::pin(published!(draft on publisher).confirmed()),
            OfPublisher::Blocking(publisher) => {
                let (publisher, draft) = (publisher.clone(), draft.into_owned());
                Box::pin(async move { on_thread(move || published!(draft on publisher).confirmed()).await })
            }
            OfPublisher::Callback(publisher) => {
                let draft = draft.into_owned();
                publisher.ask(move |publisher, reply| {
                    published!(draft on publisher).then(move |_, _, outcome| reply.send(outcome));
                })
            }
        }
    }
}

impl<'a> IntoFuture for Publish<'a, Publisher> {
    type Output = Result<Confirm>;
    type IntoFuture = Answer<'a, Result<Confirm>>;

    fn into_future(self) -> Self::IntoFuture {
        let draft = self.draft;
        match &self.on.0 {
            OfPublisher::Async(publisher) => {
                Box::pin(async move { published!(draft on publisher).await.map(Confirm::Async) })
            }
            OfPublisher::Blocking(publisher) => {
                let (publisher, draft) = (publisher.clone(), draft.into_owned());
                Box::pin(async move {
                    on_thread(move || published!(draft on publisher).send()).await.map(Confirm::Blocking)
                })
            }
            // A handler hears the outcome alone: the message is queued, or waits in line.
            OfPublisher::Callback(publisher) => {
                let draft = draft.into_owned();
                publisher.ask(move |publisher, reply| {
                    let (sender, outcome) = oneshot::channel();
                    published!(draft on publisher).then(move |_, _, outcome| drop(sender.send(outcome)));
                    reply.send(Ok(Confirm::Handler(outcome)));
                })
            }
        }
    }
}
