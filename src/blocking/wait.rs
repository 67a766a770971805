//! Waiting on a thread: the futures of the async API are polled here. The thread drives the
//! connection meanwhile if no other thread does, and sleeps otherwise.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::driver::mio::{Driving, Sleeper, is_driver};
use crate::error::{Error, Result};

/// Waits for a future of a connection that `driving` drives.
///
/// # Errors
///
/// Those of the future. If the future would have to wait on the thread that drives a connection,
/// which could not go on meanwhile, that is an error at once.
#[inline]
pub(super) fn wait<T>(driving: Option<&Driving>, future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = pin!(future);
    wait_until(driving, None, |context| future.as_mut().poll(context))?.unwrap_or_else(never)
}

/// A wait without a deadline ends with a result.
fn never<T>() -> Result<T> {
    Err(Error::internal("a wait without a deadline ended"))
}

/// Waits until `poll` is ready, at most until `until`. Returns `None` if the time ended first.
///
/// # Errors
///
/// Returns an error if this is the thread that drives a connection, and `poll` is not ready at
/// once.
#[inline]
pub(super) fn wait_until<T>(
    driving: Option<&Driving>,
    until: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Result<Option<T>> {
    if is_driver() {
        return match poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Ok(Some(result)),
            Poll::Pending => Err(Error::waits_on_driver()),
        };
    }
    Ok(match driving {
        Some(driving) => driving.wait(until, poll),
        None => sleep_until(until, poll),
    })
}

fn sleep_until<T>(until: Option<Instant>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    let sleeper = Sleeper::of_this_thread();
    let waker = sleeper.waker();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = poll(&mut context) {
            return Some(result);
        }
        if !sleeper.sleep(until) {
            return None;
        }
    }
}
