//! Streams that are read and written when they may be ready.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;

use super::core::Core;
use super::source::{Descriptor, Direction, Source, Token};
use crate::transport::{Room, Stream};

/// A direction.
#[derive(Debug, Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Way {
    fn of(self, source: &mut Source) -> &mut Direction {
        match self {
            Self::In => &mut source.input,
            Self::Out => &mut source.output,
        }
    }
}

/// The I/O of a stream that a reactor drives.
pub(crate) trait Ready: Send + Unpin + 'static {
    /// Returns I/O that never blocks: it returns `WouldBlock` instead.
    fn io(&mut self) -> impl Read + Write;

    /// Signals the end of the stream to the other side.
    fn end(&mut self) -> io::Result<()>;

    fn socket(&self) -> Option<SockRef<'_>>;
}

/// A socket of this crate.
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

/// A socket of the caller.
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

/// A stream of the caller, without a descriptor.
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

/// A stream that a reactor drives.
pub(crate) struct ReadyStream<T> {
    io: T,
    token: Token,
    core: Core,
}

impl ReadyStream<Socket> {
    /// A socket of this crate.
    pub(super) fn of_socket(socket: TcpStream, core: &Core) -> Self {
        let socket = Arc::new(socket);
        Self::new(Socket(Arc::clone(&socket)), core, Some(Descriptor(socket)))
    }

    /// Waits until a socket that is being connected is connected.
    pub(super) fn poll_connected(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let report = ready!(self.poll_ready(Way::Out, context))?;
            if let Some(error) = self.io.0.take_error()? {
                return Poll::Ready(Err(error));
            }
            match self.io.0.peer_addr() {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::NotConnected => self.set_exhausted(Way::Out, report),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

#[cfg(unix)]
impl<T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static> ReadyStream<Given<T>> {
    /// Makes a stream of a socket of the caller, which is set to non-blocking mode.
    pub(crate) fn of_given(io: T, core: &Core) -> io::Result<Self> {
        SockRef::from(&io).set_nonblocking(true)?;
        let descriptor = io.as_fd().try_clone_to_owned()?;
        Ok(Self::new(Given(io), core, Some(Descriptor(Arc::new(descriptor)))))
    }
}

impl<T: Read + Write + Send + Unpin + 'static> ReadyStream<Any<T>> {
    /// Makes a stream of one of the caller, which reports when it is ready.
    pub(crate) fn of_any(io: T, core: &Core) -> Self {
        Self::new(Any(io), core, None)
    }
}

impl<T> ReadyStream<T> {
    fn new(io: T, core: &Core, descriptor: Option<Descriptor>) -> Self {
        let mut state = core.state();
        let token = Token(state.name());
        let report = state.reports.next();
        state.sources.insert(token.0, Source::new(descriptor, report));
        state.touch(token);
        drop(state);
        Self { io, token, core: core.clone() }
    }

    pub(super) fn token(&self) -> Token {
        self.token
    }

    /// Returns the number of the last report if the stream may be ready, or an error if the loop
    /// cannot wait for it.
    fn poll_ready(&self, way: Way, context: &Context<'_>) -> Poll<io::Result<u64>> {
        let mut state = self.core.state();
        state.touch(self.token);
        let (last, all) = (state.reports.last(), state.reports.all());
        // A stream has a source as long as it exists.
        let Some(source) = state.sources.get_mut(&self.token.0) else { return Poll::Ready(Ok(last)) };
        if let Some(failure) = source.failure() {
            return Poll::Ready(Err(failure));
        }
        // Cloning or dropping a waker under the lock runs no code of the application: a stream is
        // polled only by the reactor's own tasks.
        let is_ready = way.of(source).is_ready_or_wakes(all, context.waker());
        if is_ready { Poll::Ready(Ok(last)) } else { Poll::Pending }
    }

    fn set_exhausted(&self, way: Way, report: u64) {
        if let Some(source) = self.core.state().sources.get_mut(&self.token.0) {
            way.of(source).set_exhausted(report);
        }
    }

    /// A read returned fewer bytes than it could take. If the loop reports edges, the next read has
    /// to wait for one: trying it now would be a call of the system for nothing.
    fn note_short_read(&self, report: u64) {
        let mut state = self.core.state();
        let edges = state.edge_triggered;
        if let Some(source) = state.sources.get_mut(&self.token.0).filter(|source| edges && !source.is_hung_up()) {
            source.input.set_exhausted(report);
        }
    }

    /// Makes an attempt as soon as the stream may be ready, and repeats it until it does not return
    /// `WouldBlock`. The report is read before the attempt, so that one that arrives during the
    /// attempt leads to another one.
    fn poll_io<R>(
        &mut self,
        way: Way,
        context: &mut Context<'_>,
        mut attempt: impl FnMut(&mut T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            let report = ready!(self.poll_ready(way, context))?;
            match attempt(&mut self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.set_exhausted(way, report),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl<T: Ready> Stream for ReadyStream<T> {
    fn poll_read(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(Way::In, context, |io| io.io().read(bytes))
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<usize>> {
        let core = self.core.clone();
        let mut scratch = core.scratch();
        let most = room.remaining().min(MOST_AT_A_TIME);
        if scratch.len() < most {
            scratch.resize(most, 0);
        }
        let Some(bytes) = scratch.get_mut(..most) else { return Poll::Ready(Ok(0)) };
        // A report that arrives during the read is not lost.
        let report = core.state().reports.last();
        let count = ready!(self.poll_read(context, bytes))?;
        if count < most {
            self.note_short_read(report);
        }
        Poll::Ready(Ok(room.put(bytes.get(..count).unwrap_or_default())))
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

/// The most bytes that are read in one call.
const MOST_AT_A_TIME: usize = 64 * 1024;

impl<T> Drop for ReadyStream<T> {
    fn drop(&mut self) {
        let is_announced = self.core.state().remove(self.token);
        if is_announced {
            // Wakes the loop, which has the descriptor and drops it at the change.
            self.core.wake_owner();
        }
    }
}
