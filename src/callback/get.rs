//! One message from a queue, on demand.

use super::{Channel, Delivery};
use crate::error::Result;
use crate::wire::ShortString;

/// A `basic.get` that is made by [`then`](Get::then).
#[must_use = "a message is fetched by `then()`"]
pub struct Get<'a, S> {
    channel: &'a Channel<S>,
    queue: ShortString,
    no_ack: bool,
}

/// A message that was fetched from a queue, and how many were left there.
#[derive(Debug)]
#[non_exhaustive]
pub struct GetMessage<S> {
    /// The message.
    pub delivery: Delivery<S>,
    /// How many messages were left in the queue, not counting those that are delivered and
    /// unsettled.
    pub message_count: u32,
}

impl<'a, S: 'static> Get<'a, S> {
    pub(super) fn new(channel: &'a Channel<S>, queue: ShortString) -> Self {
        Self { channel, queue, no_ack: false }
    }

    /// The broker takes the message as handled when it has sent it.
    pub fn no_ack(self, no_ack: bool) -> Self {
        Self { no_ack, ..self }
    }

    /// Asks for a message; calls `then` with it, or with none where the queue is empty.
    pub fn then(self, then: impl FnOnce(&mut S, &Channel<S>, Result<Option<GetMessage<S>>>) + 'static) {
        let Self { channel, queue, no_ack } = self;
        let (channel, inner) = (channel.clone(), channel.inner().clone());
        let fetching = async move { inner.get(queue).no_ack(no_ack).await };
        self.channel.handle().once(fetching, move |state, fetched| {
            let fetched = fetched.map(|fetched| {
                fetched.map(|message| {
                    let message_count = message.message_count();
                    let delivery = Delivery::new(message.into_delivery(), channel.handle().clone());
                    GetMessage { delivery, message_count }
                })
            });
            then(state, &channel, fetched);
        });
    }
}
