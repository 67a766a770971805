//! What a script runs over. Scripts are `async` in either case: over a stream that blocks none of
//! their steps is ever pending, so that a plain thread without a runtime runs them too
//! ([`run_blocking`]).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// A stream of octets in both directions.
pub trait Transport: Send {
    /// Reads what is there, or waits for something: none at the end of the stream.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`] where nothing comes within this time.
    fn read(&mut self, into: &mut BytesMut, within: Duration) -> impl Future<Output = io::Result<usize>> + Send;

    /// Writes all of it.
    ///
    /// # Errors
    ///
    /// The other end is gone, or [`ErrorKind::TimedOut`].
    fn write(&mut self, octets: &[u8], within: Duration) -> impl Future<Output = io::Result<()>> + Send;

    /// Ends the direction to the other end, if that is still there.
    fn end(&mut self) -> impl Future<Output = ()> + Send;
}

/// Any stream of tokio's, in the time of its runtime.
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Transport for S {
    async fn read(&mut self, into: &mut BytesMut, within: Duration) -> io::Result<usize> {
        timeout(within, self.read_buf(into)).await?
    }

    async fn write(&mut self, octets: &[u8], within: Duration) -> io::Result<()> {
        timeout(within, self.write_all(octets)).await?
    }

    async fn end(&mut self) {
        drop(self.shutdown().await);
    }
}

/// A stream whose calls block their thread.
#[derive(Debug)]
pub struct Blocking<S>(pub S);

/// What [`Blocking`] needs of a stream besides reading and writing.
pub trait Limited: Read + Write + Send {
    /// A read or write that takes longer fails with [`ErrorKind::TimedOut`] or
    /// [`ErrorKind::WouldBlock`].
    ///
    /// # Errors
    ///
    /// Those of the socket.
    fn limit(&mut self, within: Duration) -> io::Result<()>;

    /// Ends the direction to the other end.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    fn end(&mut self) -> io::Result<()>;
}

impl Limited for TcpStream {
    fn limit(&mut self, within: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(within))?;
        self.set_write_timeout(Some(within))
    }

    fn end(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl<S: Limited> Transport for Blocking<S> {
    async fn read(&mut self, into: &mut BytesMut, within: Duration) -> io::Result<usize> {
        self.0.limit(within)?;
        let mut chunk = [0; 16 * 1024];
        let count = loop {
            match self.0.read(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read.map_err(timed_out)?,
            }
        };
        into.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    async fn write(&mut self, octets: &[u8], within: Duration) -> io::Result<()> {
        self.0.limit(within)?;
        self.0.write_all(octets).map_err(timed_out)
    }

    async fn end(&mut self) {
        drop(self.0.end());
    }
}

/// A socket says either.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

/// Runs a script on this thread, over [`Blocking`] streams.
pub fn run_blocking<F: Future>(script: F) -> F::Output {
    match pin!(script).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a script on a plain thread waits for what does not block it"),
    }
}
