//! Consumers: the streams of messages that the broker pushes.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::acker::Source;
use super::call::ReplyFuture;
use super::{Channel, Delivery};
use crate::engine::{Comeback, ConsumerKey};
use crate::error::{Error, Result, end_of_deliveries};
use crate::link::{Deliveries, Next};
use crate::protocol::{Method, basic};
use crate::wire::{FieldTable, ShortString};

/// The builder of a [`Consumer`], which is started when this is awaited.
#[derive(Debug)]
#[must_use = "a consumer is started when it is awaited"]
pub struct Consume<'a> {
    channel: &'a Channel,
    request: basic::Consume,
    prefetch: Option<u16>,
    comeback: Comeback,
}

impl<'a> Consume<'a> {
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn driving(&self) -> Option<&'a crate::driver::mio::Driving> {
        self.channel.driving()
    }

    pub(super) fn new(channel: &'a Channel, queue: ShortString) -> Self {
        let comeback = Comeback { recorded: true, resumes: false };
        Self { channel, request: basic::Consume::default().queue(queue), prefetch: None, comeback }
    }

    /// The request, without the channel.
    #[cfg(feature = "callback")]
    pub(crate) fn into_request(self) -> (basic::Consume, Option<u16>, Comeback) {
        (self.request, self.prefetch, self.comeback)
    }

    /// The request, on a channel.
    #[cfg(feature = "callback")]
    pub(crate) fn of_request(
        channel: &'a Channel,
        (request, prefetch, comeback): (basic::Consume, Option<u16>, Comeback),
    ) -> Self {
        Self { channel, request, prefetch, comeback }
    }

    /// Sets how many unsettled messages (neither acknowledged nor rejected) the broker sends to
    /// this consumer at most (`basic.qos`); 0 means no limit.
    ///
    /// Without it, the limit that `basic_qos` set for the channel applies, or, if there is none,
    /// [`default_prefetch`](crate::ConnectionParameters#structfield.default_prefetch). A program
    /// that collects messages before it settles them needs a limit that is at least as large as its
    /// collection. The limit has no effect with `no_ack`.
    #[doc(alias("basic_qos", "prefetch_count"))]
    pub fn prefetch(mut self, count: u16) -> Self {
        self.prefetch = Some(count);
        self
    }

    /// Sets the name that identifies the consumer, unique on its channel. If it is empty, the
    /// broker generates one.
    pub fn consumer_tag(mut self, tag: impl Into<ShortString>) -> Self {
        self.request = self.request.consumer_tag(tag);
        self
    }

    /// Sets whether the broker regards each message as settled when it has sent it. This is faster,
    /// but a message that is lost on the way is lost for good. No prefetch limits what the broker
    /// sends: see [slow consumers](Consumer#slow-consumers).
    #[doc(alias = "auto_ack")]
    pub fn no_ack(mut self, no_ack: bool) -> Self {
        self.request = self.request.no_ack(no_ack);
        self
    }

    /// Sets whether this consumer must be the only one of its queue. If the queue has a consumer
    /// already, the broker refuses with 403 (`ACCESS_REFUSED`). A quorum queue accepts a second
    /// consumer all the same: declare the queue with the argument `x-single-active-consumer`
    /// instead.
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.request = self.request.exclusive(exclusive);
        self
    }

    /// Sets arguments that depend on the broker, such as `x-priority`.
    pub fn arguments(mut self, arguments: impl Into<FieldTable>) -> Self {
        self.request = self.request.arguments(arguments);
        self
    }

    /// Sets whether the consumer comes back after the connection is lost. Without it, it does. If
    /// it does not, its stream ends with the error of the loss. Has no effect without
    /// [`Recovery::Topology`](crate::Recovery::Topology).
    pub fn recorded(mut self, recorded: bool) -> Self {
        self.comeback.recorded = recorded;
        self
    }

    /// Sets whether the consumer goes on when the broker cancels it because its queue was deleted,
    /// or its node was lost. The queue is declared again, with its bindings, if it was declared on
    /// this connection and is recorded, and is consumed again; this is repeated, with growing
    /// pauses, until it succeeds. Without it, the consumer ends with
    /// [`ConsumerCancelled`](crate::ErrorKind::ConsumerCancelled) if its queue is gone. Has no
    /// effect without [`Recovery::Topology`](crate::Recovery::Topology).
    #[doc(alias = "consumer_cancel_notify")]
    pub fn resume_when_cancelled(mut self, resumes: bool) -> Self {
        self.comeback.resumes = resumes;
        self
    }
}

impl<'a> IntoFuture for Consume<'a> {
    type Output = Result<Consumer>;
    type IntoFuture = ConsumeFuture<'a>;

    fn into_future(self) -> ConsumeFuture<'a> {
        let Self { channel, request, prefetch, comeback } = self;
        ConsumeFuture { channel, reply: ReplyFuture::consume(channel, request, prefetch, comeback) }
    }
}

/// The future of a [`Consume`], which resolves to the [`Consumer`] when the broker has accepted it.
#[derive(Debug)]
#[must_use = "a consumer is started when it is awaited"]
pub struct ConsumeFuture<'a> {
    channel: &'a Channel,
    reply: ReplyFuture<'a>,
}

impl Future for ConsumeFuture<'_> {
    type Output = Result<Consumer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(Pin::new(&mut self.reply).poll(context))?;
        Poll::Ready(match (reply.consumer, reply.method) {
            (Some(key), Method::BasicConsumeOk(ok)) => Ok(Consumer::new(self.channel.clone(), key, ok.consumer_tag)),
            _ => Err(Error::internal("a consumer was started without a key")),
        })
    }
}

/// The number of messages after which a consumer that never has to wait yields to other tasks.
const YIELD_EVERY: usize = 256;

/// A consumer of a queue: the messages that the broker pushes, by [`Consumer::try_next`] or as a
/// [`Stream`].
///
/// ```no_run
/// # async fn example(mut consumer: leveret::Consumer) -> leveret::Result<()> {
/// while let Some(delivery) = consumer.try_next().await? {
///     println!("{}", String::from_utf8_lossy(delivery.body()));
///     delivery.ack().await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// The stream ends (`None`) when the application cancels the consumer or closes its channel. When
/// the broker ends the consumer, or the channel or connection fails, the stream gives that error
/// once and then ends. A message over `max_message_size` is an error too
/// ([`ErrorKind::MessageTooLarge`](crate::ErrorKind::MessageTooLarge)), but the stream continues
/// after it.
///
/// [`Consume::prefetch`] limits how many unsettled messages the broker sends.
///
/// The stream yields to other tasks from time to time although more messages are ready, so that a
/// loop over a full consumer does not occupy a thread of the runtime.
///
/// # Slow consumers
///
/// Without a prefetch, or with `no_ack`, the broker sends as fast as the client reads. Messages
/// wait in memory until the program takes them. When more than
/// [`read_limit`](crate::ConnectionParameters#structfield.read_limit) bytes wait for the consumers
/// of a connection, the client stops reading. TCP then holds the broker back, for all channels of
/// the connection, until consumers have taken some. A consumer that takes its messages slowly but
/// steadily loses nothing.
///
/// A consumer that takes no messages at all would block the others without end. Therefore, when
/// more than the limit has waited for
/// [`overflow_timeout`](crate::ConnectionParameters#structfield.overflow_timeout), or when twice
/// the limit waits because reading may not pause, the consumer with the most bytes waiting is
/// cancelled. It ends with the error
/// [`ErrorKind::ConsumerOverflowed`](crate::ErrorKind::ConsumerOverflowed):
///
/// * The messages that wait for it, and those that the broker still sends to it, return to the
///   queue, as when it is dropped. Messages that it had already taken from the connection, some 64
///   KiB, are still given before the error, and so are the errors of messages that were too large.
/// * With `no_ack` nothing can return to the queue: all messages that wait are given before the
///   error, and those that the broker still sends are lost.
///
/// The other consumers continue. The documentation of `read_limit` says exactly what counts, and
/// when reading pauses.
///
/// # Dropping
///
/// Dropping a consumer cancels it in the background. When the broker has agreed, the messages that
/// the consumer has not given to the program return to the queue:
///
/// * A classic or quorum queue gets them back, for other consumers. A quorum queue counts that as
///   one delivery.
/// * A stream gets nothing back: its messages stay in the stream.
/// * With `no_ack` nothing returns either: messages that were sent and not given to the program are
///   lost.
///
/// Messages that were given to the program can still be settled. [`Consumer::close`] does the same
/// as dropping, and waits until it is done.
pub struct Consumer {
    source: Arc<Source>,
    deliveries: Deliveries,
    /// Messages given since the consumer last had to wait.
    handed_out: usize,
}

impl Consumer {
    pub(super) fn new(channel: Channel, key: ConsumerKey, tag: ShortString) -> Self {
        let deliveries = Deliveries::new(channel.shared(), key);
        let no_ack = deliveries.is_no_ack();
        let source = Source { channel, consumer_tag: tag, no_ack, generation: deliveries.generation() };
        Self { source: Arc::new(source), deliveries, handed_out: 0 }
    }

    /// Returns the name that identifies the consumer on its channel.
    pub fn consumer_tag(&self) -> &ShortString {
        &self.source.consumer_tag
    }

    /// Returns the channel of the consumer.
    pub fn channel(&self) -> &Channel {
        &self.source.channel
    }

    /// Waits for the next message. Returns `None` when the consumer has ended.
    ///
    /// If the future is dropped before it resolves, as in `select!`, no message is lost.
    ///
    /// # Errors
    ///
    /// Returns an error if the broker, a failure or an overflow ended the consumer: once, and
    /// `None` after that. Returns an error if a message was larger than `max_message_size`; the
    /// consumer continues after that.
    pub async fn try_next(&mut self) -> Result<Option<Delivery>> {
        self.next().await.transpose()
    }

    /// Waits for the next item of the [`Stream`]. [`Consumer::try_next`] returns the same in the
    /// form that goes with `?`.
    pub async fn next(&mut self) -> Option<Result<Delivery>> {
        poll_fn(|context| self.poll_delivery(context)).await
    }

    /// Asks the broker to send no more messages (`basic.cancel`), and waits until it agrees.
    /// Messages that arrived before are still given; then the stream ends. Cancelling a consumer
    /// that has ended already has no effect.
    ///
    /// If the future is dropped before it resolves, the consumer is cancelled all the same.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed, or if no answer arrives within `call_timeout`.
    #[doc(alias = "basic_cancel")]
    pub async fn cancel(&mut self) -> Result<()> {
        self.deliveries.cancel()?.await?;
        Ok(())
    }

    /// Asks for the cancel, and returns the wait for the answer.
    #[cfg(feature = "callback")]
    pub(crate) fn begin_cancel(&mut self) -> Result<crate::link::Wait> {
        Ok(self.deliveries.cancel()?)
    }

    /// Closes the consumer as dropping it does, and waits until the broker has agreed to send no
    /// more. By then the messages that were not given to the program are on their way back to the
    /// queue.
    ///
    /// If the future is dropped before it resolves, the rest happens in the background.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed; the broker then returns the messages to the
    /// queue. Returns an error if no answer arrives within `call_timeout`; the messages return to
    /// the queue when it arrives.
    pub async fn close(mut self) -> Result<()> {
        self.deliveries.close()?.await?;
        self.source.channel.closed_by().filter(|error| !error.is_requested()).map_or(Ok(()), Err)
    }

    /// Deliveries of another transport have another source, so that a stale one is recognized.
    #[cold]
    fn begin_generation(&mut self) {
        let Source { channel, consumer_tag, no_ack, .. } = &*self.source;
        let (channel, consumer_tag, no_ack) = (channel.clone(), consumer_tag.clone(), *no_ack);
        let generation = self.deliveries.generation();
        self.source = Arc::new(Source { channel, consumer_tag, no_ack, generation });
    }

    pub(crate) fn poll_delivery(&mut self, context: &Context<'_>) -> Poll<Option<Result<Delivery>>> {
        // Yields only between batches: a delivery that is here already is given at once. The task
        // wakes itself, because no event may follow.
        if self.handed_out >= YIELD_EVERY && self.deliveries.held() == 0 {
            self.handed_out = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Poll::Ready(next) = self.deliveries.poll(context) else {
            self.handed_out = 0;
            return Poll::Pending;
        };
        Poll::Ready(match next {
            Next::Delivery(delivery) => {
                self.handed_out += 1;
                if self.source.generation != self.deliveries.generation() {
                    self.begin_generation();
                }
                Some(Ok(Delivery::new(Arc::clone(&self.source), delivery)))
            }
            Next::Oversize(failure) => Some(Err(failure.into())),
            Next::End(end) => end.and_then(end_of_deliveries).map(Err),
        })
    }
}

impl Stream for Consumer {
    type Item = Result<Delivery>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_delivery(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.deliveries.held(), self.deliveries.is_ended().then_some(self.deliveries.held()))
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Source { channel, consumer_tag, .. } = &*self.source;
        f.debug_struct("Consumer").field("tag", consumer_tag).field("channel", channel).finish_non_exhaustive()
    }
}
