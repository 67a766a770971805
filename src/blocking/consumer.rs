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

/// The builder of a [`Consumer`], which is started by [`call`](Consume::call).
#[derive(Debug)]
#[must_use = "a consumer is started by `call()`"]
pub struct Consume<'a> {
    inner: asynchronous::Consume<'a>,
}

impl<'a> Consume<'a> {
    pub(super) fn new(inner: asynchronous::Consume<'a>) -> Self {
        Self { inner }
    }

    /// Sets how many unsettled messages (neither acknowledged nor rejected) the broker sends to
    /// this consumer at most (`basic.qos`); 0 means no limit. See the async API's
    /// [`prefetch`](asynchronous::Consume::prefetch).
    #[doc(alias("basic_qos", "prefetch_count"))]
    pub fn prefetch(self, count: u16) -> Self {
        Self { inner: self.inner.prefetch(count) }
    }

    /// Sets the name that identifies the consumer, unique on its channel. If it is empty, the
    /// broker generates one.
    pub fn consumer_tag(self, tag: impl Into<ShortString>) -> Self {
        Self { inner: self.inner.consumer_tag(tag) }
    }

    /// Sets whether the broker regards each message as settled when it has sent it. This is faster,
    /// but a message that is lost on the way is lost for good. No prefetch limits what the broker
    /// sends: see [slow consumers](asynchronous::Consumer#slow-consumers).
    #[doc(alias = "auto_ack")]
    pub fn no_ack(self, no_ack: bool) -> Self {
        Self { inner: self.inner.no_ack(no_ack) }
    }

    /// Sets whether this consumer must be the only one of its queue. If the queue has a consumer
    /// already, the broker refuses with 403 (`ACCESS_REFUSED`). A quorum queue accepts a second
    /// consumer all the same: see the async API's [`exclusive`](asynchronous::Consume::exclusive).
    pub fn exclusive(self, exclusive: bool) -> Self {
        Self { inner: self.inner.exclusive(exclusive) }
    }

    /// Sets arguments that depend on the broker, such as `x-priority`.
    pub fn arguments(self, arguments: impl Into<FieldTable>) -> Self {
        Self { inner: self.inner.arguments(arguments) }
    }

    /// Sets whether the consumer comes back after the connection is lost. Without it, it does. If
    /// it does not, it ends with the error of the loss. Has no effect without
    /// [`Recovery::Topology`](crate::Recovery::Topology).
    pub fn recorded(self, recorded: bool) -> Self {
        Self { inner: self.inner.recorded(recorded) }
    }

    /// Sets whether the consumer goes on when the broker cancels it because its queue was deleted:
    /// see the async API's [`resume_when_cancelled`](asynchronous::Consume::resume_when_cancelled).
    pub fn resume_when_cancelled(self, resumes: bool) -> Self {
        Self { inner: self.inner.resume_when_cancelled(resumes) }
    }

    /// Starts the consumer, and waits until the broker has accepted it.
    ///
    /// # Errors
    ///
    /// Returns an error if the queue does not exist (404), if the broker refuses access to it, for
    /// example because another consumer is exclusive (403), if the channel is closed, or if no
    /// answer arrives within `call_timeout`.
    pub fn call(self) -> Result<Consumer> {
        Ok(wait(self.inner.driving(), self.inner.into_future())?.into())
    }
}

/// A consumer of a queue: the messages that the broker pushes, as an iterator that waits for the
/// next one.
///
/// The iterator ends (`None`) when the application cancels the consumer or closes its channel. When
/// the broker ends the consumer, or the channel or connection fails, it gives that error once and
/// then ends. The async API's [`Consumer`](asynchronous::Consumer#slow-consumers) describes what a
/// slow consumer does to others, and what dropping a consumer does.
///
/// Deliveries can be passed to other threads, and acknowledged there:
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

/// The result of a wait with a time limit.
#[derive(Debug)]
pub enum Received {
    /// A message arrived.
    Delivery(Delivery),
    /// No message arrived within the time.
    Inactive,
    /// The consumer has ended: no more messages arrive.
    Ended,
}

impl Consumer {
    fn driving(&self) -> Option<Driving> {
        self.inner.channel().driving().cloned()
    }

    /// Returns the name that identifies the consumer on its channel.
    pub fn consumer_tag(&self) -> &ShortString {
        self.inner.consumer_tag()
    }

    /// Returns the channel of the consumer.
    pub fn channel(&self) -> Channel {
        self.inner.channel().clone().into()
    }

    /// Waits for the next message. Returns `None` when the consumer has ended.
    ///
    /// # Errors
    ///
    /// Returns an error if the broker, a failure or an overflow ended the consumer: once, and
    /// `None` after that. Returns an error if a message was larger than `max_message_size`; the
    /// consumer continues after that.
    pub fn try_next(&mut self) -> Result<Option<Delivery>> {
        let driving = self.driving();
        Ok(wait(driving.as_ref(), self.inner.try_next())?.map(Delivery::from))
    }

    /// Waits for the next message, for at most `limit`. If `limit` is zero, returns a message only
    /// if one has arrived already.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Consumer::try_next`].
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

    /// Returns an iterator that gives `None` each time that no message has arrived for
    /// `inactivity`, and then continues (Pika's `consume(inactivity_timeout=…)`).
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

    /// Asks the broker to send no more messages (`basic.cancel`), and waits until it agrees.
    /// Messages that arrived before are still given; then the iterator ends. Cancelling a consumer
    /// that has ended already has no effect.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed, or if no answer arrives within `call_timeout`.
    #[doc(alias("basic_cancel", "stop_consuming"))]
    pub fn cancel(&mut self) -> Result<()> {
        let driving = self.driving();
        wait(driving.as_ref(), self.inner.cancel())
    }

    /// Closes the consumer as dropping it does, and waits until the broker has agreed to send no
    /// more. By then the messages that were not given to the program are on their way back to the
    /// queue.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed; the broker then returns the messages to the
    /// queue. Returns an error if no answer arrives within `call_timeout`; the messages return to
    /// the queue when it arrives.
    pub fn close(self) -> Result<()> {
        let driving = self.driving();
        wait(driving.as_ref(), self.inner.close())
    }

    /// Converts into the same consumer of the async API.
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

/// An iterator of the messages of a consumer that gives `None` when no message arrives in time:
/// returned by [`Consumer::iter_timeout`].
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
