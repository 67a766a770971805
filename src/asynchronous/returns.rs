//! Messages that came back.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::Channel;
use crate::engine::Returned;
use crate::link::{Standing, Topic};

/// The stream of messages that come back on a channel (`basic.return`) and belong to no confirm
/// that somebody awaits, from [`Channel::returns`]. It ends with the channel, or when a later
/// stream takes over.
///
/// It keeps up to 4096 messages that nobody has taken, of up to 16 MiB together; beyond that the
/// oldest go, and [`Returns::lost`] counts them.
pub struct Returns {
    /// Keeps the channel open.
    channel: Channel,
    standing: Standing,
}

impl Returns {
    pub(super) fn new(channel: Channel) -> Self {
        let standing = Standing::new(channel.shared(), Topic::Returns(channel.key()));
        Self { channel, standing }
    }

    /// The next message. Dropped before it is done, no message is lost.
    pub async fn next(&mut self) -> Option<Returned> {
        poll_fn(|context| self.poll_returned(context)).await
    }

    /// How many messages were dropped because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.standing.lost()
    }

    pub(crate) fn poll_returned(&self, context: &Context<'_>) -> Poll<Option<Returned>> {
        let key = self.channel.key();
        self.standing.poll(context, |engine, id| {
            // None where a later stream has taken over, or nothing is left of a channel that is
            // closed.
            let listens = engine.is_listening_for_returns(key, id);
            match engine.take_returned(key) {
                Ok(None) if listens => Poll::Pending,
                Ok(returned) if listens => Poll::Ready(returned),
                _ => Poll::Ready(None),
            }
        })
    }
}

impl Stream for Returns {
    type Item = Returned;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Returned>> {
        self.poll_returned(context)
    }
}

impl fmt::Debug for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returns").field("channel", &self.channel).finish_non_exhaustive()
    }
}
