//! Fetching single messages (`basic.get`).

use super::{Channel, Delivery};
use crate::error::Result;
use crate::wire::ShortString;

/// A fetch of one message (`basic.get`), made by [`then`](Get::then).
///
/// Each message costs a round trip: to take many, use [`Channel::consume`].
#[must_use = "a message is fetched by `then()`"]
pub struct Get<'a, S> {
    channel: &'a Channel<S>,
    queue: ShortString,
    no_ack: bool,
}

/// A message that was fetched from a queue, with the number of messages that remain there.
#[derive(Debug)]
#[non_exhaustive]
pub struct GetMessage<S> {
    /// The message.
    pub delivery: Delivery<S>,
    /// The number of messages that remained in the queue, without those that are delivered and
    /// unsettled.
    pub message_count: u32,
}

impl<'a, S: 'static> Get<'a, S> {
    pub(super) fn new(channel: &'a Channel<S>, queue: ShortString) -> Self {
        Self { channel, queue, no_ack: false }
    }

    /// Sets whether the broker regards the message as settled when it has sent it.
    #[doc(alias = "auto_ack")]
    pub fn no_ack(self, no_ack: bool) -> Self {
        Self { no_ack, ..self }
    }

    /// Fetches a message. Calls `then` with it, or with `None` if the queue is empty, or with an
    /// error if the broker refused the request (which closes the channel), if the channel is
    /// closed, or if no answer arrives within `call_timeout`.
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
