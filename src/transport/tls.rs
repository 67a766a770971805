//! TLS on a stream: rustls decides, and this moves the octets.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::SockRef;

use super::{Room, Stream};

/// A stream that is encrypted on the way.
#[derive(Debug)]
pub(crate) struct TlsStream<S> {
    session: ClientConnection,
    stream: S,
    /// The other side was told that nothing more comes.
    ended: bool,
}

impl<S: Stream> TlsStream<S> {
    /// Begins a session: [`TlsStream::poll_handshake`] comes next.
    pub(crate) fn new(config: Arc<ClientConfig>, name: ServerName<'static>, stream: S) -> Result<Self, rustls::Error> {
        Ok(Self { session: ClientConnection::new(config, name)?, stream, ended: false })
    }

    /// Goes on until both sides agree.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_pass_on(context))?;
            if !self.session.is_handshaking() {
                return self.stream.poll_flush(context);
            }
            if ready!(self.poll_receive(context))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// The parts, for whoever goes on without a runtime.
    pub(crate) fn parts(&mut self) -> (&mut S, &mut ClientConnection) {
        (&mut self.stream, &mut self.session)
    }

    /// Gives the stream what the session has for the other side.
    fn poll_pass_on(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut stream = AtOnce { stream: &mut self.stream, context };
            match self.session.write_tls(&mut stream) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) => return pending_or(error),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the session what the stream has; 0 at the end of the stream.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut stream = AtOnce { stream: &mut self.stream, context };
        let count = match self.session.read_tls(&mut stream) {
            Ok(count) => count,
            Err(error) => return pending_or(error),
        };
        if let Err(error) = self.session.process_new_packets() {
            // The session has an alert for the other side. Whether it gets there changes nothing.
            let _alert = self.poll_pass_on(context);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(count))
    }

    /// Takes what is decrypted, and receives more where that is nothing. `take` gives how much it
    /// took.
    fn poll_take(
        &mut self,
        context: &mut Context<'_>,
        mut take: impl FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut reader = self.session.reader();
            match reader.fill_buf() {
                Ok(decrypted) => {
                    let count = take(decrypted);
                    reader.consume(count);
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            // At the end of the stream the reader says whether the other side meant it.
            ready!(self.poll_receive(context))?;
        }
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    fn poll_read(&mut self, context: &mut Context<'_>, octets: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_take(context, |mut decrypted| decrypted.read(octets).unwrap_or(0))
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<usize>> {
        self.poll_take(context, |decrypted| room.put(decrypted))
    }

    fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        // What it holds from before goes first, so that it never holds more than it may.
        ready!(self.poll_pass_on(context))?;
        let count = self.session.writer().write_vectored(slices)?;
        match self.poll_pass_on(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // It holds the rest, and passes it on when it is flushed.
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pass_on(context))?;
        self.stream.poll_flush(context)
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.ended, true) {
            self.session.send_close_notify();
        }
        ready!(self.poll_pass_on(context))?;
        self.stream.poll_shutdown(context)
    }

    fn socket(&self) -> Option<SockRef<'_>> {
        self.stream.socket()
    }
}

/// A stream as rustls takes it: where it would have to be waited for, it says `WouldBlock`, and the
/// task is woken later.
struct AtOnce<'a, 'c, S> {
    stream: &'a mut S,
    context: &'a mut Context<'c>,
}

impl<S: Stream> Read for AtOnce<'_, '_, S> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        at_once(self.stream.poll_read(self.context, octets))
    }
}

impl<S: Stream> Write for AtOnce<'_, '_, S> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(octets)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        at_once(self.stream.poll_write(self.context, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        at_once(self.stream.poll_flush(self.context))
    }
}

fn at_once<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The other way round.
fn pending_or<T>(error: io::Error) -> Poll<io::Result<T>> {
    if error.kind() == io::ErrorKind::WouldBlock { Poll::Pending } else { Poll::Ready(Err(error)) }
}
