//! Streams of bytes, independent of a runtime. They are polled, and do what they can at once or
//! notify the task later.
//!
//! A [`Stream`] is a socket or a pipe of some runtime, or TLS on one. A read or write does what is
//! possible at once; if nothing is, the task is woken when something is. The drivers of the client
//! and the embedded broker use only this trait.

#[cfg(feature = "tokio")]
mod on_tokio;
mod sending;
#[cfg(feature = "tls")]
mod tls;

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use bytes::buf::Limit;
use bytes::{BufMut, BytesMut};
use socket2::SockRef;

#[cfg(feature = "tokio")]
pub(crate) use on_tokio::OnTokio;
pub(crate) use sending::poll_send;
#[cfg(feature = "tls")]
pub(crate) use tls::TlsStream;

/// A stream of bytes in both directions. Each method does what is possible at once. If nothing is,
/// it returns `Pending`, and the task is woken when something is.
pub(crate) trait Stream: Send + Unpin + 'static {
    /// Reads into `bytes`, and returns how many were read; 0 at the end of the stream.
    fn poll_read(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Reads into `room`, which has to have some, and returns how many bytes were read; 0 at the
    /// end of the stream.
    fn poll_fill(&mut self, context: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<usize>>;

    /// Writes, and returns how many bytes were accepted; 0 only if the stream will not accept any
    /// more.
    fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Passes on bytes that it buffers.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the outgoing direction of the stream.
    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The underlying socket, if there is one.
    fn socket(&self) -> Option<SockRef<'_>>;
}

/// The buffer to read into.
pub(crate) enum Room<'a> {
    Input(&'a mut BytesMut),
    Body(Limit<&'a mut Vec<u8>>),
}

impl Room<'_> {
    /// The number of bytes that it accepts without growing.
    pub(crate) fn remaining(&self) -> usize {
        match self {
            Self::Input(input) => input.capacity() - input.len(),
            Self::Body(body) => body.remaining_mut(),
        }
    }

    /// Copies as many of `bytes` as there is room for, and returns how many.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.remaining());
        let bytes = bytes.get(..count).unwrap_or_default();
        match self {
            Self::Input(input) => input.extend_from_slice(bytes),
            Self::Body(body) => body.put_slice(bytes),
        }
        count
    }
}

/// A stream, or TLS on one.
#[derive(Debug)]
pub(crate) enum Transport<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<S>>),
}

/// Calls a method on either kind of stream.
macro_rules! either {
    ($transport:expr, $stream:ident => $call:expr) => {
        match $transport {
            Transport::Plain($stream) => $call,
            #[cfg(feature = "tls")]
            Transport::Tls($stream) => $call,
        }
    };
}

impl<S: Stream> Stream for Transport<S> {
    #[inline]
    fn poll_read(&mut self, context: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_read(context, bytes))
    }

    #[inline]
    fn poll_fill(&mut self, context: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_fill(context, room))
    }

    #[inline]
    fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(context, slices))
    }

    #[inline]
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(context))
    }

    fn socket(&self) -> Option<SockRef<'_>> {
        either!(self, stream => stream.socket())
    }
}

/// Reads into `input`, at most as much as it has room for, and returns how many bytes were read; 0
/// at the end of the stream. If there is little room, `chunk` bytes are reserved first.
pub(crate) fn poll_read_more<S: Stream>(
    stream: &mut S,
    context: &mut Context<'_>,
    input: &mut BytesMut,
    chunk: usize,
) -> Poll<io::Result<usize>> {
    if input.capacity() - input.len() < chunk / 4 {
        input.reserve(chunk);
    }
    stream.poll_fill(context, &mut Room::Input(input))
}
