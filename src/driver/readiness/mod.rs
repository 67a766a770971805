//! Connections in a loop of somebody else's, which waits for descriptors to become ready.

mod alarm;
mod apart;
mod core;
mod network;
mod opening;
mod run_queue;
mod source;
mod stream;

use std::fmt;
use std::time::Instant;

use crate::link::Clock;

pub(crate) use self::core::Core;
pub(crate) use run_queue::{Named, RunQueue};
pub use source::{Change, Descriptor, Interest, Token};

/// What drives connections, for a loop that waits for what they want to be waited for: see [the
/// module](self).
///
/// All methods work from any thread, [`turn`](Reactor::turn) on one at a time. Share it by
/// [`Arc`](std::sync::Arc) to open connections from elsewhere than the loop.
///
/// Dropped, it loses its connections, as [`close`](Reactor::close) does.
pub struct Reactor {
    core: Core,
}

impl Reactor {
    /// A reactor whose loop `wake` wakes, from any thread: it ends the wait that the loop is in, or
    /// else the next one. It is called when something is to be done after
    /// [`deadline`](Reactor::deadline) was last asked and before the next turn, once.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self::with_clock(Instant::now, wake)
    }

    /// The same with a clock of the caller's, such as one that a test turns. All times of its
    /// connections are by this clock.
    pub fn with_clock(
        clock: impl Fn() -> Instant + Send + Sync + 'static,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { core: Core::new(Clock::new(clock), wake) }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// How many connections are being opened or driven.
    pub fn connections(&self) -> usize {
        self.core.connections()
    }

    /// Something else to wait for, or not to wait for any more. Changes are to be applied in this
    /// order, until there are none, before each wait.
    pub fn poll_change(&self) -> Option<Change> {
        self.core.poll_change()
    }

    /// A source may be read or written: it is tried in the next turn. What is not true does no
    /// harm, nor does a source that is gone. An error or a hang-up counts as both.
    ///
    /// The next turn is due now, and nothing wakes the loop, which is awake: this is for the loop.
    /// That a stream of [`open_on`](Reactor::open_on) is ready may be said from anywhere, and wakes
    /// the loop.
    pub fn handle_ready(&self, token: Token, readable: bool, writable: bool) {
        self.core.handle_ready(token, readable, writable);
    }

    /// Until when to wait at most for something to become ready: a time that has come where a turn
    /// is due at once, none where nothing but readiness or a wake makes one due.
    ///
    /// It is asked last before each wait, and each time anew: from here on whatever is to be done
    /// wakes the loop.
    pub fn deadline(&self) -> Option<Instant> {
        self.core.deadline()
    }

    /// Moves what can be moved and does what is due, without waiting for anything. Each connection
    /// gets its share; where one could go on, the next turn is due at once.
    ///
    /// A turn that nothing was due for does no harm. One within another, or on a second thread at
    /// the same time, does nothing.
    pub fn turn(&self) {
        self.core.turn();
    }

    /// Loses all connections, and gives up those that are being opened. What they have queued still
    /// goes out: it is written to a socket by calls that block, for at most 3 s each; another
    /// stream is offered it once. Close connections first where the broker is to hear of it, and
    /// take turns until there are none.
    ///
    /// Sources that are gone by that are told as [changes](Reactor::poll_change).
    pub fn close(&self) {
        self.core.close(false);
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.core.close(true);
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("connections", &self.connections()).finish_non_exhaustive()
    }
}
