//! Consumers: a handler for each message.

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

/// The builder of a [`Consumer`], which is started by [`each`](Consume::each).
#[must_use = "a consumer is started by `each()`"]
pub struct Consume<'a, S> {
    channel: &'a Channel<S>,
    inner: asynchronous::Consume<'a>,
    on_start: Option<OnStart<S>>,
    on_end: Option<OnEnd<S>>,
    on_too_large: Option<OnTooLarge<S>>,
}

type OnStart<S> = Box<dyn FnOnce(&mut S, &Channel<S>, ShortString)>;
type OnTooLarge<S> = Box<dyn FnMut(&mut S, &Channel<S>, Error)>;
type OnEnd<S> = Box<dyn FnOnce(&mut S, &Channel<S>, Option<Error>)>;

impl<'a, S: 'static> Consume<'a, S> {
    pub(super) fn new(channel: &'a Channel<S>, queue: ShortString) -> Self {
        Self { channel, inner: channel.inner().consume(queue), on_start: None, on_end: None, on_too_large: None }
    }

    fn map(self, change: impl FnOnce(asynchronous::Consume<'a>) -> asynchronous::Consume<'a>) -> Self {
        Self { inner: change(self.inner), ..self }
    }

    /// Sets how many unsettled messages (neither acknowledged nor rejected) the broker sends to
    /// this consumer at most (`basic.qos`); 0 means no limit. See the async API's
    /// [`prefetch`](asynchronous::Consume::prefetch).
    #[doc(alias("basic_qos", "prefetch_count"))]
    pub fn prefetch(self, count: u16) -> Self {
        self.map(|inner| inner.prefetch(count))
    }

    /// Sets the name that identifies the consumer, unique on its channel. If it is empty, the
    /// broker generates one.
    pub fn consumer_tag(self, tag: impl Into<ShortString>) -> Self {
        self.map(|inner| inner.consumer_tag(tag))
    }

    /// Sets whether the broker regards each message as settled when it has sent it. This is faster,
    /// but a message that is lost on the way is lost for good. No prefetch limits what the broker
    /// sends: see [slow consumers](asynchronous::Consumer#slow-consumers).
    #[doc(alias = "auto_ack")]
    pub fn no_ack(self, no_ack: bool) -> Self {
        self.map(|inner| inner.no_ack(no_ack))
    }

    /// Sets whether this consumer must be the only one of its queue. If the queue has a consumer
    /// already, the broker refuses with 403 (`ACCESS_REFUSED`). A quorum queue accepts a second
    /// consumer all the same: see the async API's [`exclusive`](asynchronous::Consume::exclusive).
    pub fn exclusive(self, exclusive: bool) -> Self {
        self.map(|inner| inner.exclusive(exclusive))
    }

    /// Sets arguments that depend on the broker, such as `x-priority`.
    pub fn arguments(self, arguments: impl Into<FieldTable>) -> Self {
        self.map(|inner| inner.arguments(arguments))
    }

    /// Sets whether the consumer comes back after the connection is lost. Without it, it does. If
    /// it does not, it ends with the error of the loss. Has no effect without
    /// [`Recovery::Topology`](crate::Recovery::Topology).
    pub fn recorded(self, recorded: bool) -> Self {
        self.map(|inner| inner.recorded(recorded))
    }

    /// Sets whether the consumer goes on when the broker cancels it because its queue was deleted:
    /// see the async API's [`resume_when_cancelled`](asynchronous::Consume::resume_when_cancelled).
    pub fn resume_when_cancelled(self, resumes: bool) -> Self {
        self.map(|inner| inner.resume_when_cancelled(resumes))
    }

    /// Sets a handler that is called once when the broker has accepted the consumer, with its tag.
    pub fn on_start(self, handler: impl FnOnce(&mut S, &Channel<S>, ShortString) + 'static) -> Self {
        Self { on_start: Some(Box::new(handler)), ..self }
    }

    /// Sets a handler that is called once when the consumer has ended. It gets `None` if the
    /// application cancelled the consumer or closed its channel. Otherwise it gets the error: the
    /// consumer could not be started, the broker cancelled it, it overflowed, or the channel or
    /// connection failed.
    pub fn on_end(self, handler: impl FnOnce(&mut S, &Channel<S>, Option<Error>) + 'static) -> Self {
        Self { on_end: Some(Box::new(handler)), ..self }
    }

    /// Sets a handler that is called for each message that is over a limit, such as
    /// `max_message_size`, with the error of the kind [`ErrorKind::MessageTooLarge`]. The message
    /// was rejected, and the consumer continues. Without this handler nobody is notified.
    pub fn on_too_large(self, handler: impl FnMut(&mut S, &Channel<S>, Error) + 'static) -> Self {
        Self { on_too_large: Some(Box::new(handler)), ..self }
    }

    /// Starts the consumer, and calls `handler` with each message. Messages larger than
    /// `max_message_size` are skipped.
    ///
    /// One pass of the loop handles about 64 messages of a consumer; then other handlers have their
    /// turn.
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
            on_too_large: self.on_too_large,
        };
        channel.handle().add(Box::new(task));
        Consumer { channel, control }
    }
}

/// A consumer whose messages are passed to a handler. Dropping it does not end the consumer, which
/// continues until it is cancelled or closed, or until its channel or connection ends.
pub struct Consumer<S> {
    channel: Channel<S>,
    control: Rc<RefCell<Control>>,
}

/// What a handle requests of the consumer's task, and what the task reports.
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
    /// Returns the name that identifies the consumer on its channel, or `None` if the broker has
    /// not accepted the consumer yet.
    pub fn consumer_tag(&self) -> Option<ShortString> {
        self.control.borrow().tag.clone()
    }

    /// Returns the channel of the consumer.
    pub fn channel(&self) -> &Channel<S> {
        &self.channel
    }

    /// Asks the broker to send no more messages (`basic.cancel`). Messages that arrived before are
    /// still passed to the handler; then the consumer ends.
    #[doc(alias = "basic_cancel")]
    pub fn cancel(&self) {
        self.ask(Asked::Cancel);
    }

    /// Cancels the consumer, and returns the messages that were not passed to the handler to the
    /// queue.
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

/// The task of a consumer.
struct Consuming<S, H> {
    channel: Channel<S>,
    life: Life,
    control: Rc<RefCell<Control>>,
    handler: H,
    on_start: Option<OnStart<S>>,
    on_end: Option<OnEnd<S>>,
    on_too_large: Option<OnTooLarge<S>>,
}

/// An operation in progress.
type Operation<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

/// The stages of a consumer.
enum Life {
    Starting(Operation<asynchronous::Consumer>),
    /// The outcome is known, and no handler was called with it yet.
    Started(Result<asynchronous::Consumer>),
    /// Messages arrive. The second field is a cancel that the broker has not answered yet.
    Running(Box<asynchronous::Consumer>, Option<Pin<Box<Wait>>>),
    /// Messages that were not passed to the handler return to the queue.
    Closing(Operation<()>),
    Ended,
}

impl<S: 'static, H> Consuming<S, H>
where
    H: FnMut(&mut S, &Channel<S>, Delivery<S>),
{
    /// Starts the close or cancel that was requested. Called by each step, since a request wakes
    /// the task.
    fn start_requested(&mut self, context: &Context<'_>) {
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
                // If it cannot be cancelled, its channel is closed. The consumer reports that
                // itself.
                let cancelling = consumer.begin_cancel().ok().map(Box::pin);
                self.life = Life::Running(consumer, cancelling);
            }
            life => self.life = life,
        }
    }

    /// Polls for what is next, and calls its handler.
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
                    // If the channel is closed, the consumer reports the cause itself, after the
                    // messages that arrived before.
                    if let Err(error) = cancelled
                        && consumer.channel().is_open()
                    {
                        self.end(state, Some(error.into()));
                        return Poll::Ready(());
                    }
                }
                let next = ready!(consumer.poll_delivery(context));
                self.pass_to_handler(state, next);
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

    fn pass_to_handler(&mut self, state: &mut S, next: Option<Result<asynchronous::Delivery>>) {
        match next {
            Some(Ok(delivery)) => {
                let delivery = Delivery::new(delivery, self.channel.handle().clone());
                (self.handler)(state, &self.channel, delivery);
            }
            Some(Err(error)) if error.kind() == ErrorKind::MessageTooLarge => {
                if let Some(on_too_large) = &mut self.on_too_large {
                    on_too_large(state, &self.channel, error);
                }
            }
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
        self.start_requested(context);
        match (self.poll_step(state, context), &self.life) {
            (Poll::Ready(()), Life::Ended) => Step::Ended,
            (Poll::Ready(()), _) => Step::GoesOn,
            (Poll::Pending, _) => Step::Waits,
        }
    }
}
