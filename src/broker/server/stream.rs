//! A connection to the broker within the process.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The client's end of a connection to a [`Broker`](super::Broker) within the process. It is a
/// transport for [`Connection::open_on`](crate::Connection::open_on), or for any other client that
/// accepts one.
///
/// It buffers 64 KiB in each direction, like a socket; further writes wait until the other side
/// reads. Dropping it has the effect of losing a socket.
#[derive(Debug)]
pub struct Stream(DuplexStream);

impl Stream {
    /// The number of bytes that it buffers in each direction.
    const CAPACITY: usize = 64 * 1024;

    /// Creates the client's end and the broker's end.
    pub(super) fn pair() -> (Self, DuplexStream) {
        let (client, broker) = tokio::io::duplex(Self::CAPACITY);
        (Self(client), broker)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
