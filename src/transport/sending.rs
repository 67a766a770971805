//! Writing what a connection queued, as much at a time as a stream accepts.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::Stream;
use crate::frame::Outbound;

/// The number of slices in one vectored write.
const SLICES: usize = 64;

/// Offers the front of `outbound` to a stream in one vectored write, and returns how many bytes it
/// accepted. `offered` is set before the write, because the stream may have passed on what it was
/// offered even if it reports an error. Afterwards `offered` no longer includes what was accepted.
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
