//! What octets move on, whoever waits for it: streams that are asked, and answer at once or later.
//!
//! A [`Stream`] is a socket or a pipe of some runtime, or TLS on one. It is asked to read or write,
//! and does what it can at once; where it can do nothing, it wakes the task that asked when it can.
//! The drivers of the client and the embedded broker move what they have on nothing else.

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

/// A stream of octets in both directions. Each method does what it can at once; where that is
/// nothing, it is `Pending`, and the task is woken when there is something to do.
pub(crate) trait Stream: Send + Unpin + 'static {
    /// Reads into `octets`; 0 at the end of the stream.
    fn poll_read(&mut self, context: &mut Context<'_>, octets: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Reads into `room`, which has some; 0 at the end of the stream.
    fn poll_fill(&mut self, context: &mut Context<'_>, room: &mut Room<'_>) -> Poll<io::Result<usize>>;

    /// Writes what it takes; never 0 but where it takes nothing any more.
    fn poll_write(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Passes on what it holds back.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the other side that nothing more comes.
    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The socket underneath, where there is one.
    fn socket(&self) -> Option<SockRef<'_>>;
}

/// Where to read to.
pub(crate) enum Room<'a> {
    Input(&'a mut BytesMut),
    Body(Limit<&'a mut Vec<u8>>),
}

impl Room<'_> {
    /// Octets that it takes without growing.
    pub(crate) fn remaining(&self) -> usize {
        match self {
            Self::Input(input) => input.capacity() - input.len(),
            Self::Body(body) => body.remaining_mut(),
        }
    }

    /// Takes as much of `octets` as there is room for; gives how much.
    pub(crate) fn put(&mut self, octets: &[u8]) -> usize {
        let count = octets.len().min(self.remaining());
        let octets = octets.get(..count).unwrap_or_default();
        match self {
            Self::Input(input) => input.extend_from_slice(octets),
            Self::Body(body) => body.put_slice(octets),
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

/// Calls the same on whatever it is.
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
    fn poll_read(&mut self, context: &mut Context<'_>, octets: &mut [u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_read(context, octets))
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

/// Reads into `input`, at most what it has room for, which is made `chunk` where it is little; 0 at
/// the end of the stream.
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
