//! The event loop, which waits for sockets and times and calls handlers.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::Handle;
use crate::driver::mio::Selector;
use crate::driver::readiness::Reactor;

/// A loop on one thread that drives any number of connections and calls handlers. Each call of a
/// handler borrows the state of the application (`&mut S`).
///
/// It corresponds to Pika's `ioloop`. While a handler runs, everything else on the loop waits,
/// including heartbeats: see [the module](super#slow-handlers).
///
/// Dropping the loop drops the handlers that are waiting, without calling them, and loses its
/// connections. What these had queued is still sent, for at most 3 s per connection. A connection
/// with a [`driver_thread`](crate::ConnectionParameters#structfield.driver_thread) continues as
/// long as it has handles.
#[doc(alias = "ioloop")]
pub struct EventLoop<S: 'static> {
    selector: Selector,
    handle: Handle<S>,
}

impl<S: 'static> EventLoop<S> {
    /// Creates a loop.
    ///
    /// # Errors
    ///
    /// Returns an error of the operating system, for example if no descriptors are left.
    pub fn new() -> io::Result<Self> {
        let selector = Selector::new()?;
        let handle = Handle::new(selector.reactor().core().clone());
        Ok(Self { selector, handle })
    }

    /// Returns a handle of this loop.
    pub fn handle(&self) -> &Handle<S> {
        &self.handle
    }

    /// Runs until the loop is [stopped](Handle::stop), or until no handler can be called any more
    /// because there is no connection, no timer, and no handler that waits. A
    /// [`Remote`](super::Remote) does not keep the loop running. After a stop, the loop can be run
    /// again, and continues where it was.
    ///
    /// If a handler panics, the panic unwinds out of this method, and the loop can be run again.
    /// The event of that handler counts as handled, and the next run calls the handlers after it.
    ///
    /// # Errors
    ///
    /// Returns an error of the operating system if the loop cannot wait for its sockets.
    #[doc(alias = "start")]
    pub fn run(&mut self, state: &mut S) -> io::Result<()> {
        self.run_until(state, |_| false)
    }

    /// Runs as [`run`](Self::run) does, and also ends when `done` returns `true` for the state. It
    /// is called before each pass.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`EventLoop::run`].
    pub fn run_until(&mut self, state: &mut S, mut done: impl FnMut(&S) -> bool) -> io::Result<()> {
        while !self.handle.takes_stop() && !done(state) && !self.handle.is_idle() {
            self.pass(state, None)?;
        }
        Ok(())
    }

    /// Runs one pass: waits until there is something to do, for at most `limit`, and does it. If
    /// `limit` is zero, the pass does not wait; if it is `None`, the wait has no limit. The
    /// handlers of requests and timers that a handler makes are called by a later pass.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`EventLoop::run`].
    #[doc(alias = "poll")]
    pub fn pass(&mut self, state: &mut S, limit: Option<Duration>) -> io::Result<()> {
        self.handle.set_waiting();
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.selector.wait(self.handle.deadline().into_iter().chain(until).min())?;
        self.handle.set_awake();
        self.selector.reactor().turn();
        self.handle.pass(state);
        // This may be the last pass: a socket that is not needed any more is closed now.
        self.selector.apply_changes();
        Ok(())
    }
}

impl<S: 'static> Drop for EventLoop<S> {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl<S: 'static> fmt::Debug for EventLoop<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop").field("reactor", self.selector.reactor()).finish_non_exhaustive()
    }
}

/// The handlers of an event loop of the program, which drives a [`Reactor`]: see
/// [`readiness`](crate::readiness).
///
/// Call [`pass`](Handlers::pass) after each [turn](Reactor::turn) of the reactor, and when the
/// [`deadline`](Handlers::deadline) has passed.
///
/// Dropping it drops the handlers that are waiting, without calling them. Connections without other
/// handles then close, while the reactor is driven.
pub struct Handlers<S: 'static> {
    handle: Handle<S>,
}

impl<S: 'static> Handlers<S> {
    /// Creates the handlers of connections that `reactor` drives. The function that wakes the
    /// reactor's loop is called for them too.
    pub fn new(reactor: &Reactor) -> Self {
        Self { handle: Handle::new(reactor.core().clone()) }
    }

    /// Returns a handle of these handlers.
    pub fn handle(&self) -> &Handle<S> {
        &self.handle
    }

    /// Returns the time until which the next pass can wait: a time that is not in the future if a
    /// pass is due now, `None` if no timer is set. Call it before each wait, as
    /// [`Reactor::deadline`].
    pub fn deadline(&self) -> Option<Instant> {
        self.handle.set_waiting();
        self.handle.deadline()
    }

    /// Calls the handlers that are due now. Handlers that become due meanwhile wait for the next
    /// pass.
    pub fn pass(&self, state: &mut S) {
        self.handle.pass(state);
    }

    /// Returns `true` if a handler or another thread has [stopped](Handle::stop) the loop since the
    /// last call of this method.
    pub fn takes_stop(&self) -> bool {
        self.handle.takes_stop()
    }

    /// Returns `true` if no handler can be called any more: there is no connection, no timer, and
    /// no handler that waits.
    pub fn is_idle(&self) -> bool {
        self.handle.is_idle()
    }
}

impl<S: 'static> Drop for Handlers<S> {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl<S: 'static> fmt::Debug for Handlers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers").finish_non_exhaustive()
    }
}
