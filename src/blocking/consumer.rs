//! A consumer: the messages that the broker pushes, as an iterator.

use std::fmt;
use std::future::IntoFuture;
use std::time::{Duration, Instant};

use super::wait::{wait, wait_until};
use super::{Channel, Delivery};
use crate::asynchronous;
use crate::driver::mio::Driving;
use crate::error::Result;
use crate::wire::{FieldTable, ShortString};

/// A consumer that is started by [`call`](Consume::call).
#[derive(Debug)]
#[must_use = "a consumer is started by `call()`"]
pub struct Consume<'a> {
    inner: asynchronous::Consume<'a>,
}

impl<'a> Consume<'a> {
    pub(super) fn new(inner: asynchronous::Consume<'a>) -> Self {
        Self { inner }
    }

    /// How many unsettled messages the broker sends at most to this consumer (`basic.qos`); 0 for
    /// no limit. See the async API's [`prefetch`](asynchronous::Consume::prefetch).
    #[doc(alias("basic_qos", "prefetch_count"))]
    pub fn prefetch(self, count: u16) -> Self {
        Self { inner: self.inner.prefetch(count) }
    }

    /// The name by which the broker knows the consumer, unique on its channel. Left empty, the
    /// broker makes one up.
    pub fn consumer_tag(self, tag: impl Into<ShortString>) -> Self {
        Self { inner: self.inner.consumer_tag(tag) }
    }

    /// The broker takes each message as handled when it has sent it: faster, and a message that is
    /// lost on the way is lost.
    #[doc(alias = "auto_ack")]
    pub fn no_ack(self, no_ack: bool) -> Self {
        Self { inner: self.inner.no_ack(no_ack) }
    }

    /// No other consumer may have this queue; 403 where one has.
    pub fn exclusive(self, exclusive: bool) -> Self {
        Self { inner: self.inner.exclusive(exclusive) }
    }

    /// Arguments of the broker's, such as `x-priority`.
    pub fn arguments(self, arguments: impl Into<FieldTable>) -> Self {
        Self { inner: self.inner.arguments(arguments) }
    }

    /// Starts the consumer, and waits until the broker has accepted it.
    ///
    /// # Errors
    ///
    /// There is no such queue (404), somebody has it to himself (403), the channel is closed, or no
    /// answer came in time.
    pub fn call(self) -> Result<Consumer> {
        Ok(wait(self.inner.driving(), self.inner.into_future())?.into())
    }
}

/// The messages that the broker pushes from a queue: an iterator that waits for the next one.
///
/// It ends (`None`) when it is cancelled or its channel is closed by the application; when the
/// broker ends it, or the channel or connection fails, it gives that error once and then ends. What
/// a slow consumer does to others, and what dropping one does, stands with the async API's
/// [`Consumer`](asynchronous::Consumer#slow-consumers).
///
/// Deliveries can be handed to other threads, and acknowledged there:
///
/// ```no_run
/// # fn handle(_: &[u8]) {}
/// # fn example(channel: leveret::blocking::Channel) -> leveret::Result<()> {
/// let (sender, receiver) = std::sync::mpsc::sync_channel::<leveret::blocking::Delivery>(0);
/// let worker = std::thread::spawn(move || {
///     for delivery in receiver {
///         handle(delivery.body());
///         delivery.ack()?;
///     }
///     leveret::Result::Ok(())
/// });
/// for delivery in channel.consume("jobs").prefetch(10).call()?.take(100) {
///     sender.send(delivery?).expect("the worker goes on");
/// }
/// drop(sender);
/// worker.join().expect("the worker does not panic")
/// # }
/// ```
pub struct Consumer {
    inner: asynchronous::Consumer,
}

/// What came within a time.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Delivery(Delivery),
    /// Nothing came within the time.
    Inactive,
    /// The consumer has ended: nothing more comes.
    Ended,
}

impl Consumer {
    fn driving(&self) -> Option<Driving> {
        self.inner.channel().driving().cloned()
    }

    /// The name by which the broker knows the consumer.
    pub fn consumer_tag(&self) -> &ShortString {
        self.inner.consumer_tag()
    }

    /// The channel that it consumes on.
    pub fn channel(&self) -> Channel {
        self.inner.channel().clone().into()
    }

    /// Waits for the next message; none when the consumer has ended.
    ///
    /// # Errors
    ///
    /// Why the consumer ended, where the broker, a failure or an overflow ended it: once, and then
    /// it gives none. Or a message was larger than `max_message_size`, and the consumer goes on.
    pub fn try_next(&mut self) -> Result<Option<Delivery>> {
        let driving = self.driving();
        Ok(wait(driving.as_ref(), self.inner.try_next())?.map(Delivery::from))
    }

    /// Waits for the next message for at most `limit`. With zero, it looks for one that is there.
    ///
    /// # Errors
    ///
    /// As [`Consumer::try_next`].
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Received> {
        let until = Instant::now().checked_add(limit);
        let driving = self.driving();
        let next = wait_until(driving.as_ref(), until, |context| self.inner.poll_delivery(context))?;
        Ok(match next {
            None => Received::Inactive,
            Some(None) => Received::Ended,
            Some(Some(delivery)) => Received::Delivery(delivery?.into()),
        })
    }

    /// An iterator that gives `None` each time that nothing has come for `inactivity`, and goes on
    /// (Pika's `consume(inactivity_timeout=…)`).
    ///
    /// ```no_run
    /// # fn example(channel: leveret::blocking::Channel) -> leveret::Result<()> {
    /// use std::time::Duration;
    ///
    /// let mut consumer = channel.consume("hello").call()?;
    /// for delivery in consumer.iter_timeout(Duration::from_secs(5)) {
    ///     match delivery? {
    ///         Some(delivery) => delivery.ack()?,
    ///         None => break, // nothing for five seconds
    ///     }
    /// }
    /// consumer.close()
    /// # }
    /// ```
    #[doc(alias = "inactivity_timeout")]
    pub fn iter_timeout(&mut self, inactivity: Duration) -> IterTimeout<'_> {
        IterTimeout { consumer: self, inactivity }
    }

    /// Asks the broker to send no more (`basic.cancel`), and waits until it agrees. Messages that
    /// arrived before are still handed out; then the iterator ends.
    ///
    /// # Errors
    ///
    /// Its channel is closed, or no answer came in time.
    #[doc(alias("basic_cancel", "stop_consuming"))]
    pub fn cancel(&mut self) -> Result<()> {
        let driving = self.driving();
        wait(driving.as_ref(), self.inner.cancel())
    }

    /// Lets go of the consumer as dropping it does, and waits until that is done: the broker has
    /// agreed to send no more, and the messages that were not handed out are on their way back to
    /// the queue.
    ///
    /// # Errors
    ///
    /// Its channel is closed, and the broker gives the messages back; or no answer came in time,
    /// and they go back when it comes.
    pub fn close(self) -> Result<()> {
        let driving = self.driving();
        wait(driving.as_ref(), self.inner.close())
    }

    /// The same consumer, for tasks.
    pub fn into_async(self) -> asynchronous::Consumer {
        self.inner
    }
}

impl Iterator for Consumer {
    type Item = Result<Delivery>;

    fn next(&mut self) -> Option<Result<Delivery>> {
        self.try_next().transpose()
    }
}

/// What a consumer gives, and `None` where nothing came in time: [`Consumer::iter_timeout`].
#[derive(Debug)]
pub struct IterTimeout<'a> {
    consumer: &'a mut Consumer,
    inactivity: Duration,
}

impl Iterator for IterTimeout<'_> {
    type Item = Result<Option<Delivery>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.consumer.next_timeout(self.inactivity) {
            Ok(Received::Delivery(delivery)) => Some(Ok(Some(delivery))),
            Ok(Received::Inactive) => Some(Ok(None)),
            Ok(Received::Ended) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl From<asynchronous::Consumer> for Consumer {
    fn from(inner: asynchronous::Consumer) -> Self {
        Self { inner }
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
