//! Heartbeats: a virtual hour in memory, and handlers that take long in real time.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use leveret::callback::{Connection, EventLoop, Handlers};
use leveret::protocol::connection;
use leveret::readiness::Reactor;
use leveret::{ConnectionParameters, ErrorKind};
use leveret_test_support::transport::{Blocking, run_blocking};
use leveret_test_support::{Peer, Received, frames, tune};

use super::guard::Guard;

const HOUR: u64 = 3600;

/// Both directions of a stream in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Octets>>);

#[derive(Default)]
struct Octets {
    to_client: Vec<u8>,
    to_broker: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let waiting = &mut self.0.lock().unwrap().to_client;
        if waiting.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = octets.len().min(waiting.len());
        octets[..count].copy_from_slice(&waiting[..count]);
        waiting.drain(..count);
        Ok(count)
    }
}

impl Write for Memory {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().to_broker.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A loop without a descriptor and without a clock of its own.
struct Still {
    reactor: Reactor,
    handlers: Handlers<Vec<String>>,
    now: Arc<Mutex<Instant>>,
    memory: Memory,
    token: leveret::readiness::Token,
    log: Vec<String>,
}

impl Still {
    fn new(parameters: ConnectionParameters) -> (Self, Connection<Vec<String>>) {
        let now = Arc::new(Mutex::new(Instant::now()));
        let clock = Arc::clone(&now);
        let reactor = Reactor::with_clock(move || *clock.lock().unwrap(), || {});
        let handlers = Handlers::new(&reactor);
        let memory = Memory::default();
        let (token, opening) = reactor.open_on(memory.clone(), parameters).unwrap();
        let connection = Connection::wait_for(handlers.handle(), opening, |log: &mut Vec<String>, _, opened| {
            opened.unwrap();
            log.push("open".to_owned());
        });
        connection.on_close(|log, _, why| log.push(format!("{:?}", why.kind())));
        (Self { reactor, handlers, now, memory, token, log: Vec::new() }, connection)
    }

    /// Does what is due now.
    fn rest(&mut self) {
        loop {
            self.reactor.turn();
            self.handlers.pass(&mut self.log);
            let due = self.reactor.deadline().into_iter().chain(self.handlers.deadline()).min();
            if due.is_none_or(|due| due > *self.now.lock().unwrap()) {
                return;
            }
        }
    }

    /// The broker says this.
    fn say(&mut self, octets: &[u8]) {
        self.memory.0.lock().unwrap().to_client.extend_from_slice(octets);
        self.reactor.handle_ready(self.token, true, false);
        self.rest();
    }

    /// What the broker hears.
    fn heard(&self) -> Vec<u8> {
        std::mem::take(&mut self.memory.0.lock().unwrap().to_broker)
    }

    fn pass_time(&mut self, time: Duration) {
        *self.now.lock().unwrap() += time;
        self.rest();
    }

    fn shake_hands(&mut self, heartbeat: u16) {
        self.rest();
        self.say(&frames::method_octets(0, leveret_test_support::start("PLAIN")));
        self.say(&frames::method_octets(0, tune().heartbeat(heartbeat)));
        self.say(&frames::method_octets(0, connection::OpenOk::default()));
        assert_eq!(self.log, ["open"]);
        self.heard();
    }
}

#[test]
fn an_hour_passes_with_heartbeats_in_both_directions_and_ends_when_the_broker_falls_silent() {
    let (mut still, connection) = Still::new(ConnectionParameters::default());
    still.shake_hands(10);
    let mut longest = 0;
    let mut silent = 0;
    for second in 0..HOUR {
        if second % 9 == 0 {
            still.say(&frames::heartbeat_octets());
        }
        still.pass_time(Duration::from_secs(1));
        let heard = still.heard();
        silent += 1;
        if !heard.is_empty() {
            assert!(heard.chunks(8).all(|octets| octets == frames::heartbeat_octets()), "{heard:?}");
            silent = 0;
        }
        longest = longest.max(silent);
    }
    assert!(connection.is_open());
    assert!((4..=10).contains(&longest), "nothing was said for {longest} s");
    // Two intervals without a word, and it is over.
    still.say(&frames::heartbeat_octets());
    for _ in 0..19 {
        still.pass_time(Duration::from_secs(1));
    }
    assert!(connection.is_open());
    still.pass_time(Duration::from_secs(1));
    still.pass_time(Duration::from_secs(1));
    assert_eq!(still.log, ["open", "ConnectionClosed"]);
    assert!(still.handlers.is_idle());
}

#[test]
fn an_hour_in_which_the_loop_does_nothing_costs_no_connection_whose_broker_has_spoken() {
    let (mut still, connection) = Still::new(ConnectionParameters::default());
    still.shake_hands(10);
    // A handler computes for an hour, and the broker does not mind.
    *still.now.lock().unwrap() += Duration::from_secs(HOUR);
    still.say(&frames::heartbeat_octets());
    assert!(connection.is_open());
    assert_eq!(still.heard(), frames::heartbeat_octets(), "one at once, and none for those that were missed");
}

/// A broker on a thread of its own that proposes a heartbeat of 1 s, and gives up who is silent for
/// 2 s; it says how many heartbeats have come, and in the end that the client is gone or given up.
fn impatient() -> (u16, mpsc::Receiver<Option<u32>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (says, heard) = mpsc::channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let gives_up = stream.try_clone().unwrap();
        let mut peer = Peer::on(Blocking(stream)).patience(Duration::from_secs(30));
        run_blocking(async {
            peer.expect_protocol_header().await;
            peer.agree_on(tune().heartbeat(1)).await;
            let heartbeats = Arc::new(Mutex::new(Instant::now()));
            let over = Arc::new(AtomicBool::new(false));
            watch(gives_up, Arc::clone(&heartbeats), Arc::clone(&over));
            let mut count = 0;
            while let Some(received) = peer.receive().await {
                *heartbeats.lock().unwrap() = Instant::now();
                if received == Received::Heartbeat {
                    count += 1;
                    peer.send_heartbeat().await;
                    let _ = says.send(Some(count));
                }
            }
            over.store(true, Ordering::Release);
            let _ = says.send(None);
        });
    });
    (port, heard)
}

/// Ends a stream on which nothing has come for two intervals.
fn watch(stream: std::net::TcpStream, heard: Arc<Mutex<Instant>>, over: Arc<AtomicBool>) {
    let (tells, _told) = mpsc::sync_channel::<()>(0);
    thread::spawn(move || {
        while !over.load(Ordering::Acquire) {
            let until = *heard.lock().unwrap() + Duration::from_secs(2);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return;
            }
            thread::park_timeout(left);
        }
        drop(tells);
    });
}

/// Runs a handler that waits until the broker has heard four heartbeats, or has given up.
fn handle_slowly(driver_thread: bool) -> (bool, Option<ErrorKind>) {
    let (port, heard) = impatient();
    let mut event_loop = EventLoop::new().unwrap();
    let _guard = Guard::new();
    let url = format!("amqp://127.0.0.1:{port}");
    let parameters: ConnectionParameters = url.parse().unwrap();
    let connection = Connection::open(
        &mut event_loop,
        parameters.driver_thread(driver_thread),
        move |beats: &mut Option<bool>, connection, opened| {
            opened.unwrap();
            *beats = Some(heard.iter().find(|count| count.is_none_or(|count| count == 4)).unwrap().is_some());
            connection.handle().stop();
        },
    )
    .unwrap();
    let mut beats = None;
    event_loop.run(&mut beats).unwrap();
    // What has come meanwhile is read.
    event_loop.pass(&mut beats, Some(Duration::from_millis(100))).unwrap();
    event_loop.pass(&mut beats, Some(Duration::from_millis(100))).unwrap();
    (beats.unwrap(), connection.closed_by().map(|error| error.kind()))
}

#[test]
fn a_handler_that_takes_too_long_costs_the_connection() {
    assert_eq!(handle_slowly(false), (false, Some(ErrorKind::ConnectionClosed)));
}

#[test]
fn with_a_thread_that_drives_the_connection_a_handler_takes_as_long_as_it_likes() {
    assert_eq!(handle_slowly(true), (true, None));
}
