//! The loop: it waits for sockets and times, and calls handlers.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::Handle;
use crate::driver::mio::Selector;
use crate::driver::readiness::Reactor;

/// A loop on one thread that drives connections and calls handlers, each lent `&mut S`: the state
/// of the application. Any number of connections share a loop.
///
/// It is Pika's `ioloop`. What a handler does holds up everything else on the loop, heartbeats
/// included: see [the module](super#slow-handlers).
///
/// Dropped, it drops the handlers that wait, calling none, and loses its connections; what they had
/// queued still goes out, for at most 3 s of each. A connection with a
/// [`driver_thread`](crate::ConnectionParameters#structfield.driver_thread) goes on as long as it
/// has handles.
#[doc(alias = "ioloop")]
pub struct EventLoop<S: 'static> {
    selector: Selector,
    handle: Handle<S>,
}

impl<S: 'static> EventLoop<S> {
    /// A loop.
    ///
    /// # Errors
    ///
    /// The system's: it has no descriptors left, say.
    pub fn new() -> io::Result<Self> {
        let selector = Selector::new()?;
        let handle = Handle::new(selector.reactor().core().clone());
        Ok(Self { selector, handle })
    }

    /// A handle of this loop.
    pub fn handle(&self) -> &Handle<S> {
        &self.handle
    }

    /// Runs until somebody [stops](Handle::stop) it, or there is nothing left that could happen: no
    /// connection, no timer, nothing that waits for anything. A [`Remote`](super::Remote) does not
    /// keep it running. One that was stopped can be run again, and goes on where it was.
    ///
    /// A handler that panics unwinds out of this, and the loop can be run again: what the handler
    /// was called for counts as handled, and the handlers after it are called by the next run.
    ///
    /// # Errors
    ///
    /// The system's: nothing can be waited for.
    #[doc(alias = "start")]
    pub fn run(&mut self, state: &mut S) -> io::Result<()> {
        self.run_until(state, |_| false)
    }

    /// The same, and until `done` says so of the state. It is asked before each pass.
    ///
    /// # Errors
    ///
    /// As [`EventLoop::run`].
    pub fn run_until(&mut self, state: &mut S, mut done: impl FnMut(&S) -> bool) -> io::Result<()> {
        while !self.handle.takes_stop() && !done(state) && !self.handle.is_idle() {
            self.pass(state, None)?;
        }
        Ok(())
    }

    /// One pass: waits until something is to be done, for at most `limit`, and does it. With zero
    /// it does what can be done at once. What a handler adds is called by a later pass.
    ///
    /// # Errors
    ///
    /// As [`EventLoop::run`].
    #[doc(alias = "poll")]
    pub fn pass(&mut self, state: &mut S, limit: Option<Duration>) -> io::Result<()> {
        self.handle.set_waiting();
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.selector.wait(self.handle.deadline().into_iter().chain(until).min())?;
        self.handle.set_awake();
        self.selector.reactor().turn();
        self.handle.pass(state);
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

/// The handlers of a loop of somebody else's, which drives a [`Reactor`]: see
/// [`readiness`](crate::readiness).
///
/// After each [turn](Reactor::turn) of the reactor, a [`pass`](Handlers::pass) of this is due, and
/// at [`deadline`](Handlers::deadline).
///
/// Dropped, it drops what waits for handlers. Connections that nobody else has a handle of close,
/// while the reactor is driven.
pub struct Handlers<S: 'static> {
    handle: Handle<S>,
}

impl<S: 'static> Handlers<S> {
    /// Handlers of connections that `reactor` drives. What wakes its loop is called for these too.
    pub fn new(reactor: &Reactor) -> Self {
        Self { handle: Handle::new(reactor.core().clone()) }
    }

    /// A handle of these.
    pub fn handle(&self) -> &Handle<S> {
        &self.handle
    }

    /// When the next pass is due, at the latest: a time that has come where one is due now. It is
    /// asked as [`Reactor::deadline`] is, before each wait.
    pub fn deadline(&self) -> Option<Instant> {
        self.handle.set_waiting();
        self.handle.deadline()
    }

    /// Calls the handlers that are due, once each.
    pub fn pass(&self, state: &mut S) {
        self.handle.pass(state);
    }

    /// Somebody has asked to [stop](Handle::stop) since this was last asked.
    pub fn takes_stop(&self) -> bool {
        self.handle.takes_stop()
    }

    /// There is nothing left that could happen: no connection, no timer, nothing that waits.
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
