//! Threads that wait on a connection whose time a test turns: a reactor in memory, with the state
//! of the embedded broker at the other end.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use leveret::blocking::Connection;
use leveret::broker::{ConnectionId, Fault, Settings, State, Target};
use leveret::readiness::{Reactor, Token};
use leveret::{ConnectionParameters, ErrorKind};

use super::within::in_time;

const HOUR: Duration = Duration::from_secs(3600);

/// Octets on their way in one direction.
type Octets = Arc<Mutex<VecDeque<u8>>>;

/// The client's end of a pipe in memory.
struct Pipe {
    inbound: Octets,
    outbound: Octets,
}

impl Read for Pipe {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match self.inbound.lock().unwrap().read(octets)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.outbound.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Both ends of a connection, and their time.
struct Turned {
    clock: Arc<Mutex<Instant>>,
    reactor: Reactor,
    token: Token,
    broker: State,
    id: ConnectionId,
    to_client: Octets,
    to_broker: Octets,
    /// Octets that the client has sent.
    sent: usize,
}

impl Turned {
    /// A connection that is open.
    fn open(parameters: ConnectionParameters) -> (Self, Connection) {
        let now = Instant::now();
        let clock = Arc::new(Mutex::new(now));
        let read = Arc::clone(&clock);
        let reactor = Reactor::with_clock(move || *read.lock().unwrap(), || {});
        let (to_client, to_broker) = (Octets::default(), Octets::default());
        let pipe = Pipe { inbound: Arc::clone(&to_client), outbound: Arc::clone(&to_broker) };
        let (token, opened) = reactor.open_on(pipe, parameters).unwrap();
        let mut broker = State::new(Settings::default(), now);
        let id = broker.handle_connect(now);
        let mut turned = Self { clock, reactor, token, broker, id, to_client, to_broker, sent: 0 };
        let mut opened = pin!(opened);
        let connection = loop {
            turned.settle();
            if let Poll::Ready(opened) = opened.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break opened.unwrap();
            }
        };
        (turned, connection.into())
    }

    fn now(&self) -> Instant {
        *self.clock.lock().unwrap()
    }

    /// Moves what there is, until nothing moves any more.
    fn settle(&mut self) {
        loop {
            while self.reactor.poll_change().is_some() {}
            self.reactor.turn();
            let moved = self.exchange();
            if moved {
                self.reactor.handle_ready(self.token, true, true);
            }
            if !moved && self.reactor.deadline().is_none_or(|deadline| deadline > self.now()) {
                return;
            }
        }
    }

    /// What each end has for the other. Whether that was something.
    fn exchange(&mut self) -> bool {
        let now = self.now();
        let said: Vec<u8> = self.to_broker.lock().unwrap().drain(..).collect();
        self.sent += said.len();
        self.broker.handle_bytes(self.id, &mut said.as_slice().into(), now);
        let mut answered = false;
        while let Some(mut outbound) = self.broker.poll_transmit(self.id, now) {
            while !outbound.is_empty() {
                let mut slices = [io::IoSlice::new(&[]); 16];
                let filled = outbound.slices(&mut slices);
                let count = self.to_client.lock().unwrap().write_vectored(&slices[..filled]).unwrap();
                outbound.advance(count);
            }
            answered = true;
        }
        answered || !said.is_empty()
    }

    /// Lets time pass, from one deadline to the next.
    fn pass(&mut self, time: Duration) {
        let until = self.now() + time;
        loop {
            self.settle();
            let deadlines = [self.reactor.deadline(), self.broker.poll_deadline()];
            let next = deadlines.into_iter().flatten().min().filter(|next| *next <= until);
            let now = next.unwrap_or(until).max(self.now());
            *self.clock.lock().unwrap() = now;
            self.broker.handle_timeout(now);
            if next.is_none() {
                return self.settle();
            }
        }
    }

    /// Goes on until a thread has what it waits for, without any time that passes.
    fn serve<T: Send>(&mut self, doing: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(doing);
            while !thread.is_finished() {
                self.settle();
                thread::yield_now();
            }
            thread.join().unwrap()
        })
    }
}

/// Octets of a heartbeat.
const HEARTBEAT: usize = 8;

#[test]
fn heartbeats_flow_for_an_hour_in_which_the_application_computes() {
    in_time(|| {
        let (mut turned, connection) = Turned::open(ConnectionParameters::default().heartbeat(10));
        turned.settle();
        turned.sent = 0;
        turned.pass(HOUR);
        assert!(connection.is_open(), "{:?}", connection.closed_by());
        let beats = turned.sent / HEARTBEAT;
        assert!((360..=1440).contains(&beats), "{beats} heartbeats in an hour");
        assert_eq!(turned.sent, beats * HEARTBEAT, "and nothing else");
        assert_eq!(turned.broker.connections().len(), 1);
        let declared = turned.serve(|| connection.open_channel()?.queue_declare("q").call());
        assert_eq!(declared.unwrap().queue, "q");
    });
}

#[test]
fn a_consumer_waits_for_hours_and_hears_of_the_message_that_comes_then() {
    in_time(|| {
        let (mut turned, connection) = Turned::open(ConnectionParameters::default().heartbeat(10));
        let (mut consumer, channel) = turned.serve(|| {
            let channel = connection.open_channel().unwrap();
            channel.queue_declare("q").call().unwrap();
            (channel.consume("q").call().unwrap(), channel)
        });
        thread::scope(|scope| {
            let waiting = scope.spawn(move || consumer.try_next().unwrap().unwrap().body().to_vec());
            turned.pass(3 * HOUR);
            assert!(!waiting.is_finished());
            channel.publish("", "q", "at last").send().unwrap();
            while !waiting.is_finished() {
                turned.settle();
            }
            assert_eq!(waiting.join().unwrap(), b"at last");
        });
    });
}

#[test]
fn a_broker_that_falls_silent_is_given_up_after_two_intervals_and_each_wait_ends() {
    in_time(|| {
        let (mut turned, connection) = Turned::open(ConnectionParameters::default().heartbeat(10));
        let channel = turned.serve(|| connection.open_channel()).unwrap();
        turned.broker.inject(Target::All, Fault::Silence);
        thread::scope(|scope| {
            let calling = scope.spawn(|| channel.queue_declare("q").call());
            let closing = scope.spawn(|| connection.wait_closed());
            turned.pass(Duration::from_secs(19));
            assert!(connection.is_open() && !calling.is_finished() && !closing.is_finished());
            turned.pass(Duration::from_secs(2));
            assert!(!connection.is_open());
            for error in [calling.join().unwrap().unwrap_err(), closing.join().unwrap()] {
                assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error}");
            }
        });
    });
}

#[test]
fn a_call_that_nobody_answers_ends_at_its_deadline_and_not_before() {
    in_time(|| {
        let (mut turned, connection) = Turned::open(ConnectionParameters::default().heartbeat(0));
        let channel = turned.serve(|| connection.open_channel()).unwrap();
        turned.broker.inject(Target::All, Fault::Silence);
        turned.sent = 0;
        thread::scope(|scope| {
            let calling = scope.spawn(|| channel.queue_declare("q").call());
            while turned.sent == 0 {
                turned.settle();
            }
            turned.pass(Duration::from_secs(74));
            assert!(!calling.is_finished());
            turned.pass(Duration::from_secs(1));
            let error = calling.join().unwrap().unwrap_err();
            assert!(error.is_timeout() && error.is_unknown(), "{error}");
        });
    });
}
