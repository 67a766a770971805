//! A consumer: the messages that the broker pushes.

use std::cell::Cell;
use std::fmt;
use std::future::IntoFuture;
use std::rc::Rc;

use leveret::{FieldTable, Result, ShortString};
use leveret::{asynchronous, blocking, callback};
use tokio::sync::{mpsc, watch};

use super::channel::Way as OfChannel;
use super::event_loop::{Hall, Proxy, Reply};
use super::threads::{Lent, on_thread};
use super::{Answer, Channel, Delivery};

/// A consumer that is started when it is awaited.
#[derive(Debug)]
#[must_use = "a consumer is started when it is awaited"]
pub struct Consume<'a> {
    channel: &'a Channel,
    options: Options,
}

#[derive(Debug, Default)]
struct Options {
    queue: ShortString,
    prefetch: Option<u16>,
    consumer_tag: ShortString,
    no_ack: bool,
    exclusive: bool,
    arguments: FieldTable,
    resumes: bool,
}

/// The consumer of an adapter that is about to start.
macro_rules! consume {
    ($options:ident on $channel:ident) => {{
        let consume = $channel
            .consume($options.queue)
            .consumer_tag($options.consumer_tag)
            .no_ack($options.no_ack)
            .exclusive($options.exclusive)
            .arguments($options.arguments)
            .resume_when_cancelled($options.resumes);
        match $options.prefetch {
            Some(count) => consume.prefetch(count),
            None => consume,
        }
    }};
}

impl<'a> Consume<'a> {
    pub(super) fn new(channel: &'a Channel, queue: ShortString) -> Self {
        Self { channel, options: Options { queue, ..Options::default() } }
    }

    /// How many messages may be unsettled.
    pub fn prefetch(mut self, count: u16) -> Self {
        self.options.prefetch = Some(count);
        self
    }

    /// Its name on the channel.
    pub fn consumer_tag(mut self, tag: impl Into<ShortString>) -> Self {
        self.options.consumer_tag = tag.into();
        self
    }

    /// Messages count as acknowledged when they are sent.
    pub fn no_ack(mut self, no_ack: bool) -> Self {
        self.options.no_ack = no_ack;
        self
    }

    /// It wants the queue for itself.
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.options.exclusive = exclusive;
        self
    }

    /// Further settings.
    pub fn arguments(mut self, arguments: impl Into<FieldTable>) -> Self {
        self.options.arguments = arguments.into();
        self
    }

    /// It goes on when its queue is deleted.
    pub fn resume_when_cancelled(mut self, resumes: bool) -> Self {
        self.options.resumes = resumes;
        self
    }
}

impl<'a> IntoFuture for Consume<'a> {
    type Output = Result<Consumer>;
    type IntoFuture = Answer<'a, Result<Consumer>>;

    fn into_future(self) -> Self::IntoFuture {
        let options = self.options;
        match &self.channel.0 {
            OfChannel::Async(channel) => Box::pin(async move { Ok(consume!(options on channel).await?.into()) }),
            OfChannel::Blocking(channel) => {
                let channel = channel.clone();
                Box::pin(async move { Ok(on_thread(move || consume!(options on channel).call()).await?.into()) })
            }
            OfChannel::Callback(channel, _) => {
                let of = self.channel.clone();
                channel.ask(move |channel, reply| start(channel, of, options, &reply))
            }
        }
    }
}

/// The messages that the broker pushes from a queue.
pub struct Consumer(Way);

enum Way {
    Async(asynchronous::Consumer),
    Blocking { tag: ShortString, lent: Lent<blocking::Consumer, Option<Result<blocking::Delivery>>> },
    Callback(OnLoop),
}

/// A consumer on the event loop, what its handler was called with, and how it ended once it has.
struct OnLoop {
    consumer: Proxy<callback::Consumer<Hall>>,
    channel: Channel,
    tag: ShortString,
    deliveries: mpsc::UnboundedReceiver<Result<Delivery>>,
    end: watch::Receiver<Option<Result<()>>>,
}

/// Starts a consumer on the event loop.
fn start(channel: &callback::Channel<Hall>, of: Channel, options: Options, reply: &Reply<Result<Consumer>>) {
    let (sender, deliveries) = mpsc::unbounded_channel();
    let (ended, end) = watch::channel(None);
    let (last, refused, started) = (sender.clone(), reply.clone(), reply.clone());
    let own = Rc::new(Cell::new(None));
    let kept = Rc::clone(&own);
    let too_large = sender.clone();
    let consumer = consume!(options on channel)
        .on_too_large(move |_: &mut Hall, _, error| drop(too_large.send(Err(error))))
        .on_start(move |hall: &mut Hall, _, tag| {
            let consumer = hall.put(own.take().expect("it is there before its handlers are called"));
            started.send(Ok(Consumer(Way::Callback(OnLoop { consumer, channel: of, tag, deliveries, end }))));
        })
        .on_end(move |_, _, why| {
            if let Some(why) = &why {
                refused.send(Err(why.clone()));
                drop(last.send(Err(why.clone())));
            }
            ended.send_replace(Some(why.map_or(Ok(()), Err)));
        })
        .each(move |hall, _, delivery| drop(sender.send(Ok(Delivery::on_loop(hall, delivery)))));
    kept.set(Some(consumer));
}

impl Consumer {
    /// Its name on its channel.
    pub fn consumer_tag(&self) -> &ShortString {
        match &self.0 {
            Way::Async(consumer) => consumer.consumer_tag(),
            Way::Blocking { tag, .. } => tag,
            Way::Callback(on_loop) => &on_loop.tag,
        }
    }

    /// The channel that it consumes on.
    pub fn channel(&self) -> Channel {
        match &self.0 {
            Way::Async(consumer) => consumer.channel().clone().into(),
            Way::Blocking { lent, .. } => lent.here().channel().into(),
            Way::Callback(on_loop) => on_loop.channel.clone(),
        }
    }

    /// The next message, or why there is none.
    pub async fn next(&mut self) -> Option<Result<Delivery>> {
        match &mut self.0 {
            Way::Async(consumer) => Some(consumer.next().await?.map(Delivery::from)),
            Way::Blocking { lent, .. } => Some(lent.next(Iterator::next).await?.map(Delivery::from)),
            Way::Callback(on_loop) => on_loop.deliveries.recv().await,
        }
    }

    /// The same, as a result.
    ///
    /// # Errors
    ///
    /// Why there is no more.
    pub async fn try_next(&mut self) -> Result<Option<Delivery>> {
        self.next().await.transpose()
    }

    /// Asks the broker to send no more; what came before is still handed out.
    pub fn cancel(&mut self) -> Answer<'_, Result<()>> {
        match &mut self.0 {
            Way::Async(consumer) => Box::pin(consumer.cancel()),
            Way::Blocking { lent, .. } => Box::pin(lent.with(blocking::Consumer::cancel)),
            Way::Callback(on_loop) => Box::pin(async move {
                on_loop.consumer.begin(callback::Consumer::cancel);
                on_loop.ended().await
            }),
        }
    }

    /// The same, and gives back what was not handed out.
    pub fn close(self) -> Answer<'static, Result<()>> {
        match self.0 {
            Way::Async(consumer) => Box::pin(consumer.close()),
            Way::Blocking { mut lent, .. } => {
                let consumer = lent.take();
                Box::pin(async move { on_thread(move || consumer.close()).await })
            }
            Way::Callback(mut on_loop) => Box::pin(async move {
                on_loop.consumer.begin(callback::Consumer::close);
                on_loop.ended().await
            }),
        }
    }
}

impl OnLoop {
    /// Waits until the handler of the end was called.
    async fn ended(&mut self) -> Result<()> {
        let ended = self.end.wait_for(Option::is_some).await;
        ended.expect("the handler of the end is called").clone().unwrap_or(Ok(()))
    }
}

/// A program that needs its consumer no more closes it: on an event loop nothing else does.
impl Drop for OnLoop {
    fn drop(&mut self) {
        self.consumer.begin(callback::Consumer::close);
    }
}

impl From<asynchronous::Consumer> for Consumer {
    fn from(consumer: asynchronous::Consumer) -> Self {
        Self(Way::Async(consumer))
    }
}

impl From<blocking::Consumer> for Consumer {
    fn from(consumer: blocking::Consumer) -> Self {
        let tag = consumer.consumer_tag().clone();
        Self(Way::Blocking { tag, lent: Lent::Here(consumer) })
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("tag", self.consumer_tag()).finish_non_exhaustive()
    }
}
