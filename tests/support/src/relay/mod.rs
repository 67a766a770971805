//! A TCP relay for tests of faults: it stands between clients and a broker, takes any number of
//! connections, and is told while it runs what becomes of their bytes.
//!
//! A relay runs on threads of its own, so that a test may use it with or without a runtime, and
//! may block meanwhile. Each direction of each connection is a thread that reads a chunk and does
//! with it what its [`Fate`] says at that time. A change counts for what is read after it, and for
//! what waits: bytes that are held back are passed on once the direction passes again.
//!
//! ```text
//!  client ──▶ ToBroker ──▶ broker        one pair of threads for each connection,
//!  client ◀── ToClient ◀── broker        one fate for each direction of all of them
//! ```

mod link;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use link::Link;

/// A direction, of every connection of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// What clients send.
    ToBroker,
    /// What the broker sends.
    ToClient,
}

impl Way {
    /// Both directions.
    pub const BOTH: [Self; 2] = [Self::ToBroker, Self::ToClient];

    fn index(self) -> usize {
        match self {
            Self::ToBroker => 0,
            Self::ToClient => 1,
        }
    }
}

/// What becomes of the bytes of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// They are passed on, and so is the end of the stream.
    #[default]
    Pass,
    /// They are read and dropped, and so is the end of the stream: the other side neither gets
    /// anything nor hears of an end.
    Swallow,
    /// They are not read, so that the sender comes to a stop when buffers are full.
    Stall,
    /// They are passed on one at a time, with this pause after each.
    Trickle(Duration),
    /// They are passed on so much later.
    Delay(Duration),
}

/// How a connection ends after a number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Both sides are closed, as if the other one had closed.
    Cut,
    /// Both sides are reset, as if the other one had died.
    Reset,
}

/// A relay. Dropped, it closes every connection and its port.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
}

/// What the threads of a relay share.
#[derive(Debug, Default)]
struct Shared {
    broker: String,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while a connection is made, so that all connections are ended of which a broker knows.
    making: Mutex<()>,
}

/// What is to be done, and what was.
#[derive(Debug, Default)]
struct State {
    fates: [Fate; 2],
    /// Connections end after so many more bytes of a direction, all of them together.
    ends: [Option<(u64, End)>; 2],
    refuses: bool,
    is_over: bool,
    links: Vec<Arc<Link>>,
    made: usize,
    refused: usize,
    passed: [u64; 2],
}

impl Relay {
    /// A relay to the broker at this address, at a port of its own.
    ///
    /// # Panics
    ///
    /// If this machine has no port left.
    pub fn to(broker: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a port left");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared { broker: broker.into(), ..Shared::default() });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port at which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Sets what becomes of the bytes of a direction from here on.
    pub fn set(&self, way: Way, fate: Fate) {
        self.shared.change(|state| state.fates[way.index()] = fate);
    }

    /// The same for both directions.
    pub fn set_both(&self, fate: Fate) {
        self.shared.change(|state| state.fates = [fate; 2]);
    }

    /// Passes on whatever comes, and takes connections.
    pub fn pass(&self) {
        self.shared.change(|state| {
            state.fates = [Fate::Pass; 2];
            state.ends = [None; 2];
            state.refuses = false;
        });
    }

    /// Ends the connection on which exactly so many more bytes have passed in a direction, counted
    /// over all connections. The last byte arrives, unless a reset overtakes it.
    pub fn end_after(&self, way: Way, bytes: u64, end: End) {
        self.shared.change(|state| state.ends[way.index()] = Some((bytes, end)));
    }

    /// Closes both sides of every connection.
    pub fn cut(&self) {
        self.end_all(End::Cut);
    }

    /// Resets both sides of every connection.
    pub fn reset(&self) {
        self.end_all(End::Reset);
    }

    /// Resets the broker's side of every connection, and lets the clients know nothing: what they
    /// send is dropped, and nothing comes. So does a network that has forgotten a silent
    /// connection.
    pub fn forget(&self) {
        self.set_both(Fate::Swallow);
        let _making = self.shared.making();
        for link in &self.shared.state().links {
            link.let_broker_go();
        }
    }

    /// Takes no more connections, or takes them again. One that is refused is reset as soon as it
    /// is accepted.
    pub fn refuse(&self, refuses: bool) {
        self.shared.change(|state| state.refuses = refuses);
    }

    /// The number of connections that were made to the broker.
    pub fn made(&self) -> usize {
        let _making = self.shared.making();
        self.shared.state().made
    }

    /// The number of connections that were refused.
    pub fn refused(&self) -> usize {
        self.shared.state().refused
    }

    /// The number of connections of which a direction still runs.
    pub fn open(&self) -> usize {
        let _making = self.shared.making();
        self.shared.state().links.len()
    }

    /// The number of bytes that were passed on in a direction.
    pub fn passed(&self, way: Way) -> u64 {
        self.shared.state().passed[way.index()]
    }

    /// Waits until what it has seen is as it should be, which it looks at after each change.
    ///
    /// # Panics
    ///
    /// If that is not so within half a minute.
    pub fn until(&self, mut is_so: impl FnMut(&Seen) -> bool) {
        let waits = |state: &mut State| !is_so(&state.seen());
        let waited = self.shared.changed.wait_timeout_while(self.shared.state(), Duration::from_secs(30), waits);
        let (state, timed_out) = waited.expect("nothing panics under this lock");
        assert!(!timed_out.timed_out(), "not within half a minute: {:?}", state.seen());
    }

    fn end_all(&self, end: End) {
        let _making = self.shared.making();
        let links = std::mem::take(&mut self.shared.state().links);
        for link in links {
            link.end(end);
        }
        self.shared.changed.notify_all();
    }
}

/// What a relay has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Connections that were made to the broker.
    pub made: usize,
    /// Connections that were refused.
    pub refused: usize,
    /// Connections of which a direction still runs.
    pub open: usize,
    /// Bytes that were passed on to the broker, and to clients.
    pub passed: [u64; 2],
}

impl State {
    fn seen(&self) -> Seen {
        Seen { made: self.made, refused: self.refused, open: self.links.len(), passed: self.passed }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under this lock")
    }

    fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().expect("nothing panics under this lock")
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.state().is_over {
                return;
            }
            // A client that is gone before it is accepted is no failure of the relay's.
            let Ok(client) = client else { continue };
            let _making = self.making();
            match self.connect() {
                Some(broker) => self.serve(client, broker),
                None => {
                    // First, so that a client that was refused is counted.
                    self.change(|state| state.refused += 1);
                    link::reset(&client);
                }
            }
        }
    }

    /// A connection to the broker for a client, unless none is to be made.
    fn connect(&self) -> Option<TcpStream> {
        if self.state().refuses {
            return None;
        }
        TcpStream::connect(&self.broker).ok()
    }

    fn serve(self: &Arc<Self>, client: TcpStream, broker: TcpStream) {
        // A client that is gone already is no failure of the relay's.
        let Ok(link) = Link::new(client, broker).map(Arc::new) else { return };
        self.change(|state| {
            state.made += 1;
            state.links.push(Arc::clone(&link));
        });
        for way in Way::BOTH {
            let (shared, link) = (Arc::clone(self), Arc::clone(&link));
            thread::spawn(move || {
                link.run(way, &shared);
                shared.change(|state| {
                    if link.is_done(way) {
                        state.links.retain(|other| !Arc::ptr_eq(other, &link));
                    }
                });
            });
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.change(|state| state.is_over = true);
        self.cut();
        // Wakes the thread that accepts.
        if let Ok(stream) = TcpStream::connect(self.address) {
            drop(stream.shutdown(Shutdown::Both));
        }
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}
