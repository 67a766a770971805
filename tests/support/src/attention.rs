//! Polling a future a little, and then no more.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Runs on a task of its own, where it takes its turn like all others; the main future of a runtime
/// has to wait until nothing else is left to do.
pub async fn in_turn<F: Future<Output: Send + 'static> + Send + 'static>(future: F) -> F::Output {
    match tokio::spawn(future).await {
        Ok(output) => output,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// Lets every task that is ready run once, and no more, unlike tokio's `yield_now`.
pub async fn let_others_run_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// How a future is treated before it is dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attention {
    /// It is polled whenever others have run: its completion, once there, is seen.
    Kept,
    /// It is polled once and never again: its completion, once there, stays where it is.
    Lost,
}

/// Polls a future, lets everybody else run `turns` times, and drops it. It has to run [`in_turn`].
/// Gives its output if it got that far.
pub async fn drop_after<F: IntoFuture>(turns: usize, attention: Attention, future: F) -> Option<F::Output> {
    let mut future = pin!(future.into_future());
    for turn in 0..=turns {
        if turn == 0 || attention == Attention::Kept {
            let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
            if let Poll::Ready(output) = polled {
                return Some(output);
            }
        }
        if turn < turns {
            let_others_run_once().await;
        }
    }
    None
}
