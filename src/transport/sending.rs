//! Writing what a connection queued, as much of it at a time as a stream takes.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::Stream;
use crate::frame::Outbound;

/// Slices in one vectored write.
const SLICES: usize = 64;

/// Offers the front of `outbound` to a stream, in one vectored write: how much, and how much it
/// took. `offered` hears first how much that is: it may have gone on, whatever the stream says.
#[inline]
pub(crate) fn poll_send<S: Stream>(
    stream: &mut S,
    context: &mut Context<'_>,
    outbound: &mut Outbound,
    offered: &mut usize,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let filled = outbound.slices(&mut slices);
    let slices = slices.get(..filled).unwrap_or_default();
    *offered = slices.iter().map(|slice| slice.len()).sum::<usize>().max(*offered);
    let count = ready!(stream.poll_write(context, slices))?;
    if count == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    outbound.advance(count);
    *offered = offered.saturating_sub(count);
    Poll::Ready(Ok(count))
}
