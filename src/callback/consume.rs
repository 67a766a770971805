//! Consuming: a handler for each message.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::tasks::{Step, Task};
use super::{Channel, Delivery};
use crate::asynchronous;
use crate::error::{Error, ErrorKind, Result};
use crate::link::Wait;
use crate::wire::{FieldTable, ShortString};

/// A consumer that is started by [`each`](Consume::each).
#[must_use = "a consumer is started by `each()`"]
pub struct Consume<'a, S> {
    channel: &'a Channel<S>,
    inner: asynchronous::Consume<'a>,
    on_start: Option<OnStart<S>>,
    on_end: Option<OnEnd<S>>,
}

type OnStart<S> = Box<dyn FnOnce(&mut S, &Channel<S>, ShortString)>;
type OnEnd<S> = Box<dyn FnOnce(&mut S, &Channel<S>, Option<Error>)>;

impl<'a, S: 'static> Consume<'a, S> {
    pub(super) fn new(channel: &'a Channel<S>, queue: ShortString) -> Self {
        Self { channel, inner: channel.inner().consume(queue), on_start: None, on_end: None }
    }

    fn map(self, change: impl FnOnce(asynchronous::Consume<'a>) -> asynchronous::Consume<'a>) -> Self {
        Self { inner: change(self.inner), ..self }
    }

    /// How many unsettled messages the broker sends at most to this consumer (`basic.qos`); 0 for
    /// no limit. See the async API's [`prefetch`](asynchronous::Consume::prefetch).
    #[doc(alias("basic_qos", "prefetch_count"))]
    pub fn prefetch(self, count: u16) -> Self {
        self.map(|inner| inner.prefetch(count))
    }

    /// The name by which the broker knows the consumer, unique on its channel. Left empty, the
    /// broker makes one up.
    pub fn consumer_tag(self, tag: impl Into<ShortString>) -> Self {
        self.map(|inner| inner.consumer_tag(tag))
    }

    /// The broker takes each message as handled when it has sent it: faster, and a message that is
    /// lost on the way is lost.
    #[doc(alias = "auto_ack")]
    pub fn no_ack(self, no_ack: bool) -> Self {
        self.map(|inner| inner.no_ack(no_ack))
    }

    /// No other consumer may have this queue; 403 where one has.
    pub fn exclusive(self, exclusive: bool) -> Self {
        self.map(|inner| inner.exclusive(exclusive))
    }

    /// Arguments of the broker's, such as `x-priority`.
    pub fn arguments(self, arguments: impl Into<FieldTable>) -> Self {
        self.map(|inner| inner.arguments(arguments))
    }

    /// Calls `handler` when the broker has accepted the consumer, with its tag.
    pub fn on_start(self, handler: impl FnOnce(&mut S, &Channel<S>, ShortString) + 'static) -> Self {
        Self { on_start: Some(Box::new(handler)), ..self }
    }

    /// Calls `handler` once when nothing more comes: without an error where the application ended
    /// the consumer or its channel, else with why. It could not be started at all, the broker
    /// cancelled it, the channel or connection failed.
    pub fn on_end(self, handler: impl FnOnce(&mut S, &Channel<S>, Option<Error>) + 'static) -> Self {
        Self { on_end: Some(Box::new(handler)), ..self }
    }

    /// Starts the consumer; calls `handler` with each message. A message over `max_message_size` is
    /// passed over.
    ///
    /// Some 64 messages are handled in a pass; then others have their turn.
    pub fn each(self, handler: impl FnMut(&mut S, &Channel<S>, Delivery<S>) + 'static) -> Consumer<S> {
        let control = Rc::new(RefCell::new(Control::default()));
        let (channel, inner) = (self.channel.clone(), self.channel.inner().clone());
        let request = self.inner.into_request();
        let starting = Box::pin(async move { asynchronous::Consume::of_request(&inner, request).await });
        let task = Consuming {
            channel: channel.clone(),
            life: Life::Starting(starting),
            control: Rc::clone(&control),
            handler,
            on_start: self.on_start,
            on_end: self.on_end,
        };
        channel.handle().add(Box::new(task));
        Consumer { channel, control }
    }
}

/// A consumer whose messages a handler gets. Dropping it changes nothing: the consumer goes on
/// until it is cancelled, or its channel or connection ends.
pub struct Consumer<S> {
    channel: Channel<S>,
    control: Rc<RefCell<Control>>,
}

/// What is asked of a consumer.
#[derive(Default)]
struct Control {
    asked: Asked,
    tag: Option<ShortString>,
    waker: Option<Waker>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Asked {
    #[default]
    Nothing,
    Cancel,
    Close,
}

impl<S: 'static> Consumer<S> {
    /// The name by which the broker knows the consumer, once it has accepted it.
    pub fn consumer_tag(&self) -> Option<ShortString> {
        self.control.borrow().tag.clone()
    }

    /// The channel that it consumes on.
    pub fn channel(&self) -> &Channel<S> {
        &self.channel
    }

    /// Asks the broker to send no more (`basic.cancel`). Messages that arrived before are still
    /// handed to the handler; then the consumer ends.
    #[doc(alias = "basic_cancel")]
    pub fn cancel(&self) {
        self.ask(Asked::Cancel);
    }

    /// The same, but messages that were not handed out go back to the queue.
    pub fn close(&self) {
        self.ask(Asked::Close);
    }

    fn ask(&self, asked: Asked) {
        let waker = {
            let mut control = self.control.borrow_mut();
            control.asked = asked;
            control.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

/// A consumer on a loop.
struct Consuming<S, H> {
    channel: Channel<S>,
    life: Life,
    control: Rc<RefCell<Control>>,
    handler: H,
    on_start: Option<OnStart<S>>,
    on_end: Option<OnEnd<S>>,
}

/// Something that takes its time.
type Doing<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

/// What a step of its task is about.
enum Life {
    Starting(Doing<asynchronous::Consumer>),
    /// The outcome is known, and nobody has heard it.
    Started(Result<asynchronous::Consumer>),
    /// Messages come. The second is what is asked of the broker at present.
    Running(Box<asynchronous::Consumer>, Option<Pin<Box<Wait>>>),
    /// What was not handed out goes back.
    Closing(Doing<()>),
    Ended,
}

impl<S: 'static, H> Consuming<S, H>
where
    H: FnMut(&mut S, &Channel<S>, Delivery<S>),
{
    /// Starts what is asked of it.
    fn follow(&mut self, context: &Context<'_>) {
        let asked = {
            let mut control = self.control.borrow_mut();
            control.waker = Some(context.waker().clone());
            control.asked
        };
        match std::mem::replace(&mut self.life, Life::Ended) {
            Life::Running(consumer, _) if asked == Asked::Close => {
                self.life = Life::Closing(Box::pin(consumer.close()));
            }
            Life::Running(mut consumer, None) if asked == Asked::Cancel => {
                // Where it cannot be cancelled it ends with its channel, and says why.
                let cancelling = consumer.begin_cancel().ok().map(Box::pin);
                self.life = Life::Running(consumer, cancelling);
            }
            life => self.life = life,
        }
    }

    /// Looks for what comes next, and calls the handler of it.
    fn poll_step(&mut self, state: &mut S, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.life {
            Life::Starting(starting) => {
                let started = ready!(starting.as_mut().poll(context));
                self.life = Life::Started(started);
            }
            Life::Started(_) => self.start(state),
            Life::Running(consumer, cancelling) => {
                if let Some(cancel) = cancelling
                    && let Poll::Ready(cancelled) = cancel.as_mut().poll(context)
                {
                    *cancelling = None;
                    self.control.borrow_mut().asked = Asked::Nothing;
                    // Why its channel is closed the consumer says itself, after what came before.
                    if let Err(error) = cancelled
                        && consumer.channel().is_open()
                    {
                        self.end(state, Some(error.into()));
                        return Poll::Ready(());
                    }
                }
                let next = ready!(consumer.poll_delivery(context));
                self.hand_out(state, next);
            }
            Life::Closing(closing) => {
                let closed = ready!(closing.as_mut().poll(context));
                self.end(state, closed.err());
            }
            Life::Ended => {}
        }
        Poll::Ready(())
    }

    fn start(&mut self, state: &mut S) {
        match std::mem::replace(&mut self.life, Life::Ended) {
            Life::Started(Ok(consumer)) => {
                let tag = consumer.consumer_tag().clone();
                self.control.borrow_mut().tag = Some(tag.clone());
                self.life = Life::Running(Box::new(consumer), None);
                if let Some(on_start) = self.on_start.take() {
                    on_start(state, &self.channel, tag);
                }
            }
            Life::Started(Err(error)) => self.end(state, Some(error)),
            life => self.life = life,
        }
    }

    fn hand_out(&mut self, state: &mut S, next: Option<Result<asynchronous::Delivery>>) {
        match next {
            Some(Ok(delivery)) => {
                let delivery = Delivery::new(delivery, self.channel.handle().clone());
                (self.handler)(state, &self.channel, delivery);
            }
            Some(Err(error)) if error.kind() == ErrorKind::MessageTooLarge => {}
            Some(Err(error)) => self.end(state, Some(error)),
            None => self.end(state, None),
        }
    }

    fn end(&mut self, state: &mut S, why: Option<Error>) {
        self.life = Life::Ended;
        if let Some(on_end) = self.on_end.take() {
            on_end(state, &self.channel, why);
        }
    }
}

impl<S: 'static, H> Task<S> for Consuming<S, H>
where
    H: FnMut(&mut S, &Channel<S>, Delivery<S>),
{
    fn begin(&mut self, context: &mut Context<'_>) {
        if let Life::Starting(starting) = &mut self.life
            && let Poll::Ready(started) = starting.as_mut().poll(context)
        {
            self.life = Life::Started(started);
            context.waker().wake_by_ref();
        }
    }

    fn step(&mut self, state: &mut S, context: &mut Context<'_>) -> Step {
        self.follow(context);
        match (self.poll_step(state, context), &self.life) {
            (Poll::Ready(()), Life::Ended) => Step::Ended,
            (Poll::Ready(()), _) => Step::GoesOn,
            (Poll::Pending, _) => Step::Waits,
        }
    }
}
