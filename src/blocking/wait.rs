//! Waiting on a thread: the future of the async API is polled here, and the thread sleeps until it
//! is woken.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::driver::mio::is_driver;
use crate::error::{Error, Result};

/// A thread that waits. It is woken by what it waits for, and by nothing else that unparks it.
struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

thread_local! {
    /// One for each thread, however often it waits. Waits do not nest: a future of this crate runs
    /// nothing foreign when it is polled.
    static SLEEPER: Arc<Sleeper> = Arc::new(Sleeper::new());
}

impl Sleeper {
    fn new() -> Self {
        Self { thread: thread::current(), woken: AtomicBool::new(false) }
    }
}

/// Waits for a future.
///
/// # Errors
///
/// Its own. It would have to wait on the thread that drives a connection, which could not go on:
/// that is an error at once.
#[inline]
pub(super) fn wait<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending if is_driver() => Err(Error::waits_on_driver()),
        Poll::Pending => sleep_on(None, |context| future.as_mut().poll(context)).unwrap_or_else(never),
    }
}

/// Without a time that it ends at, a wait is not over before it has a result.
fn never<T>() -> Result<T> {
    Err(Error::internal("a wait without an end ended"))
}

/// Waits for what `poll` looks for, at most until `until`. None where the time was over before.
///
/// # Errors
///
/// This is the thread that drives a connection, and there is nothing at once.
pub(super) fn wait_until<T>(
    until: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Result<Option<T>> {
    if is_driver() {
        return match poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Ok(Some(result)),
            Poll::Pending => Err(Error::waits_on_driver()),
        };
    }
    Ok(sleep_on(until, poll))
}

fn sleep_on<T>(until: Option<Instant>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    // What is dropped with its thread comes here when the thread has no such values any more.
    let sleeper = SLEEPER.try_with(Arc::clone).unwrap_or_else(|_| Arc::new(Sleeper::new()));
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = poll(&mut context) {
            return Some(result);
        }
        while !sleeper.woken.swap(false, Ordering::Acquire) {
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(left) if left.is_zero() => return None,
                Some(left) => thread::park_timeout(left),
            }
        }
    }
}
