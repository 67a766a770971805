//! The stream of returned messages.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::Channel;
use crate::engine::Returned;
use crate::link::{Standing, Topic};

/// A stream of the messages that are returned on a channel (`basic.return`) and that do not clearly
/// belong to one [`Confirm`](super::Confirm): returned by [`Channel::returns`]. It ends with the
/// channel, or when a later stream replaces it.
///
/// It keeps up to 4096 messages that were not taken, of at most 16 MiB together (the latest is kept
/// whatever its size). When there are more, the oldest are dropped, and [`Returns::lost`] counts
/// them.
pub struct Returns {
    /// Keeps the channel open.
    channel: Channel,
    standing: Standing,
}

impl Returns {
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn driving(&self) -> Option<&crate::driver::mio::Driving> {
        self.channel.driving()
    }

    pub(super) fn new(channel: Channel) -> Self {
        let standing = Standing::new(channel.shared(), Topic::Returns(channel.key()));
        Self { channel, standing }
    }

    /// Waits for the next message. Returns `None` when the stream has ended. If the future is
    /// dropped before it resolves, no message is lost.
    pub async fn next(&mut self) -> Option<Returned> {
        poll_fn(|context| self.poll_returned(context)).await
    }

    /// Returns the number of messages that were dropped because they were not taken in time.
    pub fn lost(&self) -> u64 {
        self.standing.lost()
    }

    pub(crate) fn poll_returned(&self, context: &Context<'_>) -> Poll<Option<Returned>> {
        let key = self.channel.key();
        self.standing.poll(context, |engine, id| engine.take_returned(key, id))
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
