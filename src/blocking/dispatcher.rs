//! Handlers that a thread of the application calls when it decides to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::wait::wait_until;
use super::{Channel, Connection, Consumer, Delivery};
use crate::driver::mio::{Driving, Sleeper};
use crate::engine::Returned;
use crate::error::{ChannelEvent, ConnectionEvent, Result};

/// Calls handlers of messages, events and timers on the thread that asks for it, and at no other
/// time: Pika's `process_data_events` and `start_consuming`.
///
/// ```no_run
/// use std::time::Duration;
///
/// use leveret::blocking::{Connection, Dispatcher};
///
/// # fn main() -> leveret::Result<()> {
/// let connection = Connection::open("amqp://localhost")?;
/// let channel = connection.open_channel()?;
/// let mut handled = 0;
/// let mut dispatcher = Dispatcher::new();
/// dispatcher.consume(channel.consume("jobs").call()?, |delivery, control| {
///     handled += 1;
///     if delivery.and_then(|delivery| delivery.ack()).is_err() || handled == 100 {
///         control.stop_consuming();
///     }
/// });
/// dispatcher.control().call_later(Duration::from_secs(60), |control| control.stop_consuming());
/// dispatcher.start_consuming()?;
/// drop(dispatcher);
/// println!("{handled} messages");
/// # Ok(())
/// # }
/// ```
///
/// Handlers may borrow what outlives the dispatcher. They are called one at a time, and they may
/// make any call of this API that waits: another thread drives the connection meanwhile, or the
/// call does. What could never end is not possible: only the owner of the dispatcher can ask it to
/// call handlers, and the owner is waiting while a handler runs.
///
/// The connection needs no dispatcher: heartbeats flow, and messages arrive, whether or not
/// handlers are called.
pub struct Dispatcher<'h> {
    sources: Vec<Source<'h>>,
    control: Control<'h>,
    /// Drives the connection of the first source while this waits.
    driving: Option<Driving>,
}

/// Looks for one thing, and calls the handler with it.
type Calls<'h> = Box<dyn FnMut(&mut Context<'_>, &Control<'h>) -> Poll<Called> + 'h>;

/// What a handler is called for.
struct Source<'h> {
    calls: Calls<'h>,
    is_consumer: bool,
}

/// What a look at a source resulted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Called {
    /// A handler was called, and there may be more to call it for.
    Once,
    /// Nothing more arrives.
    Ended,
}

/// Calls of one source in a row, after which the others have their turn.
const BATCH: usize = 64;

impl<'h> Dispatcher<'h> {
    /// Makes a dispatcher without handlers.
    pub fn new() -> Self {
        let (stops, woken) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = Shared { stops, woken, sleeper: Sleeper::of_this_thread() };
        let inner = ControlInner { timers: RefCell::default(), last: Cell::new(0), shared: Arc::new(shared) };
        Self { sources: Vec::new(), control: Control { inner: Rc::new(inner) }, driving: None }
    }

    /// Calls `handler` with each message of a consumer. An error is passed to it as well: that a
    /// message was too large, or, once and as the last, why the consumer ended.
    #[doc(alias = "basic_consume")]
    pub fn consume(&mut self, consumer: Consumer, mut handler: impl FnMut(Result<Delivery>, &Control<'h>) + 'h) {
        self.drive_as(consumer.channel().driving());
        let mut consumer = consumer.into_async();
        let poll = move |context: &mut Context<'_>| consumer.poll_delivery(context);
        let handler = move |delivery: Result<crate::asynchronous::Delivery>, control: &Control<'h>| {
            handler(delivery.map(Delivery::from), control);
        };
        self.add(true, poll, handler);
    }

    /// Calls `handler` with each event of a connection from now on.
    #[doc(alias("add_on_connection_blocked_callback", "add_on_connection_unblocked_callback"))]
    pub fn on_connection_event(
        &mut self,
        connection: &Connection,
        handler: impl FnMut(ConnectionEvent, &Control<'h>) + 'h,
    ) {
        self.drive_as(connection.driving());
        let mut events = connection.events().into_async();
        self.add(false, move |context: &mut Context<'_>| events.poll_event(context), handler);
    }

    /// Calls `handler` with each event of a channel from now on.
    #[doc(alias("add_on_cancel_callback", "add_on_flow_callback"))]
    pub fn on_channel_event(&mut self, channel: &Channel, handler: impl FnMut(ChannelEvent, &Control<'h>) + 'h) {
        self.drive_as(channel.driving());
        let mut events = channel.events().into_async();
        self.add(false, move |context: &mut Context<'_>| events.poll_event(context), handler);
    }

    /// Calls `handler` with each message that is returned on a channel and belongs to no confirm
    /// for which somebody waits.
    #[doc(alias = "add_on_return_callback")]
    pub fn on_return(&mut self, channel: &Channel, handler: impl FnMut(Returned, &Control<'h>) + 'h) {
        self.drive_as(channel.driving());
        let returns = channel.returns().into_async();
        self.add(false, move |context: &mut Context<'_>| returns.poll_returned(context), handler);
    }

    /// Returns what handlers are lent too: timers, and the way to stop.
    pub fn control(&self) -> &Control<'h> {
        &self.control
    }

    /// Calls the handlers for which there is something, and waits until there is, for at most
    /// `limit`. Returns how many calls there were. With a `limit` of zero it does not wait.
    ///
    /// It returns after the first calls, and at once if [`stop_consuming`](Control::stop_consuming)
    /// was called since handlers were last called.
    ///
    /// # Errors
    ///
    /// Returns an error if this is the thread that drives a connection, and it would have to wait.
    #[doc(alias("process_data_events", "sleep"))]
    pub fn process_events(&mut self, limit: Duration) -> Result<usize> {
        let until = Instant::now().checked_add(limit);
        self.dispatch(until)
    }

    /// Calls handlers until [`stop_consuming`](Control::stop_consuming) is called, or all consumers
    /// have ended and no timer is left. A stop before the start makes it return at once.
    ///
    /// # Errors
    ///
    /// As [`process_events`](Dispatcher::process_events).
    pub fn start_consuming(&mut self) -> Result<()> {
        while !self.control.takes_stop() && (self.consumers() > 0 || self.control.has_timers()) {
            self.dispatch(None)?;
        }
        Ok(())
    }

    /// Returns how many consumers have not ended.
    pub fn consumers(&self) -> usize {
        self.sources.iter().filter(|source| source.is_consumer).count()
    }

    fn drive_as(&mut self, driving: Option<&Driving>) {
        self.driving = self.driving.take().or_else(|| driving.cloned());
    }

    fn add<T>(
        &mut self,
        is_consumer: bool,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<Option<T>> + 'h,
        mut handler: impl FnMut(T, &Control<'h>) + 'h,
    ) {
        let calls = move |context: &mut Context<'_>, control: &Control<'h>| {
            poll(context).map(|thing| match thing {
                Some(thing) => {
                    handler(thing, control);
                    Called::Once
                }
                None => Called::Ended,
            })
        };
        self.sources.push(Source { calls: Box::new(calls), is_consumer });
    }

    /// Waits until at least one handler was called, at most until `until`; returns how many were.
    fn dispatch(&mut self, until: Option<Instant>) -> Result<usize> {
        loop {
            let called = self.call_timers() + self.call_sources()?;
            let now = Instant::now();
            if called > 0 || self.control.is_stopped() || until.is_some_and(|until| until <= now) {
                return Ok(called);
            }
            if self.sources.is_empty() && until.is_none() && !self.control.has_timers() {
                return Ok(0);
            }
            self.wait(until.into_iter().chain(self.control.next_timer()).min())?;
        }
    }

    /// Calls the timers that are due now. Each is still there when its turn comes, unless an
    /// earlier one has cancelled it.
    fn call_timers(&self) -> usize {
        let mut called = 0;
        for timer in self.control.due(Instant::now()) {
            if let Some(handler) = self.control.take(timer) {
                handler(&self.control);
                called += 1;
            }
            if self.control.is_stopped() {
                break;
            }
        }
        called
    }

    /// Calls the handlers of all sources that have something.
    fn call_sources(&mut self) -> Result<usize> {
        let (waker, mut called) = (Waker::from(Arc::clone(&self.control.inner.shared)), 0);
        let mut context = Context::from_waker(&waker);
        let mut index = 0;
        while index < self.sources.len() && !self.control.is_stopped() {
            let Some(source) = self.sources.get_mut(index) else { break };
            let mut left = BATCH;
            let ended = loop {
                match (source.calls)(&mut context, &self.control) {
                    Poll::Ready(Called::Once) => called += 1,
                    Poll::Ready(Called::Ended) => break true,
                    Poll::Pending => break false,
                }
                left -= 1;
                if left == 0 || self.control.is_stopped() {
                    break false;
                }
            };
            if ended {
                self.sources.remove(index);
            } else {
                index += 1;
            }
        }
        Ok(called)
    }

    /// Waits until a source or a stop wakes this, or until the time.
    fn wait(&self, until: Option<Instant>) -> Result<()> {
        let woken = &self.control.inner.shared.woken;
        // The sources keep the waker that they were polled with, whichever thread drives.
        let poll =
            |_: &mut Context<'_>| if woken.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending };
        wait_until(self.driving.as_ref(), until, poll).map(drop)
    }
}

impl Default for Dispatcher<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Dispatcher<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("consumers", &self.consumers()).finish_non_exhaustive()
    }
}

/// What handlers of a [`Dispatcher`] are lent. Clones are of the same.
#[derive(Clone)]
pub struct Control<'h> {
    inner: Rc<ControlInner<'h>>,
}

/// A handler that is called at a time.
type TimerHandler<'h> = Box<dyn FnOnce(&Control<'h>) + 'h>;

struct ControlInner<'h> {
    timers: RefCell<BTreeMap<Timer, TimerHandler<'h>>>,
    /// The number of the last timer.
    last: Cell<u64>,
    shared: Arc<Shared>,
}

/// What other threads may use.
struct Shared {
    stops: AtomicBool,
    /// There may be something for a handler.
    woken: AtomicBool,
    /// The thread of the dispatcher.
    sleeper: Arc<Sleeper>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.sleeper.wake_by_ref();
    }
}

/// The name of a handler that is called at a time: see [`Control::call_later`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    at: Instant,
    number: u64,
}

impl<'h> Control<'h> {
    /// Makes [`start_consuming`](Dispatcher::start_consuming) return after the present handler, or
    /// the next one to start return at once.
    pub fn stop_consuming(&self) {
        self.stopper().stop_consuming();
    }

    /// Returns a way to stop that works from any thread.
    pub fn stopper(&self) -> Stopper {
        Stopper { shared: Arc::clone(&self.inner.shared) }
    }

    /// Calls `handler` after `delay`, when the dispatcher next calls handlers. Of two that are due
    /// at the same time, the one that was set first is called first.
    #[doc(alias = "add_timeout")]
    pub fn call_later(&self, delay: Duration, handler: impl FnOnce(&Self) + 'h) -> Timer {
        let now = Instant::now();
        let number = self.inner.last.get() + 1;
        self.inner.last.set(number);
        // A time that cannot be reached never comes.
        let timer = Timer { at: now.checked_add(delay).unwrap_or_else(|| now + NEVER), number };
        self.inner.timers.borrow_mut().insert(timer, Box::new(handler));
        timer
    }

    /// Removes the handler of a timer. Returns `true` if it had not been called.
    #[doc(alias = "remove_timeout")]
    pub fn cancel(&self, timer: Timer) -> bool {
        self.take(timer).is_some()
    }

    fn take(&self, timer: Timer) -> Option<TimerHandler<'h>> {
        self.inner.timers.borrow_mut().remove(&timer)
    }

    fn due(&self, now: Instant) -> Vec<Timer> {
        self.inner.timers.borrow().keys().take_while(|timer| timer.at <= now).copied().collect()
    }

    fn next_timer(&self) -> Option<Instant> {
        self.inner.timers.borrow().keys().next().map(|timer| timer.at)
    }

    fn has_timers(&self) -> bool {
        !self.inner.timers.borrow().is_empty()
    }

    fn is_stopped(&self) -> bool {
        self.inner.shared.stops.load(Ordering::Acquire)
    }

    fn takes_stop(&self) -> bool {
        self.inner.shared.stops.swap(false, Ordering::AcqRel)
    }
}

/// A time that no program lives to see.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// Stops a [`Dispatcher`] from any thread: see [`Control::stopper`].
#[derive(Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

impl Stopper {
    /// As [`Control::stop_consuming`].
    pub fn stop_consuming(&self) {
        self.shared.stops.store(true, Ordering::Release);
        self.shared.wake_by_ref();
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}
