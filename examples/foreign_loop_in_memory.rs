//! A connection without a descriptor, a thread or a real clock: the client and an embedded broker
//! take turns in one loop, over a pipe in memory, and time passes when there is nothing else to do.
//!
//! `cargo run --no-default-features --features callback,broker --example foreign_loop_in_memory`

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

#[path = "support/session.rs"]
mod session;

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use leveret::broker::{ConnectionId, Settings, State, Transport};
use leveret::callback::{Connection, Handlers};
use leveret::readiness::Reactor;
use session::Session;

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let time = Time::new(start);
    let clock = time.clone();
    // Everything is on this thread and nothing waits, so there is nothing to wake.
    let reactor = Reactor::with_clock(move || clock.now(), || {});
    let handlers = Handlers::new(&reactor);

    let (stream, brokers) = pipe();
    let mut broker = Broker::new(brokers, time.now());
    let (token, opening) = reactor.open_on(stream, "amqp://guest:guest@localhost")?;
    Connection::wait_for(handlers.handle(), opening, |_, connection, opened| {
        // A day of virtual time passes first, with a heartbeat every half minute.
        let connection = connection.clone();
        let handle = connection.handle().clone();
        handle.call_later(DAY, move |session, _| session::on_open(session, &connection, opened));
    });

    let mut session = Session::default();
    while !handlers.is_idle() {
        // A report that is not true does no harm, and an attempt costs little here.
        reactor.handle_ready(token, true, true);
        reactor.turn();
        handlers.pass(&mut session);
        // The broker runs after the client, so that nothing is in the pipe if this reports that
        // nothing moved.
        let moved = broker.step(time.now());
        let next = [reactor.deadline(), handlers.deadline(), broker.state.poll_deadline()];
        if !moved && let Some(next) = next.into_iter().flatten().min() {
            time.pass_until(next);
        }
    }
    println!("It took {} s of virtual time.", (time.now() - start).as_secs());
    session.finish()
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A clock that only this program advances.
#[derive(Clone)]
struct Time(Arc<Mutex<Instant>>);

impl Time {
    fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    fn now(&self) -> Instant {
        *lock(&self.0)
    }

    fn pass_until(&self, then: Instant) {
        let mut now = lock(&self.0);
        *now = then.max(*now);
    }
}

/// The broker, and its end of the pipe.
struct Broker {
    state: State,
    client: ConnectionId,
    stream: End,
    /// Bytes that arrived and are not handled yet.
    input: BytesMut,
    /// Bytes that are still to be written.
    output: VecDeque<u8>,
}

impl Broker {
    fn new(stream: End, now: Instant) -> Self {
        let mut state = State::new(Settings::default(), now);
        let client = state.handle_connect(now);
        Self { state, client, stream, input: BytesMut::new(), output: VecDeque::new() }
    }

    /// Moves as many bytes as possible, and returns whether any moved.
    fn step(&mut self, now: Instant) -> bool {
        self.state.handle_timeout(now);
        let mut chunk = [0; CAPACITY];
        let read = if self.state.wants_input(self.client) { self.stream.read(&mut chunk).unwrap_or(0) } else { 0 };
        if read > 0 {
            self.input.extend_from_slice(chunk.get(..read).unwrap_or_default());
            self.state.handle_bytes(self.client, &mut self.input, now);
        }
        while let Some(mut outbound) = self.state.poll_transmit(self.client, now) {
            while !outbound.is_empty() {
                let mut slices = [IoSlice::new(&[])];
                outbound.slices(&mut slices);
                let count = slices.iter().map(|slice| slice.len()).sum();
                self.output.extend(slices.iter().flat_map(|slice| slice.iter()));
                outbound.advance(count);
            }
        }
        let written = self.stream.write(self.output.make_contiguous()).unwrap_or(0);
        self.output.drain(..written);
        if self.state.transport(self.client) != Transport::Open && self.output.is_empty() {
            self.stream.end();
        }
        read + written > 0
    }
}

/// The bytes that one direction of the pipe holds at most.
const CAPACITY: usize = 1024;

/// One direction of a pipe.
#[derive(Default)]
struct Way {
    bytes: VecDeque<u8>,
    ended: bool,
}

/// One end of a pipe. A stream can be any `Read + Write` that returns `WouldBlock` instead of
/// waiting.
struct End {
    input: Arc<Mutex<Way>>,
    output: Arc<Mutex<Way>>,
}

fn pipe() -> (End, End) {
    let (one, other) = (Arc::<Mutex<Way>>::default(), Arc::<Mutex<Way>>::default());
    (End { input: Arc::clone(&one), output: Arc::clone(&other) }, End { input: other, output: one })
}

impl End {
    /// Ends the output.
    fn end(&self) {
        lock(&self.output).ended = true;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.end();
    }
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut way = lock(&self.input);
        if way.bytes.is_empty() && !way.ended { Err(ErrorKind::WouldBlock.into()) } else { way.bytes.read(buffer) }
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut way = lock(&self.output);
        let room = CAPACITY - way.bytes.len();
        if room == 0 && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        way.bytes.write(bytes.get(..room).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Locks a mutex. Nothing panics while it is locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn the_session_runs_to_its_end() {
    assert!(main().is_ok());
}
