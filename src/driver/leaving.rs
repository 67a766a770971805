//! What a driver does when it is dropped: it still writes what waits.
//!
//! The runtime performs no I/O any more, so a socket is written by blocking calls, for a short
//! time, also with TLS. Then the driver waits for the broker to end the stream: a socket that is
//! closed with unread input is reset, and bytes that the system still holds for the broker would be
//! lost. Any other transport gets what it accepts without waiting.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use socket2::{SockRef, Socket};

use crate::frame::Outbound;
use crate::transport::{Stream, Transport, poll_send};

/// The time limit for writing what waits and for the end of the stream.
const LIMIT: Duration = Duration::from_secs(3);

/// The same if only the close waits.
const SHORT_LIMIT: Duration = Duration::from_millis(250);

/// How long a write waits before input is read in between.
const STALLED: Duration = Duration::from_millis(20);

/// The shortest timeout that a socket can have.
const LEAST: Duration = Duration::from_millis(1);

/// The number of slices in one vectored write.
const SLICES: usize = 64;

/// Writes what waits, beginning with what was taken before, and ends the transport.
pub(super) fn leave<S: Stream>(transport: &mut Transport<S>, waiting: [Outbound; 2], something_waits: bool) {
    let until = Instant::now() + if something_waits { LIMIT } else { SHORT_LIMIT };
    let [mut taken, mut last] = waiting;
    let waiting = [&mut taken, &mut last];
    // An error cannot be reported any more. What was handed over has an unknown outcome either way.
    let left = match Blocking::find(transport, until) {
        Some(mut blocking) => blocking.leave(waiting),
        None => offer(transport, waiting),
    };
    drop(left);
}

/// A socket that can be written without a runtime.
struct Blocking<'a> {
    socket: SockRef<'a>,
    #[cfg(feature = "tls")]
    tls: Option<&'a mut rustls::ClientConnection>,
    until: Instant,
}

impl<'a> Blocking<'a> {
    /// Finds the socket of a transport, if there is one.
    fn find<S: Stream>(transport: &'a mut Transport<S>, until: Instant) -> Option<Self> {
        Some(match transport {
            Transport::Plain(stream) => Self {
                socket: stream.socket()?,
                #[cfg(feature = "tls")]
                tls: None,
                until,
            },
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => {
                let (stream, tls) = stream.parts();
                Self { socket: stream.socket()?, tls: Some(tls), until }
            }
        })
    }

    fn leave(&mut self, waiting: [&mut Outbound; 2]) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        for outbound in waiting {
            self.write(outbound)?;
        }
        self.end_tls()?;
        self.socket.shutdown(Shutdown::Write)?;
        let mut timed = Timed { socket: &self.socket, until: self.until };
        let mut unread = [0; 4096];
        while timed.read(&mut unread)? > 0 {}
        Ok(())
    }

    fn write(&mut self, outbound: &mut Outbound) -> io::Result<()> {
        while !outbound.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = outbound.slices(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            let count = self.write_some(slices)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            outbound.advance(count);
        }
        Ok(())
    }

    fn write_some(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut timed = Timed { socket: &self.socket, until: self.until };
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            // What TLS still holds is written first, so that there is room.
            flush_tls(tls, &mut timed)?;
            let count = tls.writer().write_vectored(slices)?;
            flush_tls(tls, &mut timed)?;
            return Ok(count);
        }
        timed.write_vectored(slices)
    }

    /// Sends `close_notify`, so that the end of the stream is not taken for a truncation.
    #[cfg_attr(not(feature = "tls"), allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "there is no TLS"))]
    fn end_tls(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            flush_tls(tls, &mut Timed { socket: &self.socket, until: self.until })?;
        }
        Ok(())
    }
}

#[cfg(feature = "tls")]
fn flush_tls(tls: &mut rustls::ClientConnection, timed: &mut Timed<'_>) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(timed)?;
    }
    Ok(())
}

/// A blocking socket with one deadline for all operations.
struct Timed<'a> {
    socket: &'a Socket,
    until: Instant,
}

impl Timed<'_> {
    /// The remaining time; at least the shortest timeout of a socket, because zero stands for no
    /// limit there.
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.max(LEAST)) }
    }

    /// Reads and drops what has arrived. A peer that cannot write may not read either, and then
    /// nothing would be written.
    fn drop_input(&mut self) -> io::Result<()> {
        self.socket.set_read_timeout(Some(LEAST))?;
        let mut socket = self.socket;
        let mut unread = [0; 4096];
        // Bounded by the deadline, even if the peer keeps sending.
        while self.left().is_ok() && socket.read(&mut unread).is_ok_and(|count| count > 0) {}
        Ok(())
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        let mut socket = self.socket;
        socket.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            self.socket.set_write_timeout(Some(self.left()?.min(STALLED)))?;
            let mut socket = self.socket;
            match socket.write_vectored(slices) {
                Err(error) if is_timeout(&error) => self.drop_input()?,
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether an error is a timeout of the socket, as different systems report it, or an interruption.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Writes what a transport accepts at once.
fn offer<S: Stream>(transport: &mut S, waiting: [&mut Outbound; 2]) -> io::Result<()> {
    let mut context = Context::from_waker(Waker::noop());
    for outbound in waiting {
        while !outbound.is_empty() {
            match poll_send(transport, &mut context, outbound, &mut 0) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
    }
    match transport.poll_shutdown(&mut context) {
        Poll::Ready(ended) => ended,
        Poll::Pending => Ok(()),
    }
}
