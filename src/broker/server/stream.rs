//! A connection to the broker within the process.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The client's end of a connection to a [`Broker`](super::Broker) within the process: a transport
/// for [`Connection::open_on`](crate::Connection::open_on), or for any other client that takes one.
///
/// It holds 64 KiB each way, as a socket does; what is more waits until the other side reads.
/// Dropping it is what losing a socket is.
#[derive(Debug)]
pub struct Stream(DuplexStream);

impl Stream {
    /// Octets that it holds each way.
    const CAPACITY: usize = 64 * 1024;

    /// The client's end, and the broker's.
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
