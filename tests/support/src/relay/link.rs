//! One connection of a relay: two sockets, and the threads between them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::SockRef;

use super::{End, Fate, Shared, State, Way};

/// How much is read at a time. A direction that waits holds this much, besides what the system
/// buffers.
const CHUNK: usize = 16 * 1024;

/// How long a write waits before it looks whether the connection was ended meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    client: Arc<TcpStream>,
    /// None once the broker was let go. Its threads have it besides.
    broker: Mutex<Option<Arc<TcpStream>>>,
    /// It was ended on purpose.
    is_over: AtomicBool,
    /// Which directions have ended.
    done: [AtomicBool; 2],
}

impl Link {
    pub(super) fn new(client: TcpStream, broker: TcpStream) -> io::Result<Self> {
        for socket in [&client, &broker] {
            socket.set_nodelay(true)?;
            socket.set_write_timeout(Some(LOOK))?;
        }
        Ok(Self {
            client: Arc::new(client),
            broker: Mutex::new(Some(Arc::new(broker))),
            is_over: AtomicBool::new(false),
            done: Default::default(),
        })
    }

    /// Moves the bytes of a direction until it ends.
    pub(super) fn run(&self, way: Way, shared: &Shared) {
        let moved = match way {
            Way::ToBroker => self.move_from(&self.client, way, shared),
            Way::ToClient => match self.broker() {
                Some(broker) => self.move_from(&broker, way, shared),
                None => return,
            },
        };
        // The end of the stream waits as bytes do, and is dropped as they are.
        if self.fate(way, shared) == Fate::Swallow || self.is_over() {
            return;
        }
        match (moved, self.target(way)) {
            (Ok(()), Some(to)) => drop(to.shutdown(Shutdown::Write)),
            _ => self.end(End::Reset),
        }
    }

    fn move_from(&self, mut from: &TcpStream, way: Way, shared: &Shared) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        loop {
            self.fate(way, shared);
            match from.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) if self.is_over() || count == 0 => return Ok(()),
                Ok(count) => self.handle(way, &chunk[..count], shared)?,
            }
        }
    }

    /// Marks a direction as ended. Returns `true` once both are.
    pub(super) fn is_done(&self, way: Way) -> bool {
        self.done[way.index()].store(true, Ordering::Relaxed);
        self.done.iter().all(|done| done.load(Ordering::Relaxed))
    }

    /// Ends both sides. They are closed when the threads have ended.
    pub(super) fn end(&self, end: End) {
        self.is_over.store(true, Ordering::Relaxed);
        for socket in [Some(Arc::clone(&self.client)), self.broker()].into_iter().flatten() {
            match end {
                End::Cut => drop(socket.shutdown(Shutdown::Both)),
                End::Reset => reset(&socket),
            }
        }
    }

    /// Resets the side of the broker alone.
    pub(super) fn let_broker_go(&self) {
        let broker = self.broker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(broker) = broker {
            reset(&broker);
        }
    }

    fn broker(&self) -> Option<Arc<TcpStream>> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the bytes of a direction go.
    fn target(&self, way: Way) -> Option<Arc<TcpStream>> {
        match way {
            Way::ToBroker => self.broker(),
            Way::ToClient => Some(Arc::clone(&self.client)),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// What becomes of the bytes of a direction, as soon as they may move.
    fn fate(&self, way: Way, shared: &Shared) -> Fate {
        let stalls = |state: &mut State| !self.is_over() && state.fates[way.index()] == Fate::Stall;
        let state = shared.changed.wait_while(shared.state(), stalls);
        state.unwrap_or_else(PoisonError::into_inner).fates[way.index()]
    }

    /// Does with bytes what is to be done with them at present.
    fn handle(&self, way: Way, bytes: &[u8], shared: &Shared) -> io::Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            let step = match self.fate(way, shared) {
                Fate::Swallow => return Ok(()),
                Fate::Pass | Fate::Stall => left.len(),
                Fate::Trickle(pause) => {
                    self.pause(pause, shared);
                    1
                }
                Fate::Delay(pause) => {
                    self.pause(pause, shared);
                    left.len()
                }
            };
            let count = self.pass(way, &left[..step], shared)?;
            left = &left[count..];
        }
        Ok(())
    }

    /// Passes bytes on, up to where the connection is to end. Returns how many were passed.
    fn pass(&self, way: Way, bytes: &[u8], shared: &Shared) -> io::Result<usize> {
        // Taken before they are written, so that no other connection has the same allowance.
        let (count, end) = shared.change(|state| state.allow(way, bytes.len()));
        self.write(way, &bytes[..count])?;
        shared.change(|state| state.passed[way.index()] += count as u64);
        if let Some(end) = end {
            self.end(end);
        }
        if self.is_over() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(count) }
    }

    fn write(&self, way: Way, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && !self.is_over() {
            let Some(to) = self.target(way) else { return Ok(()) };
            match (&*to).write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits so long, or until the connection is ended.
    fn pause(&self, pause: Duration, shared: &Shared) {
        let runs = |_: &mut State| !self.is_over();
        drop(shared.changed.wait_timeout_while(shared.state(), pause, runs));
    }
}

/// A write came to no end in its time.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

impl State {
    /// Takes as many bytes of what is allowed, and says how the connection ends after them.
    fn allow(&mut self, way: Way, bytes: usize) -> (usize, Option<End>) {
        let Some((allowed, end)) = &mut self.ends[way.index()] else { return (bytes, None) };
        let count = usize::try_from(*allowed).map_or(bytes, |allowed| allowed.min(bytes));
        *allowed -= count as u64;
        let ends = (*allowed == 0).then_some(*end);
        if ends.is_some() {
            self.ends[way.index()] = None;
        }
        (count, ends)
    }
}

/// Has a socket reset as soon as its last descriptor is closed: a thread that reads it ends, and no
/// end of the stream is sent before.
pub(super) fn reset(socket: &TcpStream) {
    drop(SockRef::from(socket).set_linger(Some(Duration::ZERO)));
    drop(socket.shutdown(Shutdown::Read));
}
