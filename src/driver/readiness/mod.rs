//! Connections in an event loop of somebody else's, which waits for descriptors to become ready
//! (feature `readiness`, and with `callback` and `blocking`).
//!
//! A [`Reactor`] drives any number of connections, without a thread, a timer or a selector of its
//! own: it says what to wait for and until when, and does what there is to do when it is given a
//! turn. The loops of the modules `callback` and `blocking` use nothing else.
//!
//! Its connections are those of the [async API](crate::asynchronous), from [`Reactor::open`], whose
//! handles work from any thread and on any executor; or those of the module `callback`, whose
//! `Handlers` call handlers in the same loop.
//!
//! # The loop
//!
//! Whoever has the loop repeats:
//!
//! 1. apply each [change](Reactor::poll_change) of what is to be waited for;
//! 2. ask for the [deadline](Reactor::deadline), and wait: until a source is ready, until the
//!    deadline, or until the reactor's `wake` is called;
//! 3. report each source that is [ready](Reactor::handle_ready);
//! 4. take a [turn](Reactor::turn), then let handlers run.
//!
//! Here with `poll(2)`, by the crate `rustix`:
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
//! // A byte in a pipe ends the wait, and the next one where there is none now.
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
//!     // 1. What to wait for.
//!     while let Some(change) = reactor.poll_change() {
//!         match change {
//!             Change::Add(token, descriptor, interest) => drop(sources.insert(token, (descriptor, interest))),
//!             Change::Modify(token, interest) => {
//!                 sources.entry(token).and_modify(|source| source.1 = interest);
//!             }
//!             Change::Remove(token) => drop(sources.remove(&token)),
//!         }
//!     }
//!     // 2. Wait, for the sources that have an interest and for the pipe.
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
//!     // 3. What is ready. An error or a hang-up counts as both.
//!     let both = PollFlags::ERR | PollFlags::HUP;
//!     for (token, polled) in tokens.into_iter().zip(&polled) {
//!         let ready = polled.revents();
//!         let (readable, writable) = (PollFlags::IN | both, PollFlags::OUT | both);
//!         reactor.handle_ready(token, ready.intersects(readable), ready.intersects(writable));
//!     }
//!     if polled.last().is_some_and(|woken| !woken.revents().is_empty()) {
//!         (&woken).read(&mut [0])?;
//!     }
//!     // 4. What there is to do; then whoever waits for it is called.
//!     reactor.turn();
//!     handlers.pass(&mut ());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The examples `foreign_loop_poll`, `foreign_loop_calloop`, `foreign_loop_async_io` and
//! `foreign_loop_in_memory` are whole programs.
//!
//! # Races to avoid
//!
//! * **A wake between the deadline and the wait.** Another thread may publish just before the loop
//!   begins to wait. `wake` has to leave something behind that ends the wait that begins after it:
//!   a byte in a pipe, an `eventfd`, a ping of calloop, a waker of mio. A condition that is
//!   signalled while nobody waits is lost.
//! * **A deadline that is read too early.** A turn and handlers change it, and what they leave to
//!   be done makes the next turn due at once. Ask for it last, each time. From then on, and not
//!   before, `wake` is called.
//! * **A change that is applied too late.** A turn that ends a connection removes its sources, and
//!   one that opens another adds some. Apply all changes before each wait.
//! * **A descriptor that is dropped too early.** It keeps its number as long as the [`Descriptor`]
//!   is held. Take it out of the selector first, at [`Change::Remove`], and drop it then: else
//!   another file may get the number, and events of one are taken for those of the other.
//!
//! What does no harm: readiness that is not true, that is reported twice, late, or for a source
//! that is gone; a turn that nothing is due for; a wake without a reason; a turn before all sources
//! of a wait were reported. When something is about to be judged by the time (a heartbeat is
//! missing, a call takes too long), the stream is tried first, whatever was reported: what lies in
//! a socket is read before its broker is given up, in a loop that was blocked too.
//!
//! A loop that takes no turns sends no heartbeats, and a broker gives up a client that is silent
//! for two intervals. Handlers and everything else on the loop are to be shorter than that.
//!
//! # Level, edge, one event
//!
//! * A **level-triggered** loop follows each [`Interest`]. A connection that does not read, because
//!   a consumer is slow, has no interest in reading, so that what lies in its socket wakes nobody.
//!   While an interest is empty, take the source out of the selector altogether: systems report
//!   errors and hang-ups of whatever is registered.
//! * An **edge-triggered** loop registers both directions at [`Change::Add`] and passes over
//!   [`Change::Modify`]. A stream is read and written until it says `WouldBlock`, now or in a later
//!   turn that is then due by itself, TLS included, in which decrypted bytes may be left when the
//!   socket is empty.
//! * A **one-shot** loop (the usual mode of `polling`) arms a source at [`Change::Add`] and at each
//!   [`Change::Modify`], of which there is one after each event.
//!
//! # Streams without a descriptor
//!
//! [`Reactor::open_on`] takes anything that implements [`Read`](std::io::Read) and
//! [`Write`](std::io::Write), and says `WouldBlock` where it would have to wait: a pipe in memory,
//! a tunnel, a serial line. No change tells of it; whoever knows it reports it as ready, from any
//! thread. Reporting it before each turn will do where trying costs little.
//!
//! # Virtual time
//!
//! With [`Reactor::with_clock`], time is what the clock says. A test turns it to the deadline when
//! there is nothing else to do, and a day passes at once: see the example `foreign_loop_in_memory`,
//! in which client and embedded broker take turns.
//!
//! # The end
//!
//! Close connections, and take turns until there are [none](Reactor::connections). A reactor that
//! is [closed](Reactor::close) or dropped before that loses its connections, which their handles
//! hear of; what they had queued still goes out.
//!
//! Names are resolved, files read and providers of credentials asked on threads that are there for
//! it and end by themselves; nothing else is done elsewhere than in turns.
//!
//! # Still less
//!
//! Below this is the connection as a state machine, for whoever wants to move the bytes too: see
//! the [run loop](crate::engine#the-run-loop) of the module `engine`, which is not promised.

mod alarm;
mod apart;
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

    /// A source cannot be waited for: what goes on on it fails with this error, and nothing else
    /// does.
    pub fn handle_failed(&self, token: Token, error: io::Error) {
        self.core.handle_failed(token, error);
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
