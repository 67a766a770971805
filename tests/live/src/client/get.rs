//! One message from a queue, on demand.

use std::future::IntoFuture;
use std::ops::Deref;

use leveret::asynchronous::Requeue;
use leveret::{Result, ShortString};

use super::channel::Way;
use super::threads::on_thread;
use super::{Answer, Channel, Delivery};

/// Takes one message from a queue when it is awaited.
#[derive(Debug)]
#[must_use = "a message is fetched when this is awaited"]
pub struct Get<'a> {
    channel: &'a Channel,
    queue: ShortString,
    no_ack: bool,
}

impl<'a> Get<'a> {
    pub(super) fn new(channel: &'a Channel, queue: ShortString) -> Self {
        Self { channel, queue, no_ack: false }
    }

    /// The message counts as acknowledged when it is sent.
    pub fn no_ack(self, no_ack: bool) -> Self {
        Self { no_ack, ..self }
    }
}

impl<'a> IntoFuture for Get<'a> {
    type Output = Result<Option<GetMessage>>;
    type IntoFuture = Answer<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { channel, queue, no_ack } = self;
        match &channel.0 {
            Way::Async(channel) => Box::pin(async move {
                let fetched = channel.get(queue).no_ack(no_ack).await?;
                Ok(fetched.map(|message| GetMessage::new(message.message_count(), message.into_delivery())))
            }),
            Way::Blocking(channel) => {
                let channel = channel.clone();
                Box::pin(async move {
                    let fetched = on_thread(move || channel.get(queue).no_ack(no_ack).call()).await?;
                    Ok(fetched.map(|message| GetMessage::new(message.message_count(), message.into_delivery())))
                })
            }
            Way::Callback(channel, _) => channel.ask(move |channel, reply| {
                channel.get(queue).no_ack(no_ack).then(move |hall, _, fetched| {
                    let message = |message: leveret::callback::GetMessage<_>| {
                        GetMessage::new(message.message_count, Delivery::on_loop(hall, message.delivery))
                    };
                    reply.send(fetched.map(|fetched| fetched.map(message)));
                });
            }),
        }
    }
}

/// A message that was taken from a queue on demand.
#[derive(Debug)]
pub struct GetMessage {
    delivery: Delivery,
    message_count: u32,
}

impl GetMessage {
    fn new(message_count: u32, delivery: impl Into<Delivery>) -> Self {
        Self { delivery: delivery.into(), message_count }
    }

    /// How many the queue has left.
    pub fn message_count(&self) -> u32 {
        self.message_count
    }

    /// The message, as a consumer has it.
    pub fn into_delivery(self) -> Delivery {
        self.delivery
    }

    /// Acknowledges it.
    pub fn ack(self) -> Answer<'static, Result<()>> {
        self.delivery.ack()
    }

    /// Acknowledges it, and what was delivered before it.
    pub fn ack_multiple(self) -> Answer<'static, Result<()>> {
        self.delivery.ack_multiple()
    }

    /// Gives it back.
    pub fn nack(self, requeue: Requeue) -> Answer<'static, Result<()>> {
        self.delivery.nack(requeue)
    }

    /// Gives it back, and what was delivered before it.
    pub fn nack_multiple(self, requeue: Requeue) -> Answer<'static, Result<()>> {
        self.delivery.nack_multiple(requeue)
    }

    /// Gives it back as the standard has it.
    pub fn reject(self, requeue: Requeue) -> Answer<'static, Result<()>> {
        self.delivery.reject(requeue)
    }
}

impl Deref for GetMessage {
    type Target = Delivery;

    fn deref(&self) -> &Delivery {
        &self.delivery
    }
}

impl From<GetMessage> for Delivery {
    fn from(message: GetMessage) -> Self {
        message.delivery
    }
}
