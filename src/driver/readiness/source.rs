//! What is read and written: streams that say whether they are ready.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use socket2::SockRef;

use super::Reactor;
use crate::transport::{Room, Stream};

/// The name of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub usize);

/// What a source is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// Something can be read, or the other side has ended the stream.
    pub readable: bool,
    /// Something can be written.
    pub writable: bool,
}

/// What a loop is to wait for, or no more.
#[derive(Debug)]
pub enum Change {
    /// A new source.
    Add(Token, Descriptor, Interest),
    /// Another interest in a source. A loop that reports edges may pass it over, where it waits for
    /// both all the time.
    Modify(Token, Interest),
    /// A source that is gone. Its descriptor is to be dropped.
    Remove(Token),
}

/// The descriptor of a source. It stays open until this is dropped.
#[derive(Clone)]
pub struct Descriptor(Arc<Held>);

/// What holds it open.
#[cfg(unix)]
type Held = dyn std::os::fd::AsFd + Send + Sync;
#[cfg(not(unix))]
type Held = TcpStream;

/// A source as a reactor knows it.
pub(super) struct Source {
    readable: bool,
    writable: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Why nobody can wait for it.
    failure: Option<Arc<io::Error>>,
    /// What was told last.
    interest: Interest,
    /// It has a descriptor that loops are to be told of.
    is_told: bool,
}

impl Source {
    /// Whether it is ready was not looked at: it is tried.
    fn new(is_told: bool) -> Self {
        let interest = Interest::default();
        Self { readable: true, writable: true, reader: None, writer: None, failure: None, interest, is_told }
    }

    /// Gives whom to wake.
    pub(super) fn handle_failed(&mut self, error: io::Error) -> [Option<Waker>; 2] {
        self.failure = Some(Arc::new(error));
        self.handle_ready(true, true)
    }

    /// Gives whom to wake.
    pub(super) fn handle_ready(&mut self, readable: bool, writable: bool) -> [Option<Waker>; 2] {
        self.readable |= readable;
        self.writable |= writable;
        [self.readable.then(|| self.reader.take()).flatten(), self.writable.then(|| self.writer.take()).flatten()]
    }

    /// What it is to be waited for, where that is not what was told.
    pub(super) fn changed_interest(&mut self) -> Option<Interest> {
        let interest = Interest { readable: self.reader.is_some(), writable: self.writer.is_some() };
        (self.is_told && std::mem::replace(&mut self.interest, interest) != interest).then_some(interest)
    }
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    In,
    Out,
}

/// What lies under a stream of a reactor's.
pub(crate) trait Ready: Send + Unpin + 'static {
    /// Reads and writes at once, or says `WouldBlock`.
    fn io(&mut self) -> impl Read + Write;

    /// Tells the other side that nothing more comes.
    fn end(&mut self) -> io::Result<()>;

    fn socket(&self) -> Option<SockRef<'_>>;
}

/// A socket of this crate's.
pub(crate) struct Socket(Arc<TcpStream>);

impl Ready for Socket {
    fn io(&mut self) -> impl Read + Write {
        &*self.0
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }

    fn socket(&self) -> Option<SockRef<'_>> {
        Some(SockRef::from(&*self.0))
    }
}

/// A socket of the caller's.
#[cfg(unix)]
pub(crate) struct Given<T>(T);

#[cfg(unix)]
impl<T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static> Ready for Given<T> {
    fn io(&mut self) -> impl Read + Write {
        &mut self.0
    }

    fn end(&mut self) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(Shutdown::Write)
    }

    fn socket(&self) -> Option<SockRef<'_>> {
        Some(SockRef::from(&self.0))
    }
}

/// A stream of the caller's, of which nothing else is known.
pub(crate) struct Any<T>(T);

impl<T: Read + Write + Send + Unpin + 'static> Ready for Any<T> {
    fn io(&mut self) -> impl Read + Write {
        &mut self.0
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn socket(&self) -> Option<SockRef<'_>> {
        None
    }
}

/// A stream that is driven by a reactor.
pub(crate) struct ReadyStream<T> {
    io: T,
    token: Token,
    reactor: Reactor,
    is_told: bool,
}

impl ReadyStream<Socket> {
    /// A socket, which loops are told of.
    pub(super) fn of_socket(socket: TcpStream, reactor: &Reactor) -> Self {
        let socket = Arc::new(socket);
        Self::new(Socket(Arc::clone(&socket)), reactor, Some(Descriptor(socket)))
    }

    /// Waits until a socket that is being connected is connected.
    pub(super) fn poll_connected(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_ready(Way::Out, context))?;
            if let Some(error) = self.io.0.take_error()? {
                return Poll::Ready(Err(error));
            }
            match self.io.0.peer_addr() {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::NotConnected => self.clear(Way::Out),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

#[cfg(unix)]
impl<T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static> ReadyStream<Given<T>> {
    /// A socket of the caller's, which is made not to block.
    pub(crate) fn of_given(io: T, reactor: &Reactor) -> io::Result<Self> {
        SockRef::from(&io).set_nonblocking(true)?;
        let descriptor = io.as_fd().try_clone_to_owned()?;
        Ok(Self::new(Given(io), reactor, Some(Descriptor(Arc::new(descriptor)))))
    }
}

impl<T: Read + Write + Send + Unpin + 'static> ReadyStream<Any<T>> {
    /// A stream of the caller's, who tells when it is ready.
    pub(crate) fn of_any(io: T, reactor: &Reactor) -> Self {
        Self::new(Any(io), reactor, None)
    }
}

impl<T> ReadyStream<T> {
    fn new(io: T, reactor: &Reactor, descriptor: Option<Descriptor>) -> Self {
        let is_told = descriptor.is_some();
        let mut state = reactor.state();
        let token = Token(state.name());
        state.sources.insert(token.0, Source::new(is_told));
        state.changes.extend(descriptor.map(|descriptor| Change::Add(token, descriptor, Interest::default())));
        drop(state);
        Self { io, token, reactor: reactor.clone(), is_told }
    }

    pub(crate) fn token(&self) -> Token {
        self.token
    }

    fn poll_ready(&self, way: Way, context: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.reactor.state();
        // It has a source as long as it is there.
        let Some(source) = state.sources.get_mut(&self.token.0) else { return Poll::Ready(Ok(())) };
        if let Some(failure) = &source.failure {
            return Poll::Ready(Err(io::Error::new(failure.kind(), Arc::clone(failure))));
        }
        let (is_ready, waiting) = match way {
            Way::In => (source.readable, &mut source.reader),
            Way::Out => (source.writable, &mut source.writer),
        };
        // Nothing foreign runs under the lock: whoever polls a stream is a task of the reactor's.
        *waiting = (!is_ready).then(|| context.waker().clone());
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn clear(&self, way: Way) {
        if let Some(source) = self.reactor.state().sources.get_mut(&self.token.0) {
            match way {
                Way::In => source.readable = false,
                Way::Out => source.writable = false,
            }
        }
    }

    /// Does something as soon as the stream is ready for it.
    fn poll_io<R>(
        &mut self,
        way: Way,
        context: &mut Context<'_>,
        mut attempt: impl FnMut(&mut T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            ready!(self.poll_ready(way, context))?;
            match attempt(&mut self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.clear(way),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl<T: Ready> Stream for ReadyStream<T> {
    fn poll_read(&mut self, context: &mut Context<'_>, octets: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(Way::In, context, |io| io.io().read(octets))
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<usize>> {
        let reactor = self.reactor.clone();
        let mut scratch = reactor.0.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let most = room.remaining().min(MOST_AT_A_TIME);
        if scratch.len() < most {
            scratch.resize(most, 0);
        }
        let Some(octets) = scratch.get_mut(..most) else { return Poll::Ready(Ok(0)) };
        let count = ready!(self.poll_read(context, octets))?;
        Poll::Ready(Ok(room.put(octets.get(..count).unwrap_or_default())))
    }

    fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll_io(Way::Out, context, |io| io.io().write_vectored(slices))
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_io(Way::Out, context, |io| io.io().flush())
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_io(Way::Out, context, Ready::end)
    }

    fn socket(&self) -> Option<SockRef<'_>> {
        self.io.socket()
    }
}

/// Octets read in one call.
const MOST_AT_A_TIME: usize = 64 * 1024;

impl<T> Drop for ReadyStream<T> {
    fn drop(&mut self) {
        let mut state = self.reactor.state();
        state.sources.remove(&self.token.0);
        if self.is_told {
            state.changes.push_back(Change::Remove(self.token));
        }
        drop(state);
        self.reactor.0.queue.wake_owner();
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descriptor").finish_non_exhaustive()
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Descriptor {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Descriptor {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.0.as_socket()
    }
}
