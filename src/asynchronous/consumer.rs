//! A consumer: the stream of messages that the broker pushes.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::acker::Source;
use super::call::ReplyFuture;
use super::{Channel, Delivery};
use crate::engine::ConsumerKey;
use crate::error::{Error, Result, end_of_deliveries};
use crate::link::{Deliveries, Next};
use crate::protocol::{Method, basic};
use crate::wire::{FieldTable, ShortString};

/// A consumer that is started when it is awaited.
#[derive(Debug)]
#[must_use = "a consumer is started when it is awaited"]
pub struct Consume<'a> {
    channel: &'a Channel,
    request: basic::Consume,
    prefetch: Option<u16>,
}

impl<'a> Consume<'a> {
    pub(super) fn new(channel: &'a Channel, queue: ShortString) -> Self {
        Self { channel, request: basic::Consume::default().queue(queue), prefetch: None }
    }

    /// What is asked, without the channel.
    #[cfg(feature = "callback")]
    pub(crate) fn into_request(self) -> (basic::Consume, Option<u16>) {
        (self.request, self.prefetch)
    }

    /// The same on a channel.
    #[cfg(feature = "callback")]
    pub(crate) fn of_request(channel: &'a Channel, (request, prefetch): (basic::Consume, Option<u16>)) -> Self {
        Self { channel, request, prefetch }
    }

    /// How many unsettled messages the broker sends at most to this consumer (`basic.qos`); 0 for
    /// no limit.
    ///
    /// Without it, what `basic_qos` set for the channel holds; where nothing was set,
    /// [`default_prefetch`](crate::ConnectionParameters#structfield.default_prefetch). A program
    /// that collects messages before it settles them needs at least as many as it collects. It has
    /// no effect with `no_ack`.
    #[doc(alias("basic_qos", "prefetch_count"))]
    pub fn prefetch(mut self, count: u16) -> Self {
        self.prefetch = Some(count);
        self
    }

    /// The name by which the broker knows the consumer, unique on its channel. Left empty, the
    /// broker makes one up.
    pub fn consumer_tag(mut self, tag: impl Into<ShortString>) -> Self {
        self.request = self.request.consumer_tag(tag);
        self
    }

    /// The broker takes each message as handled when it has sent it: faster, and a message that is
    /// lost on the way is lost. No prefetch bounds what it sends: see [slow
    /// consumers](Consumer#slow-consumers).
    pub fn no_ack(mut self, no_ack: bool) -> Self {
        self.request = self.request.no_ack(no_ack);
        self
    }

    /// No other consumer may have this queue; 403 where one has. A quorum queue lets a second
    /// consumer in all the same: give the queue the argument `x-single-active-consumer` instead.
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.request = self.request.exclusive(exclusive);
        self
    }

    /// Arguments of the broker's, such as `x-priority`.
    pub fn arguments(mut self, arguments: impl Into<FieldTable>) -> Self {
        self.request = self.request.arguments(arguments);
        self
    }
}

impl<'a> IntoFuture for Consume<'a> {
    type Output = Result<Consumer>;
    type IntoFuture = ConsumeFuture<'a>;

    fn into_future(self) -> ConsumeFuture<'a> {
        let Self { channel, request, prefetch } = self;
        ConsumeFuture { channel, reply: ReplyFuture::consume(channel, request, prefetch) }
    }
}

/// Waits until the broker has accepted a consumer.
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

/// Messages after which a consumer that never has to wait lets other tasks run.
const YIELD_EVERY: usize = 256;

/// The messages that the broker pushes from a queue, by [`Consumer::try_next`] and as a [`Stream`].
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
/// It ends (`None`) when it is cancelled or its channel is closed by the application; when the
/// broker ends it, or the channel or connection fails, it gives that error once and then ends. A
/// message over `max_message_size` is an error of its own
/// ([`ErrorKind::MessageTooLarge`](crate::ErrorKind::MessageTooLarge)), after which it goes on.
///
/// How many unsettled messages it is sent is bounded by [`Consume::prefetch`].
///
/// Now and then it lets other tasks run although there is more to take, so that a loop over a full
/// consumer does not keep a thread of the runtime to itself.
///
/// # Slow consumers
///
/// Without a prefetch, or with `no_ack`, the broker sends as fast as the connection is read.
/// Messages wait in memory until they are taken, and as soon as more than
/// [`read_limit`](crate::ConnectionParameters#structfield.read_limit) bytes of them wait for the
/// consumers of a connection, reading pauses. TCP holds the broker back then, with all channels of
/// the connection: a consumer that handles its messages slowly but steadily is held back and loses
/// nothing.
///
/// One that stops taking messages would hold up the others for ever. So when more than the limit
/// has waited for [`overflow_timeout`](crate::ConnectionParameters#structfield.overflow_timeout),
/// or twice as much waits because reading may not pause, the consumer for which most waits is
/// cancelled. It ends with [`ErrorKind::ConsumerOverflowed`](crate::ErrorKind::ConsumerOverflowed):
///
/// * what waited for it and what is still sent to it go back to the queue, as when it is dropped.
///   What had been taken out, some 64 KiB, is handed out before the error, and so are the errors of
///   messages that were too large;
/// * with `no_ack` nothing can go back: all that waited is handed out before the error, and what is
///   still sent is lost.
///
/// The others go on. The parameter says exactly what counts, and when reading pauses.
///
/// # Dropping
///
/// Dropping it cancels the consumer in the background. Once the broker has agreed, what it has not
/// handed out goes back:
///
/// * to a classic or quorum queue it is returned, for other consumers to take. A quorum queue
///   counts that as one delivery;
/// * of a stream nothing goes back: its messages stay where they are;
/// * with `no_ack` nothing goes back either: what was sent and not handed out is lost.
///
/// Messages that were handed out can still be settled. [`Consumer::close`] does the same and waits
/// until it is done.
pub struct Consumer {
    source: Arc<Source>,
    deliveries: Deliveries,
    /// Messages handed out since it last had to wait.
    handed_out: usize,
}

impl Consumer {
    pub(super) fn new(channel: Channel, key: ConsumerKey, tag: ShortString) -> Self {
        let deliveries = Deliveries::new(channel.shared(), key);
        let no_ack = deliveries.is_no_ack();
        Self { source: Arc::new(Source { channel, consumer_tag: tag, no_ack }), deliveries, handed_out: 0 }
    }

    /// The name by which the broker knows the consumer.
    pub fn consumer_tag(&self) -> &ShortString {
        &self.source.consumer_tag
    }

    /// The channel that it consumes on.
    pub fn channel(&self) -> &Channel {
        &self.source.channel
    }

    /// The next message; none when the consumer has ended.
    ///
    /// Dropped before it is done, as in `select!`, no message is lost.
    ///
    /// # Errors
    ///
    /// Why the consumer ended, where the broker, a failure or an overflow ended it: once, and then
    /// it gives none. Or a message was larger than `max_message_size`, and the consumer goes on.
    pub async fn try_next(&mut self) -> Result<Option<Delivery>> {
        self.next().await.transpose()
    }

    /// The same as an item of the [`Stream`] that this is: [`Consumer::try_next`] is the form that
    /// goes with `?`.
    pub async fn next(&mut self) -> Option<Result<Delivery>> {
        poll_fn(|context| self.poll_delivery(context)).await
    }

    /// Asks the broker to send no more (`basic.cancel`), and waits until it agrees. Messages that
    /// arrived before are still handed out; then the stream ends. A consumer that has ended
    /// already, by either side, is cancelled.
    ///
    /// Dropped before it is done, the consumer is cancelled all the same.
    ///
    /// # Errors
    ///
    /// Its channel is closed, or no answer came in time.
    #[doc(alias = "basic_cancel")]
    pub async fn cancel(&mut self) -> Result<()> {
        self.deliveries.cancel()?.await?;
        Ok(())
    }

    /// Asks for that, and gives what waits for it.
    #[cfg(feature = "callback")]
    pub(crate) fn begin_cancel(&mut self) -> Result<crate::link::Wait> {
        Ok(self.deliveries.cancel()?)
    }

    /// Lets go of the consumer as dropping it does, and waits until that is done: the broker has
    /// agreed to send no more, and the messages that were not handed out are on their way back to
    /// the queue.
    ///
    /// Dropped before it is done, all of that happens in the background.
    ///
    /// # Errors
    ///
    /// Its channel is closed, and the broker gives the messages back; or no answer came in time,
    /// and they go back when it comes.
    pub async fn close(mut self) -> Result<()> {
        self.deliveries.close()?.await?;
        self.source.channel.closed_by().filter(|error| !error.is_requested()).map_or(Ok(()), Err)
    }

    pub(crate) fn poll_delivery(&mut self, context: &Context<'_>) -> Poll<Option<Result<Delivery>>> {
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
