//! The selector of the operating system, and the sockets that it waits for.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry};

use crate::driver::readiness::{Change, Descriptor, Reactor, Token};

/// A selector that waits for what a reactor reports.
#[derive(Debug)]
pub(crate) struct Selector {
    poll: Poll,
    events: Events,
    reactor: Reactor,
    /// The registered sources. They keep their descriptors open.
    sources: BTreeMap<Token, Registered>,
}

/// The most events that one wait takes. More are taken by the next.
const EVENTS: usize = 256;

/// The name of the waker. No source has it: the names of sources are never 0.
const WOKEN: mio::Token = mio::Token(0);

impl Selector {
    /// Creates a selector, and a reactor that wakes it.
    ///
    /// # Errors
    ///
    /// Returns an error of the operating system.
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = SelectorWaker::new(poll.registry())?;
        Ok(Self::with(poll, move || waker.wake()))
    }

    /// Makes a selector whose reactor calls `wake` when there is something to do. The waker ends a
    /// wait at the selector.
    pub(super) fn woken_by<W: Fn() + Send + Sync + 'static>(wake: impl FnOnce(SelectorWaker) -> W) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = SelectorWaker::new(poll.registry())?;
        Ok(Self::with(poll, wake(waker)))
    }

    fn with(poll: Poll, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let reactor = Reactor::new(wake);
        reactor.core().set_edge_triggered();
        Self { poll, events: Events::with_capacity(EVENTS), reactor, sources: BTreeMap::new() }
    }

    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// Waits until there is something to do, at most until `until`, and reports to the reactor what
    /// is ready. The caller takes a turn after that.
    ///
    /// # Errors
    ///
    /// Returns an error of the operating system if the selector cannot wait.
    pub(crate) fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.apply_changes();
        let deadline = self.reactor.deadline().into_iter().chain(until).min();
        let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match self.poll.poll(&mut self.events, limit.map(round_up)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        for event in self.events.iter().filter(|event| event.token() != WOKEN) {
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            let writable = event.is_writable() || event.is_write_closed() || event.is_error();
            if event.is_read_closed() || event.is_error() {
                self.reactor.core().handle_hang_up(Token(event.token().0));
            }
            self.reactor.handle_ready(Token(event.token().0), readable, writable);
        }
        Ok(())
    }

    /// Registers and removes sources as the reactor says. A socket of a connection that has ended
    /// is closed by this.
    pub(crate) fn apply_changes(&mut self) {
        while let Some(change) = self.reactor.poll_change() {
            self.apply(change);
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Add(token, descriptor, _) => match Registered::new(self.poll.registry(), token, descriptor) {
                Ok(registered) => drop(self.sources.insert(token, registered)),
                Err(error) => self.reactor.handle_failed(token, error),
            },
            // Not needed: both directions are registered all the time, and the selector is
            // edge-triggered.
            Change::Modify(..) => {}
            Change::Remove(token) => {
                if let Some(registered) = self.sources.remove(&token) {
                    registered.remove(self.poll.registry());
                }
            }
        }
    }
}

/// Ends a wait at a selector, or the next one.
pub(super) struct SelectorWaker(mio::Waker);

impl SelectorWaker {
    fn new(registry: &Registry) -> io::Result<Self> {
        Ok(Self(mio::Waker::new(registry, WOKEN)?))
    }

    /// If this fails, the system has lost its descriptors, and nothing would help.
    pub(super) fn wake(&self) {
        drop(self.0.wake());
    }
}

/// Rounds a wait up to whole milliseconds, which the operating system counts: rounded down, it
/// would end before the deadline, and the loop would spin until then.
fn round_up(limit: Duration) -> Duration {
    if limit.is_zero() { limit } else { limit + Duration::from_micros(999) }
}

const BOTH: mio::Interest = mio::Interest::READABLE.add(mio::Interest::WRITABLE);

/// A registered socket.
#[derive(Debug)]
struct Registered {
    #[cfg(unix)]
    socket: Descriptor,
    #[cfg(windows)]
    socket: mio::net::TcpStream,
}

#[cfg(unix)]
impl Registered {
    fn new(registry: &Registry, token: Token, socket: Descriptor) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        registry.register(&mut mio::unix::SourceFd(&socket.as_raw_fd()), mio::Token(token.0), BOTH)?;
        Ok(Self { socket })
    }

    /// Ends the registration. A failure is ignored, because the operating system forgets a socket
    /// when it is closed.
    fn remove(self, registry: &Registry) {
        use std::os::fd::AsRawFd;
        drop(registry.deregister(&mut mio::unix::SourceFd(&self.socket.as_raw_fd())));
    }
}

#[cfg(windows)]
impl Registered {
    fn new(registry: &Registry, token: Token, socket: Descriptor) -> io::Result<Self> {
        let socket = std::os::windows::io::AsSocket::as_socket(&socket).try_clone_to_owned()?;
        let mut socket = mio::net::TcpStream::from_std(socket.into());
        registry.register(&mut socket, mio::Token(token.0), BOTH)?;
        Ok(Self { socket })
    }

    /// Ends the registration. A failure is ignored, because the operating system forgets a socket
    /// when it is closed.
    fn remove(mut self, registry: &Registry) {
        drop(registry.deregister(&mut self.socket));
    }
}
