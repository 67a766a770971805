//! Streams of tokio.

use std::any::Any;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::{Room, Stream};

/// A stream that tokio reads from and writes to.
#[derive(Debug)]
pub(crate) struct OnTokio<T>(pub(crate) T);

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for OnTokio<T> {
    fn poll_read(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    #[inline]
    fn poll_fill(&mut self, context: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<usize>> {
        match room {
            Room::Input(input) => pin!(self.0.read_buf(*input)).poll(context),
            Room::Body(body) => pin!(self.0.read_buf(body)).poll(context),
        }
    }

    #[inline]
    fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    #[inline]
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn socket(&self) -> Option<SockRef<'_>> {
        let stream: &dyn Any = &self.0;
        #[cfg(unix)]
        if let Some(stream) = stream.downcast_ref::<tokio::net::UnixStream>() {
            return Some(SockRef::from(stream));
        }
        stream.downcast_ref::<tokio::net::TcpStream>().map(SockRef::from)
    }
}
