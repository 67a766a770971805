//! A client and a broker in one thread, over a pipe in memory, in virtual time.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use leveret::asynchronous::Connection;
use leveret::broker::{ConnectionId, Settings, State, Transport};
use leveret::readiness::{Reactor, Token};
use leveret::{ConnectionParameters, Result};
use leveret_test_support::frames::octets_of;

use super::random::Random;
use super::session::Polled;

/// When a stream is reported to be ready.
pub(crate) enum Report {
    /// As long as it is.
    Level,
    /// When it has become so.
    Edge,
    /// Some time after it has, perhaps twice, and at other times too.
    Lies(Random),
}

/// One direction of a pipe.
#[derive(Default)]
pub(crate) struct Way {
    bytes: VecDeque<u8>,
    ended: bool,
    /// Bytes that ever came in, and went out.
    came: u64,
    went: u64,
}

/// One end of a pipe.
pub(crate) struct End {
    capacity: usize,
    pub(crate) input: Arc<Mutex<Way>>,
    pub(crate) output: Arc<Mutex<Way>>,
}

pub(crate) fn pipe(capacity: usize) -> (End, End) {
    let (one, other) = (Arc::<Mutex<Way>>::default(), Arc::<Mutex<Way>>::default());
    let end = |input: &Arc<_>, output: &Arc<_>| End { capacity, input: Arc::clone(input), output: Arc::clone(output) };
    (end(&one, &other), end(&other, &one))
}

impl End {
    pub(crate) fn has_input(&self) -> bool {
        !self.input.lock().unwrap().bytes.is_empty()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.output.lock().unwrap().ended = true;
    }
}

impl Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut way = self.input.lock().unwrap();
        if way.bytes.is_empty() && !way.ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = way.bytes.read(buffer)?;
        way.went += count as u64;
        Ok(count)
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut way = self.output.lock().unwrap();
        let count = bytes.len().min(self.capacity - way.bytes.len());
        if count == 0 && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        way.bytes.extend(&bytes[..count]);
        way.came += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The broker at its end.
pub(crate) struct Broker {
    pub(crate) state: State,
    client: ConnectionId,
    pub(crate) stream: Option<End>,
    input: BytesMut,
    output: VecDeque<u8>,
}

impl Broker {
    fn new(stream: End, now: Instant) -> Self {
        let mut state = State::new(Settings::default(), now);
        let client = state.handle_connect(now);
        Self { state, client, stream: Some(stream), input: BytesMut::new(), output: VecDeque::new() }
    }

    /// Moves what can be moved. Whether that was anything.
    fn step(&mut self, now: Instant) -> bool {
        self.state.handle_timeout(now);
        let Some(stream) = &mut self.stream else { return false };
        let mut chunk = [0; 4096];
        let read = if self.state.wants_input(self.client) { stream.read(&mut chunk).unwrap_or(0) } else { 0 };
        if read > 0 {
            self.input.extend_from_slice(&chunk[..read]);
            self.state.handle_bytes(self.client, &mut self.input, now);
        }
        // Not more than it can pass on: the rest waits in the broker's queues.
        while self.output.is_empty()
            && let Some(outbound) = self.state.poll_transmit(self.client, now)
        {
            self.output.extend(octets_of(outbound));
        }
        let (front, _) = self.output.as_slices();
        let written = if front.is_empty() { 0 } else { stream.write(front).unwrap_or(0) };
        self.output.drain(..written);
        let ends = self.state.transport(self.client) != Transport::Open && self.output.is_empty();
        if ends {
            self.stream = None;
        }
        read + written > 0 || ends
    }
}

pub(crate) struct World {
    pub(crate) reactor: Arc<Reactor>,
    time: Arc<Mutex<Instant>>,
    pub(crate) broker: Broker,
    parameters: ConnectionParameters,
    /// The client's end, until it is opened.
    stream: Option<End>,
    /// What the client reads and writes, as it was reported last.
    ways: [Arc<Mutex<Way>>; 2],
    seen: (u64, u64, bool),
    capacity: usize,
    token: Token,
    report: Report,
    pub(crate) turns: usize,
}

impl World {
    pub(crate) fn new(capacity: usize, report: Report, parameters: ConnectionParameters) -> Self {
        let (stream, brokers) = pipe(capacity);
        let ways = [Arc::clone(&stream.input), Arc::clone(&stream.output)];
        let time = Arc::new(Mutex::new(Instant::now()));
        let clock = Arc::clone(&time);
        let reactor = Arc::new(Reactor::with_clock(move || *clock.lock().unwrap(), || {}));
        let broker = Broker::new(brokers, *time.lock().unwrap());
        let (stream, token, seen) = (Some(stream), Token(0), (0, 0, false));
        Self { reactor, time, broker, parameters, stream, ways, seen, capacity, token, report, turns: 0 }
    }

    pub(crate) fn now(&self) -> Instant {
        *self.time.lock().unwrap()
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.time.lock().unwrap() += time;
    }

    pub(crate) fn token(&self) -> Token {
        self.token
    }

    pub(crate) fn open(&mut self) -> impl Future<Output = Result<Connection>> + use<> {
        self.open_as(|end| end)
    }

    /// On a stream that has the client's end in it.
    pub(crate) fn open_as<T, F>(&mut self, stream: F) -> impl Future<Output = Result<Connection>> + use<T, F>
    where
        T: Read + Write + Send + Unpin + 'static,
        F: FnOnce(End) -> T,
    {
        let stream = stream(self.stream.take().unwrap());
        let (token, opening) = self.reactor.open_on(stream, self.parameters.clone()).unwrap();
        self.token = token;
        opening
    }

    /// Runs until a future is done.
    pub(crate) fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = Polled::new(future);
        loop {
            if let Some(output) = future.poll() {
                return output;
            }
            if !self.round() && !future.is_woken() {
                let deadlines = self.reactor.deadline().into_iter().chain(self.broker.state.poll_deadline());
                let next = deadlines.min().unwrap();
                let mut time = self.time.lock().unwrap();
                *time = next.max(*time);
            }
        }
    }

    /// Everything that there is to do until then, and time in between.
    pub(crate) fn run_until(&mut self, end: Instant) {
        loop {
            while self.round() {}
            let deadlines = self.reactor.deadline().into_iter().chain(self.broker.state.poll_deadline());
            let next = deadlines.min().filter(|next| *next < end);
            *self.time.lock().unwrap() = next.unwrap_or(end).max(self.now());
            if next.is_none() {
                return;
            }
        }
    }

    /// A turn of each, where one is due. Whether there is more to do at once.
    pub(crate) fn round(&mut self) -> bool {
        let is_held = self.report();
        let is_due = self.is_due();
        if is_due {
            self.reactor.turn();
            self.turns += 1;
        }
        self.broker.step(self.now()) || is_due || is_held
    }

    /// A turn of the client's is due.
    pub(crate) fn is_due(&self) -> bool {
        self.reactor.deadline().is_some_and(|deadline| deadline <= self.now())
    }

    /// Whether more is to be reported.
    fn report(&mut self) -> bool {
        let (came, is_readable, ended) = {
            let input = self.ways[0].lock().unwrap();
            (input.came, !input.bytes.is_empty() || input.ended, input.ended)
        };
        let (went, is_writable) = {
            let output = self.ways[1].lock().unwrap();
            (output.went, output.bytes.len() < self.capacity)
        };
        let (readable, writable) = match &mut self.report {
            Report::Level => (is_readable, is_writable),
            _ => (self.seen.0 != came || self.seen.2 != ended, self.seen.1 != went),
        };
        if let Report::Lies(random) = &mut self.report {
            self.reactor.handle_ready(Token(random.below(9)), random.one_in(2), random.one_in(2));
            if random.one_in(6) {
                self.reactor.turn();
            }
            if !random.one_in(3) {
                return readable || writable;
            }
            if random.one_in(4) {
                self.reactor.handle_ready(self.token, readable, writable);
                self.reactor.turn();
            }
        }
        self.seen = (came, went, ended);
        if readable || writable {
            self.reactor.handle_ready(self.token, readable, writable);
        }
        false
    }
}
