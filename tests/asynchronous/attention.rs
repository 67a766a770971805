//! Polling a future a little, and then no more.
#![allow(dead_code, reason = "each test crate that includes this uses a part of it")]

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// How a future is treated before it is dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Attention {
    /// It is polled whenever others have run: its completion, once there, is seen.
    Kept,
    /// It is polled once and never again: its completion, once there, stays where it is.
    Lost,
}

/// Polls a future, lets everybody else run `turns` times, and drops it. Gives its output if it got that far.
pub(crate) async fn drop_after<F: IntoFuture>(turns: usize, attention: Attention, future: F) -> Option<F::Output> {
    let mut future = pin!(future.into_future());
    for turn in 0..=turns {
        if turn == 0 || attention == Attention::Kept {
            let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
            if let Poll::Ready(output) = polled {
                return Some(output);
            }
        }
        if turn < turns {
            tokio::task::yield_now().await;
        }
    }
    None
}
