//! A connection in a loop around `poll(2)`.
//!
//! `cargo run --no-default-features --features callback,broker --example foreign_loop_poll`
//! connects to the broker in `AMQP_URL`, or to an embedded one.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

#[path = "support/broker.rs"]
mod broker;
#[path = "support/session.rs"]
mod session;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, PipeReader, Read, Write};
use std::time::Instant;

use leveret::callback::{Connection, Handlers};
use leveret::readiness::{Change, Descriptor, Interest, Reactor, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use session::Session;

fn main() -> Result<(), Box<dyn Error>> {
    // Other threads end the wait by a byte in a pipe. The byte stays there until the loop takes it,
    // so one that is written just before a wait ends that wait.
    let (mut woken, wake) = io::pipe()?;
    let reactor = Reactor::new(move || drop((&wake).write(&[0])));
    let handlers = Handlers::new(&reactor);

    let mut session = Session::default();
    Connection::open_in(handlers.handle(), broker::url()?, session::on_open)?;

    let mut sources = Sources::default();
    while !handlers.is_idle() {
        // 1. Apply the changes.
        while let Some(change) = reactor.poll_change() {
            sources.apply(change);
        }
        // 2. Wait. Get the deadlines last, when nothing more can be done without waiting.
        let deadline = reactor.deadline().into_iter().chain(handlers.deadline()).min();
        // 3. Report everything that is ready.
        for (token, readable, writable) in sources.wait(&mut woken, deadline)? {
            reactor.handle_ready(token, readable, writable);
        }
        // 4. Do what is due, then call handlers.
        reactor.turn();
        handlers.pass(&mut session);
    }
    session.finish()
}

/// The sources to wait for.
#[derive(Default)]
struct Sources(BTreeMap<Token, (Descriptor, Interest)>);

impl Sources {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Add(token, descriptor, interest) => {
                self.0.insert(token, (descriptor, interest));
            }
            Change::Modify(token, interest) => {
                if let Some(source) = self.0.get_mut(&token) {
                    source.1 = interest;
                }
            }
            // The loop does not wait for it now, so its descriptor may be dropped.
            Change::Remove(token) => drop(self.0.remove(&token)),
        }
    }

    /// Waits, and returns the sources that are ready for reading or writing.
    fn wait(&self, woken: &mut PipeReader, deadline: Option<Instant>) -> io::Result<Vec<(Token, bool, bool)>> {
        let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = limit.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        // A source without an interest is left out: `poll` would report its hang-up repeatedly.
        let (tokens, mut polled): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .filter(|(_, (_, interest))| !interest.is_empty())
            .map(|(token, (descriptor, interest))| (*token, PollFd::new(descriptor, flags(*interest))))
            .unzip();
        polled.push(PollFd::new(&*woken, PollFlags::IN));
        match poll(&mut polled, limit.as_ref()) {
            // A signal interrupted the wait: nothing is ready, and a turn does no harm.
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            polled => polled?,
        };
        let is_woken = polled.pop().is_some_and(|woken| !woken.revents().is_empty());
        // An error or a hang-up counts as both: the next attempt finds out what it is.
        let both = PollFlags::ERR | PollFlags::HUP;
        let ready = tokens.into_iter().zip(polled.iter().map(PollFd::revents));
        let ready = ready.filter(|(_, flags)| !flags.is_empty()).map(|(token, flags)| {
            (token, flags.intersects(PollFlags::IN | both), flags.intersects(PollFlags::OUT | both))
        });
        let ready = ready.collect();
        if is_woken {
            drop(polled);
            woken.read_exact(&mut [0])?;
        }
        Ok(ready)
    }
}

fn flags(interest: Interest) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.readable);
    flags.set(PollFlags::OUT, interest.writable);
    flags
}

#[test]
fn the_session_runs_to_its_end() {
    assert!(main().is_ok());
}
