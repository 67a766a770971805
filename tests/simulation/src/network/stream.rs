//! The client's end of a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Network, now};

/// A transport for a client.
#[derive(Debug)]
pub struct Stream {
    pub(super) network: Network,
    pub(super) key: u64,
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut world = self.network.world();
        let Some(link) = world.links.get_mut(&self.key) else { return Poll::Ready(Ok(())) };
        if link.at_client.is_empty() {
            let Some(end) = link.end else {
                link.reader = Some(context.waker().clone());
                return Poll::Pending;
            };
            return Poll::Ready(end.read());
        }
        let count = into.remaining().min(link.at_client.len());
        into.put_slice(&link.at_client[..count]);
        link.at_client.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut world = self.network.world();
        let pipe = world.pipe;
        let Some(link) = world.links.get_mut(&self.key) else { return broken() };
        if link.end.is_some() || link.shut {
            return broken();
        }
        let room = pipe.saturating_sub(link.ways[0].len());
        if room == 0 {
            link.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let count = bytes.len().min(room);
        link.ways[0].push(Bytes::copy_from_slice(&bytes[..count]), now());
        drop(world);
        self.network.wake();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(link) = self.network.world().links.get_mut(&self.key) {
            link.shut = true;
        }
        self.network.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(link) = self.network.world().links.get_mut(&self.key) {
            link.dropped = true;
        }
        self.network.wake();
    }
}

fn broken() -> Poll<io::Result<usize>> {
    Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
}
