//! Connections in an event loop of the program, which waits for descriptors to become ready
//! (feature `readiness`, which `callback` and `blocking` include).
//!
//! A [`Reactor`] drives any number of connections without a thread, a timer or a selector of its
//! own. It reports what to wait for and until when, and makes progress when the loop calls
//! [`Reactor::turn`]. The modules `callback` and `blocking` are built on it.
//!
//! Its connections are those of the [async API](crate::asynchronous), returned by
//! [`Reactor::open`], whose handles work from any thread and on any executor; or those of the
//! module `callback`, whose `Handlers` call handlers in the same loop.
//!
//! # The loop
//!
//! The event loop repeats four steps:
//!
//! 1. Apply each [change](Reactor::poll_change) of what to wait for.
//! 2. Get the [deadline](Reactor::deadline), and wait until a source is ready, until the deadline,
//!    or until the reactor calls `wake`. A source is a socket that the loop waits for.
//! 3. Report each source that is [ready](Reactor::handle_ready).
//! 4. Call [`Reactor::turn`], then let handlers run.
//!
//! This is the loop with `poll(2)`, by the crate `rustix`:
//!
//! ```no_run
//! # #[cfg(not(all(feature = "callback", unix)))] fn main() {}
//! # #[cfg(all(feature = "callback", unix))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::BTreeMap;
//! use std::io::{self, Read, Write};
//! use std::time::Instant;
//!
//! use leveret::callback::{Connection, Handlers};
//! use leveret::readiness::{Change, Reactor};
//! use rustix::event::{PollFd, PollFlags, Timespec, poll};
//!
//! // A byte in a pipe ends the present wait, or the next one if there is none now.
//! let (woken, wake) = io::pipe()?;
//! let reactor = Reactor::new(move || drop((&wake).write(&[0])));
//! let handlers = Handlers::new(&reactor);
//! Connection::open_in(handlers.handle(), "amqp://localhost", |_: &mut (), connection, opened| {
//!     println!("{opened:?}");
//!     connection.close();
//! })?;
//!
//! let mut sources = BTreeMap::new();
//! while !handlers.is_idle() {
//!     // 1. Apply the changes.
//!     while let Some(change) = reactor.poll_change() {
//!         match change {
//!             Change::Add(token, descriptor, interest) => drop(sources.insert(token, (descriptor, interest))),
//!             Change::Modify(token, interest) => {
//!                 sources.entry(token).and_modify(|source| source.1 = interest);
//!             }
//!             Change::Remove(token) => drop(sources.remove(&token)),
//!         }
//!     }
//!     // 2. Wait for the sources that have an interest, and for the pipe.
//!     let (tokens, mut polled): (Vec<_>, Vec<_>) = sources
//!         .iter()
//!         .filter(|(_, (_, interest))| !interest.is_empty())
//!         .map(|(token, (descriptor, interest))| {
//!             let mut flags = PollFlags::empty();
//!             flags.set(PollFlags::IN, interest.readable);
//!             flags.set(PollFlags::OUT, interest.writable);
//!             (*token, PollFd::new(descriptor, flags))
//!         })
//!         .unzip();
//!     polled.push(PollFd::new(&woken, PollFlags::IN));
//!     let deadline = reactor.deadline().into_iter().chain(handlers.deadline()).min();
//!     let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
//!     poll(&mut polled, limit.map(Timespec::try_from).transpose()?.as_ref())?;
//!     // 3. Report what is ready. An error or a hang-up counts as both.
//!     let both = PollFlags::ERR | PollFlags::HUP;
//!     for (token, polled) in tokens.into_iter().zip(&polled) {
//!         let ready = polled.revents();
//!         let (readable, writable) = (PollFlags::IN | both, PollFlags::OUT | both);
//!         reactor.handle_ready(token, ready.intersects(readable), ready.intersects(writable));
//!     }
//!     if polled.last().is_some_and(|woken| !woken.revents().is_empty()) {
//!         (&woken).read(&mut [0])?;
//!     }
//!     // 4. Do what is due, then call handlers.
//!     reactor.turn();
//!     handlers.pass(&mut ());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The examples `foreign_loop_poll`, `foreign_loop_calloop`, `foreign_loop_async_io` and
//! `foreign_loop_in_memory` are complete programs.
//!
//! # Races to avoid
//!
//! * **A wake between the deadline and the wait.** Another thread may publish just before the loop
//!   starts to wait. So `wake` must have an effect that lasts until the next wait and ends it: a
//!   byte in a pipe, an `eventfd`, a ping of calloop, a waker of mio. The signal of a condition
//!   variable has no effect if no thread waits for it, so it can be lost.
//! * **A deadline that is read too early.** A turn and handlers change the deadline; if they leave
//!   work to be done, the next turn is due at once. Get it as the last step before each wait. The
//!   call of [`Reactor::deadline`] also enables `wake`, which the reactor does not call between the
//!   start of a turn and that call.
//! * **A change that is applied too late.** A turn that ends a connection removes its sources, and
//!   a turn that opens one adds sources. Apply all changes before each wait.
//! * **A descriptor that is dropped too early.** A file keeps its descriptor's number as long as
//!   the [`Descriptor`] is held. At [`Change::Remove`], remove it from the selector first, and drop
//!   it after that. Otherwise another file may get the number, and the events of one are reported
//!   for the other.
//!
//! The following does no harm: a report of readiness that is not true, is repeated, is late, or is
//! about a source that was removed; a turn for which nothing is due; a wake without a reason; a
//! turn before all ready sources are reported. Before a deadline has an effect (a heartbeat is
//! missing, a call takes too long), the reactor tries the stream, whatever was reported. So it
//! reads what has arrived at the socket before it gives up the broker, even if the loop was
//! blocked.
//!
//! A loop that takes no turns sends no heartbeats, and the broker closes the connection of a client
//! that sends nothing for two heartbeat intervals. Handlers and all other work on the loop must
//! take less time than that.
//!
//! # Level-triggered, edge-triggered and one-shot loops
//!
//! * A **level-triggered** loop waits for exactly the [`Interest`] of each source. A connection
//!   that pauses reading, because a consumer is slow, has no interest in reading, so that bytes in
//!   its socket do not wake the loop. While an interest is empty, remove the source from the
//!   selector: operating systems report errors and hang-ups of every source that is registered.
//! * An **edge-triggered** loop registers both directions at [`Change::Add`] and ignores
//!   [`Change::Modify`]. The reactor reads and writes a stream until it returns `WouldBlock`, in
//!   this turn or in a later one, which is then due without a report. This includes TLS, which may
//!   hold decrypted bytes when the socket is empty.
//! * A **one-shot** loop (the usual mode of `polling`) arms a source at [`Change::Add`] and at each
//!   [`Change::Modify`]. The reactor reports a `Modify` after each event of a source.
//!
//! # Streams without a descriptor
//!
//! A connection can run over any stream that implements [`Read`](std::io::Read) and
//! [`Write`](std::io::Write) and returns `WouldBlock` instead of waiting, such as a pipe in memory,
//! a tunnel or a serial line: see [`Reactor::open_on`]. No change reports such a stream. The
//! program reports that it is ready, from any thread. If trying costs little, it is enough to
//! report it before each turn.
//!
//! # Virtual time
//!
//! With [`Reactor::with_clock`], the reactor uses a clock of the program. A test can advance the
//! clock to the deadline when there is nothing else to do, so that a day passes at once. In the
//! example `foreign_loop_in_memory`, the client and the embedded broker take turns in this way.
//!
//! # Ending
//!
//! Close the connections, and take turns until there are [none](Reactor::connections). A reactor
//! that is [closed](Reactor::close) or dropped before that loses its connections, and their handles
//! report the loss; what they had queued is still sent.
//!
//! Separate threads resolve names, read files and ask providers of credentials. These threads end
//! when their work is done. All other work of the reactor happens during turns.
//!
//! # Without streams
//!
//! A program that moves the bytes itself can use the connection as a state machine: see the [run
//! loop](crate::engine#the-run-loop) of the module `engine`, whose API may change in any release.

mod alarm;
mod apart;
#[cfg(unix)]
mod connector;
mod core;
mod network;
mod opening;
mod run_queue;
mod source;
mod stream;

use std::fmt;
use std::io;
use std::time::Instant;

use crate::link::Clock;

pub(crate) use self::core::Core;
pub(crate) use run_queue::{Named, RunQueue};
pub use source::{Change, Descriptor, Interest, Token};

/// Drives connections for an event loop of the program: see [the module](self).
///
/// All methods work from any thread; only one thread at a time can take a [`turn`](Reactor::turn).
/// To open connections on other threads than that of the loop, share the reactor by
/// [`Arc`](std::sync::Arc).
///
/// Dropping the reactor loses its connections, as [`close`](Reactor::close) does.
pub struct Reactor {
    core: Core,
}

impl Reactor {
    /// Creates a reactor. `wake` wakes its loop, from any thread: it ends the wait of the loop or,
    /// if the loop is not waiting, the next wait. It is called at most once between a call of
    /// [`deadline`](Reactor::deadline) and the next turn, when there is something to do.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self::with_clock(Instant::now, wake)
    }

    /// Creates a reactor with a clock of the program, such as one that a test advances. All times
    /// of its connections are of this clock.
    pub fn with_clock(
        clock: impl Fn() -> Instant + Send + Sync + 'static,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { core: Core::new(Clock::new(clock), wake) }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Returns the number of connections that are being opened or driven.
    pub fn connections(&self) -> usize {
        self.core.connections()
    }

    /// Returns the next change of what to wait for, or `None` if there are no more. Before each
    /// wait, apply all changes, in their order.
    pub fn poll_change(&self) -> Option<Change> {
        self.core.poll_change()
    }

    /// Reports that a source may be readable or writable. The next turn tries it. A report that is
    /// not true, or is about a source that was removed, does no harm. Report an error or a hang-up
    /// as both.
    ///
    /// A turn is due after this call. For a source with a descriptor it does not call `wake`,
    /// because the loop itself makes this call and is awake. For a stream of
    /// [`open_on`](Reactor::open_on), any thread may make it, and it wakes a loop that waits.
    pub fn handle_ready(&self, token: Token, readable: bool, writable: bool) {
        self.core.handle_ready(token, readable, writable);
    }

    /// Reports that the loop cannot wait for a source. Its connection, or the attempt to open one,
    /// fails with this error. Other connections are not affected.
    pub fn handle_failed(&self, token: Token, error: io::Error) {
        self.core.handle_failed(token, error);
    }

    /// Returns the time until which the loop may wait: a time that is not in the future if a turn
    /// is due now, or `None` if only readiness or a wake makes a turn due.
    ///
    /// Call it before each wait, as the last step. From this call until the next turn, `wake` is
    /// called when there is something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.core.deadline()
    }

    /// Takes a turn: reads and writes what is possible and does what is due, without waiting. Each
    /// connection does a limited amount of work; if one could do more, the next turn is due at
    /// once.
    ///
    /// A turn for which nothing is due does no harm. A turn within another one, or on a second
    /// thread at the same time, has no effect.
    pub fn turn(&self) {
        self.core.turn();
    }

    /// Loses all connections, and abandons those that are being opened. What they have queued is
    /// still sent: a socket is written by blocking calls, for at most 3 s per connection; any other
    /// stream is given what it accepts at once. For a regular close, of which the broker is
    /// notified, close the connections first and take turns until there are none.
    ///
    /// The sources that this removes are reported as [changes](Reactor::poll_change).
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
