//! TLS on a stream: rustls is the protocol, and this moves the bytes.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::SockRef;

use super::{Room, Stream};

/// An encrypted stream.
#[derive(Debug)]
pub(crate) struct TlsStream<S> {
    session: ClientConnection,
    stream: S,
    /// Whether `close_notify` was sent.
    ended: bool,
    /// How a write failed during the handshake.
    unwritten: Option<io::Error>,
    /// How a read failed. It is reported after what was decrypted before it.
    failed: Option<io::Error>,
}

impl<S: Stream> TlsStream<S> {
    /// Begins a session. To be followed by [`TlsStream::poll_handshake`].
    pub(crate) fn new(config: Arc<ClientConfig>, name: ServerName<'static>, stream: S) -> Result<Self, rustls::Error> {
        Ok(Self { session: ClientConnection::new(config, name)?, stream, ended: false, unwritten: None, failed: None })
    }

    /// Performs the TLS handshake. After a failed write, what has arrived is still read: the other
    /// side may have sent an alert before it closed the stream.
    pub(crate) fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.unwritten.is_none() {
                self.unwritten = ready!(self.poll_pass_on(context)).err();
            }
            if !self.session.is_handshaking() {
                // A write that failed fails again, and who writes then reads on.
                return if self.unwritten.is_some() { Poll::Ready(Ok(())) } else { self.stream.poll_flush(context) };
            }
            let ended = match ready!(self.poll_receive(context)) {
                Ok(0) => io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => continue,
                Err(error) => error,
            };
            // A broken pipe says no more than the end of the stream.
            let unwritten = self.unwritten.take().filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
            let is_alert = ended.kind() == io::ErrorKind::InvalidData;
            return Poll::Ready(Err(if is_alert { ended } else { unwritten.unwrap_or(ended) }));
        }
    }

    /// The stream and the session, for a driver that continues without a runtime.
    pub(crate) fn parts(&mut self) -> (&mut S, &mut ClientConnection) {
        (&mut self.stream, &mut self.session)
    }

    /// Writes what the session has for the other side.
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

    /// Reads into the session, and returns how many bytes were read; 0 at the end of the stream.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut stream = AtOnce { stream: &mut self.stream, context };
        let count = match self.session.read_tls(&mut stream) {
            Ok(count) => count,
            Err(error) => return pending_or(error),
        };
        if let Err(error) = self.session.process_new_packets() {
            // The session has an alert for the other side. It is sent if possible; the error is the
            // same.
            let _alert = self.poll_pass_on(context);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        Poll::Ready(Ok(count))
    }

    /// Takes decrypted bytes, and receives more if there are none. `take` returns how many it took.
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
            if let Some(error) = self.failed.take() {
                return Poll::Ready(Err(error));
            }
            // At the end of the stream, the reader reports an error unless the other side sent
            // `close_notify`. Of what was received together, a record may be refused after others
            // were decrypted.
            self.failed = ready!(self.poll_receive(context)).err();
        }
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    fn poll_read(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_take(context, |mut decrypted| decrypted.read(bytes).unwrap_or(0))
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<usize>> {
        self.poll_take(context, |decrypted| room.put(decrypted))
    }

    fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        // What the session still holds is written first, so that its buffer stays within its limit.
        ready!(self.poll_pass_on(context))?;
        let count = self.session.writer().write_vectored(slices)?;
        match self.poll_pass_on(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // The session holds the rest, and writes it when it is flushed.
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

/// A stream as rustls uses it: instead of `Pending` it returns `WouldBlock`, and the task is woken
/// later.
struct AtOnce<'a, 'c, S> {
    stream: &'a mut S,
    context: &'a mut Context<'c>,
}

impl<S: Stream> Read for AtOnce<'_, '_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        at_once(self.stream.poll_read(self.context, bytes))
    }
}

impl<S: Stream> Write for AtOnce<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
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

/// Turns `WouldBlock` back into `Pending`.
fn pending_or<T>(error: io::Error) -> Poll<io::Result<T>> {
    if error.kind() == io::ErrorKind::WouldBlock { Poll::Pending } else { Poll::Ready(Err(error)) }
}
